"""What the host takes of a plugin's signals, and what it refuses: nothing about what an agent feels, ever.

A signal is about the customer or the conversation, made of words or of timing. No setting changes that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qa.interactions.transcript import Transcript
from qa.plugins.api import Signal

MOST = 5_000
SUBJECTS = frozenset({"customer", "interaction"})
BASES = frozenset({"text", "audio_timing"})
EMOTION = re.compile(
    r"(?i)sentiment|emotion|mood|stress|tone|attitude|anger|angry|happ|sad|fear|frustrat|empath|enthus|valence|arousal"
)
REFUSED = "Emotion of employees is not computed."


@dataclass(slots=True)
class Sorted:
    """Signals as they are stored, and why others are not."""

    kept: list[dict[str, Any]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def sort_out(signals: Sequence[Signal], transcript: Transcript, engine: str, into: Sorted) -> None:
    """Add the signals of one engine: those that may be kept, and for the others the reason."""
    for one in signals[:MOST]:
        reason = refusal_of(one, transcript)
        if reason:
            into.dropped.append(f"{engine}, {one.name[:80]}: {reason}")
            continue
        into.kept.append(_row(one, engine))


def refusal_of(one: Signal, transcript: Transcript) -> str:
    """Return why a signal is not kept, empty when it is."""
    if one.subject not in SUBJECTS:
        return (
            REFUSED if EMOTION.search(one.name) else f"It is about {one.subject}, which is nobody's business."
        )
    if one.basis not in BASES:
        return "It is not made of words or of timing."
    feels = EMOTION.search(one.name) is not None
    if feels and one.basis != "text":
        return "Feelings are not read from sound."
    if one.span is None:
        return "" if not feels or one.subject == "customer" else REFUSED
    if not 0 <= one.span.segment < len(transcript.segments):
        return "It points at words that are not there."
    segment = transcript.segments[one.span.segment]
    if feels and segment.speaker != "customer":
        return REFUSED
    if segment.text[one.span.start : one.span.end] != one.span.quote:
        return "Its quotation is not in the text."
    return ""


def _row(one: Signal, engine: str) -> dict[str, Any]:
    span = one.span
    return {
        "engine": engine[:120],
        "version": one.version[:40],
        "name": one.name[:80],
        "value": one.value if isinstance(one.value, str | int | float | bool | None) else float(one.value),
        "subject": one.subject,
        "basis": one.basis,
        "position": None if span is None else span.segment + 1,
        "char_start": None if span is None else span.start,
        "char_end": None if span is None else span.end,
        "start_ms": None if span is None or span.t0 is None else round(span.t0 * 1000),
        "end_ms": None if span is None or span.t1 is None else round(span.t1 * 1000),
        "conf": one.conf,
    }
