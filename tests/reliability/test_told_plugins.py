"""The worker killed while it tells plugins: every event arrives, in order, and has one effect for one key."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from qa.config import Settings
from qa.core import bell as bells
from qa.core import clock, crypto, jobs
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.jobs import Job
from qa.core.outbox import OutboxEvent
from qa.extensions import look_service, service
from qa.extensions.models import Outgoing
from qa.extensions.runtime import Runtime
from tests.factories import make_submitted, make_team, make_user
from tests.plugins import plugs
from tests.plugins.far_side import Asked, FarSide, Reply, serving
from tests.reliability.scale import times
from tests.reliability.test_hostile_plugins import working_in

ROOT = Path(__file__).parents[2]
EVALUATIONS = times(6, 200)
KILLS = times(1, 40)
LISTENER = """
class Where(Form):
    url = StringField("Address")

@hookimpl
def qa_plugin_info():
    return PluginInfo("listener", "1", settings=Where)

@hookimpl
def qa_evaluation_changed(ctx, evaluation, change, key):
    ctx.http.post("/told", json={"id": evaluation.id, "change": change}, key=key)
"""


class FarEnd:
    """Remembers keys: the same one again has no effect. Now and then its answer is cut."""

    def __init__(self) -> None:
        self.effects: dict[str, tuple[int, str]] = {}
        self.chance = random.Random(7)

    def __call__(self, asked: Asked) -> Reply:
        body = json.loads(asked.body)
        self.effects.setdefault(asked.headers["idempotency-key"], (body["id"], body["change"]))
        time.sleep(0.02)
        if self.chance.random() < 0.1:
            return 200, {"content-type": "application/json", "content-length": "900"}, b"{"
        return 200, {"content-type": "application/json"}, b"{}"


@pytest.fixture
def far() -> Iterator[tuple[FarSide, FarEnd]]:
    """The far end, served."""
    end = FarEnd()
    with serving(end) as side:
        yield side, end


@contextmanager
def working(settings: Settings, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker; kill it at the end if nobody did before."""
    named = {
        f"QA_{name.upper()}": str(settings.values[name])
        for name in ("data_dir", "database_url", "key_file", "plugins_dir")
    }
    command = [sys.executable, "-m", "qa.cli", "worker"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    quiet = subprocess.DEVNULL
    started = subprocess.Popen(command, env={**plain, **named, **more}, cwd=ROOT, stdout=quiet, stderr=quiet)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


def let_leases_end(database: Database) -> None:
    """Let the leases of a killed worker end, as a minute would."""
    with database.transaction() as session:
        past = clock.now() - timedelta(seconds=1)
        session.execute(update(Job).where(Job.state == "running").values(lease_until=past))


def let_pauses_end(database: Database) -> None:
    """Let pauses before another try be over, as an hour would."""
    with database.transaction() as session:
        past = clock.now() - timedelta(seconds=1)
        session.execute(update(Job).where(Job.state == "queued").values(run_after=past))
        session.execute(update(Outgoing).where(Outgoing.state == "pending").values(due_at=past))


def is_all_told(database: Database) -> bool:
    """Tell whether nothing waits any more."""
    with database.reading() as session:
        waits = select(func.count()).select_from(OutboxEvent).where(OutboxEvent.delivered_at.is_(None))
        unsent = select(func.count()).select_from(Outgoing).where(Outgoing.state != "sent")
        return not session.scalar(waits) and not session.scalar(unsent)


def wait_for(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until it is so; return whether it came to be."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def urge(settings: Settings, database: Database, holds: Callable[[], bool]) -> None:
    """Wait until it is so; meanwhile no pause lasts and the worker need not look up by itself."""
    bell = bells.make_bell(settings.queue_url, settings.data_path)
    until = time.monotonic() + 120
    while not wait_for(holds, 0.3):
        assert time.monotonic() < until
        let_pauses_end(database)
        for queue in jobs.QUEUES:
            bell(queue)
    bell.close()


def test_every_event_reaches_a_plugin_once_in_effect_though_the_worker_is_killed(
    settings: Settings, database: Database, tmp_path: Path, far: tuple[FarSide, FarEnd]
) -> None:
    side, end = far
    plugs.write(tmp_path / "plugins", "listener", LISTENER)
    settings = replace(settings, values={**settings.values, "plugins_dir": str(tmp_path / "plugins")})
    runtime = Runtime(settings, crypto.load_keys(settings.key_path))
    look_service.look(database, runtime)
    with database.transaction() as session:
        service.enable_plugin(session, SYSTEM, "listener", now=clock.now())
    look_service.load_one(database, runtime, "listener")
    runtime.close()
    ids = []
    for _ in range(EVALUATIONS):
        with database.transaction() as session:
            team = make_team(session)
            evaluator, agent = make_user(session, "evaluator", team=team), make_user(session, "agent")
            ids.append(make_submitted(session, evaluator, agent).id)
    told = {"QA_PLUGINS__LISTENER__URL": side.url, "QA_PRIVATE_NETWORKS": "127.0.0.0/8"}
    for _ in range(KILLS):
        seen = len(end.effects)
        with working(settings, **told):
            urge(settings, database, lambda before=seen: len(end.effects) > before)  # type: ignore[misc]
            time.sleep(end.chance.random() * 0.3)
        let_leases_end(database)
    with working(settings, **told):
        urge(settings, database, lambda: is_all_told(database))
    wanted = [(one, change) for one in ids for change in ("submitted", "released")]
    assert sorted(end.effects.values()) == sorted(wanted), "none lost, none doubled"
    submitted = [one for one, change in end.effects.values() if change == "submitted"]
    assert submitted == ids, "in the order in which it happened"
    assert wait_for(lambda: working_in(settings.plugin_work_path) == [], 20.0)
