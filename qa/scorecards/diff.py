"""What changed between two versions of a form, and of which class each change is.

Cosmetic: only words people see. Guidance: help, comments and evidence asked for. Scoring: the same
answers may now give another score. Structural: questions, options or their meaning came or went.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qa.scorecards.form import Form

COSMETIC, GUIDANCE, SCORING, STRUCTURAL = "cosmetic", "guidance", "scoring", "structural"
CLASS_OF = {
    **dict.fromkeys(
        ("title", "text", "name", "description", "language", "channels", "expected_minutes"), COSMETIC
    ),
    **dict.fromkeys(
        ("help", "comment", "evidence", "root_causes", "about", "default", "auto", "tests"), GUIDANCE
    ),
    **dict.fromkeys(("release", "dispute", "order"), GUIDANCE),
    **dict.fromkeys(("show_when", "unknown", "type", "required", "mode", "form", "scale"), STRUCTURAL),
}
LISTS = {"sections": "section", "questions": "question", "options": "option"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its class, where, and what it was and is (None when it came or went)."""

    kind: str
    place: str
    before: Any
    after: Any


def diff(before: Form, after: Form) -> list[Change]:
    """Return every change in form order; parts are matched by ref, so moving one is no removal."""
    return _parts("", before.as_data(), after.as_data())


def _parts(place: str, old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    changes: list[Change] = []
    for key in dict.fromkeys([*old, *new]):
        here = f"{place}.{key}" if place else key
        left, right = old.get(key), new.get(key)
        if left == right:
            continue
        if key in LISTS:
            changes += _listed(place, LISTS[key], left or [], right or [])
        else:
            changes.append(Change(CLASS_OF.get(key, SCORING), here, left, right))
    return changes


def _listed(place: str, noun: str, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[Change]:
    before, after = {part["ref"]: part for part in old}, {part["ref"]: part for part in new}
    changes = []
    for ref in dict.fromkeys([*before, *after]):
        here = f"{place}.{ref}" if place else ref
        if ref not in after:
            changes.append(Change(STRUCTURAL, here, noun, None))
        elif ref not in before:
            changes.append(Change(STRUCTURAL, here, None, noun))
        else:
            changes += _parts(here, before[ref], after[ref])
    kept_before = [ref for ref in before if ref in after]
    kept_after = [ref for ref in after if ref in before]
    if kept_before != kept_after:
        here = f"{place}.order" if place else "order"
        changes.append(Change(COSMETIC, f"{here} of {noun}s", kept_before, kept_after))
    return changes
