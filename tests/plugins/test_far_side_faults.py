"""A far side that does everything wrong, against an oracle: what is stored is what lies upstream, exactly.

Each way alone, then random mixtures with the process killed between pages; 200 of them under QA_TORTURE.
"""

from __future__ import annotations

import gzip
import json
import random
import resource
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest

from qa.plugins.store import Outcome, Stop
from qa.plugins.testing.bench import Bench
from qa.plugins.testing.memory import Crash
from qa.plugins.testing.twin import Ask, Reply, Thing
from qa.plugins.testing.wire import Fault, Go, answer_lost, cut, doubled, html, says, times_out
from tests.plugins.kit.good import Desk, DeskTwin
from tests.reliability.scale import TORTURE, times

COUNT = 23
CLEAN = 5
MIXTURES = times(15, 200)
MOST_RUNS = 80
WARM = 10
MEMORY_BYTES = 64 * 1024**2
TOO_LARGE = b" " * 52_000_000
BOMB = gzip.compress(b" " * 80_000_000)


class World:
    """A connector that keeps the laws, its vendor, and what is done to the wire between them."""

    def __init__(self) -> None:
        self.bench = Bench(Desk, DeskTwin)
        self.bench.twin.seed(COUNT)
        self.bench.wire.rule = self._rule
        self.faults: dict[int, Fault] = {}
        self.met = 0
        self.runs = 0
        self.spoilt: set[str] = set()
        self.former: Reply | None = None

    def _rule(self, number: int, _ask: Ask) -> Fault | None:
        fault = self.faults.pop(number, None)
        if fault is None:
            return self._remembering
        self.met += 1
        return fault

    def _remembering(self, _ask: Ask, go: Go) -> Reply:
        self.former = go()
        return self.former

    def drive(self) -> None:
        """Run until all is done: waits as told, does what a person would do, survives crashes."""
        for _ in range(MOST_RUNS):
            self.runs += 1
            self.bench.errors.clear()  # each holds on to the answer that was refused
            try:
                outcome = self.bench.run_once()
            except Crash:
                self.bench.clock.sleep(61)
                continue
            if outcome.stop is Stop.DONE and not self.faults:
                return
            self._wait(outcome)
        raise AssertionError(f"it never gets done: {outcome.stop} {outcome.error or outcome.reason}")

    def _wait(self, outcome: Outcome) -> None:
        wait = 1.0
        if outcome.again_at is not None:
            wait = (outcome.again_at - self.bench.clock.now()).total_seconds()
        self.bench.clock.sleep(max(wait, 1.0))

    def check(self) -> None:
        """Hold what is stored against what lies upstream."""
        stored, upstream = self.bench.stored, self.bench.twin.things
        assert set(stored) <= {thing.id for thing in upstream.values()}, "nothing is invented"
        rejected = {one.external_id for one in self.bench.store.rejected.values()}
        assert rejected <= self.spoilt, "nothing is set aside that was well"
        for thing in upstream.values():
            record = stored.get(thing.id)
            if record is None:
                assert thing.id in rejected, f"{thing.id} is lost"
                continue
            seen = (record.subject, record.updated_at, record.deleted)
            assert seen == (thing.text, thing.updated_at, thing.deleted), thing.id
        self.check_manners()

    def check_manners(self) -> None:
        """Nobody asks before the time the far side named, nor much more often than needed."""
        asked = self.bench.wire.asked
        for one, following in pairwise(asked):
            if one.status == 429:
                assert following.at - one.at >= 1.0
        needed = CLEAN + self.met + self.runs
        assert len(asked) <= needed * 1.2 + 3 * self.met, "three quick tries for each fault at most"


# --- what goes wrong -------------------------------------------------------------

Make = Callable[[World], Fault]


def wrong(change: Callable[[World, dict[str, Any]], None]) -> Make:
    """Let the vendor answer, and change the answer's JSON."""

    def made(world: World) -> Fault:
        def fault(_ask: Ask, go: Go) -> Reply:
            reply = go()
            body = json.loads(reply.body)
            if isinstance(body, dict) and "tickets" in body:
                change(world, body)
            return Reply(reply.status, body, reply.headers)

        return fault

    return made


def _reorder(_world: World, body: dict[str, Any]) -> None:
    body["tickets"].reverse()


def _duplicate(_world: World, body: dict[str, Any]) -> None:
    body["tickets"] *= 2


def _add_fields(_world: World, body: dict[str, Any]) -> None:
    for one in body["tickets"]:
        one |= {"zz": {"deep": [1, None, "é"]}, "constructor": 1}


def _change_types(world: World, body: dict[str, Any]) -> None:
    for one in body["tickets"][:1]:
        world.spoilt.add(str(one["id"]))
        one |= {"opened": 7, "subject": None}


def _move_a_record(world: World, body: dict[str, Any]) -> None:
    world.bench.twin.touch(world.bench.twin.things[3])
    del body


def _delete_a_record(world: World, body: dict[str, Any]) -> None:
    thing: Thing = world.bench.twin.things[5]
    if not thing.deleted:
        world.bench.twin.delete(thing)
    del body


def _repeat(world: World) -> Fault:
    return lambda _ask, go: world.former or go()


def _too_many(wait: Callable[[World], dict[str, str]]) -> Make:
    return lambda world: lambda _ask, _go: Reply(429, {"error": "slow down"}, wait(world))


def _wrong_clock(days: int) -> Make:
    def made(world: World) -> Fault:
        def fault(_ask: Ask, go: Go) -> Reply:
            world.bench.clock.skew = timedelta(days=days)
            return go()

        return fault

    return made


def _crash(world: World) -> Fault:
    moments = ("before", "inside", "after")

    def fault(_ask: Ask, go: Go) -> Reply:
        wanted = moments[len(world.bench.wire.asked) % 3]

        def die(moment: str, _page: int) -> None:
            if moment == wanted:
                world.bench.store.crash_at = lambda _moment, _page: None
                raise Crash

        world.bench.store.crash_at = die
        return go()

    return fault


WAYS: dict[str, Make] = {
    "401": lambda _world: says(401),
    "403": lambda _world: says(403),
    "404": lambda _world: says(404),
    "409": lambda _world: says(409),
    "429 in seconds": _too_many(lambda _world: {"Retry-After": "90"}),
    "429 with a date": _too_many(
        lambda world: {"Retry-After": format_datetime(world.bench.clock.true_now() + timedelta(seconds=90))}
    ),
    "429 at an epoch": _too_many(
        lambda world: {"X-Reset": str(int(world.bench.clock.true_now().timestamp()) + 90)}
    ),
    "429 without a time": _too_many(lambda _world: {}),
    "500": lambda _world: says(500),
    "503": lambda _world: says(503),
    "no answer": lambda _world: times_out,
    "the answer lost": lambda _world: answer_lost,
    "cut": lambda _world: cut,
    "doubled": lambda _world: doubled,
    "HTML for JSON": lambda _world: html,
    "a gzip bomb": lambda _world: (
        lambda _ask, _go: Reply(200, headers={"Content-Encoding": "gzip"}, content=BOMB)
    ),
    "a body too large": lambda _world: lambda _ask, _go: Reply(200, content=TOO_LARGE),
    "a header of 70 kB": lambda _world: (
        lambda _ask, go: Reply(200, headers={"X-Long": "x" * 70_000}, content=go().body)
    ),
    "a page repeated": _repeat,
    "a page reordered": wrong(_reorder),
    "a page duplicated": wrong(_duplicate),
    "a record moved": wrong(_move_a_record),
    "a record deleted": wrong(_delete_a_record),
    "types changed": wrong(_change_types),
    "unknown fields": wrong(_add_fields),
    "a clock a day ahead": _wrong_clock(-1),
    "a clock a day behind": _wrong_clock(1),
    "killed": _crash,
}


@pytest.fixture
def world() -> World:
    """A fresh one."""
    return World()


def test_without_faults_a_run_costs_this_many_calls(world: World) -> None:
    world.drive()
    world.check()
    assert len(world.bench.wire.asked) == CLEAN


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [1, 3, CLEAN] if TORTURE else [3])
def test_one_fault_alone_leaves_what_lies_upstream(world: World, way: str, number: int) -> None:
    world.faults = {number: WAYS[way](world)}
    world.drive()
    assert world.met == 1
    settled(world)
    world.check()


def settled(world: World) -> None:
    """Let the next run bring what changed while the last one was at work."""
    world.bench.clock.skew = timedelta()
    world.bench.clock.sleep(3_600)
    world.drive()


def mixture(seed: int) -> Iterator[tuple[int, str]]:
    """Which faults meet which requests."""
    draw = random.Random(seed)
    ways = list(WAYS)
    for _ in range(draw.randint(2, 6)):
        yield draw.randint(1, 3 * CLEAN), draw.choice(ways)


def test_any_mixture_of_faults_leaves_what_lies_upstream() -> None:
    before = 0
    for seed in range(MIXTURES):
        if seed == WARM:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        world = World()
        chosen = dict(mixture(seed))
        world.faults = {number: WAYS[way](world) for number, way in chosen.items()}
        try:
            world.drive()
            settled(world)
            world.check()
        except AssertionError as error:
            raise AssertionError(f"mixture {seed}: {chosen}: {error}") from error
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(f"{MIXTURES} mixtures, {grown / 1024**2:.0f} MB more than after the first {WARM}")
    if TORTURE:
        assert grown <= MEMORY_BYTES
