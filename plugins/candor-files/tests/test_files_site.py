"""A whole site reads folders, S3 and SFTP through the connector, also when it is killed at any moment."""

from __future__ import annotations

import io
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import psutil
import pytest

QA = [sys.executable, "-m", "qa.cli"]
TORTURE = bool(os.environ.get("QA_TORTURE"))
BIG = 1_800
RECORDS, KILLS = (5_000, 20) if TORTURE else (1_200, 1)


class Site:
    """A site in a folder, through its commands alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
        self.env = kept | {"QA_DATA_DIR": str(folder / "data"), "QA_PRIVATE_NETWORKS": "127.0.0.0/8"}
        self.run("upgrade")
        self.run("plugin", "list")
        self.run("plugin", "enable", "files")

    def run(self, *words: str, code: int = 0, **more: str) -> str:
        """Run the installed command in this process: a new one would spend its time on imports."""
        [command] = entry_points(group="console_scripts", name="qa")
        said, ended = io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(said), redirect_stderr(said):
            for name in [name for name in os.environ if name.startswith("QA_")]:
                patched.delenv(name)
            for name, value in (self.env | more).items():
                patched.setenv(name, value)
            try:
                command.load()(list(words))
            except SystemExit as end:
                ended = int(end.code or 0)
        assert ended == code, said.getvalue()
        return said.getvalue()

    def add(self, connector: str, name: str, secrets: dict[str, str] | None = None, **settings: str) -> None:
        words = ["source", "add", f"files/{connector}", "--name", name]
        for field, value in ({"zone": "UTC", "encoding": "utf-8", "channel": "ticket"} | settings).items():
            words += ["--set", f"{field}={value}"]
        more = {}
        for field, value in (secrets or {}).items():
            more[f"S_{field.upper()}"] = value
            words += ["--secret", f"{field}=env:S_{field.upper()}"]
        self.run(*words, **more)

    def pull(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("source", "pull", name, "--json"))["runs"][-1]
        return found

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.folder / "data" / "candor.db") as database:
            return database.execute(statement).fetchall()

    def ids(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT external_id FROM interaction ORDER BY external_id")]

    def let_a_minute_pass(self) -> None:
        """The lease of a killed run ends after a minute; here it ends at once."""
        with sqlite3.connect(self.folder / "data" / "candor.db", timeout=30) as database:
            database.execute("UPDATE sync_lane SET lease_until = '2001-01-01 00:00:00.000000'")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


def line(number: int | str, **over: Any) -> str:
    values = {
        "external_id": f"A-{number}",
        "channel": "chat",
        "started_at": "2026-03-14T09:30:00Z",
        "agents": [{"external_id": f"agent-{len(str(number))}"}],
        "turns": [{"speaker": "agent", "text": f"Hello {number}"}],
    }
    return json.dumps(values | over)


def settled(folder: Path) -> None:
    """Files count once nobody wrote to them for five seconds, or at once if their clock is ahead, as here."""
    now = time.time()
    for one in folder.rglob("*"):
        if one.lstat().st_mtime <= now:
            os.utime(one, (now + 60, now + 60), follow_symlinks=False)


def test_a_folder_is_read_once_and_again_where_it_changed(site: Site, tmp_path: Path) -> None:
    place = tmp_path / "in"
    (place / "deep").mkdir(parents=True)
    (place / "one.jsonl").write_text("\n".join([line("x1"), line("x2"), "{oops"]))
    (place / "deep" / "two.csv").write_text("external_id;started_at\nA-x3;2026-03-14T09:30:00\n")
    (place / "notes.txt").write_text("not for us")
    (place / "link.jsonl").symlink_to("/etc/passwd")
    settled(place)
    site.add("folder", "Two files", folder=str(place))
    run = site.pull("two-files")
    assert (run["new"], run["refused"]) == (3, 1)
    assert {"A-x1", "A-x2", "A-x3"} <= set(site.ids())
    assert site.pull("two-files")["same"] == 0
    (place / "one.jsonl").write_text("\n".join([line("x1", subject="changed"), line("x2")]))
    settled(place)
    run = site.pull("two-files")
    assert (run["changed"], run["same"]) == (1, 1)


def test_recordings_are_fetched_from_beside_the_file(site: Site, tmp_path: Path) -> None:
    place = tmp_path / "calls"
    place.mkdir()
    (place / "a.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt secret sound")
    (place / "calls.jsonl").write_text(
        line("rec", channel="voice", recordings=[{"file": "a.wav"}, {"file": "../../etc/passwd"}])
    )
    settled(place)
    site.add("folder", "Calls", folder=str(place))
    site.pull("calls")
    site.run("jobs", "run", "--until-empty")
    states = dict(site.rows("SELECT key, state FROM media_reference"))
    assert states == {"a.wav": "kept", "../../etc/passwd": "gone"}
    sealed = list((site.folder / "data" / "recordings").rglob("*"))
    assert not any(b"secret sound" in one.read_bytes() for one in sealed if one.is_file())


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


def test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    site, place = Site(tmp_path), tmp_path / "many"
    place.mkdir()
    per_file = RECORDS // 5
    for number in range(5):
        numbers = range(number * per_file, (number + 1) * per_file)
        (place / f"{number}.jsonl").write_text("\n".join(line(n) for n in numbers))
    settled(place)
    site.add("folder", "Many", folder=str(place))
    draw = random.Random(7)
    for _ in range(KILLS):
        process = subprocess.Popen(
            [*QA, "source", "pull", "many"],
            env=site.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for_a_run(site)
        time.sleep(draw.uniform(0, 1.5))
        kill_tree(process)
        site.let_a_minute_pass()
    site.pull("many")
    expected = sorted(f"A-{n}" for n in range(RECORDS))
    assert site.ids() == expected
    told = [
        one
        for (payload,) in site.rows("SELECT payload FROM outbox_event WHERE name = 'InteractionsChanged'")
        for one in json.loads(payload)["created"]
    ]
    assert len(told) == len(set(told)) == RECORDS
    assert site.rows("SELECT count(*) FROM turn") == [(RECORDS,)]
    assert site.rows("PRAGMA integrity_check") == [("ok",)]
    assert site.pull("many")["new"] == 0


def wait_for_a_run(site: Site) -> None:
    until = time.monotonic() + 60
    while not site.rows("SELECT 1 FROM sync_lane WHERE token IS NOT NULL AND lease_until > '2002'"):
        assert time.monotonic() < until
        time.sleep(0.05)


# --- S3 --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A real S3 server on this machine, with a bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    import boto3

    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="s3cr3t-marker",
    )
    client.create_bucket(Bucket="calls")
    put_objects(client)
    yield client, f"http://{host}:{port}"
    client.close()
    server.stop()


def put_objects(client: Any) -> None:
    """Put down what the tests read, more than one page of a listing: at once, as young objects must wait."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for number in range(1_005):
        backend.put_object("calls", f"in/other/{number}.txt", b"x")
    text = "\n".join(line(f"big{n}", subject="x" * 3_000) for n in range(BIG))
    client.put_object(Bucket="calls", Key="big/all.jsonl", Body=text.encode())
    client.put_object(Bucket="calls", Key="in/a b ü.jsonl", Body="\n".join([line("s1"), line("s2")]).encode())
    client.put_object(
        Bucket="calls",
        Key="in/deep/c.jsonl",
        Body=line("s3", channel="voice", recordings=[{"file": "s3.wav"}]).encode(),
    )
    client.put_object(Bucket="calls", Key="in/deep/s3.wav", Body=b"RIFF sound")


def test_a_bucket_is_read_whole_and_its_recordings_fetched(site: Site, bucket: Any) -> None:
    _client, url = bucket
    site.add(
        "s3",
        "Bucket",
        {"secret_key": "s3cr3t-marker"},
        url=url,
        bucket="calls",
        folder="in/",
        region="us-east-1",
        key_id="AKIDEXAMPLE",
    )
    assert "2 files to read, 1008 in all." in site.run("source", "check", "bucket")
    site_until(site, "bucket", {"A-s1", "A-s2", "A-s3"})
    site.run("jobs", "run", "--until-empty")
    assert ("in/deep/s3.wav".removeprefix("in/"), "kept") in site.rows(
        "SELECT key, state FROM media_reference"
    )


def site_until(site: Site, name: str, ids: set[str]) -> None:
    """Pull until all are there: files younger than five seconds wait for the next run."""
    until = time.monotonic() + 60
    while True:
        site.run("source", "pull", name)
        if ids <= set(site.ids()):
            return
        assert time.monotonic() < until
        time.sleep(1)


def test_a_large_object_is_read_by_ranges_from_where_it_was(site: Site, bucket: Any) -> None:
    _client, url = bucket
    site.add(
        "s3",
        "Big",
        {"secret_key": "s3cr3t-marker"},
        url=url,
        bucket="calls",
        folder="big/",
        region="us-east-1",
        key_id="AKIDEXAMPLE",
    )
    site_until(site, "big", {f"A-big{n}" for n in range(BIG)})
    assert site.rows("SELECT sum(new_count), max(page_count) >= 2 FROM sync_run WHERE source_id = 4") == [
        (BIG, 1)
    ]
