"""First contact resolution: by asking people, or by seeing whether they come back."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Annotated, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from qa.stats.arguments import Category, Confidence, Count, Rating, RefusedArgument, at_most
from qa.stats.reasons import Reason
from qa.stats.small_samples import wilson
from qa.stats.times import Moment


@with_config(ConfigDict(strict=True, extra="forbid"))
class Contact(TypedDict):
    """One contact, on any channel; a leg of a transferred one names the first in ``transfer_of``."""

    id: Category
    customer: Rating
    reason: NotRequired[Rating]
    start: Moment
    transfer_of: NotRequired[Rating]


class SurveyedFcr(TypedDict):
    """Per cent of the asked whose matter was settled at once, with Wilson's range."""

    fcr_pct: float | None
    lo: float | None
    hi: float | None
    reason: Reason | None


class RepeatedFcr(TypedDict):
    """Per cent of decided first contacts that nobody had to repeat, and what was not decided."""

    first_contacts_decided: int
    resolved_first: int
    fcr_pct: float | None
    pending: int
    unknown_customer: int
    transfer_legs: int
    repeat_contacts: int
    repeat_ids: list[str | float]
    reason: Reason | None


def fcr_survey(resolved_first: Count, surveyed: Count, conf: Confidence = 0.95) -> SurveyedFcr:
    """First contact resolution as customers say."""
    at_most("resolved_first", resolved_first, "surveyed", surveyed)
    found = wilson(resolved_first, surveyed, conf)
    return {
        "fcr_pct": per_cent(found["p"]),
        "lo": per_cent(found["lo"]),
        "hi": per_cent(found["hi"]),
        "reason": found["reason"],
    }


def per_cent(share: float | None) -> float | None:
    """Return 70.0 for 0.7; None stays None."""
    return None if share is None else 100 * share


def fcr_repeat(
    contacts: list[Contact],
    as_of: Moment,
    window_days: Annotated[float, Field(allow_inf_nan=False, gt=0, le=3650)] = 7.0,
    by_reason: bool = True,
) -> RepeatedFcr:
    """First contacts without a repeat within so many times 24 hours, of those whose window has closed.

    A repeat is the same customer (and reason, unless ``by_reason`` is false) within the window after any
    contact. Until a window has closed its first contact is pending, even if repeated already: otherwise the
    last week would look worse than it will. Legs of a transfer belong to their contact; a contact of an
    unknown customer can neither repeat nor be repeated.
    """
    seen: set[str | float] = set()
    for place, contact in enumerate(contacts):
        if contact["id"] in seen:
            raise RefusedArgument(f"contacts[{place}].id", f"{contact['id']} stands twice.")
        seen.add(contact["id"])
    whole = [contact for contact in contacts if contact.get("transfer_of") is None]
    known = [contact for contact in whole if contact["customer"] is not None]
    threads: dict[tuple[Rating, Rating], list[Contact]] = defaultdict(list)
    for contact in sorted(known, key=lambda one: (one["start"], str(one["id"]))):
        threads[contact["customer"], contact.get("reason") if by_reason else None].append(contact)
    window = timedelta(days=window_days)
    firsts, repeats = _first_and_repeated(list(threads.values()), window)
    decided = [alone for start, alone in firsts if start + window <= as_of]
    share = sum(decided) / len(decided) if decided else None
    return {
        "first_contacts_decided": len(decided),
        "resolved_first": sum(decided),
        "fcr_pct": per_cent(share),
        "pending": len(firsts) - len(decided),
        "unknown_customer": len(whole) - len(known),
        "transfer_legs": len(contacts) - len(whole),
        "repeat_contacts": len(repeats),
        "repeat_ids": [contact["id"] for contact in repeats],
        "reason": None if decided else "none_decided",
    }


def _first_and_repeated(
    threads: list[list[Contact]], window: timedelta
) -> tuple[list[tuple[datetime, bool]], list[Contact]]:
    """Return the start of each first contact with whether it stayed alone, and the repeats by time."""
    firsts: list[tuple[datetime, bool]] = []
    repeats: list[Contact] = []
    for thread in threads:
        for place, contact in enumerate(thread):
            if place and contact["start"] - thread[place - 1]["start"] <= window:
                repeats.append(contact)
                continue
            followers = thread[place + 1 : place + 2]
            alone = not followers or followers[0]["start"] - contact["start"] > window
            firsts.append((contact["start"], alone))
    return firsts, sorted(repeats, key=lambda one: (one["start"], str(one["id"])))
