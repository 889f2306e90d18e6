"""Jobs as rows: written with their cause, taken once, fenced, given back when their worker dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qa.core import clock, jobs
from qa.core.db import Database
from qa.core.jobs import Job, Taken

SOON = timedelta(seconds=30)
HOUR = timedelta(hours=1)


def put(database: Database, kind: str = "noop", **over: Any) -> int | None:
    with database.transaction() as session:
        return jobs.enqueue(session, kind, over.pop("payload", {}), now=over.pop("now", clock.now()), **over)


def fail_after_enqueuing(database: Database) -> None:
    def cause() -> None:
        with database.transaction() as session:
            jobs.enqueue(session, "noop", {}, now=clock.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cause()


def take(database: Database, queue: str = "fast", *, later: timedelta = SOON) -> Taken | None:
    with database.transaction() as session:
        return jobs.take(session, queue, now=clock.now() + later)


def taken(database: Database, queue: str = "fast", *, later: timedelta = SOON) -> Taken:
    found = take(database, queue, later=later)
    assert found is not None
    return found


def settle(database: Database, change: Callable[[Session], Any]) -> Any:
    with database.transaction() as session:
        return change(session)


def job(database: Database, job_id: int | None) -> Job:
    with database.reading() as session:
        found = jobs.find_job(session, job_id or 0)
    assert found is not None
    return found


def let_leases_end(database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(Job).values(lease_until=clock.now() - SOON))


def sweep(database: Database) -> list[jobs.GivenUp]:
    return settle(database, lambda session: jobs.sweep(session, now=clock.now() + timedelta(seconds=1)))  # type: ignore[no-any-return]


def test_a_job_is_there_exactly_when_its_cause_is(database: Database) -> None:
    fail_after_enqueuing(database)
    assert take(database) is None
    put(database, payload={"recording_id": 7})
    assert taken(database).payload == {"recording_id": 7}


def test_taking_counts_the_attempt_before_the_work(database: Database) -> None:
    job_id = put(database)
    first = taken(database)
    assert (first.id, first.attempt) == (job_id, 1)
    row = job(database, job_id)
    assert (row.state, row.attempt, row.token) == ("running", 1, first.token)
    assert row.started_at is not None
    assert take(database) is None


def test_jobs_are_taken_in_order_from_their_own_queue(database: Database) -> None:
    ids = [put(database) for _ in range(3)]
    media = put(database, queue="media")
    assert [taken(database).id for _ in range(3)] == ids
    assert taken(database, "media").id == media
    assert take(database) is None


def test_a_job_for_later_waits(database: Database) -> None:
    put(database, run_after=clock.now() + HOUR)
    assert take(database) is None
    assert taken(database, later=2 * HOUR)


def test_a_machine_whose_clock_runs_ahead_delays_nothing(database: Database) -> None:
    if database.is_sqlite:
        put(database)  # one machine, one clock
    else:
        put(database, now=clock.now() + HOUR)
    assert taken(database)


@pytest.mark.parametrize("column", ["queue", "state"])
def test_the_table_refuses_words_it_does_not_know(database: Database, column: str) -> None:
    put(database)
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.execute(update(Job).values({column: "odd"}))


def test_of_one_dedupe_key_a_single_job_waits(database: Database) -> None:
    first = put(database, dedupe_key="sync 7")
    assert first is not None
    assert put(database, dedupe_key="sync 7") is None
    assert put(database, dedupe_key="sync 8") is not None
    assert taken(database).id == first


def test_while_one_runs_the_next_of_its_dedupe_key_may_wait(database: Database) -> None:
    put(database, dedupe_key="sync 7")
    taken(database)
    assert put(database, dedupe_key="sync 7") is not None


def test_two_callers_with_one_dedupe_key_at_the_same_moment_leave_one_and_no_error(
    database: Database,
) -> None:
    made = at_the_same_time(6, lambda: put(database, dedupe_key="sync"))
    assert sum(job_id is not None for job_id in made) == 1


def test_of_one_alone_key_a_single_job_runs(database: Database) -> None:
    first, second = put(database, alone_key="outbox"), put(database, alone_key="outbox")
    other = put(database)
    running = taken(database)
    assert running.id == first
    assert taken(database).id == other
    assert take(database) is None
    settle(database, lambda session: jobs.finish(session, running, now=clock.now()))
    assert taken(database).id == second


def test_no_job_is_taken_twice_by_workers_at_the_same_moment(database: Database) -> None:
    ids = {put(database) for _ in range(20)}

    def drain() -> list[int]:
        found = []
        while (one := take(database)) is not None:
            found.append(one.id)
        return found

    got = [job_id for part in at_the_same_time(4, drain) for job_id in part]
    assert sorted(got) == sorted(filter(None, ids))


def test_a_finished_job_is_done_and_nobody_takes_it_again(database: Database) -> None:
    job_id = put(database)
    mine = taken(database)
    assert settle(database, lambda session: jobs.finish(session, mine, now=clock.now())) is True
    row = job(database, job_id)
    assert (row.state, row.token, row.lease_until) == ("done", None, None)
    let_leases_end(database)
    assert sweep(database) == []
    assert take(database) is None


def test_whoever_lost_the_lease_can_change_nothing_any_more(database: Database) -> None:
    job_id = put(database)
    old = taken(database)
    let_leases_end(database)
    sweep(database)
    new = taken(database)
    now = clock.now()
    for change in (
        lambda session: jobs.finish(session, old, now=now),
        lambda session: jobs.fail(session, old, "late", now=now),
        lambda session: jobs.renew(session, old, now=now),
        lambda session: jobs.note_progress(session, old, 1, 2, "late"),
        lambda session: jobs.hand_back(session, old, now=now),
        lambda session: jobs.end_cancelled(session, old, now=now),
    ):
        assert settle(database, change) is False
    row = job(database, job_id)
    assert (row.state, row.token, row.attempt, row.message) == ("running", new.token, 2, "")
    with database.reading() as session:
        assert jobs.standing(session, old) == "lost"
        assert jobs.standing(session, new) == "wanted"


def test_a_failed_job_waits_longer_each_time_and_then_is_dead_with_its_reason(database: Database) -> None:
    job_id = put(database, max_attempts=3)
    for attempt, least in ((1, 2), (2, 4)):
        before = clock.now()
        mine = taken(database, later=attempt * HOUR)
        settle(database, lambda session, mine=mine: jobs.fail(session, mine, "no answer", now=clock.now()))
        row = job(database, job_id)
        assert (row.state, row.error) == ("queued", "no answer")
        assert row.run_after - before >= timedelta(seconds=least)
    mine = taken(database, later=9 * HOUR)
    settle(database, lambda session: jobs.fail(session, mine, "no answer", now=clock.now()))
    row = job(database, job_id)
    assert (row.state, row.attempt, row.error) == ("dead", 3, "no answer")
    assert take(database, later=99 * HOUR) is None


@pytest.mark.parametrize("attempt", [1, 5, 8, 9, 500])
def test_pauses_grow_and_end_at_five_minutes(attempt: int) -> None:
    assert timedelta(seconds=min(2**attempt, 256)) <= jobs.pause_after(attempt) <= jobs.LONGEST_PAUSE


def test_a_refusal_is_not_tried_again(database: Database) -> None:
    job_id = put(database)
    mine = taken(database)
    settle(database, lambda session: jobs.fail(session, mine, "no such thing", now=clock.now(), final=True))
    assert job(database, job_id).state == "dead"


def test_a_job_whose_worker_died_is_queued_again_without_a_pause(database: Database) -> None:
    job_id = put(database)
    taken(database)
    assert sweep(database) == []
    assert job(database, job_id).state == "running"
    let_leases_end(database)
    assert sweep(database) == []
    assert (job(database, job_id).state, taken(database).attempt) == ("queued", 2)


def test_a_job_that_kills_every_worker_ends_on_the_dead_list(database: Database) -> None:
    job_id = put(database, kind="media.describe", payload={"recording_id": 3})
    for _ in range(3):
        taken(database)
        let_leases_end(database)
        given_up = sweep(database)
    assert [(gone.kind, gone.payload) for gone in given_up] == [("media.describe", {"recording_id": 3})]
    assert (job(database, job_id).state, job(database, job_id).error) == ("dead", jobs.DIED)


def test_a_renewed_lease_holds_and_own_jobs_are_never_swept(database: Database) -> None:
    one, two = put(database), put(database)
    first, second = taken(database), taken(database)
    let_leases_end(database)
    settle(database, lambda session: jobs.renew(session, first, now=clock.now()))
    settle(database, lambda session: jobs.sweep(session, now=clock.now(), held=[second.token]))
    assert (job(database, one).state, job(database, two).state) == ("running", "running")


def test_a_clock_put_back_leaves_no_job_stuck(database: Database) -> None:
    ahead = clock.now() + 5 * HOUR
    with database.transaction() as session:
        for number in range(3):
            session.add(Job(kind=f"k{number}", queue="fast", payload={}, run_after=ahead, enqueued_at=ahead))
    with database.transaction() as session:
        session.execute(
            update(Job)
            .where(Job.kind == "k0")
            .values(state="running", token="t", lease_until=ahead, attempt=1)
        )
        session.execute(update(Job).where(Job.kind == "k1").values(attempt=1))
    sweep(database)
    assert {taken(database).kind, taken(database).kind} == {"k1", "k2"}
    with database.transaction() as session:
        jobs.sweep(session, now=clock.now() + 2 * jobs.LEASE)
    assert taken(database, later=3 * jobs.LEASE).kind == "k0"


def test_a_job_handed_back_by_a_stopping_worker_does_not_count_the_attempt(database: Database) -> None:
    job_id = put(database)
    mine = taken(database)
    settle(database, lambda session: jobs.hand_back(session, mine, now=clock.now()))
    assert (job(database, job_id).state, job(database, job_id).attempt) == ("queued", 0)


def test_progress_is_kept_with_the_job(database: Database) -> None:
    job_id = put(database)
    mine = taken(database)
    settle(database, lambda session: jobs.note_progress(session, mine, 3, 10, "Listening" * 100))
    row = job(database, job_id)
    assert (row.done_count, row.total_count, len(row.message)) == (3, 10, 300)


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked(database: Database) -> None:
    waiting, running = put(database, queue="media"), put(database)
    mine = taken(database)
    now = clock.now()
    assert settle(database, lambda session: jobs.ask_cancel(session, waiting or 0, now=now)) is True
    assert settle(database, lambda session: jobs.ask_cancel(session, running or 0, now=now)) is True
    assert (job(database, waiting).state, job(database, running).state) == ("cancelled", "running")
    with database.reading() as session:
        assert jobs.standing(session, mine) == "cancelled"
    settle(database, lambda session: jobs.end_cancelled(session, mine, now=now))
    assert job(database, running).state == "cancelled"
    assert settle(database, lambda session: jobs.ask_cancel(session, running or 0, now=now)) is False


def test_dead_and_cancelled_jobs_can_be_tried_again_or_discarded_others_not(database: Database) -> None:
    dead, waiting = put(database), put(database, queue="media")
    mine = taken(database)
    settle(database, lambda session: jobs.fail(session, mine, "no", now=clock.now(), final=True))
    assert settle(database, lambda session: jobs.discard_dead(session, waiting or 0)) is False
    assert settle(database, lambda session: jobs.retry(session, waiting or 0, now=clock.now())) is False
    assert settle(database, lambda session: jobs.retry(session, dead or 0, now=clock.now())) is True
    again = taken(database)
    assert (again.id, again.attempt) == (dead, 1)
    settle(database, lambda session: jobs.fail(session, again, "no", now=clock.now(), final=True))
    assert settle(database, lambda session: jobs.discard_dead(session, dead or 0)) is True
    with database.reading() as session:
        assert jobs.counts(session) == {"queued": 1}


def test_the_bell_rings_once_per_queue_after_the_commit_and_never_without(database: Database) -> None:
    rings: list[str] = []
    database.after_commit.append(jobs.ringer(rings.append))
    with database.transaction() as session:
        for queue in ("fast", "fast", "media", "fast"):
            jobs.enqueue(session, "noop", {}, now=clock.now(), queue=queue)
        assert rings == []
    assert sorted(rings) == ["fast", "media"]
    fail_after_enqueuing(database)
    with database.transaction():
        pass
    assert sorted(rings) == ["fast", "media"]


def test_a_job_that_waits_for_another_attempt_rings_too(database: Database) -> None:
    put(database)
    mine = taken(database)
    rings: list[str] = []
    database.after_commit.append(jobs.ringer(rings.append))
    settle(database, lambda session: jobs.hand_back(session, mine, now=clock.now()))
    assert rings == ["fast"]


def test_a_slot_of_a_schedule_goes_to_exactly_one_worker(database: Database) -> None:
    now = datetime(2026, 3, 29, 1, 59, 30, tzinfo=UTC)

    def claim() -> bool:
        with database.transaction() as session:
            return jobs.claim_slot(session, "release", every=timedelta(minutes=1), now=now)

    assert sum(at_the_same_time(5, claim)) == 1
    with database.transaction() as session:
        assert not jobs.claim_slot(
            session, "release", every=timedelta(minutes=1), now=now + SOON - timedelta(seconds=1)
        )
        assert jobs.claim_slot(session, "release", every=timedelta(minutes=1), now=now + SOON)
        assert jobs.claim_slot(session, "other", every=timedelta(minutes=1), now=now)


def test_a_heartbeat_is_the_newest_of_any_worker_and_goes_with_its_worker(database: Database) -> None:
    now = clock.now()
    with database.transaction() as session:
        assert jobs.worker_heartbeat(session) is None
        jobs.beat(session, "long gone", now=now - timedelta(days=2))
        jobs.beat(session, "one", now=now - HOUR)
        jobs.beat(session, "two", now=now)
        jobs.beat(session, "two", now=now + SOON)
        assert jobs.worker_heartbeat(session) == now + SOON
        jobs.end_beat(session, "two")
        assert jobs.worker_heartbeat(session) == now - HOUR


def test_old_finished_jobs_are_forgotten_dead_ones_stay(database: Database) -> None:
    for final in (True, False):
        put(database)
        mine = taken(database)
        with database.transaction() as session:
            if final:
                jobs.fail(session, mine, "no", now=clock.now() - HOUR, final=True)
            else:
                jobs.finish(session, mine, now=clock.now() - HOUR)
    put(database)
    assert jobs.forget_finished(database, before=clock.now()) == 1
    with database.reading() as session:
        assert jobs.counts(session) == {"dead": 1, "queued": 1}
        assert [row.state for row in jobs.list_jobs(session, state="dead")] == ["dead"]


def test_taking_and_finishing_needs_no_more_statements_with_a_thousand_waiting(
    database: Database, statements: Any
) -> None:
    def round_trip() -> int:
        with statements(database) as seen:
            with database.transaction() as session:
                mine = jobs.take(session, "fast", now=clock.now() + SOON)
                assert mine is not None
                jobs.is_due(session, "fast", now=clock.now())
            with database.transaction() as session:
                jobs.finish(session, mine, now=clock.now())
        return len(seen)

    put(database)
    alone = round_trip()
    with database.transaction() as session:
        for _ in range(1_000):
            jobs.enqueue(session, "noop", {}, now=clock.now())
    assert round_trip() == alone <= 6


def at_the_same_time(count: int, act: Callable[[], Any]) -> list[Any]:
    """Do it in ``count`` threads that start together; return every answer, raise the first error."""
    line = threading.Barrier(count)
    answers: list[Any] = []
    errors: list[Exception] = []

    def one() -> None:
        line.wait()
        try:
            answers.append(act())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return answers
