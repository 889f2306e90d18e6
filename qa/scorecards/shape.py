"""Plain data into frozen dataclasses: every fault named by its place, in words for whoever wrote it.

A part declares its keys as annotated fields; unknown keys are refused, values never coerced. It is
our own because a scorecard is read by a command that must start at once: loading a validation library
would take longer than everything else it does.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin, get_type_hints

Path = tuple[str | int, ...]
MAX_DIGITS = 30


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: ``rule`` is unknown-key, missing-key or wrong-value."""

    path: Path
    rule: str
    message: str


class ShapeError(Exception):
    """The data has not the shape; ``faults`` names everything that is wrong."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{'.'.join(map(str, one.path))} {one.message}" for one in faults))


Read = Callable[[Any, Path, list[Fault]], Any]
"""Takes a value and its place; returns what is kept of it, or adds faults."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one value is read, and how JSON Schema says the same."""

    read: Read
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """A value checked by a function that returns what is kept, or raises ``ValueError`` with the words."""

    keep: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def read(self, value: Any, path: Path, faults: list[Fault]) -> Any:
        """Keep the value, or say what is wrong with it."""
        try:
            return self.keep(value)
        except ValueError as error:
            faults.append(Fault(path, "wrong-value", str(error)))
            return None


@dataclass(frozen=True, slots=True)
class Count:
    """How many parts a list has."""

    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is no name of Python, and how else it may be spelled."""

    name: str
    also: tuple[str, ...] = ()


def text(least: int = 0, most: int = 10_000, pattern: str = "", meaning: str = "") -> Check:
    """Return a check for text of so many characters; ``meaning`` says the pattern in words."""
    matches = re.compile(pattern).fullmatch

    def keep(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"is read as {_kind_of(value)} {value}, not as text: put it in quotes")
        if not least <= len(value) <= most:
            raise ValueError(
                f"has {len(value)} characters; it takes {least} to {most}" if value else "is empty"
            )
        if pattern and matches(value) is None:
            raise ValueError(f"must be {meaning}")
        return value

    said = {"type": "string", "maxLength": most} | ({"minLength": least} if least else {})
    return Check(keep, said | ({"pattern": f"^{pattern}$"} if pattern else {}))


def _kind_of(value: Any) -> str:
    names = {bool: "the switch", int: "the number", float: "the number", Decimal: "the number"}
    return names.get(type(value), "a list" if isinstance(value, tuple) else type(value).__name__)


def number(least: int | None = None) -> Check:
    """Return a check for an exact number; a float is taken by its shortest text."""

    def keep(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise ValueError("must be a number, without quotes")
        exact = Decimal(str(value))
        if not exact.is_finite():
            raise ValueError("must be a finite number")
        _, digits, exponent = exact.as_tuple()
        if max(len(digits) + max(int(exponent), 0), -int(exponent)) > MAX_DIGITS:
            raise ValueError(f"has more than {MAX_DIGITS} digits")
        if least is not None and exact < least:
            raise ValueError(f"must be at least {least}")
        return exact

    return Check(keep, {"type": "number"} | ({} if least is None else {"minimum": least}))


def whole(least: int, most: int) -> Check:
    """Return a check for a whole number from ``least`` to ``most``."""

    def keep(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return Check(keep, {"type": "integer", "minimum": least, "maximum": most})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Base of every part. ``given`` are the keys that were written, however they were spelled."""

    given: frozenset[str] = field(default=frozenset(), compare=False, repr=False)

    @classmethod
    def read(cls, data: Any) -> Self:
        """Return the part, or raise ``ShapeError`` with every fault."""
        faults: list[Fault] = []
        made = _read_part(cls, data, (), faults)
        if faults:
            raise ShapeError(faults)
        part: Self = made
        return part

    def as_data(self) -> dict[str, Any]:
        """Return plain data with the keys people write, and only those that were given."""
        named = {one.key: getattr(self, one.attribute) for one in keys_of(type(self))}
        return {key: _plain(value) for key, value in named.items() if key in self.given}


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.as_data()
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple | list) else value


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """One key of a part: its spellings, the attribute that holds it, and how its value is read."""

    key: str
    also: tuple[str, ...]
    attribute: str
    kind: Kind | Check
    is_required: bool


def keys_of(part: type[Part]) -> tuple[Declared, ...]:
    """Return the keys of a part, in the order they are declared."""
    return tuple(dict.fromkeys(_spellings(part).values()))


def _spellings(part: type[Part]) -> dict[str, Declared]:
    hashed: Any = part  # mypy takes the hash of its instances for that of the class
    return _read_declarations(hashed)


@cache
def _read_declarations(part: type[Part]) -> dict[str, Declared]:
    hints = get_type_hints(part, include_extras=True)
    declared = [_declared(one, hints[one.name]) for one in fields(part) if one.name != "given"]
    return {spelling: one for one in declared for spelling in (one.key, *one.also)}


def _declared(one: Field[Any], hint: Any) -> Declared:
    said = next((said for said in getattr(hint, "__metadata__", ()) if isinstance(said, Key)), None)
    if said is not None:
        hint = get_args(hint)[0]
    is_required = one.default is MISSING and one.default_factory is MISSING
    spelled = said or Key(one.name)
    return Declared(spelled.name, spelled.also, one.name, kind_of(hint), is_required)


# reading --------------------------------------------------------------------------------------------


def _read_part(part: type[Part], data: Any, path: Path, faults: list[Fault]) -> Any:
    if not isinstance(data, Mapping):
        faults.append(Fault(path, "wrong-value", "must be a mapping of keys to values"))
        return None
    known, before = _spellings(part), len(faults)
    values: dict[str, Any] = {}
    given: set[str] = set()
    for spelling, value in data.items():
        declared = known.get(spelling)
        if declared is None:
            words = f"There is no key `{spelling}` here. Remove it, or correct its spelling."
            faults.append(Fault((*path, spelling), "unknown-key", words))
            continue
        values[declared.attribute] = declared.kind.read(value, (*path, spelling), faults)
        given.add(declared.key)
    missing = [one.key for one in keys_of(part) if one.is_required and one.key not in given]
    faults += [Fault((*path, key), "missing-key", "is missing") for key in missing]
    if len(faults) > before:
        return None
    try:
        return part(given=frozenset(given), **values)
    except ValueError as error:
        faults.append(Fault(path, "wrong-value", str(error)))
        return None


def kind_of(hint: Any) -> Kind | Check:
    """Return how a value of this declared type is read."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        said = inner[1]
        return said if isinstance(said, Check) else _many(get_args(inner[0])[0], said)
    if origin in {Union, types.UnionType}:
        (wanted,) = (one for one in inner if one is not types.NoneType)
        return _optional(kind_of(wanted))
    if origin is Literal:
        return _one_of(inner)
    if origin is tuple:
        return _many(inner[0], Count())
    if isinstance(hint, type) and issubclass(hint, Part):
        return _part(hint)
    return PLAIN[origin or hint]


def _part(part: type[Part]) -> Kind:
    def read(value: Any, path: Path, faults: list[Fault]) -> Any:
        return _read_part(part, value, path, faults)

    return Kind(read, {"$ref": f"#/$defs/{part.__name__}"})


def _optional(inner: Kind | Check) -> Kind:
    def read(value: Any, path: Path, faults: list[Fault]) -> Any:
        return None if value is None else inner.read(value, path, faults)

    return Kind(read, {"anyOf": [inner.schema, {"type": "null"}]})


def _many(item: Any, count: Count) -> Kind:
    inner = kind_of(item)

    def read(value: Any, path: Path, faults: list[Fault]) -> Any:
        if not isinstance(value, tuple | list):
            faults.append(Fault(path, "wrong-value", "must be a list"))
            return ()
        if not count.least <= len(value) or (count.most is not None and len(value) > count.most):
            limits = (
                f"at least {count.least}" if count.most is None else f"from {count.least} to {count.most}"
            )
            faults.append(Fault(path, "wrong-value", f"has {len(value)} entries; it takes {limits}"))
        return tuple(inner.read(one, (*path, place), faults) for place, one in enumerate(value))

    limits = {"minItems": count.least} if count.least else {}
    limits |= {} if count.most is None else {"maxItems": count.most}
    return Kind(read, {"type": "array", "items": inner.schema, **limits})


def _one_of(options: tuple[Any, ...]) -> Check:
    def keep(value: Any) -> Any:
        if not any(type(value) is type(option) and value == option for option in options):
            raise ValueError(f"must be one of {', '.join(map(str, options))}")
        return value

    return Check(keep, {"enum": list(options)})


def _a_switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _a_mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping of keys to values")
    return {str(name): part for name, part in value.items()}


PLAIN: dict[Any, Check] = {
    Any: Check(lambda value: value, {}),
    str: text(),
    bool: Check(_a_switch, {"type": "boolean"}),
    dict: Check(_a_mapping, {"type": "object"}),
}


# saying the same as JSON Schema ----------------------------------------------------------------------


def json_schema(part: type[Part]) -> dict[str, Any]:
    """Return the JSON Schema of a part and of every part inside it."""
    defined: dict[str, Any] = {}
    _define(part, defined)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/$defs/{part.__name__}",
        "$defs": defined,
    }


def _define(part: type[Part], defined: dict[str, Any]) -> None:
    if part.__name__ in defined:
        return
    declared = keys_of(part)
    defined[part.__name__] = {
        "type": "object",
        "description": (part.__doc__ or "").split("\n", 1)[0],
        "properties": {key: dict(one.kind.schema) for one in declared for key in (one.key, *one.also)},
        "required": [one.key for one in declared if one.is_required],
        "additionalProperties": False,
    }
    for hint in get_type_hints(part, include_extras=True).values():
        for inner in _parts_in(hint):
            _define(inner, defined)


def _parts_in(hint: Any) -> list[type[Part]]:
    if isinstance(hint, type) and issubclass(hint, Part):
        return [hint]
    return [part for inner in get_args(hint) for part in _parts_in(inner)]
