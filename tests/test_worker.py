"""The worker as a process: jobs done once, children killed at their deadline, nothing lost with a worker."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from qa.cli import qa as command_line
from qa.config import Settings
from qa.core import clock, crypto, jobs, outbox
from qa.core.actor import SYSTEM
from qa.core.crypto import sub_key
from qa.core.db import Database
from qa.core.jobs import Job
from qa.core.storage import LocalStorage, read_range, store_sealed
from qa.evaluations.events import EvaluationSubmitted
from qa.interactions import service
from qa.interactions.models import PLAYABLE, RECORDING_KEY, Interaction, Recording
from qa.worker import SCHEDULES, run_until_empty
from tests.factories import make_interaction, make_user
from tests.interactions.sounds import bursts, encoded, wav
from tests.reliability.scale import TORTURE, times

KILLS = times(5, 200)
ROOT = Path(__file__).parents[1]


@dataclass
class Site:
    """A site in a folder, its worker not yet started."""

    settings: Settings
    database: Database
    workers: list[subprocess.Popen[bytes]]

    @property
    def environment(self) -> dict[str, str]:
        """What `qa` needs to find this site, and a secret that no child may see."""
        named = {
            f"QA_{name.upper()}": str(self.settings.values[name])
            for name in ("data_dir", "database_url", "key_file")
        }
        return {**os.environ, **named, "QA_WORKER_CHILDREN": "2"}

    def start_worker(self, **more: str) -> subprocess.Popen[bytes]:
        """Start `qa worker`."""
        command = [sys.executable, "-m", "qa.cli", "worker"]
        made = subprocess.Popen(
            command,
            env=self.environment | more,
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.workers.append(made)
        return made

    def qa(self, *arguments: str) -> Result:
        """Run a command in this process and return what it said."""
        return CliRunner().invoke(command_line, arguments, env=self.environment)

    def put(self, count: int = 1, kind: str = "noop") -> list[int]:
        with self.database.transaction() as session:
            made = [jobs.enqueue(session, kind, {}, now=clock.now()) for _ in range(count)]
        return [job_id for job_id in made if job_id is not None]

    def counts(self) -> dict[str, int]:
        with self.database.reading() as session:
            return jobs.counts(session)

    def attach(self, raw: bytes, name: str = "call.wav") -> int:
        """Import a recording as `qa import` does; return its id."""
        keys = crypto.load_keys(self.settings.key_path)
        stored = store_sealed(LocalStorage(self.settings.recordings_path), io.BytesIO(raw))
        sealed_key = keys.seal(stored.content_key, purpose=RECORDING_KEY)
        with self.database.transaction() as session:
            call = make_interaction(session, make_user(session, "agent"))
            row = service.attach_recording(
                session,
                SYSTEM,
                interaction_id=call.id,
                stored=stored,
                sealed_key=sealed_key,
                name=name,
                speakers=["agent", "customer"],
                now=clock.now(),
            )
        assert row is not None
        return row.id

    def recording(self, recording_id: int) -> Recording:
        with self.database.reading() as session:
            return session.scalars(
                select(Recording)
                .where(Recording.id == recording_id)
                .execution_options(populate_existing=True)
            ).one()

    def peaks(self, recording_id: int) -> dict[str, Any]:
        with self.database.reading() as session:
            found = session.scalar(select(Recording.peaks).where(Recording.id == recording_id))
        assert found is not None
        return found

    def let_leases_end(self) -> None:
        """Let a minute pass for those that nobody renews."""
        with self.database.transaction() as session:
            past = clock.now() - timedelta(seconds=1)
            session.execute(update(Job).where(Job.state == "running").values(lease_until=past))


@pytest.fixture
def site(settings: Settings, database: Database) -> Iterator[Site]:
    made = Site(settings, database, [])
    yield made
    for worker in made.workers:
        if worker.poll() is None:
            worker.kill()
        worker.wait()


def wait_for(holds: Callable[[], object], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def test_a_recording_is_examined_by_the_worker(site: Site) -> None:
    raw = wav(bursts([(1, 4)], 20), bursts([(3, 6)], 20))
    recording_id = site.attach(raw)
    assert run_until_empty(site.settings) == 2, "it is examined, and those who react are told"
    row = site.recording(recording_id)
    assert (row.state, row.problem, row.channel_count, row.duration_ms) == ("ready", None, 2, 20_000)
    assert (row.format, row.media_type, row.playable_key) == ("wav pcm_s16le", "audio/wav", None)
    lanes = site.peaks(recording_id)
    assert (lanes["per_second"], lanes["duration_ms"], len(lanes["channels"])) == (20, 20_000, 2)
    assert len(lanes["silences"]) == len(lanes["overlaps"]) == 1


def test_a_recording_that_browsers_cannot_play_gets_a_sealed_twin_that_they_can(site: Site) -> None:
    recording_id = site.attach(encoded("wav", "pcm_mulaw", bursts([(1, 3)], 5), bursts([(2, 4)], 5)))
    run_until_empty(site.settings)
    row = site.recording(recording_id)
    assert (row.state, row.playable_type) == ("ready", "audio/ogg")
    assert row.playable_key is not None
    size = row.playable_bytes or 0
    keys = crypto.load_keys(site.settings.key_path)
    key = sub_key(keys.open(row.sealed_key, purpose=RECORDING_KEY), PLAYABLE)
    storage = LocalStorage(site.settings.recordings_path)
    played = b"".join(read_range(storage, row.playable_key, key, size=size, start=0, end=size))
    assert played.startswith(b"OggS")
    assert b"OpusHead" in played[:200]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "The recording is empty (0 bytes)."),
        (b"Dear customer\n" * 40, "This is not an audio file we can read."),
        (
            wav(bursts([], 2))[:30],
            "The file breaks off before its first sound, or is damaged. Export it again.",
        ),
    ],
)
def test_a_broken_recording_is_shown_as_such_and_not_tried_again(
    site: Site, raw: bytes, sentence: str
) -> None:
    recording_id = site.attach(raw)
    run_until_empty(site.settings)
    row = site.recording(recording_id)
    assert (row.state, row.problem) == ("broken", sentence)
    assert site.counts() == {"done": 1}


def test_a_recording_cut_short_can_be_heard_and_says_so(site: Site) -> None:
    recording_id = site.attach(wav(bursts([(0, 9)], 10))[:64_000])
    run_until_empty(site.settings)
    row = site.recording(recording_id)
    assert (row.state, row.problem) == ("ready", "The file ends early: 4.0 of 10.0 s.")


def test_a_recording_whose_file_was_changed_or_lost_is_shown_as_broken(site: Site) -> None:
    changed, lost = site.attach(wav(bursts([], 2))), site.attach(wav(bursts([], 3)))
    folder = site.settings.recordings_path
    key = site.recording(changed).storage_key
    path = folder / key[:2] / key
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    LocalStorage(folder).delete(site.recording(lost).storage_key)
    run_until_empty(site.settings)
    assert site.recording(changed).problem == "The stored recording was damaged. Import it again."
    assert site.recording(lost).problem == "The stored recording is missing. Import it again."


def test_with_another_data_key_no_recording_is_called_broken(site: Site) -> None:
    recording_id = site.attach(wav(bursts([], 2)))
    with site.database.transaction() as session:
        session.execute(
            update(Recording).values(sealed_key=crypto.Keys(b"x" * 32).seal(b"k" * 32, purpose=RECORDING_KEY))
        )
    run_until_empty(site.settings)
    assert site.recording(recording_id).state == "waiting"
    with site.database.reading() as session:
        [job] = jobs.list_jobs(session)
        assert "sealed by a key that is not in the key file" in (job.error or "")


def test_an_event_reaches_its_reaction(site: Site) -> None:
    with site.database.transaction() as session:
        call = make_interaction(session, make_user(session, "agent"))
        outbox.emit(session, EvaluationSubmitted(1, call.id, 1), now=clock.now())
    run_until_empty(site.settings)
    with site.database.reading() as session:
        assert session.scalar(select(Interaction.evaluated_at).where(Interaction.id == call.id)) is not None


def test_the_schedules_and_the_daily_work_run(site: Site) -> None:
    worker = site.start_worker()
    wait_for(lambda: site.counts().get("done", 0) >= len(SCHEDULES))
    with site.database.reading() as session:
        ran = {job.kind for job in jobs.list_jobs(session, state="done")}
        assert jobs.worker_heartbeat(session) is not None
    assert ran == {name for name, _ in SCHEDULES}
    assert worker.poll() is None


def test_the_daily_work_sweeps_files_that_no_row_names(site: Site) -> None:
    kept = site.attach(wav(bursts([], 2)))
    storage = LocalStorage(site.settings.recordings_path)
    lost = store_sealed(storage, io.BytesIO(b"never named"))
    for path in site.settings.recordings_path.glob("??/*"):
        os.utime(path, (0, 0))
    site.put(kind="daily")
    run_until_empty(site.settings)
    assert not storage.exists(lost.key)
    assert storage.exists(site.recording(kept).storage_key)


def test_a_running_worker_takes_what_others_enqueue(site: Site) -> None:
    site.start_worker()
    wait_for(lambda: site.counts().get("done", 0) >= 3)
    queued = site.qa("jobs", "enqueue", "noop", "--count", "40", "--json")
    assert (queued.exit_code, json.loads(queued.stdout)) == (0, {"queued": 40})
    wait_for(lambda: site.counts().get("done", 0) >= 43)


def test_a_worker_whose_carrier_is_away_does_the_work_all_the_same(site: Site) -> None:
    site.start_worker(QA_QUEUE_URL="redis://127.0.0.1:1/0")
    site.put(40)
    wait_for(lambda: site.counts().get("done", 0) >= 43)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_told_to_stop_hands_back_and_ends_well(site: Site, sign: signal.Signals) -> None:
    worker = site.start_worker()
    wait_for(lambda: site.counts().get("done", 0) >= 3)
    site.put(300)
    worker.send_signal(sign)
    assert worker.wait(timeout=40) == 0
    assert "running" not in site.counts()
    with site.database.reading() as session:
        assert jobs.worker_heartbeat(session) is None


def test_a_worker_whose_parent_is_gone_ends(site: Site) -> None:
    worker = site.start_worker(QA_PARENT="1" if os.getpid() != 1 else "2")
    assert worker.wait(timeout=40) == 70


def test_a_killed_worker_loses_nothing_and_leaves_no_orphans(site: Site) -> None:
    chance = random.Random(7)
    sounds = {site.attach(encoded("wav", "pcm_mulaw", bursts([(1, 2)], 30 + n))) for n in range(4)}
    site.put(60 * KILLS)
    calls = told(site, 5 * KILLS)
    families: list[int] = []
    for _ in range(KILLS):
        before = site.counts().get("done", 0)
        worker = site.start_worker()
        if TORTURE:  # from its first job on: on a busy machine each kill would else fall into its start
            wait_for(lambda before=before: site.counts().get("done", 0) > before or is_quiet(site))  # type: ignore[misc]
        time.sleep(chance.uniform(*((0.0, 1.0) if TORTURE else (1.0, 3.0))))
        families += [child.pid for child in psutil.Process(worker.pid).children(recursive=True)]
        worker.kill()
        worker.wait()
        site.let_leases_end()
        retry_dead(site)
    last = site.start_worker()
    wait_for(lambda: is_quiet(site), times(120, 1_800))
    assert site.counts().keys() == {"done"}
    assert {site.recording(one).state for one in sounds} == {"ready"}
    with site.database.reading() as session:
        assert not outbox.has_waiting(session)
        left = select(Interaction.id).where(Interaction.id.in_(calls), Interaction.evaluated_at.is_(None))
        assert session.scalars(left).all() == []
    last.terminate()
    last.wait(timeout=40)
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in families))


def told(site: Site, count: int) -> list[int]:
    with site.database.transaction() as session:
        agent = make_user(session, "agent")
        calls = [make_interaction(session, agent).id for _ in range(count)]
        for call in calls:
            outbox.emit(session, EvaluationSubmitted(1, call, agent.id), now=clock.now())
    return calls


def retry_dead(site: Site) -> None:
    """A job in hand at three kills is set aside; here chance may do that, and a person looks."""
    with site.database.transaction() as session:
        for dead in jobs.list_jobs(session, state="dead", limit=1_000):
            jobs.retry(session, dead.id, now=clock.now())


def is_quiet(site: Site) -> bool:
    with site.database.reading() as session:
        counted = jobs.counts(session)
        return not outbox.has_waiting(session) and not {"queued", "running"} & counted.keys()


def test_the_list_says_what_is_dead_and_why_and_can_be_answered(site: Site) -> None:
    [dead] = site.put(kind="odd")
    ran = site.qa("jobs", "run", "--until-empty", "--json")
    assert (ran.exit_code, json.loads(ran.stdout)["dead"]) == (1, 1)
    listed = site.qa("jobs", "list", "--json")
    [row] = json.loads(listed.stdout)["jobs"]
    assert (listed.exit_code, row["id"], row["state"]) == (1, dead, "dead")
    assert row["error"] == "This program knows no work called odd."
    assert "dead      odd" in site.qa("jobs", "list", "--state", "dead").stdout
    retried = site.qa("jobs", "retry", str(dead), "99")
    assert (retried.exit_code, retried.stdout) == (3, "1 queued again, 0 deliveries to be tried again.\n")
    assert retried.stderr.endswith("Not dead or cancelled, so left alone: 99\n")
    site.qa("jobs", "run", "--until-empty")
    assert json.loads(site.qa("jobs", "retry", "--all", "--json").stdout)["queued"] == [dead]
    site.qa("jobs", "run", "--until-empty")
    discarded = site.qa("jobs", "discard", str(dead), "--json")
    assert (discarded.exit_code, json.loads(discarded.stdout)["removed"]) == (0, [dead])
    assert site.qa("jobs", "list").exit_code == 0


@pytest.mark.parametrize(
    "arguments", [("retry",), ("discard",), ("run",), ("enqueue", "odd"), ("list", "--state", "x")]
)
def test_wrong_use_of_the_command_exits_2(site: Site, arguments: tuple[str, ...]) -> None:
    refused = site.qa("jobs", *arguments)
    assert refused.exit_code == 2
    assert "Traceback" not in refused.stderr
