"""A small line of a few numbers, the last one named: how something went lately."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from qa.web.charts.core import element, number, picture

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 220, 44, 4.0, 190.0, 8.0, 36.0


def spark(values: Sequence[float], sentence: str) -> Markup:
    """Return the line of at least two numbers; ``sentence`` says in words what it shows."""
    low, high = min(values), max(values)
    room = (high - low) or 1.0

    def x(place: int) -> float:
        return LEFT + (RIGHT - LEFT) * place / (len(values) - 1)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / room

    points = " ".join(f"{number(x(place))},{number(y(value))}" for place, value in enumerate(values))
    last = {"x": number(RIGHT + 9), "y": number(y(values[-1]) + 4)}
    parts = [
        element("polyline", class_="line", points=points),
        element("circle", class_="dot", cx=number(RIGHT), cy=number(y(values[-1])), r=4),
        element("text", f"{values[-1]:g}", class_="strong", **last),
    ]
    return picture(parts, width=WIDTH, height=HEIGHT, sentence=sentence, kind="spark-line")
