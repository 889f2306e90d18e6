"""A series of averages: a dot for each, a ribbon that fades where the true average probably is.

Below three evaluations there is no average: the period keeps its place with its count, and the line does not
run through it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qa.web.charts.core import (
    Chart,
    Scale,
    element,
    every,
    number,
    path_of,
    picture,
    score_ends,
    shown,
    tick_label,
    titled,
    width_of,
)

RIBBONS = (1.0, 0.77, 0.51, 0.26)
"""How far each of four stacked ribbons reaches into the range: together they fade."""
MOST_LABELS, MOST_NARROW, NARROW_LABELS = 12, 8, 4


@dataclass(frozen=True, slots=True)
class Point:
    """One period: its name, how many evaluations, and their average with its range when there is one."""

    label: str
    n: int
    value: float | None = None
    lo: float | None = None
    hi: float | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, and where: 6.5 is between the seventh period and the eighth."""

    place: float
    words: str
    short: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What differs between the wide and the narrow picture."""

    kind: str
    width: int
    height: int
    x: Scale
    y: Scale
    labels: int
    side: float


def chart(
    points: Sequence[Point],
    *,
    about: str,
    counted: str = "calls",
    target: float | None = None,
    target_words: str = "",
    marks: Sequence[Mark] = (),
) -> Chart | None:
    """Return the trend of these periods, or None when there is none. ``about``: "Average score per month"."""
    if not points:
        return None
    sentence = _sentence(points, about, counted)
    ends = score_ends(_heights(points, target))
    wide = Frame(
        kind="wide",
        width=800,
        height=264,
        x=_across(len(points), 48, 702),
        y=Scale(*ends, 224, 16),
        labels=MOST_LABELS,
        side=34,
    )
    late = points[-MOST_NARROW:]
    moved = [Mark(mark.place - len(points) + len(late), mark.short, mark.short) for mark in marks]
    narrow = Frame(
        kind="narrow",
        width=340,
        height=230,
        x=_across(len(late), 44, 318),
        y=Scale(*ends, 192, 26),
        labels=NARROW_LABELS,
        side=30,
    )
    return Chart(
        wide=_drawn(wide, points, marks, target, target_words, counted, sentence),
        narrow=_drawn(narrow, late, moved, target, "", counted, sentence),
        sentence=sentence,
        head=("Period", "Average", "From", "To", counted.capitalize()),
        rows=tuple(_row(point) for point in points),
    )


def _across(count: int, start: float, end: float) -> Scale:
    """Return the scale of periods; one alone stands in the middle."""
    return Scale(0, count - 1, start, end) if count > 1 else Scale(-1, 1, start, end)


def _heights(points: Sequence[Point], target: float | None) -> list[float]:
    found = [height for point in points for height in (point.value, point.lo, point.hi) if height is not None]
    return found if target is None else [*found, target]


def _sentence(points: Sequence[Point], about: str, counted: str) -> str:
    known = [point for point in points if point.value is not None]
    span = points[0].label if len(points) == 1 else f"{points[0].label} to {points[-1].label}"
    if not known:
        return f"{about}, {span}: too few {counted} for an average."
    return f"{about}, {span}. Last: {_said(known[-1], counted)}."


def _said(point: Point, counted: str) -> str:
    if point.value is None:
        return f"{point.label}: {point.n} {counted}, too few for an average"
    value = shown(point.value, point.lo, point.hi)
    if point.lo is None or point.hi is None:
        return f"{point.label}: {value} from {point.n} {counted}"
    lo, hi = (shown(end, point.lo, point.hi) for end in (point.lo, point.hi))
    return f"{point.label}: {value} from {point.n} {counted}, {lo} to {hi}"


def _row(point: Point) -> tuple[str, ...]:
    values = (point.value, point.lo, point.hi)
    return (
        point.label,
        *("–" if value is None else shown(value, point.lo, point.hi) for value in values),
        str(point.n),
    )


def _drawn(
    frame: Frame,
    points: Sequence[Point],
    marks: Sequence[Mark],
    target: float | None,
    target_words: str,
    counted: str,
    sentence: str,
) -> Markup:
    parts = list(_grid(frame))
    runs = list(_runs(points))
    parts += [_ribbon(frame, points, run, share) for run in runs for share in RIBBONS]
    parts += _target(frame, target, target_words)
    parts += _marks(frame, marks)
    parts += [_line(frame, points, run) for run in runs if len(run) > 1]
    parts += [part for place, point in enumerate(points) for part in _dot(frame, place, point, counted)]
    parts += _labels(frame, points, counted)
    return picture(parts, width=frame.width, height=frame.height, sentence=sentence, kind=frame.kind)


def _grid(frame: Frame) -> Iterator[Markup]:
    right = frame.x.end + 14
    for tick in frame.y.ticks():
        y = frame.y.at(tick)
        yield element("line", class_="grid", x1=frame.side, x2=number(right), y1=number(y), y2=number(y))
        yield element("text", tick_label(tick), x=number(frame.side - 8), y=number(y + 4), text_anchor="end")


def _runs(points: Sequence[Point]) -> Iterator[list[int]]:
    """Yield the stretches of neighbours that have an average."""
    run: list[int] = []
    for place, point in enumerate(points):
        if point.value is not None:
            run.append(place)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _ribbon(frame: Frame, points: Sequence[Point], run: Sequence[int], share: float) -> Markup:
    upper: list[tuple[float, float]] = []
    lower: list[tuple[float, float]] = []
    for place in run:
        point = points[place]
        value = point.value or 0.0
        high, low = (value if end is None else value + share * (end - value) for end in (point.hi, point.lo))
        # One period alone still shows its range: as a short stripe instead of a line without width.
        for x in (frame.x.at(place) - 3, frame.x.at(place) + 3) if len(run) == 1 else (frame.x.at(place),):
            upper.append((x, frame.y.at(high)))
            lower.append((x, frame.y.at(low)))
    return element("polygon", class_="ribbon", points=path_of([*upper, *reversed(lower)]))


def _target(frame: Frame, target: float | None, words: str) -> list[Markup]:
    if target is None:
        return []
    y, right = frame.y.at(target), frame.x.end + 14
    line = element("line", class_="ref", x1=frame.side, x2=number(right), y1=number(y), y2=number(y))
    label = element("text", words, class_="label", x=number(right + 8), y=number(y + 4))
    return [line, label] if words else [line]


def _marks(frame: Frame, marks: Sequence[Mark]) -> Iterator[Markup]:
    """Yield dashed lines with their words, each on the side and line where no other's words stand."""
    taken: list[tuple[float, float, float]] = []
    for mark in sorted(marks, key=lambda one: one.place):
        if not frame.x.holds(mark.place):
            continue
        x, top, bottom = frame.x.at(mark.place), frame.y.end, frame.y.start
        yield element("line", class_="mark", x1=number(x), x2=number(x), y1=number(top), y2=number(bottom))
        flag = path_of([(x, top - 6), (x + 4, top), (x - 4, top)])
        yield element("polygon", class_="mark-flag", points=flag)
        left, right, y = _free(frame, x, width_of(mark.words), taken)
        taken.append((left, right, y))
        beside = {"x": number(right if right < x else left), "text_anchor": "end" if right < x else "start"}
        yield element("text", mark.words, class_="label", y=number(y), **beside)


def _free(
    frame: Frame, x: float, width: float, taken: Sequence[tuple[float, float, float]]
) -> tuple[float, float, float]:
    """Return from where to where, and how high, words beside x stand clear of those that stand already."""
    for line in range(len(taken) + 1):
        y = frame.y.end + 4 + 15 * line
        for left in (x + 8, x - 8 - width):
            inside = frame.side <= left and left + width <= frame.width
            clear = all(y != other_y or left > end or left + width < start for start, end, other_y in taken)
            if inside and clear:
                return left, left + width, y
    return x + 8, x + 8 + width, frame.y.end + 4


def _line(frame: Frame, points: Sequence[Point], run: Sequence[int]) -> Markup:
    way = [(frame.x.at(place), frame.y.at(points[place].value or 0.0)) for place in run]
    return element("polyline", class_="line", points=path_of(way))


def _dot(frame: Frame, place: int, point: Point, counted: str) -> Iterator[Markup]:
    if point.value is not None:
        x, y = number(frame.x.at(place)), number(frame.y.at(point.value))
        yield titled("circle", _said(point, counted), class_="dot", cx=x, cy=y, r=4.5)


def _labels(frame: Frame, points: Sequence[Point], counted: str) -> Iterator[Markup]:
    step = every(len(points), frame.labels)
    for place, point in enumerate(points):
        if (len(points) - 1 - place) % step == 0:
            x = number(frame.x.at(place))
            yield element("text", point.label, x=x, y=number(frame.y.start + 17), text_anchor="middle")
            yield element("text", str(point.n), x=x, y=number(frame.y.start + 32), text_anchor="middle")
    if frame.kind == "wide":
        yield element("text", counted, x=number(frame.x.end + 22), y=number(frame.y.start + 32))
    last = points[-1]
    if last.value is not None:
        at, above = frame.x.at(len(points) - 1), frame.y.at(last.value) - 12
        words = shown(last.value, last.lo, last.hi)
        yield element("text", words, class_="strong", x=number(at), y=number(above), text_anchor="middle")
