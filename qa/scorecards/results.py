"""What came of scoring: exact text such as "75" or "200/3" outside, fractions where they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import gcd
from typing import Any

PASS, FAIL, NOT_SCORED, INCOMPLETE = "pass", "fail", "not_scored", "incomplete"


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """One question: points and share of the total as exact text; ``ratio`` is None when it does not count."""

    ref: str
    state: str
    earned: str
    max: str
    weight_applied: str
    ratio: str | None
    band: str | None = None


@dataclass(frozen=True, slots=True)
class SectionResult:
    """One section after section fails; ``ratio`` is None when nothing in it counted."""

    ref: str
    state: str
    earned: str
    max: str
    weight_applied: str
    ratio: str | None
    band: str | None = None


@dataclass(frozen=True, slots=True)
class FailCause:
    """What failed, and how far it reaches: question, section or form."""

    ref: str
    scope: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the answers.

    ``raw`` and ``score`` are None while something required is open or when nothing counted;
    ``running`` is the raw score over what is answered so far.
    """

    score: Fraction | None
    raw: Fraction | None
    running: Fraction | None
    outcome: str
    band: str | None
    fail_causes: tuple[FailCause, ...]
    missing: tuple[str, ...]
    visible: tuple[str, ...]
    sections: tuple[SectionResult, ...]
    questions: tuple[QuestionResult, ...]


def band_of(bands: Any, percent: Fraction | None) -> str | None:
    """Return the name of the half-open band that holds the exact score; the last is open-ended."""
    if percent is None:
        return None
    for band in bands:
        if band.to is None or percent < _edge(band.to):
            return str(band.name)
    return str(bands[-1].name) if bands else None


@lru_cache(maxsize=1_024)
def _edge(number: Decimal) -> Fraction:
    return Fraction(number)


@lru_cache(maxsize=16_384)
def exact_of(numerator: int, denominator: int) -> str:
    """Return a fraction as "75" or "200/3"."""
    common = gcd(numerator, denominator)
    numerator, denominator = numerator // common, denominator // common
    return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"


def exact(number: Fraction) -> str:
    """Return a number as "75" or "200/3"."""
    return exact_of(number.numerator, number.denominator)
