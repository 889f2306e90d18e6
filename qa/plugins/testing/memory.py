"""The kit's store: the same promises as the product's, in memory, with a place to crash at.

Every write is staged on copies and put in place in one step, as a transaction is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from qa.plugins.api import AgentRef, Record
from qa.plugins.store import (
    Counts,
    Lane,
    Lease,
    LeaseLost,
    Outcome,
    PageWrite,
    Prepared,
    Progress,
    Rejected,
    State,
    Stop,
)
from qa.plugins.sync import Clock

Key = tuple[str, str]
Place = tuple[str, str, Lane]


class Crash(BaseException):
    """The process dies here; no ``except Exception`` of a connector or of the loop survives it."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event in the outbox."""

    change: str
    external_id: str


@dataclass(slots=True)
class _Held:
    token: str
    until: float


class MemoryStore:
    """Keeps records by (source, external id); look at its attributes afterwards.

    ``crash_at`` is called with ``before``, ``inside`` and ``after`` around the commit of each page and
    may raise ``Crash``. ``written`` counts rows written, of whatever kind. With ``keeps_content`` off
    only hashes are kept, for measuring a connector's own memory.
    """

    def __init__(self, clock: Clock, *, keeps_content: bool = True) -> None:
        self.clock = clock
        self.keeps_content = keeps_content
        self.records: dict[Key, Record] = {}
        self.hashes: dict[Key, str] = {}
        self.rejected: dict[str, Rejected] = {}
        self.agents: dict[str, AgentRef] = {}
        self.events: list[Told] = []
        self.progress: dict[Place, Progress] = {}
        self.state: State | None = None
        self.outcomes: list[Outcome] = []
        self.written = 0
        self.pages = 0
        self.cancelled: Callable[[], bool] = lambda: False
        self.crash_at: Callable[[str, int], None] = lambda _moment, _page: None
        self._leases: dict[Place, _Held] = {}
        self._tokens = itertools.count(1)

    def acquire(self, source: str, stream: str, lane: Lane, *, ttl: timedelta) -> Lease | None:
        """See ``Store.acquire``."""
        place, now = (source, stream, lane), self.clock.monotonic()
        held = self._leases.get(place)
        if held is not None and held.until > now:
            return None
        token = str(next(self._tokens))
        self._leases[place] = _Held(token, now + ttl.total_seconds())
        return Lease(source, stream, lane, token)

    def renew(self, lease: Lease, *, ttl: timedelta) -> None:
        """See ``Store.renew``."""
        self._held(lease).until = self.clock.monotonic() + ttl.total_seconds()

    def read_progress(self, lease: Lease) -> Progress:
        """See ``Store.read_progress``."""
        return self.progress.get(_place(lease), Progress())

    def write_page(self, lease: Lease, page: PageWrite, *, ttl: timedelta) -> Counts:
        """See ``Store.write_page``."""
        self.renew(lease, ttl=ttl)
        number = self.pages + 1
        self.crash_at("before", number)
        staged = _Staged(self, lease.source)
        for one in page.records:
            staged.take(one)
        staged.reject(page.rejected)
        staged.meet(page.agents)
        self.crash_at("inside", number)
        staged.put_in_place()
        self.pages = number
        if page.moves:
            kept = self.progress.get(_place(lease), Progress())
            self.progress[_place(lease)] = replace(
                kept,
                cursor=page.cursor,
                cursor_version=page.cursor_version,
                window=page.window,
                is_finished=page.is_finished,
            )
            self.written += 1
        self.crash_at("after", number)
        return staged.counts

    def finish(self, lease: Lease, outcome: Outcome) -> bool:
        """See ``Store.finish``."""
        held = self._leases.get(_place(lease))
        if held is None or held.token != lease.token:
            return False
        del self._leases[_place(lease)]
        kept = self.progress.get(_place(lease), Progress())
        is_held = outcome.stop is Stop.HELD
        self.progress[_place(lease)] = replace(kept, failures=outcome.failures, is_held=is_held)
        self.outcomes.append(outcome)
        changed = outcome.state is not None and outcome.state is not (self.state or State.OK)
        self.state = outcome.state or self.state
        return changed

    def is_cancelled(self, lease: Lease) -> bool:
        """See ``Store.is_cancelled``."""
        return self.cancelled()

    def release_all(self) -> None:
        """Free every lane, as time does after a crash."""
        self._leases.clear()

    def _held(self, lease: Lease) -> _Held:
        held = self._leases.get(_place(lease))
        if held is None or held.token != lease.token:
            raise LeaseLost
        return held


def _place(lease: Lease) -> Place:
    return lease.source, lease.stream, lease.lane


class _Staged:
    """What one page changes, before it is put in place."""

    def __init__(self, store: MemoryStore, source: str) -> None:
        self.store, self.source = store, source
        self.counts = Counts()
        self.good: dict[Key, Prepared] = {}
        self.events: list[Told] = []
        self.bad: dict[str, Rejected] = {}
        self.met: dict[str, AgentRef] = {}

    def take(self, one: Prepared) -> None:
        key = (self.source, one.record.external_id)
        known = self.store.hashes.get(key)
        if known == one.content_hash:
            self.counts.unchanged += 1
            return
        change = "created" if known is None else "updated"
        if one.record.deleted or one.record.merged_into:
            change = "merged" if one.record.merged_into else "deleted"
            self.counts.deleted += 1
        elif known is None:
            self.counts.new += 1
        else:
            self.counts.changed += 1
        self.good[key] = one
        self.events.append(Told(change, one.record.external_id))

    def reject(self, rejected: Iterable[Rejected]) -> None:
        for one in rejected:
            self.counts.rejected += 1
            if one.key not in self.store.rejected:
                self.bad[one.key] = one

    def meet(self, agents: Iterable[AgentRef]) -> None:
        for one in agents:
            if self.store.agents.get(one.external_id) != one:
                self.met[one.external_id] = one

    def put_in_place(self) -> None:
        store = self.store
        for key, one in self.good.items():
            store.hashes[key] = one.content_hash
            if store.keeps_content:
                store.records[key] = one.record
        accepted = {one.record.external_id for one in self.good.values()}
        healed = [mark for mark, one in store.rejected.items() if one.external_id in accepted]
        for mark in healed:
            del store.rejected[mark]
        store.rejected |= self.bad
        store.agents |= self.met
        store.events += self.events
        store.written += 2 * len(self.good) + len(self.bad) + len(self.met) + len(healed)
