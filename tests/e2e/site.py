"""A real site for browser tests: the real command in a process of its own, on a free loopback port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

QA = [sys.executable, "-m", "qa.cli"]
START_SECONDS = 60
"""Patience with a machine that has much else to do; a site starts in one or two."""


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Site:
    """One site over one data folder; it can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
        self.env = {**kept, "QA_DATA_DIR": str(folder)}
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> str:
        """Run ``qa`` with these arguments and return what it printed."""
        done = subprocess.run([*QA, *arguments], env=self.env, check=True, capture_output=True, text=True)
        return done.stdout

    def fill(self, *size: str) -> None:
        """Make the database and the demo centre, and look at its recordings."""
        self.command("upgrade")
        self.command("demo", *size)
        self.command("jobs", "run", "--until-empty")

    @property
    def users(self) -> dict[str, dict[str, str]]:
        """Return the demo sign-ins by role."""
        kept = json.loads((self.folder / "demo-users.json").read_text(encoding="utf-8"))
        return {user["role"]: user for user in kept["users"]}

    def start(self) -> None:
        """Serve, and wait until the site answers."""
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*QA, "serve", "--port", str(self.port)], env=self.env, stdout=subprocess.DEVNULL, stderr=log
            )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError((self.folder / "serve.log").read_text(encoding="utf-8")[-2000:])
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=1)
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
            else:
                return
        self.kill()
        raise RuntimeError(f"the site did not answer within {START_SECONDS} seconds")

    def kill(self) -> None:
        """End the site as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the site politely."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)
