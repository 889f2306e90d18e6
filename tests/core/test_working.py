"""The worker's engine: jobs end once, however their work goes, and never stand in each other's way."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from qa.core import clock, jobs, outbox
from qa.core.db import Database
from qa.core.errors import NotFound
from qa.core.jobs import Job
from qa.core.working import ChildKind, Kind, Kinds, Payload, Worker

CHILD = "tests.core.child_work:"


class Site:
    """A worker over a database, with what its jobs left behind."""

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.done: list[Any] = []
        self.kept: list[Any] = []
        self.given_up: list[str] = []
        self.rings: list[str] = []
        self.url = url
        self.worker = self.another()

    def another(self, **over: Any) -> Worker:
        """One more worker on the same database."""
        return Worker(
            Database(self.url), over.pop("kinds", self.kinds()), ring=self.rings.append, children=1, **over
        )

    def kinds(self) -> Kinds:
        def child(work: str, deadline_seconds: float = 60.0) -> ChildKind:
            return ChildKind(
                brief=lambda _database, payload: payload.get("brief"),
                work=CHILD + work,
                keep=self._keep,
                give_up=self._give_up,
                deadline_seconds=deadline_seconds,
            )

        return {
            "note": Kind(lambda _database, payload: self.done.append(payload["number"])),
            "fail": Kind(self._fail),
            "refuse": Kind(self._refuse),
            "add": child("add"),
            "linger": child("linger"),
            "die": child("die"),
            "spin": child("stubborn", 1.0),
        }

    def _fail(self, _database: Database, _payload: Payload) -> None:
        raise ConnectionError("the far end is away")

    def _refuse(self, _database: Database, _payload: Payload) -> None:
        raise NotFound("There is no such conversation.")

    def _keep(self, _session: Session, payload: Payload, answer: Any, _now: datetime) -> None:
        if payload.get("cannot be kept"):
            raise ValueError("odd answer")
        self.kept.append(answer)

    def _give_up(self, _session: Session, _payload: Payload, reason: str, _now: datetime) -> None:
        self.given_up.append(reason)

    def put(self, kind: str, queue: str = "fast", *, max_attempts: int = 3, **payload: Any) -> int:
        with self.database.transaction() as session:
            made = jobs.enqueue(
                session, kind, payload, now=clock.now(), queue=queue, max_attempts=max_attempts
            )
        assert made is not None
        return made

    def job(self, job_id: int) -> Job:
        with self.database.reading() as session:
            found = jobs.find_job(session, job_id)
        assert found is not None
        return found


@pytest.fixture
def site(database: Database, database_url: str) -> Iterator[Site]:
    made = Site(database, database_url)
    yield made
    made.worker.close()


def wait_for(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def test_one_ring_does_all_short_jobs_in_order_and_calls_one_more_thread(site: Site) -> None:
    for number in range(5):
        site.put("note", number=number)
    assert site.worker.drain("fast") == 5
    assert site.done == [0, 1, 2, 3, 4]
    assert site.rings == ["fast"]
    with site.database.reading() as session:
        assert jobs.counts(session) == {"done": 5}


def test_a_doubled_ring_does_nothing_twice(site: Site) -> None:
    site.put("note", number=1)
    assert (site.worker.drain("fast"), site.worker.drain("fast"), site.done) == (1, 0, [1])


def test_failed_work_waits_for_another_attempt_with_its_reason(site: Site) -> None:
    failing, well = site.put("fail"), site.put("note", number=2)
    assert site.worker.drain("fast") == 2
    assert (site.job(failing).state, site.job(failing).error) == (
        "queued",
        "ConnectionError: the far end is away",
    )
    assert (site.job(well).state, site.done) == ("done", [2])


def test_a_refusal_goes_to_the_dead_list_at_once_in_its_own_words(site: Site) -> None:
    refused = site.put("refuse")
    site.worker.drain("fast")
    assert (site.job(refused).state, site.job(refused).error) == ("dead", "There is no such conversation.")


def test_an_unknown_kind_is_refused_by_name(site: Site) -> None:
    unknown = site.put("from the future")
    site.worker.drain("fast")
    assert site.job(unknown).error == "This program knows no work called from the future."


def test_a_childs_answer_is_kept_with_the_end_of_its_job(site: Site) -> None:
    job_id = site.put("add", "media", brief=[1, 2, 3])
    assert site.worker.drain("media") == 1
    assert (site.kept, site.job(job_id).state) == ([6], "done")


def test_a_child_whose_object_is_gone_is_not_started(site: Site) -> None:
    job_id = site.put("add", "media")
    site.worker.drain("media")
    assert (site.kept, site.job(job_id).state) == ([], "done")


def test_an_answer_that_comes_after_the_lease_was_lost_is_not_kept(site: Site) -> None:
    job_id = site.put("linger", "media", brief=1.0)
    thread = threading.Thread(target=site.worker.drain, args=("media",))
    thread.start()
    wait_for(lambda: site.job(job_id).state == "running")
    with site.database.transaction() as session:
        session.execute(update(Job).values(token="another worker's"))
    thread.join()
    assert (site.kept, site.job(job_id).state) == ([], "running")


def test_an_answer_that_cannot_be_kept_fails_the_job(site: Site) -> None:
    job_id = site.put("add", "media", max_attempts=1, brief=[1], **{"cannot be kept": True})
    site.worker.drain("media")
    assert (site.job(job_id).state, site.job(job_id).error) == ("dead", "ValueError: odd answer")
    assert site.given_up == ["ValueError: odd answer"]


def test_a_child_that_dies_is_tried_again_and_then_given_up_for_people_to_read(site: Site) -> None:
    job_id = site.put("die", "media", max_attempts=2, brief=1)
    site.worker.drain("media")
    assert (site.job(job_id).state, site.given_up) == ("queued", [])
    with site.database.transaction() as session:
        session.execute(update(Job).values(run_after=clock.now() - timedelta(seconds=60)))
    site.worker.drain("media")
    assert site.job(job_id).state == "dead"
    assert site.given_up == ["The child process died (exit code 7)."]


def test_a_job_past_its_deadline_fails_and_says_so(site: Site, tmp_path: Path) -> None:
    job_id = site.put("spin", "media", max_attempts=1, brief=str(tmp_path / "pid"))
    site.worker.drain("media")
    assert site.job(job_id).error == "Stopped after 1 s, its time limit."


def test_progress_of_a_child_is_stored_while_it_works(site: Site) -> None:
    job_id = site.put("linger", "media", brief=3.0)
    thread = threading.Thread(target=site.worker.drain, args=("media",))
    thread.start()
    wait_for(lambda: site.job(job_id).message == "Half way, “so” to say")
    row = site.job(job_id)
    assert (row.state, row.done_count, row.total_count) == ("running", 1, 2)
    thread.join()
    assert site.kept == ["done"]


def test_a_running_child_is_killed_when_a_person_cancels(site: Site, tmp_path: Path) -> None:
    job_id = site.put("linger", "media", brief=500.0)
    thread = threading.Thread(target=site.worker.drain, args=("media",))
    thread.start()
    wait_for(lambda: site.job(job_id).state == "running")
    with site.database.transaction() as session:
        jobs.ask_cancel(session, job_id, now=clock.now())
    thread.join(timeout=30)
    assert (site.job(job_id).state, site.kept) == ("cancelled", [])


def test_long_work_never_takes_the_threads_of_short_work(site: Site) -> None:
    site.put("linger", "media", brief=2.0)
    second = site.put("linger", "model", brief=0.0)
    thread = threading.Thread(target=site.worker.drain, args=("media",))
    thread.start()
    wait_for(lambda: jobs_of(site).get("running") == 1)
    assert site.worker.drain("model") == 0
    assert site.job(second).state == "queued"
    site.put("note", number=1)
    assert (site.worker.drain("fast"), site.done) == (1, [1])
    thread.join()
    assert "model" in site.rings
    assert site.worker.drain("model") == 1


def jobs_of(site: Site) -> dict[str, int]:
    with site.database.reading() as session:
        return jobs.counts(session)


def test_a_sweep_gives_back_what_died_and_rings_for_it(site: Site) -> None:
    job_id = site.put("note", number=1)
    with site.database.transaction() as session:
        jobs.take(session, "fast", now=clock.now() + timedelta(seconds=1))
        session.execute(update(Job).values(lease_until=clock.now() - timedelta(seconds=5)))
    site.worker.sweep()
    assert site.rings == ["fast"]
    assert site.worker.drain("fast") == 1
    assert (site.job(job_id).state, site.job(job_id).attempt) == ("done", 2)


def test_a_sweep_tells_people_of_work_that_no_worker_survived(site: Site) -> None:
    site.put("add", "media", max_attempts=1, brief=[1])
    with site.database.transaction() as session:
        jobs.take(session, "media", now=clock.now() + timedelta(seconds=1))
        session.execute(update(Job).values(lease_until=clock.now() - timedelta(seconds=5)))
    site.worker.sweep()
    assert site.given_up == [jobs.DIED]


def test_a_sweep_rings_for_what_nobody_rang_for_and_leaves_a_heartbeat(site: Site) -> None:
    site.put("note", number=1)
    site.put("add", "media", brief=[1])
    site.rings.clear()
    site.worker.sweep()
    assert sorted(site.rings) == ["fast", "media"]
    with site.database.reading() as session:
        seen = jobs.worker_heartbeat(session)
    assert seen is not None
    assert clock.now() - seen < timedelta(seconds=30)


def test_schedules_are_enqueued_once_for_any_number_of_workers(site: Site) -> None:
    every = (("note", timedelta(days=36_500)),)
    workers = [
        site.another(schedules=every, kinds={"note": Kind(lambda _d, _p: site.done.append(1))})
        for _ in range(3)
    ]
    for worker in workers:
        worker.sweep()
        worker.sweep()
    for worker in workers:
        worker.drain("fast")
        worker.close()
    assert site.done == [1]


def test_a_sweep_wakes_the_outbox_when_its_job_was_lost(site: Site) -> None:
    with site.database.transaction() as session:
        session.add(outbox.OutboxEvent(name="Odd", payload={}, emitted_at=clock.now()))
    site.worker.sweep()
    site.worker.sweep()
    assert jobs_of(site) == {"queued": 1}


def test_a_lease_is_renewed_while_short_work_takes_long(site: Site) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_database: Database, _payload: Payload) -> None:
        entered.set()
        leave.wait(30)

    worker = site.another(kinds={"slow": Kind(slow)})
    job_id = site.put("slow")
    thread = threading.Thread(target=worker.drain, args=("fast",))
    thread.start()
    entered.wait(30)
    with site.database.transaction() as session:
        session.execute(update(Job).values(lease_until=clock.now() + timedelta(seconds=1)))
    worker.renew()
    until = site.job(job_id).lease_until
    assert until is not None
    assert until - clock.now() > timedelta(seconds=50)
    leave.set()
    thread.join()
    assert site.job(job_id).state == "done"
    worker.close()


def test_a_stopped_worker_takes_no_more_and_hands_back_what_runs(site: Site) -> None:
    worker = site.another()
    job_id = site.put("linger", "media", brief=500.0)
    thread = threading.Thread(target=worker.drain, args=("media",))
    thread.start()
    wait_for(lambda: site.job(job_id).state == "running")
    worker.stop()
    site.put("note", number=1)
    assert worker.drain("fast") == 0
    worker.close()
    row = site.job(job_id)
    assert (row.state, row.attempt, row.token) == ("queued", 0, None)
    thread.join(timeout=30)
    assert site.job(job_id).state == "queued"
    with site.database.reading() as session:
        assert jobs.worker_heartbeat(session) is None


def test_an_outcome_is_written_once_a_locked_database_is_free_again(site: Site, database_url: str) -> None:
    if not site.database.is_sqlite:
        return  # a server has no lock that covers everything
    job_id = site.put("note", number=1)
    other = sqlite3.connect(
        database_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False
    )

    def lock(_database: Database, _payload: Payload) -> None:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(7.0, other.rollback).start()

    worker = site.another(kinds={"note": Kind(lock)})
    assert worker.drain("fast") == 1
    assert site.job(job_id).state == "done"
    worker.close()
    other.close()


def test_nothing_is_left_open_after_a_worker_is_closed(site: Site) -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    def once() -> None:
        worker = site.another()
        site.put("add", "media", brief=[1])
        worker.drain("media")
        worker.close()

    once()
    before = opened()
    once()
    once()
    wait_for(lambda: opened() <= before)
