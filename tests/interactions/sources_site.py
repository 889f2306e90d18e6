"""What tests of sources share: a source, records, and a connector that reads a list."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from qa.core import clock
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.interactions.sources.models import Source
from qa.interactions.sources.store import DatabaseStore
from qa.plugins import sync
from qa.plugins.api import BadRecord, Page, Record, Window
from qa.plugins.store import Lane, Outcome
from tests.factories import NOW

KEYS = Keys(b"k" * 32)
Made = Callable[[Any, Window | None], Iterator[Page | None]]


class HostClock:
    """The product's clock as the loop wants it."""

    def now(self) -> datetime:
        """Return the present moment."""
        return clock.now()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


def make_source(session: Session, key: str = "desk", **over: Any) -> Source:
    """A source that nobody has pulled yet."""
    values: dict[str, Any] = {
        "key": key,
        "name": "Ticket system",
        "plugin": "candor-twin",
        "connector": "twin",
        "config": {},
        "created_at": NOW,
    }
    row = Source(**(values | over))
    session.add(row)
    session.flush()
    return row


def record(number: int | str, **over: Any) -> Record:
    """A ticket."""
    values: dict[str, Any] = {"external_id": str(number), "channel": "ticket", "started_at": NOW}
    return Record(**(values | over))


def upstream(records: Sequence[Record | BadRecord], size: int = 2) -> Made:
    """A connector whose cursor is a place in a list."""

    def pages(cursor: Any, _window: Window | None) -> Iterator[Page]:
        at = 0 if cursor is None else cursor["at"]
        while True:
            some = records[at : at + size]
            at += len(some)
            yield Page(some, {"at": at}, done=at >= len(records))
            if at >= len(records):
                return

    return pages


def run(
    database: Database, pages: Made, *, source: str = "desk", lane: Lane = Lane.LIVE, **over: Any
) -> Outcome:
    """Run one lane of a source to its end."""
    pull = sync.Pull(source=source, stream=over.pop("stream", "main"), lane=lane, pages=pages, **over)
    outcome = sync.run(DatabaseStore(database, KEYS, plugin_version="1.0"), pull, clock=HostClock())
    assert outcome is not None
    return outcome
