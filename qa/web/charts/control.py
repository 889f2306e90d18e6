"""A control chart of shares: each period's share, and the limits within which nothing unusual happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qa.web.charts.core import (
    Chart,
    Scale,
    diamond,
    element,
    every,
    in_words,
    number,
    path_of,
    picture,
    plain,
    round_step,
    tick_label,
    titled,
)


@dataclass(frozen=True, slots=True)
class Period:
    """So many of so many, and the limits when they can be drawn, as shares of 1."""

    label: str
    k: int
    n: int
    lcl: float | None = None
    ucl: float | None = None
    signal: bool = False

    @property
    def share(self) -> float:
        """Return k/n in per cent."""
        return 100 * self.k / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """What differs between the wide and the narrow picture."""

    kind: str
    width: int
    height: int
    x: Scale
    y: Scale
    labels: int


def chart(
    periods: Sequence[Period], center: float | None, *, about: str, counted: str = "calls"
) -> Chart | None:
    """Return the chart, or None without periods. ``about``: "Auto-fails by week"; ``center``: share of 1."""
    if not periods:
        return None
    sentence = _sentence(periods, about)
    top = max((100 * (one.ucl or 0.0) for one in periods), default=0.0)
    top = max(top, *(one.share for one in periods), 1.0)
    step = round_step(top / 4)
    high = min(100.0, step * -(-1.05 * top // step))
    count = max(len(periods) - 1, 1)
    wide = Frame("wide", 800, 240, Scale(0, count, 48, 770), Scale(0, high, 192, 16), 16)
    narrow = Frame("narrow", 340, 230, Scale(0, count, 44, 322), Scale(0, high, 182, 16), 5)
    return Chart(
        wide=_drawn(wide, periods, center, counted, sentence),
        narrow=_drawn(narrow, periods, center, counted, sentence),
        sentence=sentence,
        head=("Period", "Share", "Of", "Limits", ""),
        rows=tuple(_row(one) for one in periods),
    )


def _sentence(periods: Sequence[Period], about: str) -> str:
    outside = [f"{one.label} with {one.k} of {one.n}" for one in periods if one.signal]
    if outside:
        verb = "lies" if len(outside) == 1 else "lie"
        return f"{about}: {in_words(outside)} {verb} outside the limits."
    if all(one.ucl is None for one in periods):
        return f"{about}: 8 points are needed before limits can be drawn."
    return f"{about}: no unusual change."


def _row(one: Period) -> tuple[str, ...]:
    limits = "–" if one.lcl is None or one.ucl is None else f"{plain(100 * one.lcl)}–{plain(100 * one.ucl)} %"
    share = f"{plain(one.share)} %" if one.n >= 20 else f"{one.k} of {one.n}"
    return one.label, share, f"{one.k}/{one.n}", limits, "worth a look" if one.signal else ""


def _drawn(
    frame: Frame, periods: Sequence[Period], center: float | None, counted: str, sentence: str
) -> Markup:
    left, right = number(frame.x.start - 12), number(frame.x.end + 10)
    parts = []
    for tick in frame.y.ticks(5):
        y = number(frame.y.at(tick))
        parts.append(element("line", class_="grid", x1=left, x2=right, y1=y, y2=y))
        label = {"x": number(frame.x.start - 18), "y": number(frame.y.at(tick) + 4), "text_anchor": "end"}
        parts.append(element("text", f"{tick_label(tick)} %", **label))
    for limit in ("ucl", "lcl"):
        ways = _steps(frame, periods, limit)
        parts += [element("polyline", class_="limit outer", points=path_of(way)) for way in ways]
    if center is not None:
        y = number(frame.y.at(100 * center))
        parts.append(element("line", class_="ref", x1=left, x2=right, y1=y, y2=y))
    way = [(frame.x.at(at), frame.y.at(one.share)) for at, one in enumerate(periods) if one.n]
    parts.append(element("polyline", class_="line plain", points=path_of(way)))
    parts += [part for at, one in enumerate(periods) if one.n for part in _point(frame, at, one)]
    step = every(len(periods), frame.labels)
    for at, one in enumerate(periods):
        if (len(periods) - 1 - at) % step == 0:
            x = number(frame.x.at(at))
            parts.append(element("text", one.label, x=x, y=number(frame.y.start + 17), text_anchor="middle"))
            parts.append(element("text", str(one.n), x=x, y=number(frame.y.start + 32), text_anchor="middle"))
    return picture(parts, width=frame.width, height=frame.height, sentence=sentence, kind=frame.kind)


def _steps(frame: Frame, periods: Sequence[Period], limit: str) -> Iterator[list[tuple[float, float]]]:
    """Yield the limit as steps, for each run of periods that has one: each n has a limit of its own.

    A lower limit of nought is none: nothing can lie below it.
    """
    half = (frame.x.at(1) - frame.x.at(0)) / 2
    way: list[tuple[float, float]] = []
    for at, one in enumerate(periods):
        value = one.ucl if limit == "ucl" else one.lcl
        if value is None or (limit == "lcl" and value == 0):
            if way:
                yield way
            way = []
            continue
        y = frame.y.at(100 * value)
        way += [(frame.x.at(at) - half, y), (frame.x.at(at) + half, y)]
    if way:
        yield way


def _point(frame: Frame, at: int, one: Period) -> Iterator[Markup]:
    x, y = frame.x.at(at), frame.y.at(one.share)
    said = f"{one.label}: {one.k} of {one.n}"
    if not one.signal:
        yield titled("circle", said, class_="dot ink", cx=number(x), cy=number(y), r=4)
        return
    inside = Markup("").join((diamond(x, y, 7, class_="dot out"), element("title", f"{said}, worth a look")))
    yield Markup("<g>{}</g>").format(inside)
    left = x > (frame.x.start + frame.x.end) / 2
    beside = {"x": number(x - 11 if left else x + 11), "text_anchor": "end" if left else "start"}
    yield element("text", f"{one.k} of {one.n}", class_="strong", y=number(y + 1), **beside)
    yield element("text", "worth a look", y=number(y + 16), **beside)
