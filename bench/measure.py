"""Timing in turns: floor, job, floor, job; the least of each counts, every sample is kept.

A spin loop of fixed work runs beside them. When its slowest turn takes more than twice its median,
the machine was busy with something else, and the whole is measured again, as far as time allows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

TURNS = 7
TRIES = 3
PATIENCE_SECONDS = 20.0
SPIN = 60_000
UNSTEADY = 2.0

Work = Callable[[], Any]


@dataclass(slots=True)
class Samples:
    """Seconds of each turn, and of the spin loop beside it."""

    floor: list[float] = field(default_factory=list)
    job: list[float] = field(default_factory=list)
    spin: list[float] = field(default_factory=list)

    @property
    def is_steady(self) -> bool:
        """Tell whether the machine had time for us throughout."""
        return not self.spin or max(self.spin) <= UNSTEADY * statistics.median(self.spin)


@dataclass(slots=True)
class Measured:
    """What came of one bar: ``value`` is job / floor, or a quantity in the bar's own unit."""

    value: float
    spread: tuple[float, float] | None = None
    samples: Samples = field(default_factory=Samples)
    sql: int | None = None
    note: str = ""

    def as_data(self) -> dict[str, Any]:
        """Return everything for the result file."""
        return asdict(self)


def seconds(work: Work) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _spin() -> None:
    total = 0
    for number in range(SPIN):
        total += number


def in_turns(
    floor: Work, job: Work, *, turns: int = TURNS, calls: int = 1, before: Work | None = None
) -> Measured:
    """Return job / floor, each the least of all turns; a turn is the least of ``calls`` calls.

    ``before`` is called before each call of the job and not timed.
    """

    def prepared() -> float:
        if before is not None:
            before()
        return seconds(job)

    began = time.monotonic()
    for _ in range(TRIES):
        samples = Samples()
        for _ in range(turns):
            samples.spin.append(seconds(_spin))
            samples.floor.append(min(seconds(floor) for _ in range(calls)))
            samples.job.append(min(prepared() for _ in range(calls)))
        if samples.is_steady or time.monotonic() - began > PATIENCE_SECONDS:
            break
    ratios = [job / floor for job, floor in zip(samples.job, samples.floor, strict=True)]
    note = "" if samples.is_steady else "the machine was busy"
    value = min(samples.job) / min(samples.floor)
    return Measured(value, (min(ratios), max(ratios)), samples, note=note)


def speed(floor: Work, job: Work, *, turns: int = TURNS, before: Work | None = None) -> Measured:
    """Return how fast the job is beside the floor doing the same: floor's seconds / job's."""
    slow = in_turns(floor, job, turns=turns, before=before)
    low, high = slow.spread or (slow.value, slow.value)
    return Measured(1 / slow.value, (1 / high, 1 / low), slow.samples, note=slow.note)
