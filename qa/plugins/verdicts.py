"""What an error of a connector means for its source: its state, when to try again, what to do.

One table, read by the sync loop and shown on the sources page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from qa.plugins.api import (
    AuthExpired,
    Cancelled,
    ConfigError,
    NotReady,
    PermissionMissing,
    RateLimited,
    StuckCursor,
    Transient,
    VendorBug,
)
from qa.plugins.page_rules import ContractBroken, Drifted
from qa.plugins.store import State, Stop

DEGRADED_AFTER = 3
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
UNKNOWN_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run's end means. ``reason`` and ``cure`` are sentences for a person."""

    stop: Stop
    state: State | None
    again_at: datetime | None
    reason: str = ""
    cure: str = ""
    error: str = ""
    failures: int = 0


def pause_after(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row: a minute, doubled up to an hour."""
    return min(FIRST_PAUSE * (1 << min(max(failures - 1, 0), 10)), LONGEST_PAUSE)


def judge(error: Exception, failures: int, now: datetime, every: timedelta) -> Verdict:
    """Return what an error means for a source that is pulled ``every`` so often.

    ``failures`` is how many runs in a row failed before this one.
    """
    if isinstance(error, Cancelled):
        return Verdict(Stop.CANCELLED, None, None, failures=failures)
    if isinstance(error, RateLimited):
        at = now + UNKNOWN_PAUSE if error.at is None else max(error.at, now)
        reason = "The vendor allows no more requests until then."
        return Verdict(Stop.LIMITED, State.LIMITED, at, reason=reason, failures=failures)
    return _failed(error, failures + 1, now, every)


def _failed(error: Exception, failures: int, now: datetime, every: timedelta) -> Verdict:
    state, reason, cure = next((row[1:] for row in MEANINGS if isinstance(error, row[0])), PLUGIN_FAILED)
    is_hiccup = isinstance(error, PASSING) and failures < DEGRADED_AFTER
    again_at: datetime | None = now + pause_after(failures)
    if state in FOR_PEOPLE:
        again_at = None
    elif isinstance(error, NotReady):
        again_at = now + error.retry_in
    elif isinstance(error, VendorBug | StuckCursor):
        again_at = now + max(every, pause_after(failures))
    return Verdict(
        Stop.FAILED,
        None if is_hiccup else state,
        again_at,
        reason=f"{reason} {error}".strip(),
        cure=cure,
        error=f"{type(error).__name__}: {error}",
        failures=failures,
    )


FOR_PEOPLE = (State.NEEDS_REAUTH, State.PAUSED)
"""States that wait for a person: no retry."""

PASSING = (Transient, NotReady)
"""Errors that say nothing about the source before they came three times in a row."""

MEANINGS: tuple[tuple[type[Exception], State, str, str], ...] = (
    (
        AuthExpired,
        State.NEEDS_REAUTH,
        "The vendor no longer accepts the credentials.",
        "Enter new credentials on the source's page.",
    ),
    (
        PermissionMissing,
        State.NEEDS_REAUTH,
        "The credentials lack a permission.",
        "Grant it at the vendor, then test the source.",
    ),
    (ConfigError, State.PAUSED, "The settings do not work.", "Correct them, then test the source."),
    (
        Drifted,
        State.PAUSED,
        "Too many records could not be read; nothing of the page was kept.",
        "Look at the example, update the plugin, then continue.",
    ),
    (NotReady, State.DEGRADED, "The vendor is not ready.", "Nothing to do: it is asked again."),
    (Transient, State.DEGRADED, "The vendor did not answer well.", "Nothing to do: it is asked again."),
    (StuckCursor, State.DEGRADED, "The vendor goes round in circles.", "Tell the plugin's author."),
    (VendorBug, State.DEGRADED, "The vendor broke its own rules.", "Tell the plugin's author."),
    (ContractBroken, State.DEGRADED, "The plugin broke a rule.", "Tell the plugin's author."),
)
PLUGIN_FAILED = (
    State.DEGRADED,
    "The plugin failed.",
    "Tell its author; `qa plugin doctor` shows what to send.",
)
