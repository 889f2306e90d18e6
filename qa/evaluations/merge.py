"""Two people, or two tabs, and one draft: what can be kept, and what must be asked.

A change says what its author saw (``was``) and what it shall be (``value``). It is taken when the
draft still says what was seen, or says the same already; otherwise it is a conflict, and nothing
of the request is taken. Changes to different questions never meet. A change whose question is
``WHOLE`` concerns the whole form: the private note, its root cause, the word for the coach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ANSWER, COMMENT, CAUSE, COACHING = "answer", "comment", "root_cause", "coaching"
FIELDS = (ANSWER, COMMENT, CAUSE, COACHING)
WHOLE = ""
NOTE, POINT = "private_note", "coaching_note"
WHOLE_FIELDS = (NOTE, CAUSE, POINT)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one question: what its author saw, and what it shall be."""

    question: str
    field: str
    was: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Conflicting:
    """A field that somebody else changed meanwhile."""

    question: str
    field: str
    theirs: Any
    yours: Any


@dataclass(frozen=True, slots=True)
class Merged:
    """What to write, or what to ask; never both."""

    applied: dict[Key, Any]
    conflicts: tuple[Conflicting, ...]


def merge(stored: Mapping[Key, Any], changes: Iterable[Change]) -> Merged:
    """Return the values to write, or the conflicts. An absent value is None, a comment's is ''."""
    applied: dict[Key, Any] = {}
    conflicts = []
    for change in changes:
        key = (change.question, change.field)
        now = applied[key] if key in applied else same_form(stored.get(key))
        value = same_form(change.value)
        if now == value:
            continue
        if now != same_form(change.was) and key not in applied:
            conflicts.append(Conflicting(change.question, change.field, now, value))
            continue
        applied[key] = value
    return Merged({}, tuple(conflicts)) if conflicts else Merged(applied, ())


def same_form(value: Any) -> Any:
    """Return one form for values that mean the same: '', False and None, and lists in any order."""
    if value == "" or value is False or value is None:
        return None
    return sorted(value) if isinstance(value, list | tuple) else value
