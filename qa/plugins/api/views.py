"""What plugins are told: events, messages to send, tables to export, trainings, panels, forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from qa.plugins.api.records import AgentRef, ExternalRef
from qa.plugins.api.value import Value


@dataclass(frozen=True, slots=True)
class InteractionView(Value):
    """A conversation, without what was said in it. ``url`` opens it in the product."""

    id: int
    source: str
    external_id: str
    channel: str
    started_at: datetime
    _: KW_ONLY
    ended_at: datetime | None = None
    duration_s: int | None = None
    queue: str = ""
    direction: str = ""
    language: str = ""
    agent: AgentRef | None = None
    tags: Sequence[str] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class AnswerView(Value):
    """One answer of an evaluation: the question, what was chosen, what it earned of what was possible."""

    question: str
    answer: str
    points: Decimal | None = None
    points_max: Decimal | None = None


@dataclass(frozen=True, slots=True)
class EvaluationView(Value):
    """An evaluation. ``percent`` is the reported score from 0 to 100, None when nothing was scored."""

    id: int
    interaction: InteractionView
    scorecard: str
    scorecard_version: int
    revision: int
    state: str
    kind: str
    _: KW_ONLY
    percent: Decimal | None = None
    outcome: str = ""
    band: str = ""
    failed: Sequence[str] = ()
    answers: Sequence[AnswerView] = ()
    evaluator: str = ""
    submitted_at: datetime | None = None
    released_at: datetime | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class CoachingView(Value):
    """A plan, session, goal or training of an agent."""

    id: int
    kind: Literal["plan", "session", "goal", "training"]
    title: str
    state: str
    agent: AgentRef
    _: KW_ONLY
    coach: str = ""
    due_on: date | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Notice(Value):
    """A message for people outside the product; holds no text of a customer unless the site allows it."""

    subject: str
    body: str
    url: str = ""
    urgency: Literal["low", "normal", "high"] = "normal"


@dataclass(frozen=True, slots=True)
class Column(Value):
    """One column of an export."""

    name: str
    type: Literal["text", "integer", "decimal", "boolean", "date", "datetime"]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Schema(Value):
    """The columns of an export; the version grows with each change."""

    name: str
    version: int
    columns: Sequence[Column]


@dataclass(frozen=True, slots=True)
class Batch(Value):
    """Rows of an export in the order of the columns; the same rows may come again."""

    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Course(Value):
    """A training that a provider offers."""

    ref: str
    title: str
    _: KW_ONLY
    description: str = ""
    skills: Sequence[str] = ()
    level: str = ""
    minutes: int | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class TrainingStatus(Value):
    """How far an assigned training is."""

    ref: str
    state: Literal["assigned", "started", "completed", "failed", "removed"]
    _: KW_ONLY
    completed_at: datetime | None = None
    score: Decimal | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class FormRef(Value):
    """A scorecard that another product holds."""

    ref: str
    title: str
    version: str = ""
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ImportedScorecard(Value):
    """A scorecard as this product's YAML, and what could not be carried over."""

    yaml: str
    notes: Sequence[str] = ()


Place = Literal["interaction.side", "evaluation.form", "agent.page", "coach.plan", "report.page"]


@dataclass(frozen=True, slots=True)
class Subject(Value):
    """What a page is about when a panel is asked for."""

    place: Place
    id: int
    external: ExternalRef | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class PanelView(Value):
    """A panel's content; the host draws and escapes it. ``template`` is one of the host's own."""

    template: Literal["facts", "list", "table", "text"]
    data: Mapping[str, Any] = field(default_factory=dict)
    link: str = ""
