"""Pictures that stand inside a line or a tile: a range, a spark line, twenty places, answers in a strip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qa.web.charts.core import Scale, diamond, element, number, path_of, picture, plain, tick_label, titled


def band(
    value: float | None,
    lo: float | None,
    hi: float | None,
    *,
    ends: tuple[float, float],
    sentence: str,
    target: float | None = None,
    accent: bool = False,
) -> Markup:
    """Return a dot on a track with a band that fades to both ends of its range.

    Stretched to whatever width it gets; without a value only the track is drawn.
    """
    x = Scale(*ends, 0, 200)
    parts = [element("line", class_="track", x1=0, x2=200, y1=8, y2=8)]
    if target is not None:
        at = number(x.at(target))
        parts.append(element("line", class_="target", x1=at, x2=at, y1=0, y2=16))
    if value is not None:
        dot = x.at(value)
        if lo is not None and hi is not None:
            left, right = x.at(lo), x.at(hi)
            shape = {"y": 2, "height": 12}
            parts.append(element("rect", class_="band-in", x=number(left), width=number(dot - left), **shape))
            parts.append(
                element("rect", class_="band-out", x=number(dot), width=number(right - dot), **shape)
            )
        # A line of no length with round caps stays a circle however wide the drawing is stretched.
        parts.append(element("line", class_="dot", x1=number(dot), x2=number(dot), y1=8, y2=8))
    kind = "range accent" if accent else "range"
    return picture(parts, width=200, height=16, sentence=sentence, kind=kind, stretched=True)


def spark(values: Sequence[float | None], *, sentence: str, target: float | None = None) -> Markup | None:
    """Return a line without an axis, its last value as a dot; None when there are fewer than two values.

    A period without a value leaves a gap in the line.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    reach = [*known, target] if target is not None else known
    low, high = min(reach), max(reach)
    room = (high - low) or abs(high) or 1.0
    x, y = Scale(0, len(values) - 1, 3, 213), Scale(low - 0.05 * room, high + 0.05 * room, 36, 4)
    parts = []
    if target is not None:
        at = number(y.at(target))
        parts.append(element("line", class_="ref", x1=0, x2=220, y1=at, y2=at))
    for run in _runs(values):
        way = [(x.at(place), y.at(value)) for place, value in run]
        parts.append(element("polyline", class_="line plain", points=path_of(way)))
    place, last = max((place, value) for place, value in enumerate(values) if value is not None)
    parts.append(element("circle", class_="dot ink", cx=number(x.at(place)), cy=number(y.at(last)), r=3.5))
    return picture(parts, width=220, height=40, sentence=sentence, kind="spark")


def _runs(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    run: list[tuple[int, float]] = []
    for place, value in enumerate([*values, None]):
        if value is not None:
            run.append((place, value))
        elif run:
            yield run
            run = []


def places(
    likely: Sequence[float], *, target: float | None = None, ends: tuple[float, float] | None = None
) -> Markup | None:
    """Return equally likely places for a true average as stacked dots; None without any.

    Counting dots is easier than reading a curve: how many of twenty lie below the mark?
    """
    if not likely:
        return None
    reach = [*likely, target] if target is not None else list(likely)
    low, high = ends or (10 * (min(reach) // 10), min(100.0, 10 * (max(reach) // 10 + 1)))
    x, base = Scale(low, high, 8, 328), 78.0
    columns = 20
    stacks: Counter[int] = Counter()
    parts = []
    for value in sorted(likely):
        column = round((x.at(value) - x.start) / (x.end - x.start) * columns)
        at = x.start + (x.end - x.start) * column / columns
        y = base - 8 - 13 * stacks[column]
        stacks[column] += 1
        parts.append(element("circle", class_="dot", cx=number(at), cy=number(y), r=5.5))
    top = min(6.0, base - 8 - 13 * max(stacks.values()))
    parts.append(element("line", class_="axis-line", x1=8, x2=328, y1=base, y2=base))
    sentence = f"{len(likely)} equally likely places for the true average"
    if target is not None:
        mark = number(x.at(target))
        parts.append(element("line", class_="ref", x1=mark, x2=mark, y1=number(top), y2=base))
        below = sum(value < target for value in likely)
        sentence += f": {below} of {len(likely)} are below {plain(target)}"
    for tick in x.ticks(5):
        parts.append(
            element("text", tick_label(tick), x=number(x.at(tick)), y=base + 15, text_anchor="middle")
        )
    inside = Markup("").join(parts)
    return Markup('<svg class="places" viewBox="0 {} 336 {}" role="img" aria-label="{}.">{}</svg>').format(
        number(top), number(96 - top), sentence, inside
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """Who gave which option."""

    name: str
    option: str


def strip(options: Sequence[str], answers: Sequence[Answer], reference: str | None = None) -> Markup | None:
    """Return one question's answers as dots over its options; who differs from the reference is a diamond."""
    if not options:
        return None
    gap = 176.0 / max(len(options) - 1, 1)
    at = {option: 42 + gap * place if len(options) > 1 else 130.0 for place, option in enumerate(options)}
    parts = [
        element("line", class_="grid", x1=number(min(at.values())), x2=number(max(at.values())), y1=20, y2=20)
    ]
    together = Counter(answer.option for answer in answers)
    room = min(11.0, (gap - 6) / max(max(together.values(), default=1), 1))
    if reference in at:
        width = max(28.0, room * together[reference] + 14)
        left = number(at[reference] - width / 2)
        parts.append(element("rect", class_="reference", x=left, y=8, width=number(width), height=24, rx=12))
    for option in options:
        parts.append(element("text", option, x=number(at[option]), y=44, text_anchor="middle"))
    seen: Counter[str] = Counter()
    for answer in answers:
        if answer.option in at:
            x = at[answer.option] + room * (seen[answer.option] - (together[answer.option] - 1) / 2)
            seen[answer.option] += 1
            parts.append(_answer(answer, x, differs=reference is not None and answer.option != reference))
    said = [f"{answer.name}: {answer.option}" for answer in answers]
    said += [f"reference: {reference}"] if reference is not None else []
    return picture(parts, width=260, height=46, sentence="; ".join(said), kind="strip")


def _answer(answer: Answer, x: float, *, differs: bool) -> Markup:
    said = f"{answer.name}: {answer.option}"
    if not differs:
        return titled("circle", said, class_="dot ink", cx=number(x), cy=20, r=5)
    inside = Markup("").join((diamond(x, 20, 6, class_="dot out"), element("title", said)))
    return Markup("<g>{}</g>").format(inside)


@dataclass(frozen=True, slots=True)
class Single:
    """One evaluated call: its score, whether it met the mark, and what to say when pointed at."""

    score: float
    met: bool
    words: str
    href: str = ""


def singles(calls: Sequence[Single], *, sentence: str, target: float | None = None) -> Markup | None:
    """Return every single call on an axis from 0 to 100: filled met the mark, hollow did not."""
    if not calls:
        return None
    x, base = Scale(0, 100, 8, 328), 40.0
    parts = [element("line", class_="axis-line", x1=8, x2=328, y1=base, y2=base)]
    if target is not None:
        at = number(x.at(target))
        parts.append(element("line", class_="ref", x1=at, x2=at, y1=4, y2=base))
    stacks: Counter[int] = Counter()
    for call in sorted(calls, key=lambda one: one.score):
        column = round(x.at(call.score) / 8)
        y = max(8.0, base - 8 - 9 * stacks[column])
        stacks[column] += 1
        kind = "dot ink" if call.met else "dot hollow"
        shape = titled("circle", call.words, class_=kind, cx=number(x.at(call.score)), cy=number(y), r=4)
        linked = Markup('<a href="{}" aria-label="{}">{}</a>').format(call.href, call.words, shape)
        parts.append(linked if call.href else shape)
    for tick in (0, 50, 100):
        parts.append(element("text", str(tick), x=number(x.at(tick)), y=base + 15, text_anchor="middle"))
    has_links = any(call.href for call in calls)
    return picture(parts, width=336, height=60, sentence=sentence, kind="singles", linked=has_links)
