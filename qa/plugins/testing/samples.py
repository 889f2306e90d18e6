"""What the suites give to extensions when an author brings nothing of their own."""

from __future__ import annotations

import hashlib
import math
import struct
import wave
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from qa.plugins.api import (
    Batch,
    Column,
    LocalFile,
    Notice,
    OptionView,
    QuestionView,
    Scale,
    Schema,
    ScoredInteraction,
    Segment,
    Transcript,
)

RATE = 8_000
TALK = (
    (0.0, 3.1, "agent", "Good morning, this is Dana from billing, how can I help you?"),
    (3.4, 8.9, "customer", "I was charged twice and I am really annoyed about it."),
    (9.2, 14.0, "agent", "I am sorry about that. I have refunded the second charge."),
    (14.5, 16.2, "customer", "That is great, thank you very much."),
)


def transcript(names: Mapping[str, str] | None = None) -> Transcript:
    """Return a short call; ``names`` replaces words, to see whether names change an answer."""
    segments = []
    for start, end, speaker, text in TALK:
        for old, new in (names or {}).items():
            text = text.replace(old, new)
        segments.append(Segment(start, end, text, speaker=speaker))  # type: ignore[arg-type]
    return Transcript(segments, duration=17.0, language="en", engine="sample")


def silence() -> Transcript:
    """Return a call in which nobody says anything."""
    return Transcript([], duration=5.0, language="en", engine="sample")


def question() -> QuestionView:
    """Return a yes-or-no question."""
    options = (OptionView("yes", "Yes", Decimal(1)), OptionView("no", "No", Decimal(0)))
    return QuestionView("greeting", "Did the agent greet the customer?", "yes_no", options=options)


def scale() -> Scale:
    """Return the answers that ``question`` allows."""
    return Scale(options=("yes", "no"))


def interaction(said: Transcript) -> ScoredInteraction:
    """Return a call as a scorer sees it."""
    return ScoredInteraction("voice", "en", said, direction="inbound")


def notice() -> Notice:
    """Return a message."""
    return Notice("An evaluation is ready", "Your call of 2 March was evaluated.", "https://qa.example/e/1")


def table() -> tuple[Schema, list[Batch]]:
    """Return the columns and rows of a small export."""
    schema = Schema("evaluations", 1, (Column("id", "integer"), Column("percent", "decimal")))
    return schema, [Batch(((n, "83.3"), (n + 1, "71.0"))) for n in (1, 3, 5)]


def sound(folder: Path, seconds: float = 2.0) -> LocalFile:
    """Return a stereo file with a tone, the agent left and the customer right."""
    file = folder / "sample.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        for step in range(int(RATE * seconds)):
            level = int(8_000 * math.sin(step * 2 * math.pi * 440 / RATE))
            out.writeframesraw(struct.pack("<hh", level, -level))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return LocalFile(
        str(file), "sample.wav", media_type="audio/wav", sha256=digest, speakers=("agent", "customer")
    )
