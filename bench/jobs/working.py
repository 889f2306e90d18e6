"""The worker on jobs that do nothing: what is left is claiming and finishing."""

from __future__ import annotations

import sys
from itertools import count

from bench.jobs.commands import process
from bench.measure import Measured, speed
from bench.stage import Stage

JOBS = 1_000


def noop(stage: Stage) -> Measured:
    """Return how fast no-op jobs are done beside two plain commits each; both start a process."""
    numbers, site = count(), stage.empty("noop")

    def floor() -> None:
        file = stage.folder / f"claim-{next(numbers)}.db"
        process([sys.executable, "-m", "bench.floors.claiming", str(file), str(JOBS)])()

    return speed(
        floor,
        lambda: site.command("jobs", "run", "--until-empty"),
        turns=5,
        before=lambda: site.command("jobs", "enqueue", "noop", "--count", str(JOBS)),
    )
