"""What the evaluation form shows: each question with its options, keys, answer and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from qa.evaluations.merge import ANSWER, CAUSE, COACHING
from qa.evaluations.result import AnswerRow, PinRow, answers_of, chosen_words
from qa.interactions.queries import Said
from qa.scorecards.compiled import CompiledQuestion
from qa.scorecards.display import shown
from qa.scorecards.form import Question
from qa.scorecards.queries import ReadyForm

NONE_WORD = "__none"
"""What the form says for "none of these options"."""


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


class QuestionView(NamedTuple):
    """One question of the form; from ``answer`` on: what is kept of it in one evaluation."""

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
    causes: tuple[tuple[str, str], ...]
    answer: Any = None
    comment: str = ""
    root_cause: str = ""
    coaching: bool = False
    pins: tuple[PinView, ...] = ()


class SectionView(NamedTuple):
    """A section with its questions, in order."""

    ref: str
    title: str
    help: str
    weight_share: str
    questions: tuple[QuestionView, ...]


def whole_causes(ready: ReadyForm) -> list[tuple[str, str]]:
    """Return the root causes offered for the whole conversation."""
    return [(cause.ref, cause.text) for cause in ready.form.root_causes]


class Fields(NamedTuple):
    """What the fields of one question say: as they are kept, or as somebody sent them."""

    chosen: tuple[str, ...]
    text: str
    is_na: bool
    comment: str
    root_cause: str
    coaching: bool
    line: str
    pins: tuple[PinView, ...]


def kept_fields(sections: Iterable[SectionView]) -> dict[str, Fields]:
    """Return what is kept as the form's fields say it, by the name of the question's field."""
    return {view.name: _kept(view) for section in sections for view in section.questions}


def _kept(view: QuestionView) -> Fields:
    answer = view.answer
    many = isinstance(answer, list)
    chosen = tuple(map(str, answer)) or (NONE_WORD,) if many else () if answer is None else (str(answer),)
    text = "" if many or answer in (None, "na") else str(answer)
    own = (view.comment, view.root_cause, view.coaching)
    return Fields(chosen, text, answer == "na", *own, line="", pins=view.pins)


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
    ready: ReadyForm, answers: Iterable[AnswerRow], pins: Iterable[PinRow], turns: Iterable[Said]
) -> tuple[SectionView, ...]:
    """Return the sections of the form with what is answered so far."""
    rows = list(answers)
    given, stored = answers_of(rows), {row.question: row for row in rows}
    quotes = {turn.id: turn for turn in turns}
    pinned: dict[str, list[PinView]] = {}
    for pin in pins:
        pinned.setdefault(pin.question, []).append(pin_view(pin, quotes))
    return tuple(
        section._replace(
            questions=tuple(
                _filled(view, given.get(view.ref), stored.get(view.ref), pinned.get(view.ref, ()))
                for view in section.questions
            )
        )
        for section in blank_form(ready)
    )


def _filled(
    view: QuestionView, answer: Any, stored: AnswerRow | None, pins: Sequence[PinView]
) -> QuestionView:
    if stored is None:
        return view._replace(pins=tuple(pins)) if pins else view
    return view._replace(
        answer=answer,
        comment=stored.comment,
        root_cause=stored.root_cause,
        coaching=stored.coaching,
        pins=tuple(pins),
    )


@lru_cache(maxsize=256)
def blank_form(ready: ReadyForm) -> tuple[SectionView, ...]:
    """Return the sections of a form without answers, made once for each version."""
    shares = section_shares(ready)
    return tuple(
        SectionView(
            section.ref,
            section.label,
            section.help,
            shares.get(section.ref, ""),
            tuple(_question(ready, question) for question in section.questions),
        )
        for section in ready.form.all_sections()
    )


def section_shares(ready: ReadyForm) -> dict[str, str]:
    """Return each weighted top section's share of the whole in per cent, as people read it."""
    if ready.form.mode != "weighted_sections":
        return {}
    weights = {one.ref: Fraction(1 if one.weight is None else one.weight) for one in ready.form.sections}
    whole = sum(weights.values())
    return {ref: shown(100 * one / whole, 1).removesuffix(".0") for ref, one in weights.items() if whole}


def _question(ready: ReadyForm, question: Question) -> QuestionView:
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
        causes=tuple(causes),
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


def pin_view(pin: PinRow, turns: Mapping[int, Said]) -> PinView:
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


def _heard(pin: PinRow, turns: Iterable[Said]) -> str:
    """Return what is said at the pinned moment, as far as the transcript knows."""
    start, end = pin.start_ms or 0, pin.end_ms or 0
    said = [
        turn.text
        for turn in turns
        if turn.start_ms is not None and turn.start_ms < end and (turn.end_ms or 0) > start
    ]
    return " ".join(said)[:300]
