"""The few pieces every chart is made of: numbers as attributes, text escaped, a picture with its sentence."""

from __future__ import annotations

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


def picture(parts: list[Markup], *, width: int, height: int, sentence: str, kind: str) -> Markup:
    """Return the SVG with its role and sentence."""
    inside = Markup("").join(parts)
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        kind, width, height, sentence, inside
    )


def signed(value: Fraction, decimals: int) -> str:
    """Return a change with its sign: −10.0, +5.0."""
    return ("−" if value < 0 else "+") + fixed(abs(value), decimals)


def fixed(value: Fraction, decimals: int) -> str:
    """Return a number half up with fixed decimals."""
    scale = 10**decimals
    units = (abs(value.numerator) * scale * 2 + value.denominator) // (value.denominator * 2)
    whole, part = divmod(units, scale)
    return f"{'−' if value < 0 and units else ''}{whole}.{part:0{decimals}d}"


def whole(value: Fraction) -> str:
    """Return a mark without needless decimals: 80, 62.5."""
    return str(value.numerator) if value.denominator == 1 else fixed(value, 1)
