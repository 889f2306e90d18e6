"""When a question is shown: a three-valued tree over earlier answers and facts of the conversation.

Unknown is a value of its own, so that "not answered yet" is never taken for "no".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from qa.scorecards.form import Condition

UNKNOWN = None
HIDDEN = object()
"""Stands for the answer of a question that is itself hidden: no comparison holds for it."""


def holds(condition: Condition, answers: Mapping[str, Any], fields: Mapping[str, Any]) -> bool | None:
    """Return True, False, or None while something it needs is not known."""
    if condition.all is not None:
        return _every([holds(part, answers, fields) for part in condition.all])
    if condition.any is not None:
        return _some([holds(part, answers, fields) for part in condition.any])
    if condition.negated is not None:
        inner = holds(condition.negated, answers, fields)
        return None if inner is None else not inner
    known = (
        answers.get(condition.answer) if condition.answer is not None else fields.get(str(condition.field))
    )
    if known is UNKNOWN:
        return None
    if known is HIDDEN:
        return False
    (name, wanted), *_ = condition.tests()
    return COMPARISONS[name](known, wanted)


def answers_used(condition: Condition) -> set[str]:
    """Return the refs of the questions a condition looks at."""
    parts = [*(condition.all or ()), *(condition.any or ())]
    parts += [condition.negated] if condition.negated is not None else []
    inner = {ref for part in parts for ref in answers_used(part)}
    return inner | ({condition.answer} if condition.answer is not None else set())


def leaves(condition: Condition) -> list[Condition]:
    """Return every single test of a condition."""
    parts = [*(condition.all or ()), *(condition.any or ())]
    parts += [condition.negated] if condition.negated is not None else []
    return [leaf for part in parts for leaf in leaves(part)] if parts else [condition]


def _every(parts: list[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _some(parts: list[bool | None]) -> bool | None:
    if True in parts:
        return True
    return None if None in parts else False


def _as_set(value: Any) -> set[str]:
    return {_same_form(item) for item in value} if isinstance(value, list | tuple) else {_same_form(value)}


def _same_form(value: Any) -> str:
    """Return one text for 2, 2.0 and "2", so that a YAML number matches a stored one."""
    return _form_of(value) if isinstance(value, str | int | float | Decimal) else str(value)


@lru_cache(maxsize=8_192, typed=True)
def _form_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    number = _number(value)
    return str(value) if number is None else str(number.normalize())


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(known: Any, wanted: Any) -> bool:
        left, right = _number(known), _number(wanted)
        if left is not None and right is not None:
            return compare(left, right)
        return compare(str(known), str(wanted))  # ISO dates and plain text sort as text

    return compared


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "in": lambda known, wanted: bool(_as_set(known) & _as_set(wanted)),
    "not_in": lambda known, wanted: not _as_set(known) & _as_set(wanted),
    "all_in": lambda known, wanted: _as_set(known) >= _as_set(wanted),
    "exact": lambda known, wanted: _as_set(known) == _as_set(wanted),
    "=": lambda known, wanted: _as_set(known) == _as_set(wanted),
    "!=": lambda known, wanted: _as_set(known) != _as_set(wanted),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
}
