"""A form version made ready for scoring: whole numbers on common denominators, looked up by index.

Compiled once per version and shared; nothing here changes afterwards. Scoring then carries
integers only, and reduces a fraction when it is printed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Any

from qa.scorecards.form import Band, Choice, Condition, Form, Question, Section


@dataclass(frozen=True, slots=True)
class CompiledChoice:
    """An option or a number range; ``points`` in units of the form's point denominator."""

    ref: str
    label: str
    points: int
    is_bonus: bool
    fail: str | None
    is_failed: bool
    needs_comment: bool
    needs_evidence: bool
    low: Decimal | None = None
    high: Decimal | None = None


VALUE = "value"


@dataclass(frozen=True, slots=True)
class Given:
    """One question's state, and what was chosen when its state is ``value``."""

    state: str
    chosen: tuple[CompiledChoice, ...] = ()
    value: Any = None


@dataclass(frozen=True, slots=True)
class CompiledQuestion:
    """One question: ``given`` is what each option means when it alone is chosen, ``base`` its maximum
    without bonus, 0 when it cannot be scored."""

    index: int
    number: int
    ref: str
    text: str
    type: str
    node: int
    top: int
    choices: tuple[CompiledChoice, ...]
    by_ref: dict[str, CompiledChoice]
    given: dict[str, Given]
    base: int
    cap: int | None
    weight: int
    counts: bool
    is_bonus: bool
    is_required: bool
    na_allowed: bool
    critical_below: Fraction | None
    conditions: tuple[tuple[Condition, bool], ...]
    needs_comment: bool
    needs_evidence: bool
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True)
class CompiledNode:
    """One section; ``questions`` are its own, ``inside`` the sections in it, ``units`` its weight in
    units of the form's weight denominator."""

    index: int
    ref: str
    label: str
    parent: int | None
    weight: Fraction
    units: int
    questions: tuple[int, ...]
    inside: tuple[int, ...]
    every: tuple[int, ...]
    bands: tuple[Band, ...]


Shares = tuple[tuple[str, ...], tuple[str, ...]]
"""What each question and each section weighs in the total, in percent, as exact text."""


@dataclass(frozen=True, slots=True)
class CompiledForm:
    """Everything the scorer needs.

    ``shares`` and ``parts`` are the scorer's memory: what it worked out once for a pattern of what
    counts, and for one question's answer. They hold values only, the same whoever asks.
    """

    form: Form
    point_unit: int
    weight_unit: int
    questions: tuple[CompiledQuestion, ...]
    nodes: tuple[CompiledNode, ...]
    tops: tuple[int, ...]
    by_ref: dict[str, CompiledQuestion]
    node_by_ref: dict[str, int]
    common: int
    pass_mark: Fraction | None
    floor: Fraction
    shares: dict[bytes, Shares] = field(default_factory=dict, compare=False, repr=False)
    parts: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)


def compile_form(form: Form) -> CompiledForm:
    """Return the form ready for scoring."""
    questions = form.all_questions()
    point_unit = _denominator(c.points for q in questions for c in _choices(q))
    weight_unit = _denominator([q.weight for q in questions] + [s.weight for s in form.all_sections()])
    nodes = _nodes(form, weight_unit)
    owner = _owners(form)
    made = tuple(
        _question(question, index, owner[id(question)], nodes, form, point_unit, weight_unit)
        for index, question in enumerate(questions)
    )
    return CompiledForm(
        form=form,
        point_unit=point_unit,
        weight_unit=weight_unit,
        questions=made,
        nodes=nodes,
        tops=tuple(node.index for node in nodes if node.parent is None),
        by_ref={question.ref: question for question in made},
        node_by_ref={node.ref: node.index for node in nodes},
        common=lcm(*(question.base for question in made if question.base)) if made else 1,
        pass_mark=None if form.pass_mark is None else Fraction(form.pass_mark),
        floor=Fraction(form.floor),
    )


def _denominator(numbers: Iterable[Decimal | None]) -> int:
    return lcm(1, *(Fraction(number).denominator for number in numbers if number is not None))


def _choices(question: Question) -> tuple[Choice, ...]:
    return question.ranges if question.type == "number" else question.choices


def _nodes(form: Form, weight_unit: int) -> tuple[CompiledNode, ...]:
    sections = form.all_sections()
    index_of = {id(section): index for index, section in enumerate(sections)}
    parent_of = {id(inner): index_of[id(outer)] for outer in sections for inner in outer.sections}
    place = {id(question): index for index, question in enumerate(form.all_questions())}
    return tuple(
        CompiledNode(
            index=index,
            ref=section.ref,
            label=section.label,
            parent=parent_of.get(id(section)),
            weight=_weight(section),
            units=int(_weight(section) * weight_unit),
            questions=tuple(place[id(question)] for question in section.questions),
            inside=tuple(index_of[id(inner)] for inner in section.sections),
            every=tuple(place[id(question)] for question in section.all_questions()),
            bands=section.bands,
        )
        for index, section in enumerate(sections)
    )


def _weight(part: Section | Question) -> Fraction:
    return Fraction(1 if part.weight is None else part.weight)


def _owners(form: Form) -> dict[int, int]:
    sections = form.all_sections()
    return {id(question): index for index, section in enumerate(sections) for question in section.questions}


def _question(
    question: Question,
    index: int,
    node: int,
    nodes: tuple[CompiledNode, ...],
    form: Form,
    point_unit: int,
    weight_unit: int,
) -> CompiledQuestion:
    choices = tuple(_choice(choice, point_unit) for choice in _choices(question))
    base, cap = _base(question, choices, point_unit)
    sections = _chain(form, nodes, node)
    parent = nodes[node].parent
    return CompiledQuestion(
        index=index,
        number=index + 1,
        ref=question.ref,
        text=question.text,
        type=question.type,
        node=node,
        top=node if parent is None else parent,
        choices=choices,
        by_ref={choice.ref: choice for choice in choices},
        given={choice.ref: Given(VALUE, (choice,), choice.ref) for choice in choices},
        base=base,
        cap=cap,
        weight=int(_weight(question) * weight_unit),
        counts=question.is_scored and not question.bonus and base > 0,
        is_bonus=question.bonus and question.is_scored,
        is_required=question.is_required,
        na_allowed=question.na == "allowed" or any(section.na == "allowed" for section in sections),
        critical_below=None if question.critical_below is None else Fraction(question.critical_below),
        conditions=_conditions(question, sections),
        needs_comment=question.comment == "required",
        needs_evidence=question.evidence == "required",
        bands=question.bands,
    )


def _conditions(question: Question, sections: list[Section]) -> tuple[tuple[Condition, bool], ...]:
    parts: list[Section | Question] = [*sections, question]
    return tuple((part.show_when, part.unknown == "show") for part in parts if part.show_when is not None)


def _chain(form: Form, nodes: tuple[CompiledNode, ...], node: int) -> list[Section]:
    sections = form.all_sections()
    parent = nodes[node].parent
    return [sections[node]] if parent is None else [sections[parent], sections[node]]


def _choice(choice: Any, point_unit: int) -> CompiledChoice:
    is_range = hasattr(choice, "min")
    ref = f"{choice.min}-{choice.max}" if is_range else choice.ref
    return CompiledChoice(
        ref=ref,
        label=ref if is_range else choice.label,
        points=int(Fraction(choice.points or 0) * point_unit),
        is_bonus=choice.bonus,
        fail=choice.fail,
        is_failed=choice.treat_as == "fail",
        needs_comment=choice.comment == "required",
        needs_evidence=choice.evidence == "required",
        low=choice.min if is_range else None,
        high=choice.max if is_range else None,
    )


def _base(question: Question, choices: tuple[CompiledChoice, ...], unit: int) -> tuple[int, int | None]:
    """Return the maximum without bonus, and the cap of a multi-select."""
    ordinary = [choice.points for choice in choices if not choice.is_bonus]
    if question.type != "multi":
        return max([0, *ordinary]), None
    positive = sum(points for points in ordinary if points > 0)
    cap = positive if question.cap is None else int(Fraction(question.cap) * unit)
    return max(0, min(cap, positive)), cap
