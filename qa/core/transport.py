"""The bell: Huey carries a queue's name to the worker and nothing else. A lost ring is harmless.

A carrier that is away costs whoever rings a few seconds at most, and then nothing for a while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from huey import PostgresHuey, RedisHuey, SqliteHuey

from qa.core import jobs
from qa.core.db import Database

log = logging.getLogger(__name__)

TASK = "drain"
CONNECT_SECONDS = 2
ANSWER_SECONDS = 5
SILENT_SECONDS = 5.0
"""How long nobody rings after a ring failed: a carrier that is away must not slow every request."""


def make_huey(queue_url: str, folder: Path) -> Any:
    """Return the carrier: Redis or PostgreSQL where a URL names one, else a SQLite file in ``folder``."""
    if queue_url.startswith("redis"):
        limits = f"socket_connect_timeout={CONNECT_SECONDS}&socket_timeout={ANSWER_SECONDS}"
        url = f"{queue_url}{'&' if '?' in queue_url else '?'}{limits}"
        return RedisHuey("candor", url=url, results=False)
    if queue_url.startswith("postgresql"):
        dsn = queue_url.replace("+psycopg", "", 1)
        # libpq's own limits: for the connection, and for a server that stops answering
        patience = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": ANSWER_SECONDS * 1000}
        return PostgresHuey("candor", dsn=dsn, results=False, **patience)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SqliteHuey("candor", filename=str(folder / "queue.db"), results=False, fsync=False)


def close(huey: Any) -> None:
    """Close a carrier's connections."""
    huey.storage.close()
    if isinstance(huey, RedisHuey):
        huey.storage.pool.disconnect()


def silence(huey: Any) -> None:
    """Forget rings that nobody answered while no worker ran; the sweep finds what they meant."""
    with suppress(Exception):  # a border: the carrier may be away for a moment
        huey.storage.flush_queue()


class Bell:
    """Rings a queue; whatever goes wrong with that is found by the worker's sweep."""

    def __init__(self, queue_url: str, folder: Path) -> None:
        self._queue_url, self._folder = queue_url, folder
        self._guard = threading.Lock()
        self._huey: Any = None
        self._task: Any = None
        self._silent_until = 0.0

    def __call__(self, queue: str) -> bool:
        """Ring; never raises. False when the carrier is away."""
        if time.monotonic() < self._silent_until:
            return False
        try:
            self._ready()(queue)
        except Exception as error:  # a border: the row is kept, the ring is a courtesy
            self._silent_until = time.monotonic() + SILENT_SECONDS
            log.warning("the bell is silent", extra={"queue": queue, "error": type(error).__name__})
            return False
        return True

    def _ready(self) -> Any:
        with self._guard:  # made when first rung: a carrier that is away must not keep the site from starting
            if self._task is None:
                self._huey = make_huey(self._queue_url, self._folder)
                self._task = task_of(self._huey, lambda queue: None)
            return self._task

    def close(self) -> None:
        """Close the connections; the next ring opens new ones."""
        if self._huey is not None:
            close(self._huey)


def make_bell(queue_url: str, folder: Path) -> Bell:
    """Return ``ring(queue)`` for a site."""
    return Bell(queue_url, folder)


@contextmanager
def ringing_database(url: str, queue_url: str, folder: Path) -> Iterator[Database]:
    """Give a database whose commits ring for the jobs they enqueued; both are closed at the end."""
    with closing(make_bell(queue_url, folder)) as bell, Database(url) as database:
        database.after_commit.append(jobs.ringer(bell))
        yield database


def task_of(huey: Any, drain: Callable[[str], Any]) -> Any:
    """Register the only Huey task of the product."""

    def rung(queue: str) -> None:
        drain(queue)

    rung.__module__, rung.__qualname__, rung.__name__ = "qa.core.transport", TASK, TASK
    return huey.task(name=TASK)(rung)
