"""What the evaluation form shows: each question with its options, keys, answer and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qa.evaluations.merge import ANSWER, CAUSE, COACHING
from qa.evaluations.models import Answer, Pin
from qa.evaluations.result import answers_of, chosen_words
from qa.interactions.queries import Said
from qa.scorecards.compiled import CompiledQuestion
from qa.scorecards.display import shown
from qa.scorecards.form import Question
from qa.scorecards.queries import ReadyForm


@dataclass(frozen=True, slots=True)
class OptionView:
    """One choice: the digit that picks it, and whether it is good, bad or neither."""

    value: str
    label: str
    key: str
    tone: str


@dataclass(frozen=True, slots=True)
class PinView:
    """A piece of evidence as a clip."""

    client_id: str
    kind: str
    start_ms: int | None
    end_ms: int | None
    turn_id: int | None
    char_start: int | None
    char_end: int | None
    quote: str
    note: str

    def as_json(self, question: str) -> dict[str, Any]:
        """Return the piece as scripts know it."""
        return {name: getattr(self, name) for name in self.__slots__} | {"question": question}


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question of the form."""

    number: int
    ref: str
    name: str
    section: str
    text: str
    help: str
    type: str
    options: tuple[OptionView, ...]
    stacked: bool
    na_allowed: bool
    required: bool
    scored: bool
    bonus: bool
    conditional: bool
    default: Any
    answer: Any
    comment: str
    root_cause: str
    coaching: bool
    causes: tuple[tuple[str, str], ...]
    pins: tuple[PinView, ...]


@dataclass(frozen=True, slots=True)
class SectionView:
    """A section with its questions, in order."""

    ref: str
    title: str
    help: str
    weight_share: str
    questions: tuple[QuestionView, ...]


def whole_causes(ready: ReadyForm) -> list[tuple[str, str]]:
    """Return the root causes offered for the whole conversation."""
    return [(cause.ref, cause.text) for cause in ready.form.root_causes]


def field_values(sections: Iterable[SectionView]) -> dict[str, Any]:
    """Return what is stored as the plain form's fields are filled."""
    values: dict[str, Any] = {}
    for view in (view for section in sections for view in section.questions):
        values[view.name] = view.answer if view.type == "multi" or view.answer is None else str(view.answer)
        values[f"{view.name}-comment"] = view.comment
        values[f"{view.name}-cause"] = view.root_cause
        values[f"{view.name}-coaching"] = view.coaching
    return values


def field_words(ready: ReadyForm, ref: str, name: str, value: Any) -> str:
    """Return one field's value as people read it."""
    if name == ANSWER:
        return chosen_words(ready, ref, value)
    if name == COACHING:
        return "marked for coaching" if value else "not marked"
    if name == CAUSE:
        return dict(whole_causes(ready)).get(value, "none")
    return value or "(empty)"


def form_view(
    ready: ReadyForm, answers: Iterable[Answer], pins: Iterable[Pin], turns: Iterable[Said]
) -> tuple[SectionView, ...]:
    """Return the sections of the form with what is answered so far."""
    rows = list(answers)
    given, stored = answers_of(rows), {row.question: row for row in rows}
    quotes = {turn.id: turn for turn in turns}
    pinned: dict[str, list[PinView]] = {}
    for pin in pins:
        pinned.setdefault(pin.question, []).append(pin_view(pin, quotes))
    shares = section_shares(ready)
    sections = []
    for section in ready.form.all_sections():
        views = tuple(
            _question(
                ready,
                question,
                given.get(question.ref),
                stored.get(question.ref),
                pinned.get(question.ref, []),
            )
            for question in section.questions
        )
        share = shares.get(section.ref, "")
        sections.append(SectionView(section.ref, section.label, section.help, share, views))
    return tuple(sections)


def section_shares(ready: ReadyForm) -> dict[str, str]:
    """Return each weighted top section's share of the whole in per cent, as people read it."""
    if ready.form.mode != "weighted_sections":
        return {}
    weights = {one.ref: Fraction(1 if one.weight is None else one.weight) for one in ready.form.sections}
    whole = sum(weights.values())
    return {ref: shown(100 * one / whole, 1).removesuffix(".0") for ref, one in weights.items() if whole}


def _question(
    ready: ReadyForm, question: Question, answer: Any, stored: Answer | None, pins: list[PinView]
) -> QuestionView:
    compiled = ready.compiled.by_ref[question.ref]
    causes = [(cause.ref, cause.text) for cause in ready.form.root_causes]
    if question.root_causes is not None:
        causes = [pair for pair in causes if pair[0] in question.root_causes]
    options = _options(compiled) if question.type in {"single", "multi"} else ()
    return QuestionView(
        number=compiled.number,
        ref=question.ref,
        name=f"q-{compiled.number}",
        section=ready.compiled.nodes[compiled.node].ref,
        text=question.text,
        help=question.help,
        type=question.type,
        options=options,
        stacked=len(options) > 4 or sum(len(one.label) for one in options) > 34 or question.type == "text",
        na_allowed=compiled.na_allowed,
        required=compiled.is_required,
        scored=question.is_scored,
        bonus=question.bonus,
        conditional=bool(compiled.conditions),
        default=question.default,
        answer=answer,
        comment=stored.comment if stored else "",
        root_cause=stored.root_cause if stored else "",
        coaching=bool(stored and stored.coaching),
        causes=tuple(causes),
        pins=tuple(pins),
    )


def _options(question: CompiledQuestion) -> tuple[OptionView, ...]:
    best = max((choice.points for choice in question.choices), default=0)
    views = []
    for place, choice in enumerate(question.choices, start=1):
        tone = ""
        if question.counts or question.is_bonus:
            tone = "pass" if choice.points == best else "fail" if choice.is_failed or choice.fail else ""
        views.append(OptionView(choice.ref, choice.label, str(place) if place <= 9 else "", tone))
    return tuple(views)


def pin_view(pin: Pin, turns: Mapping[int, Said]) -> PinView:
    """Return a piece of evidence with the words it points at."""
    turn = turns.get(pin.turn_id or 0)
    if turn is not None:
        quote = turn.text[pin.char_start : pin.char_end] if pin.kind == "text" else turn.text
    else:
        quote = _heard(pin, turns.values())
    return PinView(
        client_id=pin.client_id,
        kind=pin.kind,
        start_ms=pin.start_ms,
        end_ms=pin.end_ms,
        turn_id=pin.turn_id,
        char_start=pin.char_start,
        char_end=pin.char_end,
        quote=quote,
        note=pin.note,
    )


def _heard(pin: Pin, turns: Iterable[Said]) -> str:
    """Return what is said at the pinned moment, as far as the transcript knows."""
    start, end = pin.start_ms or 0, pin.end_ms or 0
    said = [
        turn.text
        for turn in turns
        if turn.start_ms is not None and turn.start_ms < end and (turn.end_ms or 0) > start
    ]
    return " ".join(said)[:300]
