"""The worker's part in speech: recordings to text, text to measures and signals, each by plugins in children.

A recording is opened into a folder of its own for the plugin, and that folder is removed when the text is
there. What the plugin keeps in it lets a run that was killed go on; the text is stored in the transaction
that ends the job, so that it is there once however often the job was begun.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.children import Progress
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import Invalid
from qa.core.storage import Storage, read_range
from qa.core.working import HostedKind, Kind, Payload
from qa.extensions.runtime import NotRunning, Runtime
from qa.interactions import speech_service as service
from qa.interactions.models import RECORDING_KEY, Interaction, Recording
from qa.interactions.redacting import Raw, Said
from qa.interactions.redaction_jobs import Redaction
from qa.interactions.signals import Sorted, sort_out
from qa.interactions.speech_models import Enrichment, Transcription
from qa.interactions.talk import as_json, talk_of
from qa.interactions.transcript import Word, words_in
from qa.interactions.transcript_values import as_value, read_transcript
from qa.plugins.api import Hints, LocalFile, PluginError
from qa.plugins.api import Transcript as Heard
from qa.plugins.calling import PluginFailed, Work

NOBODY = "No enabled plugin turns recordings into text."
TIMES_AS_LONG = 20
LEAST_SECONDS = 600.0
ENRICH_SECONDS = 120.0
IsWanted = Callable[[Progress | None], bool]


@dataclass(frozen=True, slots=True)
class Speech:
    """What the jobs need: where recordings and plugins are, and redaction."""

    keys: Keys
    plugins: Runtime
    storage: Storage
    folder: Path
    redaction: Redaction

    # --- recordings to text ----------------------------------------------------

    def transcribe(self, database: Database, payload: Payload, is_wanted: IsWanted) -> service.Made | None:
        """Return the redacted text of one recording; None when nobody wants it any more."""
        with database.reading() as session:
            recording = session.get(Recording, payload["recording_id"])
            asked = session.get(Transcription, payload["recording_id"])
            if recording is None or asked is None or asked.state != "waiting":
                return None
            about = session.get_one(Interaction, recording.interaction_id)
            offers = self.plugins.offers(session, "transcriber")
            redactors = self.redaction.redactors(session)
        if not offers:
            raise Invalid(NOBODY)
        (plugin, offer), folder = offers[0], self.folder / f"{recording.id}-{recording.sha256[:16]}"
        work = Work(
            "transcriber",
            offer.key,
            "transcribe",
            {"audio": self._opened(recording, folder), "hints": _hints(about, recording)},
            deadline_seconds=max(LEAST_SECONDS, TIMES_AS_LONG * (recording.duration_ms or 0) / 1000),
            folder=folder,
        )
        try:
            heard: Heard = self.plugins.call(database, plugin, work, is_wanted).value
        except NotRunning as error:
            raise Invalid(str(error)) from None
        except PluginError as error:
            raise Invalid(str(error)) from None
        raw = Raw(
            turns=_said(heard),
            language=heard.language or about.language,
            names=[about.customer_name] if about.customer_name else [],
        )
        safe = self.redaction.safe_of(database, raw, redactors)
        return service.Made(
            raw.turns, [one.conf for one in heard.segments], safe, heard.language, _facts(plugin, heard)
        )

    def _opened(self, recording: Recording, folder: Path) -> LocalFile:
        """Write the recording into the plugin's folder, readable by this user only."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = self.keys.open(recording.sealed_key, purpose=RECORDING_KEY)
        file = folder / f"audio{Path(recording.original_name).suffix[:8]}"
        size = recording.size_bytes
        with file.open("wb") as out:
            for piece in read_range(self.storage, recording.storage_key, key, size=size, start=0, end=size):
                out.write(piece)
        return LocalFile(
            str(file),
            recording.original_name,
            media_type=recording.media_type,
            sha256=recording.sha256,
            speakers=list(recording.speakers),
        )

    def keep(self, session: Session, payload: Payload, made: service.Made, now: datetime) -> None:
        """Store the text."""
        recording_id = payload["recording_id"]
        service.keep_transcript(
            session, SYSTEM, recording_id=recording_id, made=made, keys=self.keys, now=now
        )
        self._tidy(recording_id)

    def give_up(self, session: Session, payload: Payload, reason: str, now: datetime) -> None:
        """Say on the page why there is no text."""
        recording_id = payload["recording_id"]
        service.fail_transcription(session, SYSTEM, recording_id=recording_id, reason=reason, now=now)
        self._tidy(recording_id)

    def _tidy(self, recording_id: int) -> None:
        for folder in self.folder.glob(f"{recording_id}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    # --- text to measures and signals --------------------------------------------

    def enrich(self, database: Database, payload: Payload) -> None:
        """Measure conversations and let plugins look at them, one after the other."""
        for interaction_id in payload["interaction_ids"]:
            with database.reading() as session:
                found = read_transcript(session, interaction_id)
                offers = self.plugins.offers(session, "enricher")
            if found is None:
                continue
            transcript, is_spoken = found
            engines, failed, sorted_ = [], [], Sorted()
            for plugin, offer in offers if transcript.segments else []:
                given = {"transcript": as_value(transcript), "needs": {}}
                work = Work("enricher", offer.key, "enrich", given, deadline_seconds=ENRICH_SECONDS)
                try:
                    signals = self.plugins.call(database, plugin, work).value
                except (PluginFailed, PluginError) as error:
                    failed.append(f"{plugin}: {error}"[:300])
                    continue
                engines.append(f"{plugin} {offer.key}")
                sort_out(signals, transcript, f"{plugin}.{offer.key}", sorted_)
            talk = as_json(talk_of(transcript)) if is_spoken and transcript.segments else None
            kept = Enrichment(
                interaction_id=interaction_id,
                talk=talk,
                engines=engines,
                dropped=sorted_.dropped[:50],
                failed=failed,
                enriched_at=clock.now(),
            )
            with database.transaction() as session:
                service.keep_enrichment(session, SYSTEM, kept, sorted_.kept, now=clock.now())


def _hints(about: Interaction, recording: Recording) -> Hints:
    return Hints(language=about.language, speakers=list(recording.speakers))


def _said(heard: Heard) -> list[Said]:
    return [
        Said(
            place,
            one.speaker,
            one.text,
            round(one.start * 1000),
            round(one.end * 1000),
            one.channel,
            tuple(Word(w.word, round(w.start * 1000), round(w.end * 1000), w.conf) for w in one.words)
            if len(one.words) == len(words_in(one.text))
            else (),
        )
        for place, one in enumerate(heard.segments, start=1)
    ]


def _facts(plugin: str, heard: Heard) -> dict[str, Any]:
    return {
        "engine": f"{plugin}: {heard.engine}"[:80],
        "model": heard.model[:120],
        "params_hash": heard.params_hash[:80],
        "truncated": heard.truncated,
        "holds": None if heard.holds is None else [list(hold) for hold in heard.holds],
        "notes": [note[:300] for note in heard.notes][:20],
    }


# --- reactions ------------------------------------------------------------------


def ask_for_text(plugins: Runtime, database: Database, event: Mapping[str, Any], now: datetime) -> None:
    """Ask for the text of a recording that can be heard now."""
    with database.reading() as session:
        problem = "" if plugins.offers(session, "transcriber") else NOBODY
    with database.transaction() as session:
        service.ask_transcription(
            session, SYSTEM, recording_id=event["recording_id"], now=now, problem=problem
        )


def enrich_transcript(database: Database, event: dict[str, Any], now: datetime) -> None:
    """Have a conversation looked at that has its text now."""
    with database.transaction() as session:
        service.ask_enrichment(session, SYSTEM, [event["interaction_id"]], now=now)


def enrich_changed(plugins: Runtime, database: Database, event: Mapping[str, Any], now: datetime) -> None:
    """Have conversations looked at that came in with their words, where a plugin does that."""
    with database.reading() as session:
        if not plugins.offers(session, "enricher"):
            return
    with database.transaction() as session:
        service.ask_enrichment(session, SYSTEM, [*event["created"], *event["updated"]], now=now)


def kinds(speech: Speech) -> dict[str, Kind | HostedKind]:
    """Return the kinds of work of speech by name."""
    return {
        service.TRANSCRIBE_JOB: HostedKind(speech.transcribe, speech.keep, speech.give_up),
        service.ENRICH_JOB: Kind(speech.enrich),
    }


def reactions(plugins: Runtime) -> dict[str, tuple[tuple[str, Any], ...]]:
    """Return who reacts here to which event."""
    return {
        "RecordingReady": (("interactions.ask_for_text", partial(ask_for_text, plugins)),),
        "TranscriptReady": (("interactions.enrich_transcript", enrich_transcript),),
        "InteractionsChanged": (("interactions.enrich_changed", partial(enrich_changed, plugins)),),
    }
