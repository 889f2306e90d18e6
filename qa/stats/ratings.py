"""Ratings as counts: a row is one interaction, a column one evaluator, null is "not rated".

"Not applicable" is an answer like any other and must be handed in as one: left out, it would hide that one
evaluator thought so and another did not.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from qa.stats.arguments import Category, Rating, RefusedArgument

Value = float | str
Row = list[Rating]
Ratings = Annotated[list[Row], Field(description="a row for each interaction, a column for each evaluator")]
Categories = Annotated[list[Category], Field(description="every answer that was possible, in order")]
WeightsName = Literal["identity", "linear", "quadratic", "ordinal"]
Weights = list[list[float]]


def checked(ratings: list[list[Value | None]]) -> list[list[Value | None]]:
    """Return the ratings.

    :raises RefusedArgument: when rows have different lengths.
    """
    for place, row in enumerate(ratings):
        if len(row) != len(ratings[0]):
            wanted = f"must have as many values as the first row ({len(ratings[0])}), not {len(row)}."
            raise RefusedArgument(f"ratings[{place}]", wanted)
    return ratings


def categories_of(ratings: list[list[Value | None]], declared: list[Value] | None) -> list[Value]:
    """Return the declared categories, or else those that occur: numbers by size, then texts.

    :raises RefusedArgument: when a rating is in none of the declared, or one is declared twice.
    """
    seen = {value for row in ratings for value in row if value is not None}
    if declared is None:
        return sorted(seen, key=lambda value: (isinstance(value, str), value))
    if len(set(declared)) < len(declared):
        raise RefusedArgument("categories", "must name each category once.")
    for value in sorted(seen - set(declared), key=str):
        raise RefusedArgument("categories", f"must hold every rating; {_shown(value)} is missing.")
    return declared


def _shown(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def counts(ratings: list[list[Value | None]], categories: list[Value]) -> list[list[int]]:
    """Return, for each interaction that anybody rated, how many chose each category."""
    place = {value: index for index, value in enumerate(categories)}
    table = []
    for row in ratings:
        counted = [0] * len(categories)
        for value in row:
            if value is not None:
                counted[place[value]] += 1
        if any(counted):
            table.append(counted)
    return table


def weights_of(name: WeightsName, categories: list[Value]) -> Weights:
    """Return how much two answers count as agreeing: 1 the same, 0 the furthest apart (Gwet 2014).

    Numbers are as far apart as they are; texts as their places in the list are.
    """
    q = len(categories)
    numbers = [value for value in categories if not isinstance(value, str)]
    at = numbers if len(numbers) == q else [float(place) for place in range(q)]
    span = max(at, default=0.0) - min(at, default=0.0) or 1.0
    most = math.comb(q, 2) or 1

    def agreement(one: int, other: int) -> float:
        apart = abs(at[one] - at[other]) / span
        match name:
            case "identity":
                return float(one == other)
            case "linear":
                return 1 - apart
            case "quadratic":
                return 1 - apart * apart
            case "ordinal":
                return 1 - math.comb(abs(one - other) + 1, 2) / most

    return [[agreement(one, other) for other in range(q)] for one in range(q)]
