"""What tests of sources share: a source, records, and a connector that reads a list."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from qa.core import clock
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.extensions.models import Plugin
from qa.interactions.sources.models import Source
from qa.interactions.sources.service import Able
from qa.interactions.sources.store import DatabaseStore
from qa.plugins import sync
from qa.plugins.api import BadRecord, Page, Record, Window
from qa.plugins.calling import IsWanted, Work, always
from qa.plugins.calling import Outcome as CallOutcome
from qa.plugins.discovery import Candidate
from qa.plugins.hosting import Host
from qa.plugins.report import Report
from qa.plugins.settings_form import Judged
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


ABLE = Able(("tickets",), lists_agents=True, fills_in=True, has_webhook=True)


class Twin:
    """The vendor of the twin plugin: a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.says(tickets=[])

    def says(self, **told: Any) -> None:
        """Write what lies upstream."""
        self.file.write_text(json.dumps(told))

    def noted(self, what: str) -> list[str]:
        """Return what the connector left behind: ``hooks``, ``pulls``, ``notes``."""
        file = Path(f"{self.file}.{what}")
        return file.read_text().splitlines() if file.exists() else []


class HostCalls:
    """Calls the one plugin of these tests in its own process, without the site's figures."""

    def __init__(self, host: Host, candidate: Candidate) -> None:
        self.host, self.candidate = host, candidate

    def call(self, database: Database, plugin: str, work: Work, is_wanted: IsWanted = always) -> CallOutcome:
        """Make one call."""
        return self.host.call(self.candidate, work, is_wanted)

    def stream(
        self, database: Database, plugin: str, work: Work, is_wanted: IsWanted = always
    ) -> Iterator[Any]:
        """Yield what a streaming method yields."""
        return self.host.stream(self.candidate, work, is_wanted)

    def judge(
        self, plugin: str, connector: str, typed: Mapping[str, list[str]], kept: frozenset[str]
    ) -> Judged:
        """Let the connector's form judge."""
        return self.host.judge(self.candidate, connector, typed, kept)


def enable(session: Session, candidate: Candidate, report: Report) -> None:
    """Put the plugin on the site, allowed and loaded."""
    session.add(
        Plugin(
            name=candidate.name,
            distribution=candidate.distribution,
            version=report.version,
            fingerprint=candidate.fingerprint,
            is_enabled=True,
            allowed_version=report.version,
            allowed_fingerprint=candidate.fingerprint,
            report=report.to_json(),
            report_of=candidate.fingerprint,
            found_at=NOW,
        )
    )
    session.flush()
