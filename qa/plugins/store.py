"""What the sync loop asks of the place where records are kept.

Two stores answer to it: the product's, in the database (``qa.interactions``), and the kit's, in
memory (``qa.plugins.testing``). The loop in ``qa.plugins.sync`` is the same for both, so what the
kit proves about a connector holds in production.

The one rule: **a page is one transaction.** Records, rejected records, events and the cursor of a
page are kept together or not at all, and only while the lease is still held. A crash at any
moment therefore loses nothing and doubles nothing: the next run starts at the last kept cursor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from qa.plugins.api import AgentRef, Record, Window

Cursor = Mapping[str, Any]

AGENTS = "agents"
"""The stream under which a connector's people are pulled, with a lease and a cursor of its own."""

LEASE_TTL = timedelta(seconds=60)
RENEW_AFTER = timedelta(seconds=20)


class LeaseLost(Exception):
    """Another run holds the lane now: this one stops at once and keeps nothing more."""


class Lane(StrEnum):
    """The two independent ways through a stream; each has its own lease and cursor."""

    LIVE = "live"
    BACKFILL = "backfill"


class State(StrEnum):
    """How a source is, in the words of the sources page."""

    OK = "ok"
    LIMITED = "limited"
    DEGRADED = "degraded"
    NEEDS_REAUTH = "needs_reauth"
    PAUSED = "paused"


class Stop(StrEnum):
    """Why a run ended."""

    DONE = "done"  # the vendor has no more for now
    MORE = "more"  # the run used its share; go on at once from the kept cursor
    HELD = "held"  # too much waits to be worked on here
    CANCELLED = "cancelled"
    LIMITED = "limited"  # the vendor's quota is used up
    FAILED = "failed"
    LOST = "lost"  # another run took the lease


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to pull one lane of one stream; ``token`` fences every write."""

    source: str
    stream: str
    lane: Lane
    token: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a lane stands: what ``write_page`` and ``finish`` kept last.

    ``window`` is the span of the backfill lane that ``cursor`` belongs to, always None in the live
    lane. ``failures`` counts failing runs in a row, ``is_held`` whether the last
    run stopped because too much was waiting.
    """

    cursor: Cursor | None = None
    cursor_version: int = 1
    window: Window | None = None
    is_finished: bool = False
    failures: int = 0
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sound record and the hash by which the same content is known again."""

    record: Record
    content_hash: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be kept. ``key`` is the hash of ``raw``, which is JSON text.

    The store keeps ``raw`` compressed and encrypted, once per key.
    """

    key: str
    raw: str
    error: str
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class PageWrite:
    """All that one page changes.

    ``records`` holds each external id once (the last one of the page), ``agents`` the people of a page of
    ``Connector.agents`` (run as the stream ``AGENTS``). ``cursor`` and ``window``
    are the lane's new place, ``is_finished`` says that a backfill reached its end. ``moves`` is
    False when place and end stand as they did: then a page whose records are all unchanged must
    write nothing but the lease's time.
    """

    records: Sequence[Prepared]
    rejected: Sequence[Rejected]
    agents: Sequence[AgentRef]
    cursor: Cursor | None
    cursor_version: int
    window: Window | None
    is_finished: bool
    moves: bool


@dataclass(slots=True)
class Counts:
    """What came of records, of a page or of a run."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0

    def add(self, other: Counts) -> None:
        """Take in another page's counts."""
        self.new += other.new
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.deleted += other.deleted
        self.rejected += other.rejected

    @property
    def total(self) -> int:
        """Every record seen."""
        return self.new + self.changed + self.unchanged + self.deleted + self.rejected


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    ``state`` is None when the run says nothing about the source (cancelled, held, lost); ``reason``
    is a sentence for the sources page and ``cure`` what a person can do. ``again_at`` is when to
    run next, None when a person must act first. ``failures`` is the new number in a row.
    """

    stop: Stop
    state: State | None
    again_at: datetime | None
    reason: str = ""
    cure: str = ""
    error: str = ""
    failures: int = 0
    pages: int = 0
    counts: Counts = field(default_factory=Counts)


class Store(Protocol):
    """What the loop needs. Each method that writes is one transaction of its own.

    Times of leases are the store's own (the database's clock where there is one), never passed in.
    """

    def acquire(self, source: str, stream: str, lane: Lane, *, ttl: timedelta) -> Lease | None:
        """Take the lane, or return None while another run holds it; an expired lease is taken over."""

    def renew(self, lease: Lease, *, ttl: timedelta) -> None:
        """Hold the lane longer; raise ``LeaseLost``. Called while a slow page is awaited."""

    def read_progress(self, lease: Lease) -> Progress:
        """Return where the lane stands; a lane never run before is a plain ``Progress()``."""

    def write_page(self, lease: Lease, page: PageWrite, *, ttl: timedelta) -> Counts:
        """Keep a page whole, in ONE transaction, and return what came of its records.

        In it, in this order: check the lease's token (else raise ``LeaseLost``) and renew it; upsert
        each record by (source, external_id), skipping the ones whose content hash is known; keep the
        rejected ones and drop those whose external id has now been accepted; put one event per new,
        changed, deleted or merged record into the outbox (never one for an unchanged record); save
        the cursor.
        """

    def finish(self, lease: Lease, outcome: Outcome) -> bool:
        """Record the run and the source's state, free the lane; return whether the state changed.

        A lease already lost is no error here: nothing is written and False comes back.
        """

    def is_cancelled(self, lease: Lease) -> bool:
        """Tell whether somebody asked this run to stop; asked between pages and once a second."""


class Waiting(Protocol):
    """The backpressure hook: how much of what was pulled still waits to be worked on."""

    def __call__(self) -> tuple[int, int]:
        """Return (records, bytes) waiting."""
