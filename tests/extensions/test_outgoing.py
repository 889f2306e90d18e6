"""What goes out arrives at least once, in order for each target, with the same key at every try."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from qa.core import clock, outbox
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import Conflict
from qa.core.jobs import Job
from qa.evaluations import plugin_view
from qa.extensions import events, exports, notices, queries
from qa.extensions import outgoing_service as outgoing
from qa.extensions.models import Outgoing
from qa.extensions.outgoing_service import Carrier, Parcel
from qa.extensions.runtime import NotRunning, PluginRests, Runtime
from qa.plugins.api import Batch, Column, Gone, Notice, RateLimited, Schema, Transient
from tests.factories import make_submitted, make_team, make_user
from tests.plugins.far_side import Asked, Reply, serving


class FarEnd:
    """A carrier that notes what came and fails where it was told to."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.fails: dict[str, list[BaseException]] = {}

    def __call__(self, _database: Database, _runtime: Runtime, parcel: Parcel) -> None:
        self.came.append(f"{parcel.target}/{parcel.key}")
        waiting = self.fails.get(parcel.key)
        error = waiting.pop(0) if waiting else None
        if error is not None:
            raise error


@pytest.fixture
def far_end() -> FarEnd:
    """Where things go."""
    return FarEnd()


@pytest.fixture
def put(database: Database, keys: Keys) -> Callable[..., bool]:
    """Put something down."""

    def done(key: str, target: str = "a", **contents: Any) -> bool:
        with database.transaction() as session:
            return outgoing.put(
                session,
                keys,
                work="test",
                plugin="p",
                target=target,
                key=key,
                contents=contents,
                now=clock.now(),
            )

    return done


@pytest.fixture
def run(database: Database, runtime: Runtime, keys: Keys, far_end: FarEnd) -> Callable[..., None]:
    """Deliver what waits for a target."""
    carriers: dict[str, Carrier] = {"test": far_end}

    def done(target: str = "a") -> None:
        outgoing.deliver(database, runtime, keys, carriers, target)

    return done


def states(database: Database) -> dict[str, str]:
    """The state of each thing by its key."""
    with database.reading() as session:
        return {row.key: row.state for row in session.scalars(select(Outgoing))}


@contextmanager
def later(**span: float) -> Any:
    """Some time from now."""
    with clock.moved_to(datetime.now().astimezone() + timedelta(**span)):
        yield


def test_things_arrive_in_order_and_each_key_once(
    database: Database, put: Callable[..., bool], run: Callable[..., None], far_end: FarEnd
) -> None:
    assert put("1")
    assert put("2")
    assert not put("1")
    assert put("1", target="b")
    run()
    assert far_end.came == ["a/1", "a/2"]
    run("b")
    assert far_end.came == ["a/1", "a/2", "b/1"]
    assert set(states(database).values()) == {"sent"}


def test_a_failure_holds_up_its_own_target_only_and_keeps_the_order(
    database: Database, put: Callable[..., bool], run: Callable[..., None], far_end: FarEnd
) -> None:
    far_end.fails = {"1": [Transient("down")]}
    for key in ("1", "2"):
        put(key)
    put("3", target="b")
    run()
    run("b")
    assert far_end.came == ["a/1", "b/3"]
    run()
    assert far_end.came == ["a/1", "b/3"], "it waits"
    with database.reading() as session:
        asked = list(session.scalars(select(Job).where(Job.kind == outgoing.DELIVER_JOB)))
    assert any(job.run_after > clock.now() + timedelta(seconds=50) for job in asked)
    with later(minutes=2):
        run()
    assert far_end.came == ["a/1", "b/3", "a/1", "a/2"]


def test_after_eight_tries_over_a_day_it_is_dead_and_the_next_goes_on(
    database: Database, put: Callable[..., bool], run: Callable[..., None], far_end: FarEnd
) -> None:
    far_end.fails = {"1": [Transient(f"down {number}") for number in range(20)]}
    put("1")
    put("2")
    hours = 0.0
    while states(database)["1"] == "pending":
        with later(hours=hours):
            run()
        hours += 0.5
        assert hours < 40
    assert far_end.came == ["a/1"] * 8 + ["a/2"]
    assert 20 < hours < 32
    with database.reading() as session:
        (dead,) = queries.list_outgoing(session, SYSTEM, state="dead")
    assert dead.error == "down 7"


def test_the_dead_are_sent_again_with_the_old_key_or_discarded(
    database: Database, put: Callable[..., bool], run: Callable[..., None], far_end: FarEnd
) -> None:
    far_end.fails = {key: [Gone("no such ticket")] for key in ("1", "2")}
    put("1")
    put("2")
    run()
    assert states(database) == {"1": "dead", "2": "dead"}
    with database.transaction() as session:
        first, second = queries.list_outgoing(session, SYSTEM, state="dead")
        outgoing.send_again(session, SYSTEM, first.id, now=clock.now())
        outgoing.discard(session, SYSTEM, second.id, now=clock.now())
    run()
    assert states(database) == {"1": "sent", "2": "discarded"}
    assert far_end.came == ["a/1", "a/2", "a/1"]
    with database.transaction() as session, pytest.raises(Conflict):
        outgoing.send_again(session, SYSTEM, second.id, now=clock.now())


@pytest.mark.parametrize(
    "made",
    [
        RateLimited,
        lambda: NotRunning("p", "off", "It is off."),
        lambda: PluginRests("p", clock.now() + timedelta(minutes=5)),
    ],
    ids=["rate limited", "not running", "rests"],
)
def test_being_asked_to_wait_is_no_attempt(
    database: Database,
    put: Callable[..., bool],
    run: Callable[..., None],
    far_end: FarEnd,
    made: Callable[[], Exception],
) -> None:
    far_end.fails = {"1": [made()]}
    put("1")
    run()
    with database.reading() as session:
        row = session.scalars(select(Outgoing)).one()
    assert (row.state, row.attempt) == ("pending", 0)
    assert row.due_at > clock.now()
    with later(minutes=20):
        run()
    assert states(database) == {"1": "sent"}


def test_what_kills_the_worker_is_dead_after_eight_tries(
    database: Database, put: Callable[..., bool], run: Callable[..., None], far_end: FarEnd
) -> None:
    class Killed(BaseException):
        pass

    far_end.fails = {"1": [Killed() for _ in range(20)]}
    put("1")
    hours = 0.0
    while states(database)["1"] == "pending":
        with later(hours=hours), suppress(Killed):
            run()
        hours += 1.0
    assert far_end.came == ["a/1"] * 8


def test_a_lost_job_is_asked_for_again(
    database: Database, put: Callable[..., bool], run: Callable[..., None]
) -> None:
    put("1")
    with database.transaction() as session:
        for job in session.scalars(select(Job)):
            session.delete(job)
    outgoing.ask_for_waiting(database, now=clock.now())
    with database.reading() as session:
        assert [job.payload for job in session.scalars(select(Job))] == [{"target": "a"}]


def test_contents_are_sealed_and_old_rows_go(
    database: Database, put: Callable[..., bool], run: Callable[..., None]
) -> None:
    put("1", words="marker-4711")
    with database.reading() as session:
        assert b"marker" not in session.scalars(select(Outgoing.sealed)).one()
    run()
    with later(days=1):
        outgoing.forget_settled(database, before=clock.now())
    assert states(database) == {}


@pytest.fixture
def evaluation_id(database: Database) -> int:
    """A submitted evaluation."""
    with database.transaction() as session:
        team = make_team(session)
        evaluator = make_user(session, "evaluator", team=team)
        agent = make_user(session, "agent", team=team)
        return make_submitted(session, evaluator, agent).id


# --- through plugins ----------------------------------------------------------

LISTENER = """
class Chat(Notifier):
    key, title = "chat", "Chat"

    def send(self, ctx, message, target, key):
        ctx.http.post(target, json={"text": message.subject}, key=key, expect="any")

class Warehouse(Exporter):
    key, title = "warehouse", "Warehouse"

    def open(self, ctx, schema):
        self.rows = []
        return "w1"

    def write(self, ctx, batch, watermark):
        self.rows.extend(batch.rows)
        self.watermark = watermark

    def commit(self, ctx):
        ctx.http.post("/load", json={"rows": [list(row) for row in self.rows], "to": self.watermark})

@hookimpl
def qa_notifiers():
    return [Chat]

@hookimpl
def qa_exporters():
    return [Warehouse]

class Where(Form):
    url = StringField("Address")

@hookimpl
def qa_plugin_info():
    return PluginInfo("listener", "1", settings=Where)

@hookimpl
def qa_evaluation_changed(ctx, evaluation, change, key):
    told = {"id": evaluation.id, "change": change, "percent": str(evaluation.percent)}
    ctx.http.post("/events", json=told, key=key)
"""


def ok(_asked: Asked) -> Reply:
    """Take everything."""
    return 200, {"content-type": "application/json"}, b"{}"


def deliver_all(database: Database, runtime: Runtime, keys: Keys, carriers: dict[str, Carrier]) -> None:
    """Deliver whatever waits."""
    with database.reading() as session:
        targets = set(session.scalars(select(Outgoing.target).where(Outgoing.state == "pending")))
    for target in targets:
        outgoing.deliver(database, runtime, keys, carriers, target)


def test_an_event_reaches_a_plugins_hook_with_one_key_whatever_happens(
    add: Callable[..., Any], database: Database, runtime: Runtime, keys: Keys, evaluation_id: int
) -> None:
    with serving(ok) as far:
        add("listener", LISTENER)
        runtime.settings = with_url(runtime, far.url)
        read = events.about(plugin_view.HOOK, "submitted", "evaluation_id")
        reactions = {"EvaluationSubmitted": (("plugins", events.reaction(runtime, keys, read)),)}
        outbox.deliver(database, reactions)
        makers: Any = {plugin_view.HOOK: partial(plugin_view.arguments, "https://qa.example")}
        carriers: dict[str, Carrier] = {events.EVENT: partial(events.carry, makers)}
        deliver_all(database, runtime, keys, carriers)
        (asked,) = far.asked
        body = json.loads(asked.body)
        assert body["id"] == evaluation_id
        assert body["change"] == "submitted"
        assert asked.headers["idempotency-key"].endswith(f":{evaluation_id}")
        assert states(database) == {asked.headers["idempotency-key"].rpartition(":")[0]: "sent"}


def with_url(runtime: Runtime, url: str) -> Any:
    """Settings in which the listener's address is set by the file."""
    return replace(runtime.settings, plugins={"listener": {"url": url}})


def test_a_notice_is_sent_once_though_its_answer_is_lost(
    add: Callable[..., Any], database: Database, runtime: Runtime, keys: Keys
) -> None:
    seen: dict[str, int] = {}

    def forgetful(asked: Asked) -> Reply:
        key = asked.headers["idempotency-key"]
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 1:
            return 200, {"content-length": "900"}, b"{"  # taken, and the answer is cut
        return 200, {}, b"{}"

    with serving(forgetful) as far:
        add("listener", LISTENER)
        with database.transaction() as session:
            for _ in range(2):
                notices.send_notice(
                    session,
                    keys,
                    plugin="listener",
                    notifier="chat",
                    target=f"{far.url}/hook",
                    notice=Notice("A plan is due", "Body"),
                    key="plan:7",
                    now=clock.now(),
                )
        deliver_all(database, runtime, keys, {notices.NOTICE: notices.carry})
        assert seen == {"plan:7": 2}
        assert states(database) == {"plan:7": "sent"}


def test_an_export_goes_on_behind_its_watermark_in_one_object(
    add: Callable[..., Any], database: Database, runtime: Runtime
) -> None:
    schema = Schema("evaluations", 1, [Column("id", "integer"), Column("percent", "decimal")])
    asked_for: list[str] = []

    def batches(behind: str) -> Any:
        asked_for.append(behind)
        yield Batch([[1, "75"]]), "w2"
        yield Batch([[2, "80"], [3, None]]), "w3"

    with serving(ok) as far:
        add("listener", LISTENER)
        runtime.settings = with_url(runtime, far.url)
        done = exports.run_export(
            database, runtime, plugin="listener", exporter="warehouse", schema=schema, batches=batches
        )
        assert (done.rows, done.batches, done.watermark) == (3, 2, "w3")
        assert asked_for == ["w1"]
        assert json.loads(far.asked[0].body) == {"rows": [[1, "75"], [2, "80"], [3, None]], "to": "w3"}
