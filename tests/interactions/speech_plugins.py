"""Small plugins for tests of speech: a transcriber that knows its text already, and an enricher."""

from __future__ import annotations

TRANSCRIBER = """
import json, time
from pathlib import Path

class Knows(Transcriber):
    "Says what a call holds, a sentence at a time, and keeps in its folder what it has said."
    key = "knows"
    title = "Knows"

    def transcribe(self, ctx, audio, hints):
        assert Path(audio.path).read_bytes()[:4] == b"RIFF"
        lines = json.loads({lines!r})
        kept = ctx.scratch / "done.txt"
        for number in range(len(lines)):
            ctx.cancel.check()
            done = kept.read_text().splitlines() if kept.exists() else []
            if str(number) not in done:
                with open({log!r}, "a") as log:
                    log.write(f"{{number}}\\n")
                ctx.clock.sleep({pause})
                with kept.open("a") as out:
                    out.write(f"{{number}}\\n")
            ctx.progress(number + 1, len(lines), "Transcribing")
        segments = [Segment(a, b, text, channel=0 if who == "agent" else 1, speaker=who, conf=0.9)
                    for a, b, who, text in lines]
        return Transcript(segments, duration=60.0, language="en", engine="knows", model="m1", params_hash="p")

@hookimpl
def qa_transcribers():
    return [Knows]
"""

FAILING = """
class Fails(Transcriber):
    "Has no model."
    key = "fails"
    title = "Fails"

    def transcribe(self, ctx, audio, hints):
        raise ConfigError('Model "base" is not in models.')

@hookimpl
def qa_transcribers():
    return [Fails]
"""

ENRICHER = """
class Words(Enricher):
    "Finds a topic, a customer's mood, and what it must not: an agent's."
    key = "words"
    title = "Words"
    provides = ("topic", "sentiment")

    def enrich(self, ctx, transcript, needs):
        one = transcript.segments[1]
        agent = transcript.segments[0]
        return [
            Signal("topic", "refund", subject="interaction", basis="text",
                   span=Span(1, 0, len(one.text), one.text, one.start, one.end)),
            Signal("sentiment", -0.4, subject="customer", basis="text"),
            Signal("sentiment", -0.9, subject="customer", basis="text", scope="segment",
                   span=Span(0, 0, len(agent.text), agent.text)),
            Signal("topic", "invented", subject="interaction", basis="text",
                   span=Span(1, 0, 4, "never said")),
            Signal("sentiment", 0.2, subject="customer", basis="audio_timing"),
        ]

@hookimpl
def qa_enrichers():
    return [Words]

@hookimpl
def qa_transcript_ready(ctx, interaction, transcript, key):
    with open({log!r}, "a") as log:
        log.write(" | ".join(one.text for one in transcript.segments) + "\\n")
"""

SCORER = """
class Looks(AutoScorer):
    "Looks for thanks in what the agent says."
    key = "looks"
    title = "Looks"

    def score(self, ctx, question, scale, interaction):
        for place, one in enumerate(interaction.transcript.segments):
            at = one.text.find("Thank you")
            if one.speaker == "agent" and at >= 0:
                span = Span(place, at, at + 9, "Thank you", one.start, one.end)
                return Suggestion(question.rule["answer"]["met"], 0.91, [span], "Said by the agent.")
        return Abstain("not_said")

@hookimpl
def qa_autoscorers():
    return [Looks]
"""
