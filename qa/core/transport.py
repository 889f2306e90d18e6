"""The bell: Huey carries a queue's name to the worker and nothing else. A lost ring is harmless."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey import PriorityRedisHuey, SqliteHuey

TASK = "drain"


def make_huey(queue_url: str, folder: Path) -> Any:
    """Return the carrier: Redis where a URL names one, else a SQLite file of its own in ``folder``."""
    if queue_url.startswith("redis"):
        return PriorityRedisHuey("candor", url=queue_url, results=False)
    folder.mkdir(parents=True, exist_ok=True)
    return SqliteHuey("candor", filename=str(folder / "queue.db"), results=False, fsync=False)


def make_bell(queue_url: str, folder: Path) -> Callable[[str], None]:
    """Return ``ring(queue)``; whatever goes wrong with it is found by the worker's sweep."""
    huey = make_huey(queue_url, folder)
    bell = task_of(huey, lambda queue: None)

    def ring(queue: str) -> None:
        try:
            bell(queue)
        except Exception:  # a border: the row is kept, the ring is a courtesy
            return

    return ring


def task_of(huey: Any, drain: Callable[[str], Any]) -> Any:
    """Register the only Huey task of the product."""

    def rung(queue: str) -> None:
        drain(queue)

    rung.__module__, rung.__qualname__, rung.__name__ = "qa.core.transport", TASK, TASK
    return huey.task(name=TASK)(rung)
