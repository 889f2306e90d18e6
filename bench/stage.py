"""What a run stands on: instances of the product, served, and the floor beside them.

Instances are made once for each size and program, kept in ``bench/results/instances`` and copied for
each run, so that every run starts from the same bytes. Everything started here is ended here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "bench" / "results" / "instances"
SIZES = {"2k": 2_000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
SMALL = "10k"
AGENTS = 600
PATIENCE_SECONDS = 60.0
MIB = 1024 * 1024


def clean() -> dict[str, str]:
    """Return the environment without anything that configures a site of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("QA_")}


def qa(*arguments: str) -> list[str]:
    """Return the product's command line."""
    return [sys.executable, "-m", "qa.cli", *arguments]


@dataclass(slots=True)
class Server:
    """A process that serves on a loopback port."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def memory_mib(self) -> float:
        """Return the proportional set size of the process and its children."""
        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        return float(sum(one.memory_full_info().pss for one in family)) / MIB

    def stop(self) -> None:
        """End it in good order."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True)
class Site:
    """One data folder of the product: commands on it, and its server."""

    folder: Path
    server: Server | None = None
    more: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment in which commands find this folder."""
        own = {"QA_DATA_DIR": str(self.folder), "QA_SERVER_TIMING": "1", "QA_LOG_LEVEL": "error"}
        return clean() | own | self.more

    def command(self, *arguments: str, accept: tuple[int, ...] = (0,)) -> str:
        """Run a command of the product and return what it printed."""
        done = subprocess.run(qa(*arguments), env=self.environment(), capture_output=True, text=True)
        if done.returncode not in accept:
            raise RuntimeError(
                f"qa {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}"
            )
        return done.stdout

    @property
    def users(self) -> dict[str, dict[str, str]]:
        """Return the demo sign-ins by role."""
        kept = json.loads((self.folder / "demo-users.json").read_text(encoding="utf-8"))
        return {user["role"]: user for user in kept["users"]}

    @property
    def port(self) -> int:
        """Return the port it is served on."""
        assert self.server is not None
        return self.server.port


class Stage:
    """Everything a run needs, made when it is first asked for."""

    def __init__(self, size: str) -> None:
        self.size = size
        self._sites: dict[int, Site] = {}
        self._floors: dict[int, Server] = {}
        self._made: dict[str, Any] = {}

    def __enter__(self) -> Stage:
        self.folder = Path(tempfile.mkdtemp(prefix="candor-bench-"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in [*self._floors.values(), *(site.server for site in self._sites.values())]:
            if server is not None:
                server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def rows(self) -> int:
        """Return how many conversations the larger instance holds."""
        return SIZES[self.size]

    def once(self, name: str, make: Any) -> Any:
        """Return what was made under this name, making it at the first call."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def empty(self, name: str) -> Site:
        """Return a fresh, migrated data folder without anything in it."""
        site = Site(self.folder / name)
        site.folder.mkdir()
        template: Path = self.once("template", self._template)
        shutil.copytree(template, site.folder, dirs_exist_ok=True)
        return site

    def _template(self) -> Path:
        made = Site(self.folder / "template")
        made.folder.mkdir()
        made.command("upgrade")
        return made.folder

    def site(self, rows: int | None = None) -> Site:
        """Return a served demo centre of so many conversations (the small one unless told otherwise)."""
        rows = rows or SIZES[SMALL]
        if rows not in self._sites:
            made = Site(self.folder / f"site-{rows}")
            shutil.copytree(instance(rows), made.folder)
            self._sites[rows] = made
            made.server = serve(qa("serve"), made.folder, made.environment())
        return self._sites[rows]

    def floor(self, rows: int | None = None) -> Server:
        """Return the served floor over a table of so many rows."""
        rows = rows or SIZES[SMALL]
        if rows not in self._floors:
            folder = self.folder / f"floor-{rows}"
            folder.mkdir()
            command = [
                sys.executable,
                "-m",
                "bench.floors.site",
                "--folder",
                str(folder),
                "--rows",
                str(rows),
            ]
            self._floors[rows] = serve(command, folder, clean())
        return self._floors[rows]


def fingerprint() -> str:
    """Return what an instance hangs on: the tables, and the program that fills them."""
    files = [*(ROOT / "migrations" / "versions").glob("*.py"), *(ROOT / "qa" / "demo").rglob("*")]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def instance(rows: int) -> Path:
    """Return the kept instance of this size, making it when there is none for this program."""
    folder = KEPT / f"{rows}-{fingerprint()}"
    if (folder / "demo-users.json").exists():
        return folder
    for old in KEPT.glob(f"{rows}-*"):
        shutil.rmtree(old)
    print(f"making an instance of {rows:,} conversations …", file=sys.stderr, flush=True)
    made = Site(folder.with_suffix(".part"))
    shutil.rmtree(made.folder, ignore_errors=True)
    made.folder.mkdir(parents=True)
    made.command("upgrade")
    judged = min(rows // 20, 2_000)
    sizes = {"interactions": rows, "evaluations": judged, "transcripts": max(judged, 500), "agents": AGENTS}
    made.command("demo", *(word for name, size in sizes.items() for word in (f"--{name}", str(size))))
    made.command("jobs", "run", "--until-empty")
    made.folder.rename(folder)
    return folder


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def serve(command: list[str], folder: Path, environment: dict[str, str], path: str = "/health") -> Server:
    """Start a server on a free port and return it when ``path`` first answers 200."""
    port = free_port()
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env=environment, stdout=subprocess.DEVNULL, stderr=log, cwd=ROOT
        )
    server = Server(process, port, folder)
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                answer.read()
                return server
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.005)
    server.stop()
    raise RuntimeError(f"no answer from {command}: {(folder / 'serve.log').read_text()[-2000:]}")
