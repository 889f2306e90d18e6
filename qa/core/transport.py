"""What carries the bell: Huey brings a queue's name to the worker and nothing else. A lost ring is harmless.

A carrier that is away costs whoever rings a few seconds at most, and then nothing for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from huey import PostgresHuey, RedisHuey, SqliteHuey

TASK = "drain"
CONNECT_SECONDS = 2
ANSWER_SECONDS = 5


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


def task_of(huey: Any, drain: Callable[[str], Any]) -> Any:
    """Register the only Huey task of the product."""

    def rung(queue: str) -> None:
        drain(queue)

    rung.__module__, rung.__qualname__, rung.__name__ = "qa.core.transport", TASK, TASK
    return huey.task(name=TASK)(rung)
