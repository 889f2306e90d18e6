"""The bell that tells the worker of new jobs; what carries it is loaded when it is first rung.

Reading pages rings nothing, and the carrier's libraries take longer to load than all else of a start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from qa.core import jobs
from qa.core.db import Database

log = logging.getLogger(__name__)

CARRIER = "qa.core.transport"
SILENT_SECONDS = 5.0
"""How long nobody rings after a ring failed: a carrier that is away must not slow every request."""


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
                carrier = import_module(CARRIER)
                self._huey = carrier.make_huey(self._queue_url, self._folder)
                self._task = carrier.task_of(self._huey, lambda queue: None)
            return self._task

    def close(self) -> None:
        """Close the connections; the next ring opens new ones."""
        if self._huey is not None:
            import_module(CARRIER).close(self._huey)


def make_bell(queue_url: str, folder: Path) -> Bell:
    """Return ``ring(queue)`` for a site."""
    return Bell(queue_url, folder)


@contextmanager
def ringing_database(url: str, queue_url: str, folder: Path) -> Iterator[Database]:
    """Give a database whose commits ring for the jobs they enqueued; both are closed at the end."""
    with closing(make_bell(queue_url, folder)) as bell, Database(url) as database:
        database.after_commit.append(jobs.ringer(bell))
        yield database
