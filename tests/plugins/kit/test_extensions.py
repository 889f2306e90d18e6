"""The suites for other extensions: a good one of each kind passes, a bad one is caught in words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from qa.plugins.api import (
    Abstain,
    AutoScorer,
    Batch,
    Context,
    Course,
    Enricher,
    Exporter,
    Finding,
    FormRef,
    Hints,
    ImportedScorecard,
    LocalFile,
    Notice,
    Notifier,
    Panel,
    PanelView,
    PluginError,
    QuestionView,
    Redactor,
    Scale,
    Schema,
    ScorecardImporter,
    ScoredInteraction,
    Searched,
    Segment,
    Signal,
    Span,
    Subject,
    Suggestion,
    TrainingProvider,
    TrainingStatus,
    Transcriber,
    Transcript,
)
from qa.plugins.testing import (
    Ask,
    AutoScorerSuite,
    EnricherSuite,
    ExporterSuite,
    NotifierSuite,
    PanelSuite,
    RedactorSuite,
    Reply,
    ScorecardImporterSuite,
    Thing,
    TrainingProviderSuite,
    TranscriberSuite,
    Twin,
)
from qa.plugins.testing.child import BROKEN
from qa.plugins.testing.extension_suites import ExtensionSuite


class Board(Twin):
    """A far side that takes everything."""

    def show(self, thing: Thing) -> dict[str, Any]:
        return {}

    def is_signed_in(self, ask: Ask) -> bool:
        return True

    def handle(self, ask: Ask) -> Reply:
        if ask.path == "/courses":
            return Reply(json=[{"ref": "c1", "title": "Listening"}])
        return Reply(json={"ref": "a1"})


class Ears(Transcriber):
    key = title = "ears"

    def transcribe(self, ctx: Context, audio: LocalFile, hints: Hints) -> Transcript:
        ctx.cancel.check()
        segments = [Segment(0.0, 1.0, "beep", channel=0), Segment(0.2, 1.0, "beep", channel=1)]
        return Transcript(segments, duration=2.0, engine="ears")


class Deaf(Ears):
    def transcribe(self, ctx: Context, audio: LocalFile, hints: Hints) -> Transcript:
        return Transcript([Segment(5.0, 9.0, "late")], duration=2.0, engine="ears")


class Thanks(Enricher):
    key = title = "thanks"
    provides = ("thanks", "customer_sentiment")

    def enrich(self, ctx: Context, transcript: Transcript, needs: Any) -> list[Signal]:
        return [
            Signal("thanks", True, subject="customer", basis="text", span=Span(place, 0, 5, one.text[:5]))
            for place, one in enumerate(transcript.segments)
            if one.speaker == "customer" and "thank" in one.text
        ]


class Undeclared(Thanks):
    provides = ()


class JudgesAgents(Thanks):
    def enrich(self, ctx: Context, transcript: Transcript, needs: Any) -> list[Signal]:
        span = Span(0, 0, 4, transcript.segments[0].text[:4]) if transcript.segments else None
        return [Signal("customer_sentiment", 0.5, subject="customer", basis="text", span=span)]


class Greets(AutoScorer):
    key = title = "greets"

    def score(
        self, ctx: Context, question: QuestionView, scale: Scale, interaction: ScoredInteraction
    ) -> Suggestion | Abstain:
        for place, one in enumerate(interaction.transcript.segments):
            start = one.text.find("Good morning")
            if one.speaker == "agent" and start >= 0:
                return Suggestion("yes", 0.9, [Span(place, start, start + 12, "Good morning")])
        if not interaction.transcript.segments:
            return Abstain("nobody said anything")
        return Suggestion("no", 0.6, Searched((0,), ("good morning",)))


class MisQuotes(Greets):
    def score(self, ctx: Context, *rest: Any) -> Suggestion | Abstain:
        return Suggestion("yes", 0.9, [Span(0, 0, 5, "Hello")])


class LikesDana(Greets):
    def score(
        self, ctx: Context, question: QuestionView, scale: Scale, interaction: ScoredInteraction
    ) -> Suggestion | Abstain:
        said = " ".join(one.text for one in interaction.transcript.segments)
        return Suggestion("yes" if "Dana" in said else "no", 0.9, Searched((0,), ("x",)))


class Guesses(Greets):
    def score(
        self, ctx: Context, question: QuestionView, scale: Scale, interaction: ScoredInteraction
    ) -> Suggestion:
        return Suggestion("yes", 0.9, [Span(0, 0, 4, "Good")])


class Digits(Redactor):
    key = title = "digits"

    def find(self, ctx: Context, text: str, language: str) -> list[Finding]:
        return [Finding(one.start(), one.end(), "number") for one in re.finditer(r"\d{4,}", text)]


class PastTheEnd(Digits):
    def find(self, ctx: Context, text: str, language: str) -> list[Finding]:
        return [Finding(0, len(text) + 1, "number")]


class Chat(Notifier):
    key = title = "chat"

    def send(self, ctx: Context, message: Notice, target: str, key: str) -> None:
        ctx.http.post("/messages", json={"text": message.subject}, key=key)


class NoKey(Chat):
    def send(self, ctx: Context, message: Notice, target: str, key: str) -> None:
        ctx.http.post("/messages", json={"text": message.subject})


class Careless(Chat):
    def send(self, ctx: Context, message: Notice, target: str, key: str) -> None:
        try:
            super().send(ctx, message, target, key)
        except PluginError:
            ctx.log.info("not sent")


class KeepsCount(Chat):
    def send(self, ctx: Context, message: Notice, target: str, key: str) -> None:
        self.count = 1
        super().send(ctx, message, target, key)


class Warehouse(Exporter):
    key = title = "warehouse"

    def open(self, ctx: Context, schema: Schema) -> str:
        ctx.http.get("/watermark")
        return ""

    def write(self, ctx: Context, batch: Batch, watermark: str) -> None:
        ctx.http.post("/rows", json=[list(row) for row in batch.rows], key=watermark)

    def commit(self, ctx: Context) -> None:
        ctx.http.post("/commit", json={}, key="commit")


class Optimist(Warehouse):
    def open(self, ctx: Context, schema: Schema) -> str:
        return ""

    def write(self, ctx: Context, batch: Batch, watermark: str) -> None:
        try:
            super().write(ctx, batch, watermark)
        except PluginError:
            ctx.log.info("later")

    def commit(self, ctx: Context) -> None:
        return


class Academy(TrainingProvider):
    key = title = "academy"

    def search(self, ctx: Context, skill: str, level: str) -> list[Course]:
        return [Course(one["ref"], one["title"]) for one in ctx.http.get("/courses").json()]

    def assign(self, ctx: Context, agent: Any, course: str, due: Any, key: str) -> TrainingStatus:
        made = ctx.http.post("/assign", json={"agent": agent.email, "course": course}, key=key).json()
        return TrainingStatus(made["ref"], "assigned")

    def status(self, ctx: Context, ref: str) -> TrainingStatus:
        return TrainingStatus(ref, "assigned")


class Forgetful(Academy):
    def assign(self, ctx: Context, agent: Any, course: str, due: Any, key: str) -> TrainingStatus:
        ctx.http.post("/assign", json={"agent": agent.email})
        return TrainingStatus("a1", "assigned")


class OldForms(ScorecardImporter):
    key = title = "old"

    def forms(self, ctx: Context) -> list[FormRef]:
        return [FormRef("f1", "Calls")]

    def fetch(self, ctx: Context, ref: FormRef) -> ImportedScorecard:
        return ImportedScorecard("title: Calls\n")


class NoForms(OldForms):
    def forms(self, ctx: Context) -> list[FormRef]:
        return []


class Orders(Panel):
    key = title = "orders"

    def show(self, ctx: Context, subject: Subject) -> PanelView | None:
        return PanelView("facts", {"open": 2})


class Wrong(Orders):
    def show(self, ctx: Context, subject: Subject) -> PanelView | None:
        return {"open": 2}  # type: ignore[return-value]


class TestEars(TranscriberSuite, extension=Ears): ...


class TestThanks(EnricherSuite, extension=Thanks): ...


class TestGreets(AutoScorerSuite, extension=Greets): ...


class TestDigits(RedactorSuite, extension=Digits):
    finds = {"my card is 4111111111111111": "number"}


class TestChat(NotifierSuite, extension=Chat, twin=Board): ...


class TestWarehouse(ExporterSuite, extension=Warehouse, twin=Board): ...


class TestAcademy(TrainingProviderSuite, extension=Academy, twin=Board): ...


class TestOldForms(ScorecardImporterSuite, extension=OldForms): ...


class TestOrders(PanelSuite, extension=Orders): ...


@pytest.mark.parametrize(
    ("suite", "bad", "number", "words"),
    [
        (TranscriberSuite, Deaf, "x01", "from 5.0 to 9.0 s, of 2.0 s"),
        (TranscriberSuite, Deaf, "x02", "went on to its end"),
        (EnricherSuite, Undeclared, "x11", "provides does not name"),
        (EnricherSuite, JudgesAgents, "x12", "judges feelings"),
        (AutoScorerSuite, MisQuotes, "x21", "not what stands there"),
        (AutoScorerSuite, LikesDana, "x22", "Another name"),
        (AutoScorerSuite, Guesses, "x23", "Nobody said anything"),
        (RedactorSuite, PastTheEnd, "x31", "in a text of"),
        (RedactorSuite, PastTheEnd, "x32", "It finds 0 to"),
        (NotifierSuite, NoKey, "x41", "the key is not in the request"),
        (NotifierSuite, Careless, "x42", "counts as sent"),
        (NotifierSuite, KeepsCount, "x41", "It keeps count"),
        (ExporterSuite, Optimist, "x51", "counts as done"),
        (TrainingProviderSuite, Forgetful, "x61", "the key is not in the request"),
        (ScorecardImporterSuite, NoForms, "x71", "no scorecard"),
        (PanelSuite, Wrong, "x81", "answers wrongly"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:12],
)
def test_a_bad_extension_is_caught_in_words(
    suite: type[ExtensionSuite], bad: Any, number: str, words: str
) -> None:
    class Bad(suite, extension=bad, twin=Board):  # type: ignore[valid-type,misc]
        finds = {"card 4111": "number"}

    (result,) = Bad.results(only=[number])
    assert result.verdict == BROKEN
    assert words in result.message
    assert "docs/plugins/extensions.md" in result.message
