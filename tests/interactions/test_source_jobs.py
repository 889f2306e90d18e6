"""The worker's part in sources, with a connector in a process of its own: pull, webhooks, recordings."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from qa.accounts.models import Notice
from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.jobs import Job
from qa.interactions.models import Interaction, Recording
from qa.interactions.sources import inbox_service, service
from qa.interactions.sources.jobs import Runner
from qa.interactions.sources.models import Delivery, MediaReference, Repull, Source, SyncLane, SyncRun
from qa.plugins.signatures import Received
from tests.factories import NOW, make_user
from tests.interactions.sources_site import ABLE, KEYS, Twin


def pull(
    runner: Runner, database: Database, source_id: int, stream: str = "tickets", lane: str = "live"
) -> None:
    runner.pull(database, {"source_id": source_id, "stream": stream, "lane": lane})


def kept(database: Database) -> list[str]:
    with database.reading() as session:
        there = select(Interaction.external_id).where(Interaction.deleted_at.is_(None))
        return sorted(session.scalars(there))


def the_source(database: Database) -> Source:
    with database.reading() as session:
        return session.scalars(select(Source)).one()


def test_a_source_is_pulled_by_its_connector(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    twin.says(
        tickets=[{"id": n, "subject": f"Ticket {n}"} for n in range(1, 6)], agents=[{"external_id": "4"}]
    )
    with database.reading() as session:
        waiting = {
            job.payload["stream"] for job in session.scalars(select(Job)) if job.kind == service.PULL_JOB
        }
    assert waiting == {"tickets", "agents"}
    pull(runner, database, source_id)
    pull(runner, database, source_id, stream="agents")
    assert kept(database) == ["1", "2", "3", "4", "5"]
    assert the_source(database).state == "ok"


def test_what_the_connector_raises_is_the_sources_state(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    twin.says(tickets=[], token="another")
    pull(runner, database, source_id)
    row = the_source(database)
    assert (row.state, row.next_at is None) == ("needs_reauth", False)  # the list of agents is still to come
    assert "The token ended." in row.reason
    with database.reading() as session:
        assert session.get_one(SyncLane, (source_id, "tickets", "live")).next_at is None


def test_administrators_are_told_once_that_credentials_are_needed(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    with database.transaction() as session:
        admin_id, _other = make_user(session, "admin").id, make_user(session, "manager")
    twin.says(tickets=[], token="another")
    for _ in range(2):
        pull(runner, database, source_id)
    with database.reading() as session:
        (notice,) = session.scalars(select(Notice))
    assert (notice.person_id, notice.endpoint) == (admin_id, "sources.show")
    assert notice.words.startswith("The source Ticket system needs new credentials;")
    twin.says(tickets=[])
    pull(runner, database, source_id)
    twin.says(tickets=[], token="a third")
    pull(runner, database, source_id)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Notice)) == 2


def test_a_connector_that_dies_is_named_and_its_page_before_is_kept(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    twin.says(tickets=[{"id": n} for n in range(1, 4)])
    pull(runner, database, source_id)
    twin.says(tickets=[{"id": n} for n in range(1, 9)], dies_at=3)
    for _ in range(3):
        pull(runner, database, source_id)
    row = the_source(database)
    assert row.state == "degraded"
    assert "twin" in row.reason
    assert kept(database) == ["1", "2", "3"]
    twin.says(tickets=[{"id": n} for n in range(1, 9)])
    pull(runner, database, source_id)
    assert (len(kept(database)), the_source(database).state) == (8, "ok")


def test_due_lanes_are_asked_for_once_live_ones_first(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    with database.transaction() as session:
        service.start_backfill(
            session,
            SYSTEM,
            source_id,
            since=clock.now() - timedelta(days=20),
            able=ABLE,
            now=clock.now(),
        )
        for job in session.scalars(select(Job)):
            session.delete(job)
    runner.tick(database, {})
    runner.tick(database, {})
    with database.reading() as session:
        payloads = session.scalars(
            select(Job.payload).where(Job.kind == service.PULL_JOB).order_by(Job.run_after, Job.id)
        ).all()
    assert [one["lane"] for one in payloads] == ["live", "live", "backfill"]


def test_a_backfill_goes_back_window_by_window_and_ends(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    twin.says(tickets=[{"id": 1}])
    with database.transaction() as session:
        service.start_backfill(
            session,
            SYSTEM,
            source_id,
            since=clock.now() - timedelta(days=20),
            able=ABLE,
            now=clock.now(),
        )
    pull(runner, database, source_id, lane="backfill")
    with database.reading() as session:
        lane = session.get_one(SyncLane, (source_id, "tickets", "backfill"))
        assert (lane.is_finished, lane.next_at, lane.window_since) == (True, None, lane.since)
        assert session.scalar(select(SyncRun.page_count).where(SyncRun.lane == "backfill")) == 3


# --- webhooks --------------------------------------------------------------------


def deliver(database: Database, source_id: int, delivery_id: str, *ids: int, body: bytes = b"") -> bool:
    received = Received("POST", "https://x.example/hooks/t", body or json.dumps({"ids": ids}).encode(), NOW)
    actor = inbox_service.service_actor(source_id, "desk")
    with database.transaction() as session:
        return inbox_service.take_delivery(
            session,
            actor,
            source_id=source_id,
            delivery_id=delivery_id,
            received=received,
            keys=KEYS,
            now=clock.now(),
        )


def test_a_delivery_is_kept_once_sealed_read_and_its_objects_pulled_again(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    twin.says(tickets=[{"id": 7, "subject": "Marker subject"}])
    assert deliver(database, source_id, "d-1", 7)
    assert not deliver(database, source_id, "d-1", 7)
    with database.reading() as session:
        row = session.scalars(select(Delivery)).one()
    assert b"ids" not in row.sealed
    runner.read_inbox(database, {"source_id": source_id})
    assert twin.noted("hooks") == ["d-1"]
    runner.repull(database, {"source_id": source_id})
    assert kept(database) == ["7"]
    assert not deliver(database, source_id, "d-1", 7)


def test_a_burst_is_one_pull_per_object(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    twin.says(tickets=[{"id": 1}, {"id": 2}])
    for number in range(120):
        deliver(database, source_id, f"d-{number}", 1 + number % 2)
    with database.reading() as session:
        asked = session.scalar(
            select(func.count()).select_from(Job).where(Job.kind == inbox_service.READ_JOB)
        )
    assert asked == 1
    runner.read_inbox(database, {"source_id": source_id})
    runner.repull(database, {"source_id": source_id})
    assert sorted(twin.noted("pulls")) == ["1", "2"]
    deliver(database, source_id, "later", 1)
    runner.read_inbox(database, {"source_id": source_id})
    runner.repull(database, {"source_id": source_id})
    assert sorted(twin.noted("pulls")) == ["1", "2"]  # not again within thirty seconds
    with database.transaction() as session:
        row = session.scalars(select(Repull).where(Repull.external_id == "1")).one()
        assert row.pulled_at is not None
        assert row.due_at == row.pulled_at + inbox_service.REPULL_PAUSE
        row.due_at = clock.now()
    runner.repull(database, {"source_id": source_id})
    assert sorted(twin.noted("pulls")) == ["1", "1", "2"]


def test_what_is_gone_upstream_becomes_a_tombstone(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    twin.says(tickets=[{"id": 1}])
    pull(runner, database, source_id)
    twin.says(tickets=[])
    deliver(database, source_id, "d-1", 1)
    runner.read_inbox(database, {"source_id": source_id})
    runner.repull(database, {"source_id": source_id})
    assert kept(database) == []


def test_a_delivery_that_cannot_be_read_holds_nothing_up(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    twin.says(tickets=[{"id": 2}])
    deliver(database, source_id, "bad", body=b"{}")
    deliver(database, source_id, "good", 2)
    runner.read_inbox(database, {"source_id": source_id})
    runner.repull(database, {"source_id": source_id})
    assert kept(database) == ["2"]
    with database.reading() as session:
        states = dict(session.execute(select(Delivery.delivery_id, Delivery.state)).all())
        error = session.scalars(select(Delivery.error).where(Delivery.delivery_id == "bad")).one()
    assert states == {"bad": "failed", "good": "done"}
    assert "KeyError" in error


def test_a_paused_source_keeps_deliveries_for_later(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    with database.transaction() as session:
        service.pause_source(session, SYSTEM, source_id, now=clock.now())
    deliver(database, source_id, "d-1", 1)
    runner.read_inbox(database, {"source_id": source_id})
    assert twin.noted("hooks") == []
    with database.transaction() as session:
        service.resume_source(session, SYSTEM, source_id, now=clock.now())
    runner.read_inbox(database, {"source_id": source_id})
    assert twin.noted("hooks") == ["d-1"]


# --- recordings ------------------------------------------------------------------


def test_recordings_are_fetched_sealed_once_and_each_failure_is_its_own(
    runner: Runner, database: Database, twin: Twin, source_id: int, tmp_path: Path
) -> None:
    names = ["a.wav", "late.wav", "gone.wav", "bug.wav"]
    twin.says(tickets=[{"id": n, "media": [name]} for n, name in enumerate(names)])
    pull(runner, database, source_id)
    runner.fetch_media(database, {"source_id": source_id})
    with database.reading() as session:
        rows = {row.key: row for row in session.scalars(select(MediaReference))}
        recording = session.scalars(select(Recording)).one()
    assert {name: rows[name].state for name in names} == {
        "a.wav": "kept",
        "late.wav": "waiting",
        "gone.wav": "gone",
        "bug.wav": "waiting",
    }
    assert rows["a.wav"].recording_id == recording.id
    assert (rows["late.wav"].tries, rows["bug.wav"].tries) == (0, 1)
    assert "nonsense" in rows["bug.wav"].error
    assert rows["late.wav"].next_at is not None
    assert rows["late.wav"].next_at > clock.now() + timedelta(minutes=6)
    files = [path for path in (tmp_path / "recordings").rglob("*") if path.is_file()]
    assert not any(b"RIFF" in path.read_bytes() for path in files)
    assert list((tmp_path / "fetching").iterdir()) == []


def test_a_recording_that_never_comes_is_given_up(
    runner: Runner, database: Database, twin: Twin, source_id: int
) -> None:
    twin.says(tickets=[{"id": 1, "media": ["bug.wav"]}])
    pull(runner, database, source_id)
    for _ in range(6):
        with database.transaction() as session:
            session.execute(update(MediaReference).values(next_at=clock.now()))
        runner.fetch_media(database, {"source_id": source_id})
    with database.reading() as session:
        row = session.scalars(select(MediaReference)).one()
    assert (row.state, row.tries, row.next_at) == ("failed", 6, None)


def test_no_secret_is_written_anywhere(
    runner: Runner,
    database: Database,
    twin: Twin,
    source_id: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    twin.says(tickets=[{"id": "x", "at": "t0ken-marker"}, {"id": 2, "subject": "t0ken-marker"}])
    pull(runner, database, source_id)
    with database.reading() as session:
        run = session.scalars(select(SyncRun)).one()
        row = session.scalars(select(Source)).one()
    for words in (run.words, run.error, row.reason, json.dumps(row.config), caplog.text):
        assert "t0ken-marker" not in words
