"""The kinds of argument that statistics take, and the refusal of one that cannot be used.

The signatures of the functions are written with these kinds, so that one place says what may come in: the
command line checks its input against them and prints them as JSON Schemas.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

LARGEST = 1e15
"""Beyond this a double no longer counts by ones."""


class RefusedArgument(ValueError):
    """An argument that has the right kind and still cannot be used, beside the others."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f'"{argument}" {problem}')
        self.argument = argument


def whole(value: Any) -> Any:
    """Return 4 for 4.0, as JSON Schema counts; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _rating(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or isinstance(value, str) or (number and math.isfinite(value) and abs(value) <= LARGEST):
        return value
    raise PydanticCustomError("said", "must be a number, text or null.")


def _category(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("said", "must be a number or text.")
    return _rating(value)


Rating = Annotated[float | str | None, BeforeValidator(_rating)]
Category = Annotated[float | str, BeforeValidator(_category)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
NotNegative = Annotated[float, Field(allow_inf_nan=False, ge=0, le=LARGEST)]
Positive = Annotated[float, Field(allow_inf_nan=False, gt=0, le=LARGEST)]
Share = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
OpenShare = Annotated[float, Field(allow_inf_nan=False, gt=0, lt=1)]
Chance = Annotated[float, Field(allow_inf_nan=False, gt=0, le=1)]
Count = Annotated[int, Field(ge=0, le=int(LARGEST)), BeforeValidator(whole)]
FromOne = Annotated[int, Field(ge=1, le=int(LARGEST)), BeforeValidator(whole)]
Confidence = Annotated[float, Field(allow_inf_nan=False, ge=0.01, lt=1, description="0.95 is 95 %")]
Bounds = Annotated[list[Number], Field(min_length=2, max_length=2)]


def as_tuple(value: Any) -> Any:
    """Return a JSON list as the tuple that a kind of fixed length is checked as."""
    return tuple(value) if isinstance(value, list) else value


def same_length(first: str, one: list[Any], second: str, other: list[Any]) -> None:
    """Refuse two lists that should have one value for each other.

    :raises RefusedArgument: naming the second.
    """
    if len(one) != len(other):
        raise RefusedArgument(
            second, f'must have as many values as "{first}" ({len(one)}), not {len(other)}.'
        )


def at_most(name: str, value: float, limit_name: str, limit: float) -> None:
    """Refuse a part that is greater than its whole.

    :raises RefusedArgument: naming the part.
    """
    if value > limit:
        raise RefusedArgument(name, f'must be at most "{limit_name}" ({limit:g}), not {value:g}.')
