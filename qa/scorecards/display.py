"""How an exact score is shown: rounded half up, and never so that it contradicts its outcome."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

MICRO = 1_000_000


def parse_exact(text: str) -> Fraction:
    """Return the number behind "75", "200/3" or "62.5"."""
    return Fraction(text)


def shown(number: Fraction, decimals: int = 1) -> str:
    """Return the number half-up with exactly ``decimals`` decimals: "66.7"."""
    scale = 10**decimals
    units = (abs(number.numerator) * scale * 2 + number.denominator) // (number.denominator * 2)
    text = str(Decimal(units).scaleb(-decimals))
    return f"−{text}" if number < 0 and units else text


def score_shown(
    score: Fraction | None, pass_mark: Fraction | None, outcome: str, decimals: int = 1
) -> str | None:
    """Return the score as people read it.

    A failed score that would be shown as the pass mark itself gets more digits, until one can see
    that it lies below.
    """
    if score is None:
        return None
    digits = decimals
    while (
        outcome == "fail"
        and pass_mark is not None
        and score < pass_mark
        and Fraction(shown(score, digits)) >= pass_mark
        and digits < 12
    ):
        digits += 1
    return shown(score, digits)


def micro(number: Fraction) -> int:
    """Return millionths of a point, half to even: the column that databases sum."""
    return round(number * MICRO)


def plain(number: Decimal | Fraction | int) -> str:
    """Return a number without needless zeros: "80", "62.5"."""
    if isinstance(number, Fraction):
        quotient = (Decimal(number.numerator) / Decimal(number.denominator)).quantize(
            Decimal("0.01"), rounding=ROUND_HALF_UP
        )
        return plain(quotient)
    text = format(Decimal(number), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
