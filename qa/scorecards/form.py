"""The shape of a scorecard as people write it: one model for YAML, editor and JSON Schema.

Shape only: types, lengths, known keys. What a form *means* is in ``scoring``; what is unwise or
impossible although well-formed is in ``lint``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal

from qa.scorecards.shape import Check, Count, Key, Part, number, text, whole

MAX_QUESTIONS = 200
MAX_SECTIONS = 50
MAX_OPTIONS = 50
MAX_TITLE = 350
MAX_TEXT = 500
MAX_HELP = 4000

CHANNELS = ("voice", "chat", "email", "ticket")
REF_WORDS = "letters, digits, “_”, “.” and “-”, the first one a letter or digit"

Number = Annotated[Decimal, number()]
Weight = Annotated[Decimal, number(least=0)]
Ref = Annotated[str, text(1, 120, r"[A-Za-z0-9][A-Za-z0-9_.-]*", REF_WORDS)]
Text = Annotated[str, text(1, MAX_TEXT)]
Title = Annotated[str, text(1, MAX_TITLE)]
Help = Annotated[str, text(0, MAX_HELP)]


def _exact(value: Any) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError('must be a whole number, or text such as "62.5" or "200/3"')
    return value


Exact = Annotated[str | int, Check(_exact, {"type": ["string", "integer"]})]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band(Part):
    """A named stretch of the scale; the last one has no ``to``."""

    to: Number | None = None
    name: Title


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRule(Part):
    """Fail a section or the form when enough questions were failed."""

    failed_at_least: Annotated[int, whole(1, MAX_QUESTIONS)]
    within: Annotated[Ref | None, Key("in")] = None
    fail: Literal["section", "form"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Part):
    """What options and number ranges have in common."""

    points: Number | None = None
    fail: Literal["question", "section", "form"] | None = None
    treat_as: Literal["fail", "pass"] | None = None
    bonus: bool = False
    comment: Literal["required", "optional"] = "optional"
    evidence: Literal["required", "optional"] = "optional"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option(Choice):
    """One answer that can be chosen."""

    ref: Ref
    text: Text | None = None

    @property
    def label(self) -> str:
        """Return what people read."""
        return self.text or self.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Choice):
    """A closed stretch of numbers."""

    min: Number
    max: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(Part):
    """A tree of ``all``, ``any`` and ``not`` over earlier answers and fields of the conversation."""

    all: tuple[Condition, ...] | None = None
    any: tuple[Condition, ...] | None = None
    negated: Annotated[Condition | None, Key("not")] = None
    answer: Ref | None = None
    field: Annotated[str, text(1, 120)] | None = None
    is_in: Annotated[tuple[Any, ...] | None, Key("in")] = None
    not_in: tuple[Any, ...] | None = None
    all_in: tuple[Any, ...] | None = None
    exact: tuple[Any, ...] | None = None
    less: Annotated[Any, Key("<")] = None
    less_or_equal: Annotated[Any, Key("<=", ("≤",))] = None
    more: Annotated[Any, Key(">")] = None
    more_or_equal: Annotated[Any, Key(">=", ("≥",))] = None
    equal: Annotated[Any, Key("=")] = None
    unequal: Annotated[Any, Key("!=", ("≠",))] = None

    def __post_init__(self) -> None:
        """Refuse what is neither one branch nor one test."""
        branches = [part for part in (self.all, self.any, self.negated) if part is not None]
        asked = [part for part in (self.answer, self.field) if part is not None]
        tests = self.tests()
        if branches and (len(branches) > 1 or asked or tests):
            raise ValueError("is one of: all, any, not, or one test of an answer or a field")
        if not branches and (len(asked) != 1 or len(tests) != 1):
            raise ValueError("names one answer or field and one comparison, such as {answer: sale, in: [y]}")

    def tests(self) -> list[tuple[str, Any]]:
        """Return the comparison of a leaf as (name, value)."""
        named = (
            ("in", self.is_in),
            ("not_in", self.not_in),
            ("all_in", self.all_in),
            ("exact", self.exact),
            ("<", self.less),
            ("<=", self.less_or_equal),
            (">", self.more),
            (">=", self.more_or_equal),
            ("=", self.equal),
            ("!=", self.unequal),
        )
        return [(name, value) for name, value in named if value is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RootCause(Part):
    """A reason that an evaluator may pick beside a lost point."""

    ref: Ref
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Part):
    """One question of a section."""

    ref: Ref
    text: Text
    help: Help = ""
    type: Literal["single", "multi", "number", "text", "date"]
    weight: Weight | None = None
    scored: bool | None = None
    required: bool | None = None
    na: Literal["allowed", "refused"] = "refused"
    bonus: bool = False
    about: Literal["manner"] | None = None
    critical_class: Literal["customer", "business", "compliance"] | None = None
    critical_below: Number | None = None
    cap: Number | None = None
    scale: Annotated[int, whole(2, MAX_OPTIONS)] | None = None
    options: Annotated[tuple[Option, ...], Count(most=MAX_OPTIONS)] = ()
    ranges: Annotated[tuple[Range, ...], Count(most=MAX_OPTIONS)] = ()
    show_when: Condition | None = None
    unknown: Literal["show", "hide"] = "hide"
    comment: Literal["required", "optional"] = "optional"
    evidence: Literal["required", "optional"] = "optional"
    root_causes: tuple[Ref, ...] | None = None
    default: Any = None
    auto: Any = None
    bands: tuple[Band, ...] = ()

    @property
    def is_scored(self) -> bool:
        """Tell whether points count: text and dates never do."""
        if self.type in {"text", "date"}:
            return False
        return True if self.scored is None else self.scored

    @property
    def is_required(self) -> bool:
        """Tell whether it must be answered: text and dates only when they say so."""
        return self.type not in {"text", "date"} if self.required is None else self.required

    @property
    def choices(self) -> tuple[Option, ...]:
        """Return the options, a scale written out: k of n is worth (k-1)/(n-1)."""
        if self.scale is None or self.options:
            return self.options
        return tuple(
            Option(ref=str(k), text=str(k), points=Decimal(k - 1), bonus=False)
            for k in range(1, self.scale + 1)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(Part):
    """A group of questions; one level of sections may lie inside it."""

    ref: Ref
    title: Title | None = None
    help: Help = ""
    weight: Weight | None = None
    na: Literal["allowed", "refused"] = "refused"
    show_when: Condition | None = None
    unknown: Literal["show", "hide"] = "hide"
    questions: tuple[Question, ...] = ()
    sections: tuple[Section, ...] = ()
    bands: tuple[Band, ...] = ()

    @property
    def label(self) -> str:
        """Return what people read."""
        return self.title or self.ref

    def all_questions(self) -> list[Question]:
        """Return the questions of the section and of those inside it, in order."""
        inner = [question for section in self.sections for question in section.all_questions()]
        return [*self.questions, *inner]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Part):
    """When the agent may read: at once, after some days, or when a lead releases."""

    rule: Literal["at_once", "after_days", "by_lead"] = "at_once"
    days: Annotated[int, whole(1, 60)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute(Part):
    """How long and how often an agent may object."""

    days: Annotated[int, whole(0, 90)] = 7
    rounds: Annotated[int, whole(0, 5)] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FormTest(Part):
    """Answers with the result they must give; run by lint, by activation and by ``qa scorecards test``."""

    name: Title
    fields: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    score: Exact | None = None
    raw: Exact | None = None
    outcome: Literal["pass", "fail", "not_scored", "incomplete"] | None = None
    band: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Part):
    """One scorecard."""

    form: Ref
    title: Title
    description: Help = ""
    language: Annotated[str, text(0, 20)] = ""
    channels: tuple[Literal["voice", "chat", "email", "ticket"], ...] = ()
    mode: Literal["points", "weighted_questions", "weighted_sections", "scaled_points"]
    within: Literal["weights", "points"] = "weights"
    na: Literal["exclude", "full_credit"] = "exclude"
    autofail_score: Literal["zero", "keep"] = "zero"
    floor: Number = Decimal(0)
    cap: Literal["none", 100] = "none"
    pass_mark: Annotated[Number | None, Key("pass")] = None
    bands: tuple[Band, ...] = ()
    rules: tuple[CountRule, ...] = ()
    release: Release = Release()
    dispute: Dispute = Dispute()
    expected_minutes: Annotated[int, whole(1, 240)] | None = None
    root_causes: tuple[RootCause, ...] = ()
    sections: Annotated[tuple[Section, ...], Count(1, MAX_SECTIONS)]
    tests: tuple[FormTest, ...] = ()

    def all_questions(self) -> list[Question]:
        """Return every question in order."""
        return [question for section in self.sections for question in section.all_questions()]

    def all_sections(self) -> list[Section]:
        """Return every section, outer before inner."""
        return [part for section in self.sections for part in (section, *section.sections)]
