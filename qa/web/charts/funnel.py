"""The funnel: each agent's average over how many evaluations it stands on, and the limits of chance.

Only who lies outside the outer limits gets a diamond and the words "worth a look". A place inside is no rank,
so nobody is coloured there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from qa.web.charts.core import (
    Chart,
    Scale,
    diamond,
    element,
    in_words,
    number,
    path_of,
    picture,
    plain,
    score_ends,
    tick_label,
)

RIBBONS = (1.0, 0.67, 0.34)
OUTSIDE = {"below", "above"}
NEAR = {"below_95", "above_95"}
TOO_FEW = "too_few"
PLACES = {
    "inside": "inside",
    "below_95": "inside, at the lower edge",
    "above_95": "inside, at the upper edge",
    "below": "below, worth a look",
    "above": "above, worth a look",
    TOO_FEW: "too few to say",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One agent: how many evaluations, their average, and where it lies."""

    name: str
    n: int
    mean: float | None
    place: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of chance for each number of evaluations; lists of one length."""

    n: Sequence[int] = field(default_factory=list)
    lo95: Sequence[float] = field(default_factory=list)
    hi95: Sequence[float] = field(default_factory=list)
    lo998: Sequence[float] = field(default_factory=list)
    hi998: Sequence[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frame:
    """What differs between the wide and the narrow picture."""

    kind: str
    width: int
    height: int
    x: Scale
    y: Scale
    side: float


def chart(
    standings: Sequence[Standing],
    limits: Limits,
    center: float | None,
    *,
    about: str = "average score",
    counted: str = "calls",
    caption: str = "",
) -> Chart | None:
    """Return the funnel, or None when nobody has an average. ``caption`` stands under the axis."""
    drawn = [one for one in standings if one.mean is not None and one.place != TOO_FEW]
    if not drawn or center is None:
        return None
    ordered = sorted(standings, key=lambda one: one.name.casefold())
    sentence = _sentence(ordered, about, counted)
    most = max(10, *(one.n for one in drawn)) + 1
    heights = [one.mean for one in drawn if one.mean is not None] + [
        *limits.lo95[:1],
        *limits.lo998[-1:],
        center,
    ]
    ends = score_ends(heights)
    wide = Frame("wide", 800, 340, Scale(1, most, 36, 780), Scale(*ends, 300, 14), 36)
    narrow = Frame("narrow", 340, 300, Scale(1, most, 30, 332), Scale(*ends, 252, 14), 30)
    return Chart(
        wide=_drawn(wide, ordered, limits, center, counted, caption, sentence),
        narrow=_drawn(narrow, ordered, limits, center, counted, caption, sentence),
        sentence=sentence,
        head=("Agent", counted.capitalize(), "Average", "Against chance"),
        rows=tuple(
            (one.name, str(one.n), "–" if one.mean is None else plain(one.mean, 1), PLACES[one.place])
            for one in ordered
        ),
    )


def _sentence(ordered: Sequence[Standing], about: str, counted: str) -> str:
    judged = [one for one in ordered if one.place != TOO_FEW]
    outside = [one.name for one in judged if one.place in OUTSIDE]
    begin = f"Funnel plot: {about} against number of {counted} for {len(judged)} agents. "
    few = len(ordered) - len(judged)
    rest = (
        "" if not few else f" {few} with fewer than three {counted} {'is' if few == 1 else 'are'} not in it."
    )
    if not outside:
        return f"{begin}All lie inside the outer limits.{rest}"
    verb = "lies" if len(outside) == 1 else "lie"
    return f"{begin}{in_words(outside)} {verb} outside the outer limits; the others are inside.{rest}"


def _drawn(
    frame: Frame,
    ordered: Sequence[Standing],
    limits: Limits,
    center: float,
    counted: str,
    caption: str,
    sentence: str,
) -> Markup:
    parts = list(_grid(frame))
    parts += [_ribbon(frame, limits, center, share) for share in RIBBONS if len(limits.n) > 1]
    outer = ((limits.hi998, "limit outer"), (limits.lo998, "limit outer"))
    for values, kind in (*outer, (limits.hi95, "limit"), (limits.lo95, "limit")):
        way = _inside(frame, limits.n, values)
        parts += [element("polyline", class_=kind, points=path_of(way))] if len(way) > 1 else []
    y = number(frame.y.at(center))
    parts.append(element("line", class_="ref", x1=frame.side, x2=number(frame.x.end), y1=y, y2=y))
    parts += _words_on_lines(frame, limits, center)
    parts += [part for one in ordered for part in _standing(frame, one, counted)]
    parts += _axis(frame, caption)
    linked = any(one.href for one in ordered)
    return picture(
        parts, width=frame.width, height=frame.height, sentence=sentence, kind=frame.kind, linked=linked
    )


def _grid(frame: Frame) -> Iterator[Markup]:
    for tick in frame.y.ticks():
        y = frame.y.at(tick)
        yield element(
            "line", class_="grid", x1=frame.side, x2=number(frame.x.end), y1=number(y), y2=number(y)
        )
        yield element("text", tick_label(tick), x=number(frame.side - 8), y=number(y + 4), text_anchor="end")


def _ribbon(frame: Frame, limits: Limits, center: float, share: float) -> Markup:
    def edge(values: Sequence[float]) -> list[tuple[float, float]]:
        return [
            (frame.x.at(n), frame.y.at(center + share * (value - center)))
            for n, value in zip(limits.n, values, strict=True)
            if frame.x.holds(n)
        ]

    return element(
        "polygon", class_="ribbon plain", points=path_of([*edge(limits.hi95), *reversed(edge(limits.lo95))])
    )


def _inside(frame: Frame, n: Sequence[int], values: Sequence[float]) -> list[tuple[float, float]]:
    """Return the part of a limit that lies on the picture."""
    pairs = zip(n, values, strict=True)
    return [
        (frame.x.at(at), frame.y.at(value))
        for at, value in pairs
        if frame.x.holds(at) and frame.y.holds(value)
    ]


def _words_on_lines(frame: Frame, limits: Limits, center: float) -> Iterator[Markup]:
    right = number(frame.x.end)
    y = frame.y.at(center) - 6
    yield element("text", f"all {plain(center, 1)}", class_="label", x=right, y=number(y), text_anchor="end")
    named = ((limits.lo95, "chance, 95 of 100"), (limits.lo998, "chance, 998 of 1 000"))
    free = y + 20
    for values, words in named if frame.kind == "wide" else ():
        way = _inside(frame, limits.n, values)
        if way:
            free = max(free, way[-1][1] + 14)
            yield element("text", words, x=right, y=number(free), text_anchor="end")
            free += 15


def _standing(frame: Frame, one: Standing, counted: str) -> Iterator[Markup]:
    if one.mean is None or one.place == TOO_FEW:
        return
    x, y = frame.x.at(one.n), frame.y.at(one.mean)
    said = f"{one.name}: {plain(one.mean, 1)} from {one.n} {counted}"
    if one.place in OUTSIDE:
        said += ", worth a look"
        shape = diamond(x, y, 7, class_="dot out")
    else:
        shape = element("circle", class_="dot ink", cx=number(x), cy=number(y), r=5)
    hit = element("circle", class_="hit-area", cx=number(x), cy=number(y), r=14)
    inside = Markup("").join((hit, shape, element("title", said)))
    if one.href:
        yield Markup('<a href="{}" aria-label="{}">{}</a>').format(one.href, said, inside)
    else:
        yield Markup("<g>{}</g>").format(inside)
    yield from _name(frame, one, x, y)


def _name(frame: Frame, one: Standing, x: float, y: float) -> Iterator[Markup]:
    left = x > frame.x.start + 0.7 * (frame.x.end - frame.x.start)
    beside = {"x": number(x - 12 if left else x + 12), "text_anchor": "end" if left else "start"}
    if one.place in OUTSIDE:
        yield element("text", one.name, class_="strong", y=number(y + 2), **beside)
        yield element("text", "worth a look", y=number(y + 17), **beside)
    elif one.place in NEAR and frame.kind == "wide":
        yield element("text", one.name, class_="label", y=number(y + 4), **beside)


def _axis(frame: Frame, caption: str) -> Iterator[Markup]:
    base = frame.y.start
    for tick in frame.x.ticks():
        if tick >= 1:
            x = number(frame.x.at(tick))
            yield element("text", tick_label(tick), x=x, y=number(base + 17), text_anchor="middle")
    if caption:
        middle = number((frame.x.start + frame.x.end) / 2)
        yield element("text", caption, x=middle, y=number(base + 34), text_anchor="middle")
