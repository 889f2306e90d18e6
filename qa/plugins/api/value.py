"""What every value that crosses to or from a plugin has in common: frozen, checked where it is made.

A wrong type, a time without a zone or a number that is none is refused in the plugin's own line,
as ``TypeError`` or ``ValueError``, and not somewhere in the product.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar

MAX_DEPTH = 64

_PLAIN: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "bytes": (bytes,),
    "datetime": (datetime,),
    "date": (date,),
    "Decimal": (Decimal,),
}
"""Annotation: what is taken for it. Others are checked when the value crosses the border."""

_PLANS: dict[type, tuple[tuple[str, tuple[type, ...]], ...]] = {}


@dataclass(frozen=True, slots=True)
class Value:
    """Base of all values: lists become tuples, times become UTC, nonsense is refused."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid",
        "strict": True,
        "allow_inf_nan": False,
        "ser_json_bytes": "base64",
        "val_json_bytes": "base64",
        "ser_json_inf_nan": "constants",
    }

    def __post_init__(self) -> None:
        """Check and settle every field."""
        for name, taken in _plan_of(type(self)):
            given = getattr(self, name)
            settled = _settled(given, f"{type(self).__name__}.{name}", taken)
            if settled is not given:
                object.__setattr__(self, name, settled)


def _plan_of(kind: type) -> tuple[tuple[str, tuple[type, ...]], ...]:
    plan = _PLANS.get(kind)
    if plan is None:
        plan = tuple((field.name, _taken_by(str(field.type))) for field in fields(kind))
        _PLANS[kind] = plan
    return plan


def _taken_by(annotation: str) -> tuple[type, ...]:
    parts = [part.strip() for part in annotation.split("|")]
    if not all(part in _PLAIN or part == "None" for part in parts):
        return ()
    return tuple(kind for part in parts for kind in _PLAIN.get(part, (type(None),)))


def _settled(given: Any, name: str, taken: tuple[type, ...]) -> Any:
    kind = type(given)
    if kind is list:
        return tuple(given)
    if taken and (not isinstance(given, taken) or (kind is bool and bool not in taken)):
        words = " or ".join("None" if one is type(None) else one.__name__ for one in taken)
        raise TypeError(f"{name} must be {words}, not {kind.__name__} ({_short(given)})")
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise ValueError(f"{name} has no time zone ({given}): read it in the vendor's zone")
        return given if given.tzinfo is UTC else given.astimezone(UTC)
    if isinstance(given, float | Decimal) and not math.isfinite(given):
        raise ValueError(f"{name} is {given}, which is not a number")
    if isinstance(given, Mapping):
        check_plain(given, name)
    return given


def check_plain(given: Any, name: str, depth: int = 0, also: tuple[type, ...] = ()) -> None:
    """Refuse what JSON cannot hold: types but those in ``also``, keys that are not text, NaN, 65 levels."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{name} is nested deeper than {MAX_DEPTH} levels")
    if isinstance(given, Mapping | list | tuple):
        for key, item in given.items() if isinstance(given, Mapping) else enumerate(given):
            if isinstance(given, Mapping) and not isinstance(key, str):
                raise TypeError(f"{name} has the key {_short(key)}; keys must be str")
            check_plain(item, f"{name}[{_short(key)}]", depth + 1, also)
    elif isinstance(given, float) and not math.isfinite(given):
        raise ValueError(f"{name} is {given}, which is not a number")
    elif not isinstance(given, (str, int, float, Value, type(None), *also)):
        raise TypeError(f"{name} is {type(given).__name__}, which JSON cannot hold ({_short(given)})")


def made_plain(given: Any, depth: int = 0) -> Any:
    """Return something as near as JSON can hold: for what came broken and must be kept all the same."""
    if depth > MAX_DEPTH:
        return _short(given)
    if isinstance(given, Mapping):
        return {_unbroken(str(key)): made_plain(item, depth + 1) for key, item in given.items()}
    if isinstance(given, list | tuple):
        return [made_plain(item, depth + 1) for item in given]
    if isinstance(given, str):
        return _unbroken(given)
    if given is None or isinstance(given, int) or (isinstance(given, float) and math.isfinite(given)):
        return given
    return _unbroken(given.decode("utf-8", "backslashreplace") if isinstance(given, bytes) else repr(given))


def _unbroken(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _short(given: Any) -> str:
    words = repr(given)
    return words if len(words) <= 40 else words[:39] + "…"
