"""The shape of a scorecard as people write it: one model for YAML, editor and JSON Schema.

Shape only: types, lengths, known keys. What a form *means* is in ``scoring``; what is unwise or
impossible although well-formed is in ``lint``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

MAX_QUESTIONS = 200
MAX_SECTIONS = 50
MAX_OPTIONS = 50
MAX_TITLE = 350
MAX_TEXT = 500
MAX_HELP = 4000

CHANNELS = ("voice", "chat", "email", "ticket")


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("must be a number, without quotes")
    if isinstance(value, int | float):
        return Decimal(str(value))
    return value


def _ref(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"is read as {type(value).__name__} {value}, not as text: put it in quotes")
    return str(value)


Number = Annotated[Decimal, BeforeValidator(_number), Field(allow_inf_nan=False, max_digits=30)]
Weight = Annotated[Number, Field(ge=0)]
Ref = Annotated[
    str, BeforeValidator(_ref), StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=120)
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TITLE)]
Help = Annotated[str, StringConstraints(max_length=MAX_HELP)]


class Part(BaseModel):
    """Base of every part: unknown keys are refused, values never coerced, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Band(Part):
    """A named stretch of the scale; the last one has no ``to``."""

    to: Number | None = None
    name: Title


class CountRule(Part):
    """Fail a section or the form when enough questions were failed."""

    failed_at_least: Annotated[int, Field(ge=1)]
    within: Annotated[Ref | None, Field(alias="in")] = None
    fail: Literal["section", "form"]


class Choice(Part):
    """What options and number ranges have in common."""

    points: Number | None = None
    fail: Literal["question", "section", "form"] | None = None
    treat_as: Literal["fail", "pass"] | None = None
    bonus: bool = False
    comment: Literal["required", "optional"] = "optional"
    evidence: Literal["required", "optional"] = "optional"


class Option(Choice):
    """One answer that can be chosen."""

    ref: Ref
    text: Text | None = None

    @property
    def label(self) -> str:
        """Return what people read."""
        return self.text or self.ref


class Range(Choice):
    """A closed stretch of numbers."""

    min: Number
    max: Number


class Condition(Part):
    """A tree of ``all``, ``any`` and ``not`` over earlier answers and fields of the conversation."""

    all: tuple[Condition, ...] | None = None
    any: tuple[Condition, ...] | None = None
    negated: Annotated[Condition | None, Field(alias="not")] = None
    answer: Ref | None = None
    field: Annotated[str | None, StringConstraints(min_length=1, max_length=120)] = None
    is_in: Annotated[tuple[Any, ...] | None, Field(alias="in")] = None
    not_in: tuple[Any, ...] | None = None
    all_in: tuple[Any, ...] | None = None
    exact: tuple[Any, ...] | None = None
    less: Annotated[Any, Field(alias="<")] = None
    less_or_equal: Annotated[Any, Field(alias="<=")] = None
    more: Annotated[Any, Field(alias=">")] = None
    more_or_equal: Annotated[Any, Field(alias=">=")] = None
    equal: Annotated[Any, Field(alias="=")] = None
    unequal: Annotated[Any, Field(alias="!=")] = None

    @model_validator(mode="before")
    @classmethod
    def _signs(cls, given: Any) -> Any:
        """Take the printed signs for the typed ones."""
        printed = {"≤": "<=", "≥": ">=", "≠": "!="}
        return {printed.get(k, k): v for k, v in given.items()} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _one_thing(self) -> Condition:
        branches = [part for part in (self.all, self.any, self.negated) if part is not None]
        asked = [part for part in (self.answer, self.field) if part is not None]
        tests = self.tests()
        if branches and (len(branches) > 1 or asked or tests):
            raise ValueError("a condition is one of: all, any, not, or one test of an answer or a field")
        if not branches and (len(asked) != 1 or len(tests) != 1):
            raise ValueError(
                "a test names one answer or field and one comparison, such as {answer: sale, in: [y]}"
            )
        return self

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


class RootCause(Part):
    """A reason that an evaluator may pick beside a lost point."""

    ref: Ref
    text: Text


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
    scale: Annotated[int | None, Field(ge=2, le=MAX_OPTIONS)] = None
    options: Annotated[tuple[Option, ...], Field(max_length=MAX_OPTIONS)] = ()
    ranges: Annotated[tuple[Range, ...], Field(max_length=MAX_OPTIONS)] = ()
    show_when: Condition | None = None
    unknown: Literal["show", "hide"] = "hide"
    comment: Literal["required", "optional"] = "optional"
    evidence: Literal["required", "optional"] = "optional"
    root_causes: tuple[Ref, ...] | None = None
    default: Any = None
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


class Release(Part):
    """When the agent may read: at once, after some days, or when a lead releases."""

    rule: Literal["at_once", "after_days", "by_lead"] = "at_once"
    days: Annotated[int, Field(ge=1, le=60)] | None = None


class Dispute(Part):
    """How long and how often an agent may object."""

    days: Annotated[int, Field(ge=0, le=90)] = 7
    rounds: Annotated[int, Field(ge=0, le=5)] = 2


class FormTest(Part):
    """Answers with the result they must give; run by lint, by activation and by ``qa scorecards test``."""

    name: Title
    fields: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    score: str | int | None = None
    raw: str | int | None = None
    outcome: Literal["pass", "fail", "not_scored", "incomplete"] | None = None
    band: str | None = None


class Form(Part):
    """One scorecard."""

    form: Ref
    title: Title
    description: Help = ""
    language: Annotated[str, StringConstraints(max_length=20)] = ""
    channels: tuple[Literal["voice", "chat", "email", "ticket"], ...] = ()
    mode: Literal["points", "weighted_questions", "weighted_sections", "scaled_points"]
    within: Literal["weights", "points"] = "weights"
    na: Literal["exclude", "full_credit"] = "exclude"
    autofail_score: Literal["zero", "keep"] = "zero"
    floor: Number = Decimal(0)
    cap: Literal["none", 100] = "none"
    pass_mark: Annotated[Number | None, Field(alias="pass")] = None
    bands: tuple[Band, ...] = ()
    rules: tuple[CountRule, ...] = ()
    release: Release = Release()
    dispute: Dispute = Dispute()
    expected_minutes: Annotated[int | None, Field(ge=1, le=240)] = None
    root_causes: tuple[RootCause, ...] = ()
    sections: Annotated[tuple[Section, ...], Field(min_length=1, max_length=MAX_SECTIONS)]
    tests: tuple[FormTest, ...] = ()

    def all_questions(self) -> list[Question]:
        """Return every question in order."""
        return [question for section in self.sections for question in section.all_questions()]

    def all_sections(self) -> list[Section]:
        """Return every section, outer before inner."""
        return [part for section in self.sections for part in (section, *section.sections)]
