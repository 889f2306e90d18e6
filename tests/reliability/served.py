"""A served site in a process of its own that can be killed, and people who use it over real connections."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from flask import Flask

from qa.accounts.models import User
from qa.config import Settings
from tests.e2e.site import free_port
from tests.factories import start_session

START_SECONDS = 60.0
ANSWER_SECONDS = 30.0


class Served:
    """`qa serve` on one port; ``kill`` ends it as a power cut would."""

    def __init__(self, settings: Settings, **more: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = Path(settings.data_path) / "serve.log"
        named = {
            f"QA_{name.upper()}": str(settings.values[name])
            for name in ("data_dir", "database_url", "key_file", "queue_url")
        }
        plain = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
        self.environment = {**plain, **named, **more}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Serve; return after how many seconds the first page was answered."""
        begun = time.monotonic()
        command = [sys.executable, "-m", "qa.cli", "serve", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        while time.monotonic() - begun < START_SECONDS:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-2_000:]
            try:
                if httpx.get(f"{self.url}/sign-in", timeout=START_SECONDS).status_code == 200:
                    return time.monotonic() - begun
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError("the site does not answer")

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        self.send(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self.send(signal.SIGTERM)

    def send(self, sign: signal.Signals) -> int | None:
        """Send a signal and wait for the end; return the exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sign)
        return self.process.wait(timeout=60)


class Browser:
    """A person's browser without scripts: a cookie, a token, and one key for each thing done."""

    def __init__(self, url: str, cookie: tuple[str, str]) -> None:
        cookies = httpx.Cookies()
        cookies.set(*cookie, domain="127.0.0.1")  # else the one the site sends comes beside it
        self.http = httpx.Client(base_url=url, cookies=cookies, timeout=ANSWER_SECONDS, trust_env=False)
        self.token = ""

    def look(self, path: str) -> httpx.Response:
        """Get a page, and remember its token."""
        answer = self.http.get(path)
        if found := re.search(r'name="csrf" content="([^"]+)"', answer.text):
            self.token = found.group(1)
        return answer

    def send(self, path: str, form: dict[str, Any]) -> httpx.Response:
        """Post a form."""
        return self.http.post(path, data={"csrf_token": self.token, **form})

    def save(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Save a draft as the workspace does."""
        return self.http.put(path, json=body, headers={"X-CSRF": self.token, "Accept": "application/json"})

    def close(self) -> None:
        """Close the connections."""
        self.http.close()


def cookie_of(app: Flask, user: User) -> tuple[str, str]:
    """Sign somebody in and return the cookie that says so."""
    with app.test_client() as client:
        start_session(app, client, user)
        name = app.config["SESSION_COOKIE_NAME"]
        kept = client.get_cookie(name)
        assert kept is not None
        return name, kept.value
