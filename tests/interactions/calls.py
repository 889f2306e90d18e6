"""Transcripts for tests, from the short notation of the specification: "0-6,10-20" in seconds."""

from __future__ import annotations

from typing import Any

from qa.interactions.transcript import Segment, Transcript, from_json


def spans(words: str) -> list[tuple[float, float]]:
    """The stretches in "0-6,10-20"; "" and "–" hold none."""
    parts = [part.split("-") for part in words.split(",") if part not in {"", "–"}]
    return [(float(start), float(end)) for start, end in parts]


def call(
    seconds: float | None, agent: str = "", customer: str = "", *, unknown: str = "", holds: str | None = None
) -> Transcript:
    """A call in which each stretch is one word; ``holds`` None is not known."""
    sides = {"agent": agent, "customer": customer, "unknown": unknown}
    said = [say(who, start, end, "word") for who, words in sides.items() for start, end in spans(words)]
    given: dict[str, Any] = {"segments": said}
    if seconds is not None:
        given["duration"] = seconds
    if holds is not None:
        given["holds"] = [list(span) for span in spans(holds)]
    return from_json(given)


def say(who: str, start: float, end: float, text: str, **more: Any) -> dict[str, Any]:
    """A segment as JSON has it."""
    return {"speaker": who, "start": start, "end": end, "text": text, **more}


def talk_of_one(who: str, *texts: str) -> Transcript:
    """One speaker's texts, a second each, half a second apart."""
    said = [Segment(1_500 * n, 1_500 * n + 1_000, who, text) for n, text in enumerate(texts)]
    return Transcript(1_500 * len(said), tuple(said))
