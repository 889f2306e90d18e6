"""Transcripts and what is found in them. Seconds count from the start, characters from a text's start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from decimal import Decimal
from typing import Any, Literal

from qa.plugins.api.value import Value


@dataclass(frozen=True, slots=True)
class LocalFile(Value):
    """A file the host put beside the plugin for this one piece of work; read it, do not keep it."""

    path: str
    name: str = ""
    _: KW_ONLY
    media_type: str = ""
    sha256: str = ""
    speakers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Word(Value):
    """One spoken word."""

    word: str
    start: float
    end: float
    conf: float | None = None


@dataclass(frozen=True, slots=True)
class Segment(Value):
    """What one speaker said without a pause."""

    start: float
    end: float
    text: str
    _: KW_ONLY
    channel: int = 0
    speaker: Literal["agent", "customer", "unknown"] = "unknown"
    conf: float | None = None
    words: Sequence[Word] = ()
    flags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Transcript(Value):
    """A recording as text: the one shape for engines, rules, metrics and redaction.

    ``holds`` comes from the telephone system; None means not known, empty means there was none.
    ``truncated`` says that the file ended early, so that "was not said" proves nothing.
    """

    segments: Sequence[Segment]
    _: KW_ONLY
    duration: float | None = None
    language: str = ""
    engine: str = ""
    model: str = ""
    params_hash: str = ""
    holds: Sequence[tuple[float, float]] | None = None
    truncated: bool = False
    notes: Sequence[str] = ()
    dropped: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Hints(Value):
    """What is known about a recording before it is heard."""

    language: str = ""
    speakers: Sequence[str] = ()
    words: Sequence[str] = ()
    holds: Sequence[tuple[float, float]] | None = None


@dataclass(frozen=True, slots=True)
class Estimate(Value):
    """What a transcription will take on this machine."""

    seconds: float
    cost: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Span(Value):
    """Evidence: ``quote`` is ``text[start:end]`` of a segment, verbatim; ``t0`` and ``t1`` its seconds."""

    segment: int
    start: int
    end: int
    quote: str
    t0: float | None = None
    t1: float | None = None


@dataclass(frozen=True, slots=True)
class Searched(Value):
    """Evidence of absence: which segments were searched, for which words, in which seconds."""

    segments: Sequence[int]
    words: Sequence[str]
    window: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Signal(Value):
    """A fact about the customer or the conversation, never about an agent's feelings.

    The host drops and reports whatever else is said: a subject other than these two, a basis other
    than words and timing, an emotion in an agent's turn.
    """

    name: str
    value: str | int | float | bool | Decimal | None
    _: KW_ONLY
    subject: Literal["customer", "interaction"]
    basis: Literal["text", "audio_timing"]
    scope: Literal["interaction", "segment", "message"] = "interaction"
    span: Span | None = None
    conf: float | None = None
    engine: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion(Value):
    """A machine's answer to a question. Without evidence the host refuses it."""

    answer: str | int | float | Decimal
    confidence: float
    evidence: Sequence[Span] | Searched
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Abstain(Value):
    """No answer, and why; always better than a guess."""

    why: str


@dataclass(frozen=True, slots=True)
class Finding(Value):
    """Characters to hide in a text."""

    start: int
    end: int
    label: str
    conf: float = 1.0


@dataclass(frozen=True, slots=True)
class Interval(Value):
    """Seconds to silence in a recording; no channel means all of them."""

    start: float
    end: float
    label: str
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class OptionView(Value):
    """One answer a question allows."""

    ref: str
    label: str
    points: Decimal | None = None


@dataclass(frozen=True, slots=True)
class QuestionView(Value):
    """A question of a scorecard; ``rule`` holds what the form's author wrote for this scorer."""

    ref: str
    text: str
    kind: str
    _: KW_ONLY
    guidance: str = ""
    options: Sequence[OptionView] = ()
    languages: Sequence[str] = ()
    rule: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scale(Value):
    """Which answers count: the refs of the options, or the lowest and highest number."""

    options: Sequence[str] = ()
    lowest: Decimal | None = None
    highest: Decimal | None = None
    allows_na: bool = True


@dataclass(frozen=True, slots=True)
class ScoredInteraction(Value):
    """A conversation as a scorer sees it: what was said and measured, and nothing about who the agent is."""

    channel: str
    language: str
    transcript: Transcript
    direction: str = ""
    queue: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
