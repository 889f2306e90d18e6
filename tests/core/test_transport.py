"""The bell over each carrier: a ring wakes the worker, carries only a queue's name, and may be lost."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from qa.core import clock, jobs, transport
from qa.core.bell import Bell, make_bell, ringing_database
from qa.core.db import Database
from qa.core.transport import make_huey, task_of

POSTGRES = os.environ.get("QA_TEST_DATABASE_URL", "")
REDIS = os.environ.get("QA_TEST_REDIS_URL", "")
CARRIERS = ["sqlite", *(["postgresql"] if POSTGRES else []), *(["redis"] if REDIS else [])]
PATIENCE_SECONDS = 30


@pytest.fixture(params=CARRIERS)
def queue_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A carrier that nobody else uses."""
    if request.param == "sqlite":
        yield ""
    elif request.param == "redis":
        yield REDIS
        flushed(REDIS)
    else:
        name = f"candor_bell_{uuid.uuid4().hex[:12]}"
        on_server(f'CREATE DATABASE "{name}"')
        yield POSTGRES.rsplit("/", 1)[0] + "/" + name
        on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


def on_server(statement: str) -> None:
    engine = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def flushed(url: str) -> None:
    huey = make_huey(url, Path())
    huey.storage.flush_all()
    transport.close(huey)


@pytest.fixture
def bell(queue_url: str, tmp_path: Path) -> Iterator[Bell]:
    with closing(make_bell(queue_url, tmp_path)) as made:
        yield made


@pytest.fixture
def carrier(queue_url: str, tmp_path: Path) -> Iterator[Any]:
    """The worker's end."""
    made = make_huey(queue_url, tmp_path)
    made.storage.flush_all()
    yield made
    transport.close(made)


def rung(carrier: Any) -> list[str]:
    """Answer every ring that waits; return the queues."""
    heard: list[str] = []
    task_of(carrier, heard.append)
    while carrier.storage.queue_size():
        carrier.execute(carrier.dequeue())
    return heard


def test_a_ring_reaches_the_worker_with_the_name_of_the_queue(bell: Bell, carrier: Any) -> None:
    assert [bell("fast"), bell("media")] == [True, True]
    assert rung(carrier) == ["fast", "media"]


def test_nothing_but_the_name_of_the_queue_travels(bell: Bell, carrier: Any) -> None:
    task_of(carrier, lambda _queue: None)
    bell("fast")
    task = carrier.dequeue()
    assert (task.name, task.args, task.kwargs) == ("drain", ("fast",), {})


def test_a_waiting_worker_is_woken_and_need_not_look_again(bell: Bell, carrier: Any) -> None:
    """SQLite has no way to wake anybody: there the worker looks three times a second."""
    if not carrier.storage.blocking:
        return
    carrier.storage.read_timeout = PATIENCE_SECONDS * 10
    answers: list[Any] = []

    def wait() -> None:
        answers.append(carrier.storage.dequeue())
        transport.close(carrier)  # a listening connection belongs to its thread

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(0.5)  # let it look and find nothing
    bell("fast")
    waiting.join(PATIENCE_SECONDS)
    assert answers
    assert answers[0]


def test_rings_that_nobody_answered_are_forgotten_when_a_worker_starts(bell: Bell, carrier: Any) -> None:
    for _ in range(50):
        bell("fast")
    transport.silence(carrier)
    assert rung(carrier) == []


def test_one_commit_rings_once_for_each_queue_however_many_jobs_it_holds(
    database: Database, queue_url: str, tmp_path: Path, carrier: Any
) -> None:
    with ringing_database(database.url, queue_url, tmp_path) as ringing:
        with ringing.transaction() as session:
            for _ in range(20):
                jobs.enqueue(session, "noop", {}, now=clock.now())
            jobs.enqueue(session, "noop", {}, now=clock.now(), queue="media")
        with ringing.reading() as session:
            jobs.counts(session)
    assert sorted(rung(carrier)) == ["fast", "media"]


def test_work_that_was_given_up_rings_for_nobody(
    database: Database, queue_url: str, tmp_path: Path, carrier: Any
) -> None:
    class Given(Exception):
        pass

    with ringing_database(database.url, queue_url, tmp_path) as ringing:
        with suppress(Given), ringing.transaction() as session:
            jobs.enqueue(session, "noop", {}, now=clock.now())
            raise Given
        with ringing.reading() as session:
            assert jobs.counts(session) == {}
    assert rung(carrier) == []


AWAY = ["redis://127.0.0.1:{}/0", *(["postgresql+psycopg://nobody@127.0.0.1:{}/none"] if POSTGRES else [])]


@pytest.mark.parametrize("answers", ["refuses", "says nothing"])
@pytest.mark.parametrize("url", AWAY)
def test_a_carrier_that_is_away_holds_nobody_up_for_long(tmp_path: Path, url: str, answers: str) -> None:
    told: list[bool] = []
    with socket.socket() as port, closing(make_bell(url.format(taken(port, answers)), tmp_path)) as bell:
        ringing = threading.Thread(target=lambda: told.append(bell("fast")), daemon=True)
        ringing.start()
        ringing.join(PATIENCE_SECONDS)
    assert told == [False]


def taken(port: socket.socket, answers: str) -> int:
    """A port that nobody answers, or where somebody listens and never says a word."""
    port.bind(("127.0.0.1", 0))
    if answers == "says nothing":
        port.listen(8)
    number: int = port.getsockname()[1]
    return number


def test_what_was_committed_stands_though_the_bell_is_silent(database: Database, tmp_path: Path) -> None:
    with ringing_database(database.url, "redis://127.0.0.1:1/0", tmp_path) as ringing:
        with ringing.transaction() as session:
            jobs.enqueue(session, "noop", {}, now=clock.now())
        with ringing.reading() as session:
            assert jobs.counts(session) == {"queued": 1}


def test_after_a_ring_that_failed_nobody_rings_for_a_while(tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        with closing(make_bell(f"redis://127.0.0.1:{listening.getsockname()[1]}/0", tmp_path)) as bell:
            assert not bell("fast")  # refused: nobody listens yet
            listening.listen(8)
            listening.setblocking(False)
            assert not bell("fast")
            with pytest.raises(BlockingIOError):
                listening.accept()
