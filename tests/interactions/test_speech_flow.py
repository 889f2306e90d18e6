"""A recording becomes a redacted, measured text by itself, once, whatever happens to the worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select, update

from qa.accounts.models import User
from qa.config import Settings
from qa.core import clock, crypto
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.errors import Conflict
from qa.core.jobs import Job
from qa.core.storage import LocalStorage, store_sealed
from qa.extensions import look_service
from qa.extensions import service as plugins
from qa.extensions.runtime import Runtime
from qa.interactions import service, speech_service
from qa.interactions.models import RECORDING_KEY, Interaction, Recording, SealedOriginal, Turn
from qa.interactions.signals import REFUSED, refusal_of
from qa.interactions.speech_models import Enrichment, SignalRow, Transcription
from qa.interactions.transcript import Segment, Transcript
from qa.plugins.api import Signal, Span
from qa.worker import run_until_empty
from tests.factories import NOW, actor_of, make_team, make_user
from tests.interactions.sounds import tone, wav
from tests.interactions.speech_plugins import ENRICHER, FAILING, TRANSCRIBER
from tests.plugins import plugs
from tests.reliability.scale import times

SignIn = Callable[[FlaskClient, User], None]
LINES = [
    [0.5, 2.0, "agent", "Which card shall I use?"],
    [2.5, 4.0, "customer", "It is 5500 0000 0000 0004."],
    [4.5, 6.0, "agent", "Thank you, that is done."],
]
KILLS = times(1, 10)


class Centre:
    """A site with plugins and one agent."""

    def __init__(self, settings: Settings, database: Database, folder: Path) -> None:
        values = {**settings.values, "plugins_dir": str(folder / "plugins")}
        self.settings, self.database, self.folder = replace(settings, values=values), database, folder
        self.keys = crypto.load_keys(settings.key_path)
        self.log = folder / "log.txt"

    def add(self, name: str, part: str, **filled: object) -> None:
        """Write a plugin, allow it and load it."""
        given = {"lines": json.dumps(LINES), "log": str(self.log), "pause": 0} | filled
        plugs.write(self.folder / "plugins", name, part.format(**given))
        runtime = Runtime(self.settings, self.keys)
        look_service.look(self.database, runtime)
        with self.database.transaction() as session:
            plugins.enable_plugin(session, SYSTEM, name, now=clock.now())
        look_service.load_one(self.database, runtime, name)
        runtime.close()

    def call(self) -> int:
        """Bring in a call with a recording and no words; return its id."""
        stored = store_sealed(
            LocalStorage(self.settings.recordings_path), iter([wav(tone(8), tone(8, hertz=300))])
        )
        with self.database.transaction() as session:
            agent = make_user(session, "agent", team=make_team(session))
            row = Interaction(
                source="test", external_id=stored.key, channel="voice", agent_id=agent.id, redaction="done",
                started_at=NOW - timedelta(days=1), imported_at=NOW, fields={}, customer_name="Lena Berger",
            )  # fmt: skip
            session.add(row)
            session.flush()
            service.attach_recording(
                session, SYSTEM, interaction_id=row.id, stored=stored, name="call.wav", now=clock.now(),
                sealed_key=self.keys.seal(stored.content_key, purpose=RECORDING_KEY),
                speakers=["agent", "customer"],
            )  # fmt: skip
            return row.id

    def work(self) -> None:
        """Do all that is due, and what that brings about."""
        while run_until_empty(self.settings):
            pass

    def logged(self) -> list[str]:
        """What the plugin noted."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def centre(settings: Settings, database: Database, tmp_path: Path) -> Centre:
    """A site with room for plugins."""
    return Centre(settings, database, tmp_path)


def test_a_recording_becomes_a_redacted_measured_text_by_itself(centre: Centre) -> None:
    centre.add("knows", TRANSCRIBER)
    centre.add("words", ENRICHER)
    made = centre.call()
    centre.work()
    with centre.database.reading() as session:
        said = session.scalars(select(Turn).order_by(Turn.position)).all()
        assert [(turn.speaker, turn.text) for turn in said] == [
            ("agent", "Which card shall I use?"),
            ("customer", "It is [CARD]."),
            ("agent", "Thank you, that is done."),
        ]
        asked = session.scalars(select(Transcription)).one()
        assert (asked.state, asked.engine, asked.model) == ("done", "knows: knows", "m1")
        recording = session.scalars(select(Recording)).one()
        assert (recording.state, recording.covered) == ("ready", [[1, 2500, 4000, False]])
        assert session.scalars(select(SealedOriginal)).one().tones == recording.covered
        measured = session.get_one(Enrichment, made)
        assert measured.talk is not None
        assert measured.talk["agent_talk_s"] == 3.0
        kept = session.scalars(select(SignalRow).order_by(SignalRow.id)).all()
        assert [(one.name, one.value) for one in kept] == [("topic", "refund"), ("sentiment", -0.4)]
        assert measured.dropped == [
            "words.words, sentiment: Emotion of employees is not computed.",
            "words.words, topic: Its quotation is not in the text.",
            "words.words, sentiment: Feelings are not read from sound.",
        ]
    told = [line for line in centre.logged() if "|" in line]
    assert told == ["Which card shall I use? | It is [CARD]. | Thank you, that is done."]
    assert not list(centre.settings.speech_path.glob("*"))


def test_without_a_plugin_and_without_a_model_the_page_says_so(
    centre: Centre, client: FlaskClient, sign_in: SignIn
) -> None:
    made = centre.call()
    centre.work()
    with centre.database.transaction() as session:
        row = session.scalars(select(Transcription)).one()
        assert (row.state, row.reason) == ("failed", "No enabled plugin turns recordings into text.")
        manager = make_user(session, "manager")
        actor = actor_of(manager)
    centre.add("fails", FAILING)
    with centre.database.transaction() as session:
        speech_service.transcribe_again(session, actor, made, now=clock.now())
    centre.work()
    sign_in(client, manager)
    page = client.get(f"/interactions/{made}/speech").get_data(as_text=True)
    assert "Model &#34;base&#34; is not in models." in page
    assert "Try again" in page
    part = client.get(f"/interactions/{made}/speech", headers={"HX-Request": "true"})
    assert "Try again" in part.get_data(as_text=True)
    whole = client.get(f"/interactions/{made}").get_data(as_text=True)
    assert f'hx-get="/interactions/{made}/speech"' in whole


def test_a_person_stops_it_and_asks_again(centre: Centre) -> None:
    centre.add("knows", TRANSCRIBER)
    made = centre.call()
    with centre.database.transaction() as session:
        manager = actor_of(make_user(session, "manager"))
        recording = session.scalars(select(Recording)).one()
        recording.state = "ready"
        assert speech_service.ask_transcription(session, SYSTEM, recording_id=recording.id, now=clock.now())
        assert not speech_service.ask_transcription(
            session, SYSTEM, recording_id=recording.id, now=clock.now()
        )
    with centre.database.transaction() as session:
        speech_service.stop_transcription(session, manager, made, now=clock.now())
    with centre.database.transaction() as session, pytest.raises(Conflict):
        speech_service.stop_transcription(session, manager, made, now=clock.now())
    centre.work()
    assert centre.logged() == []
    with centre.database.transaction() as session:
        speech_service.transcribe_again(session, manager, made, now=clock.now())
    centre.work()
    assert centre.logged() == ["0", "1", "2"]


def test_what_somebody_is_given_to_judge_goes_first(centre: Centre) -> None:
    first, second = centre.call(), centre.call()
    with centre.database.transaction() as session:
        for recording in session.scalars(select(Recording)):
            recording.state = "ready"
            speech_service.ask_transcription(session, SYSTEM, recording_id=recording.id, now=clock.now())
        service.give_viewer(session, second, make_user(session, "evaluator").id, "assignment")
    with centre.database.reading() as session:
        order = session.scalars(
            select(Job.id).where(Job.queue == "model").order_by(Job.run_after, Job.id)
        ).all()
        asked = {row.interaction_id: row.job_id for row in session.scalars(select(Transcription))}
    assert order == [asked[second], asked[first]]


def test_a_worker_killed_in_the_middle_leaves_each_call_transcribed_exactly_once(centre: Centre) -> None:
    centre.add("knows", TRANSCRIBER, pause=0.4)
    made = centre.call()
    with centre.database.transaction() as session:
        session.execute(delete(Job))
        recording = session.scalars(select(Recording)).one()
        recording.state = "ready"
        speech_service.ask_transcription(session, SYSTEM, recording_id=recording.id, now=clock.now())
    environment = {
        **os.environ,
        **{f"QA_{name.upper()}": str(centre.settings.values[name]) for name in NAMED},
        "QA_WORKER_CHILDREN": "2",
    }
    command = [sys.executable, "-m", "qa.cli", "worker"]
    for kill in range(KILLS):
        worker = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while len(centre.logged()) < min(kill + 1, 2) and time.monotonic() < until:
            time.sleep(0.02)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        with centre.database.transaction() as session:
            past = clock.now() - timedelta(seconds=1)
            session.execute(update(Job).where(Job.state == "running").values(lease_until=past, attempt=1))
    worker = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with centre.database.reading() as session:
                if session.scalar(select(Transcription.state)) == "done":
                    break
            time.sleep(0.05)
    finally:
        worker.kill()
        worker.wait()
    with centre.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Turn)) == len(LINES)
        assert session.scalars(select(Turn.interaction_id).distinct()).all() == [made]
    assert len(centre.logged()) <= len(LINES) + KILLS


NAMED = ("data_dir", "database_url", "key_file", "plugins_dir")
CALL = Transcript(
    9_000, (Segment(0, 2_000, "agent", "You are wrong"), Segment(3_000, 5_000, "customer", "I am cross"))
)


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({}, ""),
        ({"span": Span(0, 0, 3, "You")}, REFUSED),
        ({"span": Span(1, 0, 4, "I am")}, ""),
        ({"subject": "agent"}, REFUSED),
        ({"subject": "interaction"}, REFUSED),
        ({"basis": "audio"}, "It is not made of words or of timing."),
        ({"basis": "audio_timing"}, "Feelings are not read from sound."),
        ({"name": "stress_level", "subject": "agent"}, REFUSED),
        ({"name": "topic", "span": Span(0, 0, 3, "You")}, ""),
        ({"name": "topic", "span": Span(7, 0, 3, "You")}, "It points at words that are not there."),
    ],
)
def test_what_an_agent_feels_is_refused_whatever_a_plugin_calls_it(
    over: dict[str, object], reason: str
) -> None:
    facts: dict[str, object] = {"subject": "customer", "basis": "text"} | over
    name = str(facts.pop("name", "sentiment"))
    assert refusal_of(Signal(name, 0.5, **facts), CALL) == reason  # type: ignore[arg-type]
