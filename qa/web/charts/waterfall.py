"""The score waterfall: where each point went, from 100 to what is reported.

It is arithmetic, so bars are right: loss in orange, an auto-fail hatched, totals dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

from markupsafe import Markup

from qa.web.charts.core import Chart, element, fixed, number, picture, signed, whole

HEIGHT, TOP, BASE = 236, 20.0, 192.0
LINES = (209, 224)
LETTER = 7.2
WIDTH = 900
BAR = 0.6


class Step(Protocol):
    """What is drawn: see ``qa.scorecards.waterfall``."""

    @property
    def kind(self) -> str:
        """Start, loss, gain, section, limit, raw, autofail or reported."""

    @property
    def label(self) -> str:
        """What the bar is about."""

    @property
    def delta(self) -> Fraction:
        """How the level changed."""

    @property
    def level(self) -> Fraction:
        """Where the bar ends."""


KINDS = {
    "start": "bar-keep",
    "loss": "bar-loss",
    "section": "bar-void",
    "limit": "bar-loss",
    "gain": "bar-gain",
    "raw": "bar-total",
    "autofail": "bar-void",
    "reported": "bar-total",
}
TOTALS = {"start", "raw", "reported"}


def chart(steps: Sequence[Step], pass_mark: Fraction | None, decimals: int) -> Chart | None:
    """Return the waterfall of these steps; None when nothing was scored."""
    if not steps:
        return None
    top = max(Fraction(100), *(step.level for step in steps))
    sentence = _sentence(steps, decimals)
    rows = tuple((step.label, _said(step, decimals), fixed(step.level, decimals)) for step in steps)
    return Chart(
        wide=_wide(steps, pass_mark, decimals, top, sentence),
        narrow=_narrow(steps, pass_mark, decimals, top, sentence),
        sentence=sentence,
        head=("Step", "Points", "Leaves"),
        rows=rows,
    )


def _said(step: Step, decimals: int) -> str:
    return fixed(step.level, decimals) if step.kind in TOTALS else signed(step.delta, decimals)


def _sentence(steps: Sequence[Step], decimals: int) -> str:
    changes = [f"{_said(step, decimals)} for {step.label}" for step in steps if step.kind not in TOTALS]
    went = "; ".join(changes) or "nothing lost"
    return f"Score waterfall: from 100, {went}; it ends at {fixed(steps[-1].level, decimals)}."


def _wide(
    steps: Sequence[Step], mark: Fraction | None, decimals: int, top: Fraction, sentence: str
) -> Markup:
    slot = Fraction(WIDTH, len(steps))
    bar = min(slot * Fraction(BAR), Fraction(66))

    def y(level: Fraction) -> float:
        return float(BASE - (BASE - TOP) * max(level, Fraction(0)) / top)

    parts = [element("line", class_="axis-line", x1=0, x2=WIDTH, y1=number(BASE), y2=number(BASE))]
    if mark is not None:
        parts.append(element("line", class_="ref", x1=0, x2=WIDTH, y1=number(y(mark)), y2=number(y(mark))))
        label = {"class_": "label", "x": WIDTH, "y": number(y(mark) - 6), "text_anchor": "end"}
        parts.append(element("text", f"pass from {whole(mark)}", **label))
    for place, step in enumerate(steps):
        before = Fraction(0) if step.kind in TOTALS else step.level - step.delta
        high, low = y(max(before, step.level)), y(min(before, step.level))
        left = slot * place + (slot - bar) / 2
        middle = number(left + bar / 2)
        shape = {
            "x": number(left),
            "y": number(high),
            "width": number(bar),
            "height": number(max(low - high, 2.0)),
        }
        parts.append(element("rect", class_=KINDS[step.kind], rx=1, **shape))
        if place + 1 < len(steps):
            line = {"x1": number(left + bar), "x2": number(left + slot), "y1": number(y(step.level))}
            parts.append(element("line", class_="step", y2=number(y(step.level)), **line))
        parts.append(
            element(
                "text",
                _said(step, decimals),
                class_="strong",
                x=middle,
                y=number(high - 6),
                text_anchor="middle",
            )
        )
        for words, at in zip(_lines(step.label, int(float(slot) / LETTER)), LINES, strict=False):
            parts.append(element("text", words, class_="label", x=middle, y=at, text_anchor="middle"))
    return picture(parts, width=WIDTH, height=HEIGHT, sentence=sentence, kind="wide")


def _narrow(
    steps: Sequence[Step], mark: Fraction | None, decimals: int, top: Fraction, sentence: str
) -> Markup:
    left, span = 120.0, 160.0
    height = 22 + 30 * len(steps)

    def x(level: Fraction) -> float:
        return left + span * float(max(level, Fraction(0)) / top)

    parts = []
    if mark is not None:
        parts.append(element("line", class_="ref", x1=number(x(mark)), x2=number(x(mark)), y1=16, y2=height))
        words = f"pass from {whole(mark)}"
        parts.append(element("text", words, class_="label", x=number(x(mark)), y=11, text_anchor="middle"))
    for place, step in enumerate(steps):
        before = Fraction(0) if step.kind in TOTALS else step.level - step.delta
        start, end = x(min(before, step.level)), x(max(before, step.level))
        y = 24 + 30 * place
        parts.append(element("text", _short(step.label, 18), class_="label", x=0, y=y + 12))
        bar = {"x": number(start), "y": y, "width": number(max(end - start, 1.2)), "height": 16, "rx": 1}
        parts.append(element("rect", class_=KINDS[step.kind], **bar))
        parts.append(
            element("text", _said(step, decimals), class_="strong", x=340, y=y + 12, text_anchor="end")
        )
    return picture(parts, width=340, height=height, sentence=sentence, kind="narrow")


def _short(label: str, letters: int) -> str:
    return label if len(label) <= letters else label[: max(letters - 1, 3)].rstrip() + "…"


def _lines(label: str, letters: int) -> list[str]:
    """Return a label on one line or two, broken between words, the second one cut where it must be."""
    if len(label) <= letters:
        return [label]
    first = ""
    words = label.split()
    while words and len(f"{first} {words[0]}".strip()) <= letters:
        first = f"{first} {words.pop(0)}".strip()
    if not first:
        return [_short(label, letters)]
    return [first, _short(" ".join(words), letters)] if words else [first]
