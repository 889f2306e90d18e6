"""The few pieces every chart is made of: numbers as attributes, text escaped, a picture with its sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: the wide and narrow picture, its sentence, and the same as a table."""

    wide: Markup
    narrow: Markup
    sentence: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def number(value: Fraction | float) -> str:
    """Return a coordinate with one decimal."""
    return f"{float(value):.1f}"


def element(name: str, text: str = "", /, **attributes: object) -> Markup:
    """Return one SVG element; ``class_`` and ``text_anchor`` become ``class`` and ``text-anchor``."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{written}>{escape(text)}</{name}>" if text else f"<{name}{written}/>")


def picture(
    parts: list[Markup],
    *,
    width: int,
    height: int,
    sentence: str,
    kind: str,
    linked: bool = False,
    stretched: bool = False,
) -> Markup:
    """Return the SVG with its role and sentence; with links inside it is a group, not an image."""
    inside = Markup("").join(parts)
    ratio = Markup(' preserveAspectRatio="none"') if stretched else ""
    role = "group" if linked else "img"
    return Markup('<svg class="{}" viewBox="0 0 {} {}"{} role="{}" aria-label="{}">{}</svg>').format(
        kind, width, height, ratio, role, sentence, inside
    )


def signed(value: Fraction, decimals: int) -> str:
    """Return a change with its sign: −10.0, +5.0."""
    return ("−" if value < 0 else "+") + fixed(abs(value), decimals)


def fixed(value: Fraction, decimals: int) -> str:
    """Return a number half up with fixed decimals."""
    scale = 10**decimals
    units = (abs(value.numerator) * scale * 2 + value.denominator) // (value.denominator * 2)
    whole, part = divmod(units, scale)
    return f"{'−' if value < 0 and units else ''}{whole}{f'.{part:0{decimals}d}' if decimals else ''}"


def whole(value: Fraction) -> str:
    """Return a mark without needless decimals: 80, 62.5."""
    return str(value.numerator) if value.denominator == 1 else fixed(value, 1)


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values lie on the picture: ``low`` at pixel ``start``, ``high`` at pixel ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value; beyond the ends, that of the end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Return whether a value lies on the picture."""
        return self.low <= value <= self.high

    def ticks(self, about: int = 6) -> list[float]:
        """Return round values from low to high, about so many: steps of 1, 2 or 5 times a power of ten."""
        step = round_step((self.high - self.low) / max(about - 1, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [place * step for place in range(first, last + 1)]


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least this."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def score_ends(values: Iterable[float], low: float = 0.0, high: float = 100.0) -> tuple[float, float]:
    """Return the ends of an axis of scores: up to the top, down to the ten below the lowest value.

    Both ends are printed, so that a zoomed axis does not make small changes look large unseen.
    """
    found = list(values)
    if not found:
        return low, high
    step = (high - low) / 10
    bottom = low + math.floor((min(found) - low) / step) * step
    return max(low, min(bottom, high - 4 * step)), high


def shown(value: float, lo: float | None = None, hi: float | None = None) -> str:
    """Return a number with the decimals that its range allows: none when it is over ten wide, else one."""
    width = 0.0 if lo is None or hi is None else hi - lo
    return plain(value, 0 if width > 10 else 1)


def change_shown(value: float, lo: float | None = None, hi: float | None = None) -> str:
    """Return a change with its sign and the decimals that its range allows: −1.5, +5.7, 0."""
    words = shown(value, lo, hi)
    return words if words.startswith("−") or not words.strip("0.") else f"+{words}"


def plain(value: float, decimals: int = 0) -> str:
    """Return a number half up with a real minus sign, without a minus nought."""
    return fixed(Fraction(repr(value)), decimals)


def tick_label(value: float) -> str:
    """Return a value of an axis with no needless decimals: 80, 0.5."""
    return plain(value) if value == round(value) else f"{value:g}".replace("-", "−")


def path_of(points: Sequence[tuple[float, float]]) -> str:
    """Return points as the ``points`` attribute of a polygon or polyline."""
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)


def diamond(x: float, y: float, size: float, **attributes: object) -> Markup:
    """Return the mark of what lies outside: a shape, so that colour says nothing alone."""
    corners = [(x, y - size), (x + size, y), (x, y + size), (x - size, y)]
    return element("polygon", points=path_of(corners), **attributes)


def titled(shape: str, title: str, **attributes: object) -> Markup:
    """Return a shape that says itself when pointed at."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(shape, Markup(written), element("title", title))


def width_of(words: str) -> float:
    """Return about how many pixels a label takes, to keep labels apart."""
    return 6.4 * len(words)


def every(count: int, most: int) -> int:
    """Return which of ``count`` labels to print, every second, third …, so that at most ``most`` are."""
    return max(1, math.ceil(count / most))


def in_words(names: Sequence[str]) -> str:
    """Return names as a list in a sentence: A, B and C."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
