"""The bell: Huey carries a queue's name to the worker and nothing else. A lost ring is harmless."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey import PostgresHuey, RedisHuey, SqliteHuey

log = logging.getLogger(__name__)

TASK = "drain"


def make_huey(queue_url: str, folder: Path) -> Any:
    """Return the carrier: Redis or PostgreSQL where a URL names one, else a SQLite file in ``folder``."""
    if queue_url.startswith("redis"):
        return RedisHuey("candor", url=queue_url, results=False)
    if queue_url.startswith("postgresql"):
        return PostgresHuey("candor", dsn=queue_url.replace("+psycopg", "", 1), results=False)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SqliteHuey("candor", filename=str(folder / "queue.db"), results=False, fsync=False)


def silence(huey: Any) -> None:
    """Forget rings that nobody answered while no worker ran; the sweep finds what they meant."""
    with contextlib.suppress(Exception):  # a border: the carrier may be away for a moment
        huey.storage.flush_queue()


class Bell:
    """Rings a queue; whatever goes wrong with that is found by the worker's sweep."""

    def __init__(self, queue_url: str, folder: Path) -> None:
        self._queue_url, self._folder = queue_url, folder
        self._guard = threading.Lock()
        self._huey: Any = None
        self._task: Any = None

    def __call__(self, queue: str) -> None:
        """Ring; never raises."""
        try:
            self._ready()(queue)
        except Exception as error:  # a border: the row is kept, the ring is a courtesy
            log.warning("the bell is silent", extra={"queue": queue, "error": type(error).__name__})

    def _ready(self) -> Any:
        with self._guard:  # made when first rung: a carrier that is away must not keep the site from starting
            if self._task is None:
                self._huey = make_huey(self._queue_url, self._folder)
                self._task = task_of(self._huey, lambda queue: None)
            return self._task

    def close(self) -> None:
        """Close this thread's connection."""
        if self._huey is not None:
            self._huey.storage.close()


def make_bell(queue_url: str, folder: Path) -> Bell:
    """Return ``ring(queue)`` for a site."""
    return Bell(queue_url, folder)


def task_of(huey: Any, drain: Callable[[str], Any]) -> Any:
    """Register the only Huey task of the product."""

    def rung(queue: str) -> None:
        drain(queue)

    rung.__module__, rung.__qualname__, rung.__name__ = "qa.core.transport", TASK, TASK
    return huey.task(name=TASK)(rung)
