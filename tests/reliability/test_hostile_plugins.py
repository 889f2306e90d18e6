"""Hostile plugins beside people who score: no request fails, pages stay as quick, no process is left.

Under `make torture` the pages' 95th percentile may rise by a fifth at most.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from qa.app import create_app
from qa.config import Settings
from qa.core.db import Database
from tests.factories import make_draft, make_team, make_user
from tests.plugins.test_hostile import FATAL, HARMLESS, RAISES, SHAPES
from tests.reliability.scale import TORTURE, times
from tests.reliability.served import Browser, Served, cookie_of

ROOT = Path(__file__).parents[2]
WAYS = [*RAISES, *SHAPES, *FATAL, *HARMLESS]
PHASE_SECONDS = times(3, 60)
PEOPLE = 4
ALLOWED = 1.2


@contextmanager
def hostile(folder: Path) -> Iterator[Path]:
    """Run the load; at the end nothing of it is left. Gives the file that names each call that ended."""
    folder.mkdir()
    log = folder.parent / "hostile.log"
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins" / "candor-hostile")])
    command = [sys.executable, "-m", "tests.reliability.hostile_load", str(folder), json.dumps(WAYS)]
    with log.open("wb") as out:
        load = subprocess.Popen(command, cwd=ROOT, stdout=out, env={**os.environ, "PYTHONPATH": path})
    try:
        wait_for(lambda: bool(log.read_text()))
        yield log
    finally:
        load.terminate()
        load.wait(60)
    assert load.returncode == 0
    assert working_in(folder) == []


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until it is so."""
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.05)


def working_in(folder: Path) -> list[str]:
    """Every process that works in a folder, whoever its parent is."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {process.cmdline()}")
        except psutil.Error:
            continue
    return found


class People:
    """Several people who open the key pages one after the other."""

    def __init__(self, url: str, cookie: tuple[str, str], pages: list[str]) -> None:
        self.url, self.cookie, self.pages = url, cookie, pages
        self.seconds: list[float] = []
        self.failed: list[str] = []

    def work(self, seconds: float) -> float:
        """Use the site so long; return the 95th percentile of the answers' seconds."""
        self.seconds = []
        threads = [threading.Thread(target=self._one, args=(seconds,)) for _ in range(PEOPLE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ordered = sorted(self.seconds)
        return ordered[int(len(ordered) * 0.95)]

    def _one(self, seconds: float) -> None:
        browser = Browser(self.url, self.cookie)
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                for page in self.pages:
                    begun = time.monotonic()
                    answer = browser.look(page)
                    self.seconds.append(time.monotonic() - begun)
                    if answer.status_code != 200:
                        self.failed.append(f"{page}: {answer.status_code}")
                    time.sleep(0.05)
        finally:
            browser.close()


@pytest.fixture
def people(settings: Settings, database: Database, served: Served) -> People:
    """An evaluator with a draft, and five pages."""
    with database.transaction() as session:
        team = make_team(session)
        evaluator = make_user(session, "evaluator", team=team)
        draft = make_draft(session, evaluator, make_user(session, "agent", team=team))
        interaction_id, draft_id = draft.interaction_id, draft.id
    app = create_app(settings)
    cookie = cookie_of(app, evaluator)
    app.extensions["candor"].database.dispose()
    served.start()
    pages = [
        "/evaluations",
        "/queue",
        "/interactions",
        f"/interactions/{interaction_id}",
        f"/evaluations/{draft_id}/work",
    ]
    return People(served.url, cookie, pages)


def test_people_who_score_do_not_notice_hostile_plugins(people: People, tmp_path: Path) -> None:
    people.work(1.0)
    calm = people.work(PHASE_SECONDS)
    with hostile(tmp_path / "work") as log:
        beside = people.work(PHASE_SECONDS)
        ended = log.read_text().splitlines()
    assert people.failed == []
    assert ended
    print(f"p95 calm {calm * 1000:.0f} ms, beside {len(ended)} hostile calls {beside * 1000:.0f} ms")
    if TORTURE:
        assert set(ended) == set(WAYS)
        assert beside <= calm * ALLOWED
