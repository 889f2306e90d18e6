"""Checks of extensions other than connectors: transcribers, enrichers, scorers, notifiers and more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from qa.plugins.api import (
    Abstain,
    AgentRef,
    Cancelled,
    Hints,
    PluginError,
    Searched,
    Subject,
    Suggestion,
    Transcript,
    Transient,
)
from qa.plugins.testing import samples, wire
from qa.plugins.testing.extension_bench import ExtensionBench
from qa.plugins.testing.laws import Broken, Check, NotNeeded

KEY = "evaluation-1-revision-1"
OTHER_NAMES = {"Dana": "Mohammed"}
FEELINGS = ("sentiment", "emotion", "mood", "stress", "anger", "tone", "attitude")


def _check(name: str, title: str, means: str, cure: str, run: Callable[[ExtensionBench], None]) -> Check:
    return Check(name, 0, title, means, "", cure, "", "", run)


# --- transcribers --------------------------------------------------------------


def _heard(bench: ExtensionBench, seconds: float = 2.0) -> Transcript:
    audio = bench.suite.audio or samples.sound(bench.folder, seconds)
    answer: Transcript = bench.ask("transcribe", audio, Hints(language="en", speakers=audio.speakers))
    return answer


def _transcript_in_order(bench: ExtensionBench) -> None:
    heard, where = _heard(bench), bench.where("transcribe")
    length = heard.duration if heard.duration is not None else float("inf")
    before: dict[int, float] = {}
    for segment in heard.segments:
        if not 0 <= segment.start <= segment.end <= length + 1:
            raise Broken(
                f"A segment lasts from {segment.start} to {segment.end} s, of {length} s.", where=where
            )
        if segment.start < before.get(segment.channel, 0.0):
            raise Broken(f"Segments of channel {segment.channel} are not in order.", where=where)
        before[segment.channel] = segment.start
    if not heard.engine:
        raise Broken("The transcript does not say which engine made it.", where=where)


def _transcriber_stops(bench: ExtensionBench) -> None:
    bench.clock.cancel_at = 0.0
    try:
        _heard(bench)
    except Cancelled:
        return
    raise Broken("The work was stopped, and it went on to its end.", where=bench.where("transcribe"))


TRANSCRIBER = (
    _check(
        "x01_transcript",
        "A transcript is in order and inside its recording",
        "Segments follow each other, lie inside the recording, and the engine is named.",
        "Sort by start, cut at the end of the recording, and fill engine and model.",
        _transcript_in_order,
    ),
    _check(
        "x02_transcriber_stops",
        "A transcription can be stopped",
        "Somebody stops the work; it ends with Cancelled.",
        "Call ctx.cancel.check() between pieces of sound.",
        _transcriber_stops,
    ),
)

# --- enrichers -----------------------------------------------------------------


def _signals(bench: ExtensionBench, said: Transcript) -> list[Any]:
    needs: dict[str, list[Any]] = {name: [] for name in getattr(bench.kind, "requires", ())}
    answer: list[Any] = bench.ask("enrich", said, needs)
    return answer


def _enricher_is_pure(bench: ExtensionBench) -> None:
    said = bench.suite.transcript or samples.transcript()
    first, where = _signals(bench, said), bench.where("enrich")
    if _signals(bench, said) != first:
        raise Broken("The same conversation gives other signals the second time.", where=where)
    unknown = {one.name for one in first} - set(bench.kind.provides)  # type: ignore[attr-defined]
    if unknown:
        raise Broken(f"It gives {', '.join(sorted(unknown))}, which provides does not name.", where=where)
    _signals(bench, samples.silence())


def _no_feelings(bench: ExtensionBench) -> None:
    said = bench.suite.transcript or samples.transcript()
    agents = {place for place, segment in enumerate(said.segments) if segment.speaker != "customer"}
    for one in _signals(bench, said):
        is_feeling = any(word in one.name.lower() for word in FEELINGS)
        about_agent = one.span is not None and one.span.segment in agents
        if is_feeling and (about_agent or one.subject != "customer" or one.basis != "text"):
            raise Broken(
                f"The signal {one.name!r} judges feelings that are not a customer's words.",
                where=bench.where("enrich"),
                cure="Judge customers' words only; never an agent, never a voice.",
            )


ENRICHER = (
    _check(
        "x11_enricher",
        "The same conversation gives the same signals, all declared",
        "Two calls give the same; every name stands in provides; silence gives no error.",
        "Leave randomness and the clock out; name every signal in provides.",
        _enricher_is_pure,
    ),
    _check(
        "x12_feelings",
        "Nobody's feelings are judged but a customer's, by their words",
        "No signal about an agent's turn names a feeling, and none is made from a voice.",
        "Skip turns whose speaker is not the customer.",
        _no_feelings,
    ),
)

# --- scorers -------------------------------------------------------------------


def _scored(bench: ExtensionBench, said: Transcript) -> Suggestion | Abstain:
    asked = bench.suite.question or samples.question()
    answer: Suggestion | Abstain = bench.ask("score", asked, samples.scale(), samples.interaction(said))
    return answer


def _evidence(bench: ExtensionBench) -> None:
    said, where = bench.suite.transcript or samples.transcript(), bench.where("score")
    answer = _scored(bench, said)
    if isinstance(answer, Abstain):
        return
    if str(answer.answer) not in samples.scale().options and bench.suite.question is None:
        raise Broken(f"The answer {answer.answer!r} is not one of the question's.", where=where)
    if not 0 <= answer.confidence <= 1:
        raise Broken(f"The confidence is {answer.confidence}; it lies between 0 and 1.", where=where)
    if isinstance(answer.evidence, Searched):
        return
    if not answer.evidence:
        raise Broken("An answer without evidence is refused by the host.", where=where)
    for span in answer.evidence:
        text = said.segments[span.segment].text if span.segment < len(said.segments) else ""
        if text[span.start : span.end] != span.quote:
            raise Broken(f"The quote {span.quote!r} is not what stands there.", where=where)


def _names_change_nothing(bench: ExtensionBench) -> None:
    one, other = (_scored(bench, samples.transcript(names)) for names in ({}, OTHER_NAMES))
    if getattr(one, "answer", None) != getattr(other, "answer", None):
        raise Broken("Another name in the conversation gives another answer.", where=bench.where("score"))


def _silence_is_no_answer(bench: ExtensionBench) -> None:
    answer = _scored(bench, samples.silence())
    if isinstance(answer, Suggestion) and not isinstance(answer.evidence, Searched):
        raise Broken("Nobody said anything, and it has an answer with a quote.", where=bench.where("score"))


AUTOSCORER = (
    _check(
        "x21_evidence",
        "An answer shows where it stands, word for word",
        "Each quote is text[start:end] of its segment, the answer is one of the question's.",
        "Take the quote from the text by its offsets, or say what was searched, or abstain.",
        _evidence,
    ),
    _check(
        "x22_names",
        "Another name changes no answer",
        "The same conversation with another name gets the same answer.",
        "Judge what was said; leave names out of what you look at.",
        _names_change_nothing,
    ),
    _check(
        "x23_silence",
        "Of nothing no answer is made",
        "A conversation without a word gets Abstain, or an answer that says what was searched.",
        "Return Abstain when there is nothing to judge.",
        _silence_is_no_answer,
    ),
)

# --- redactors -----------------------------------------------------------------


def _redactor_finds(bench: ExtensionBench) -> None:
    wanted: Mapping[str, str] = bench.suite.finds
    where = bench.where("find")
    if not wanted:
        raise NotNeeded("The suite names nothing to find (finds).")
    for text, label in wanted.items():
        found = bench.ask("find", text, "en")
        for one in found:
            if not 0 <= one.start < one.end <= len(text):
                raise Broken(f"It finds {one.start} to {one.end} in a text of {len(text)}.", where=where)
        if label not in [one.label for one in found]:
            raise Broken(f"No {label} is found in {text!r}.", where=where)
        if bench.ask("find", text, "en") != found:
            raise Broken("The same text gives other findings the second time.", where=where)


def _redactor_bears(bench: ExtensionBench) -> None:
    for text in ("", " ", "👩‍👩‍👧‍👦", "a" * 100_000, "\u202e1234\u202c"):
        for one in bench.ask("find", text, "en"):
            if not 0 <= one.start < one.end <= len(text):
                raise Broken(
                    f"It finds {one.start} to {one.end} in {text[:10]!r}.", where=bench.where("find")
                )


REDACTOR = (
    _check(
        "x31_finds",
        "What is to be hidden is found, inside the text, each time",
        "Every text of the suite's finds gives its label; the same text gives the same.",
        "Offsets are characters from the text's start; the end is one behind the last.",
        _redactor_finds,
    ),
    _check(
        "x32_bears",
        "Strange text is borne",
        "Nothing, blanks, emoji, a long text and marks give findings inside the text, and no error.",
        "Use offsets of the text as it was given.",
        _redactor_bears,
    ),
)

# --- what goes out ---------------------------------------------------------------


def _carried_key(bench: ExtensionBench, call: Callable[[], Any], words: str, method: str) -> None:
    """Lose the answer to a write, do it again, and look for the key in both requests."""
    bench.wire.rule = wire.writes(wire.answer_lost)
    with contextlib.suppress(PluginError):
        call()
    bench.wire.rule = lambda _number, _ask: None
    call()
    written = [one.ask for one in bench.wire.asked if one.ask.method not in ("GET", "HEAD")]
    if not written:
        raise Broken(f"{words} asks nobody.", where=bench.where(method))
    for ask in written:
        said = f"{ask.url} {dict(ask.headers)} {ask.body.decode('utf-8', 'replace')}"
        if KEY not in said:
            raise Broken(
                f"{words} was repeated after a lost answer, and the far side cannot know: the key is not in "
                f"the "
                "request.",
                where=bench.where(method),
                cure="Send the key with every write: with key=key, in a header or in the body.",
            )
        if names := bench.secrets_in(ask.body.decode("utf-8", "replace")):
            raise Broken(f"The secret {names[0]!r} stands in the body.", where=bench.where(method))


def _sent_once(bench: ExtensionBench) -> None:
    target = bench.suite.target or bench.twin.url
    _carried_key(
        bench, lambda: bench.ask("send", samples.notice(), target, KEY, base_url=target), "A message", "send"
    )


def _down_is_loud(bench: ExtensionBench) -> None:
    bench.wire.rule = wire.always(wire.says(503))
    target = bench.suite.target or bench.twin.url
    try:
        bench.ask("send", samples.notice(), target, KEY, base_url=target)
    except Transient:
        return
    except PluginError as error:
        raise Broken(
            f"The far side is down (503), and it raises {error!r}.", where=bench.where("send")
        ) from error
    raise Broken("The far side is down (503), and the message counts as sent.", where=bench.where("send"))


NOTIFIER = (
    _check(
        "x41_sent_once",
        "A message that is sent again can be known again",
        "The answer to a message is lost; it is sent again, and both requests carry the same key.",
        "Send the key with every write.",
        _sent_once,
    ),
    _check(
        "x42_down",
        "A far side that is down is loud",
        "The far side answers 503; send() raises Transient, so that the host tries again.",
        "Let the errors of ctx.http pass.",
        _down_is_loud,
    ),
)


def _exported(bench: ExtensionBench) -> None:
    schema, batches = samples.table()
    where = bench.where("open")
    with bench.context() as (one, ctx):
        if not isinstance(one.open(ctx, schema), str):
            raise Broken("open() must return the last watermark, as text.", where=where)
        for number, batch in enumerate(batches):
            one.write(ctx, batch, f"w{number}")
        one.commit(ctx)
    bench.wire.rule = wire.always(wire.says(503))
    try:
        with bench.context() as (one, ctx):
            one.open(ctx, schema)
            one.write(ctx, batches[0], "w9")
            one.commit(ctx)
    except PluginError:
        return
    if bench.wire.asked:
        raise Broken("The far side is down (503), and the export counts as done.", where=where)


def _assigned_once(bench: ExtensionBench) -> None:
    agent = AgentRef("a1", "dana@example.com", "Dana")
    courses = bench.ask("search", "empathy", "")
    course = courses[0].ref if courses else "course-1"
    _carried_key(bench, lambda: bench.ask("assign", agent, course, None, KEY), "A training", "assign")


def _imported(bench: ExtensionBench) -> None:
    forms = bench.ask("forms")
    if not forms:
        raise Broken("The twin has no scorecard to read.", where=bench.where("forms"))
    if not bench.ask("fetch", forms[0]).yaml.strip():
        raise Broken("The scorecard comes out empty.", where=bench.where("fetch"))


def _panel(bench: ExtensionBench) -> None:
    for place in bench.kind.places:  # type: ignore[attr-defined]
        bench.ask("show", Subject(place, 1))


EXPORTER = (
    _check(
        "x51_export",
        "An export is whole or loud",
        "Three batches are written and committed; with a far side that is down an error passes.",
        "Let the errors of ctx.http pass; return the last committed watermark from open().",
        _exported,
    ),
)
TRAINING_PROVIDER = (
    _check(
        "x61_assigned_once",
        "A training that is assigned again can be known again",
        "The answer is lost, the training is assigned again, and both requests carry the same key.",
        "Send the key with every write.",
        _assigned_once,
    ),
)
SCORECARD_IMPORTER = (
    _check(
        "x71_imported",
        "A scorecard comes out as YAML",
        "The twin's first scorecard is fetched, and is not empty.",
        "Return ImportedScorecard with the YAML and notes on what could not be carried over.",
        _imported,
    ),
)
PANEL = (
    _check(
        "x81_panel",
        "A panel answers for each place it is shown at",
        "show() gives a PanelView or None for every place it names.",
        "Return None where there is nothing to show.",
        _panel,
    ),
)
