"""A real django-helpdesk on this machine: read, killed while reading, its webhooks, scores written back."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import psutil
import pytest

QA = [sys.executable, "-m", "qa.cli"]
TORTURE = bool(os.environ.get("QA_TORTURE"))
TICKETS, PAGE = (5_000, 500) if TORTURE else (60, 10)
PASSWORD = "t1cket-marker"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Helpdesk:
    """The far side: a real django-helpdesk in a process of its own."""

    def __init__(self, folder: Path, hook: str) -> None:
        folder.mkdir()
        self.url = f"http://127.0.0.1:{free_port()}"
        script = Path(__file__).with_name("helpdesk_server.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(folder), self.url.rpartition(":")[2], hook],
            env={**os.environ, "TICKETS": str(TICKETS)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "ready"

    def ask(self, method: str, path: str, **body: Any) -> Any:
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method)
        pair = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {pair}")
        if body:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=10)


class Site:
    """A site in a folder, through its commands alone, with a web process for webhooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
        self.env = kept | {
            "QA_DATA_DIR": str(folder / "data"),
            "QA_PRIVATE_NETWORKS": "127.0.0.0/8",
            "HELPDESK_PASSWORD": PASSWORD,
            "HELPDESK_WRONG": "wrong",
        }
        self.port = free_port()
        self.run("upgrade")
        self.run("plugin", "list")
        self.run("plugin", "enable", "helpdesk")

    def run(self, *words: str, code: int = 0) -> str:
        """Run the installed command in this process: a new one would spend its time on imports."""
        [command] = entry_points(group="console_scripts", name="qa")
        said, ended = io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(said), redirect_stderr(said):
            for name in [name for name in os.environ if name.startswith("QA_")]:
                patched.delenv(name)
            for name, value in self.env.items():
                patched.setenv(name, value)
            try:
                command.load()(list(words))
            except SystemExit as end:
                ended = int(end.code or 0)
        assert ended == code, said.getvalue()
        assert PASSWORD not in said.getvalue()
        return said.getvalue()

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            [*QA, *words], env=self.env, stdout=quiet, stderr=quiet, start_new_session=True
        )

    def add(self, url: str, name: str = "Helpdesk", secret: str = "env:HELPDESK_PASSWORD") -> None:
        settings = {"url": url, "user": "reader", "page_size": str(PAGE)}
        words = [part for field, value in settings.items() for part in ("--set", f"{field}={value}")]
        self.run(
            "source", "add", "helpdesk/helpdesk", "--name", name, *words, "--secret", f"password={secret}"
        )

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.folder / "data" / "candor.db", timeout=30) as database:
            return database.execute(statement).fetchall()

    def let_a_minute_pass(self) -> None:
        """The lease of a killed run ends after a minute; here it ends at once."""
        with sqlite3.connect(self.folder / "data" / "candor.db", timeout=30) as database:
            database.execute("UPDATE sync_lane SET lease_until = '2001-01-01 00:00:00.000000'")
            database.execute("UPDATE job SET run_after = '2001-01-01 00:00:00.000000' WHERE state = 'queued'")


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything it started, as a power cut would."""
    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        family = []
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def eventually(holds: Any, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def helpdesk(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helpdesk]:
    """The helpdesk, whose webhooks go through a small relay to the address that the source gets later."""
    made = Helpdesk(tmp_path_factory.mktemp("far") / "helpdesk", f"http://127.0.0.1:{site.port}/hooks/relay")
    yield made
    made.stop()


def test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled(site: Site, helpdesk: Helpdesk) -> None:
    site.add(helpdesk.url)
    assert "Signed in as reader." in site.run("source", "check", "helpdesk")
    draw = random.Random(11)
    for _ in range(20 if TORTURE else 1):
        process = site.start("source", "pull", "helpdesk")
        eventually(
            lambda: site.rows("SELECT 1 FROM sync_lane WHERE token IS NOT NULL AND lease_until > '2002'")
        )
        time.sleep(draw.uniform(0, 8 if TORTURE else 1.5))
        kill_tree(process)
        site.let_a_minute_pass()
    site.run("source", "pull", "helpdesk")
    ids = [row[0] for row in site.rows("SELECT external_id FROM interaction")]
    assert sorted(ids, key=int) == [str(number) for number in range(1, TICKETS + 1)]
    payloads = site.rows("SELECT payload FROM outbox_event WHERE name = 'InteractionsChanged'")
    told = [one for (payload,) in payloads for one in json.loads(payload)["created"]]
    assert len(told) == len(set(told)) == TICKETS
    assert site.rows("SELECT count(*) FROM turn") == [(2 * TICKETS,)]
    assert site.rows("SELECT DISTINCT account FROM alias") == [("1",)]
    subject, customer = site.rows(
        "SELECT subject, customer_reference FROM interaction WHERE external_id = '7'"
    )[0]
    assert (subject, customer) == ("Ticket 6", "kim6@example.org")


def test_a_wrong_password_is_told_apart_from_a_missing_right(site: Site, helpdesk: Helpdesk) -> None:
    site.add(helpdesk.url, "Wrong", "env:HELPDESK_WRONG")
    told = site.run("source", "check", "wrong", code=1)
    assert "no longer accepts the credentials" in told
    assert "Invalid username/password" in told


def test_its_webhooks_bring_changes_in_at_once(site: Site, helpdesk: Helpdesk) -> None:
    with sqlite3.connect(site.folder / "data" / "candor.db", timeout=30) as database:
        database.execute("UPDATE source SET hook_token = 'relay' WHERE key = 'helpdesk'")
        database.execute("UPDATE sync_lane SET next_at = '2999-01-01 00:00:00.000000'")
    web, worker = site.start("serve", "--port", str(site.port)), site.start("worker")
    try:
        eventually(lambda: answers(site.port))
        helpdesk.ask("POST", "followups/", ticket=7, title="Ticket 6", comment="Sent today.", public=True)
        said = "SELECT count(*) FROM turn JOIN interaction i ON i.id = interaction_id WHERE external_id = '7'"
        eventually(lambda: site.rows(said) == [(3,)])
        made = helpdesk.ask(
            "POST",
            "tickets/",
            queue=1,
            title="New one",
            description="Hello",
            submitter_email="a@example.org",
            priority=3,
        )
        new = f"SELECT subject FROM interaction WHERE external_id = '{made['id']}'"
        eventually(lambda: site.rows(new) == [("New one",)])
    finally:
        for process in (web, worker):
            kill_tree(process)
    assert {row[0] for row in site.rows("SELECT state FROM delivery")} == {"done"}


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except OSError:
        return False
