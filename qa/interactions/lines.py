"""One line of an import: JSON in, a typed record out, or a sentence that names the place and the cure."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from qa.core.text import faults_in

MAX_LINE_BYTES = 5_000_000
MAX_DEPTH = 64
MAX_TURN_TEXT = 50_000

Short = Annotated[str, Field(max_length=200)]
Seconds = Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]


class BrokenLine(Exception):
    """A line that cannot be taken; the message names the place and the cure."""


class Part(BaseModel):
    """Base: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AgentPart(Part):
    """Somebody who took part for the centre."""

    email: Short | None = None
    external_id: Short | None = None
    extension: Annotated[str, Field(max_length=80)] | None = None
    name: Short | None = None
    part: Annotated[str, Field(max_length=20)] = "main"

    @model_validator(mode="after")
    def _named(self) -> AgentPart:
        if not (self.email or self.external_id or self.extension):
            raise ValueError("needs an email, an external_id or an extension")
        return self


class Customer(Part):
    """Whom it was about."""

    reference: Short = ""
    name: Short = ""


class TurnPart(Part):
    """One utterance, message, note or event. Times in seconds from the start."""

    speaker: Literal["agent", "customer", "bot", "system", "unknown"]
    kind: Literal["speech", "message", "note", "event"] | None = None
    start: Seconds | None = None
    end: Seconds | None = None
    sent_at: datetime | None = None
    text: Annotated[str, Field(max_length=MAX_TURN_TEXT)]

    @model_validator(mode="after")
    def _in_order(self) -> TurnPart:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"ends at {self.end} before it starts at {self.start}")
        return self

    @field_validator("sent_at")
    @classmethod
    def _zone(cls, value: datetime | None) -> datetime | None:
        return _aware(value)


class RecordingPart(Part):
    """A sound file in the recordings folder; ``speakers`` names who is on which channel."""

    file: Annotated[str, Field(min_length=1, max_length=300)]
    speakers: list[Literal["agent", "customer", "unknown"]] = Field(default_factory=list, max_length=2)


class Csat(Part):
    """The customer's answer and its scale."""

    score: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
    max: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _inside(self) -> Csat:
        if self.score > self.max:
            raise ValueError(f"score {self.score} lies above its max {self.max}")
        return self


class Kpis(Part):
    """Facts of the conversation, in seconds and counts."""

    talk_seconds: Count | None = None
    hold_seconds: Count | None = None
    wrap_seconds: Count | None = None
    wait_seconds: Count | None = None
    first_reply_seconds: Count | None = None
    resolution_seconds: Count | None = None
    reopen_count: Count | None = None
    transfer_count: Count | None = None
    csat: Csat | None = None
    sla_met: bool | None = None
    resolved_first_contact: bool | None = None


class Line(Part):
    """One conversation."""

    external_id: Annotated[str, Field(min_length=1, max_length=200)]
    channel: Literal["voice", "chat", "email", "ticket"] = "voice"
    queue: Annotated[str, Field(max_length=120)] = ""
    direction: Literal["inbound", "outbound", "internal"] = "inbound"
    language: Annotated[str, Field(max_length=20)] = ""
    subject: Annotated[str, Field(max_length=500)] = ""
    agents: list[AgentPart] = Field(default_factory=list, max_length=50)
    customer: Customer = Customer()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    turns: list[TurnPart] = Field(default_factory=list, max_length=20_000)
    recordings: list[RecordingPart] = Field(default_factory=list, max_length=20)
    kpis: Kpis = Kpis()
    fields: dict[Short, str | int | float | bool | None] = Field(default_factory=dict, max_length=200)
    tags: list[Annotated[str, Field(min_length=1, max_length=80)]] = Field(
        default_factory=list, max_length=100
    )
    updated_at: datetime | None = None
    deleted: bool = False
    merged_into: Annotated[str, Field(max_length=200)] = ""

    @field_validator("started_at", "ended_at", "updated_at")
    @classmethod
    def _zone(cls, value: datetime | None) -> datetime | None:
        return _aware(value)

    @model_validator(mode="after")
    def _whole(self) -> Line:
        if self.is_gone:
            return self
        if self.started_at is None:
            raise ValueError("started_at is missing")
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise ValueError("ended_at lies before started_at")
        return self

    @property
    def is_gone(self) -> bool:
        """Tell whether the source has it no more: deleted there, or merged into another one."""
        return self.deleted or bool(self.merged_into)


def _aware(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError("has no time zone. Write it like 2026-03-14T09:30:00+01:00")
    return value


@dataclass(frozen=True, slots=True)
class Parsed:
    """A line and the hash by which a repeated delivery is known."""

    line: Line
    content_hash: str


def parse(raw: bytes) -> Parsed:
    """Return the record of one line; raise ``BrokenLine``."""
    if len(raw) > MAX_LINE_BYTES:
        raise BrokenLine(f"The line is longer than {MAX_LINE_BYTES // 1_000_000} MB.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenLine(f"Not UTF-8 text (byte {error.start + 1}). Export the file as UTF-8.") from None
    data = _json(text)
    if not isinstance(data, dict):
        raise BrokenLine("Not an object. Each line is one conversation in { }.")
    if fault := faults_in(data):
        raise BrokenLine(fault)
    return Parsed(line_of(data), hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest())


def line_of(data: dict[str, Any]) -> Line:
    """Return the record of plain values; raise ``BrokenLine`` that names the place."""
    try:
        return Line.model_validate(data)
    except ValidationError as error:
        raise BrokenLine(_sentence(error)) from None


def _json(text: str) -> Any:
    try:
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise BrokenLine(f"Not valid JSON: {error.msg} at column {error.colno}.") from None
    except RecursionError:
        raise BrokenLine(f"Nested deeper than {MAX_DEPTH} levels.") from None
    if _depth(data) > MAX_DEPTH:
        raise BrokenLine(f"Nested deeper than {MAX_DEPTH} levels.")
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BrokenLine(f"The key “{twice}” stands twice. Keep one.")
    return found


def _refuse(name: str) -> Any:
    raise BrokenLine(f"{name} is not a number. Leave the key out when there is no value.")


def _depth(data: Any) -> int:
    deepest, stack = 0, [(data, 1)]
    while stack:
        node, level = stack.pop()
        deepest = max(deepest, level)
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        stack += [(child, level + 1) for child in children]
        if deepest > MAX_DEPTH:
            break
    return deepest


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(step + 1) if isinstance(step, int) else str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(first["loc"][-1]), _known_keys(), n=1)
        return f"There is no key “{place}”." + (f" Did you mean “{near[0]}”?" if near else " Remove it.")
    if first["type"] == "missing":
        return f"“{place}” is missing."
    message = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"“{place}” {message}." if place else f"{message[0].upper()}{message[1:]}."


def _known_keys() -> list[str]:
    parts: tuple[type[Part], ...] = (Line, AgentPart, Customer, TurnPart, RecordingPart, Csat, Kpis)
    return [name for part in parts for name in part.model_fields]
