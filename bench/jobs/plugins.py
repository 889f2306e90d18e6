"""What plugins cost: the way to their hooks."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.measure import Measured, Samples
from bench.stage import ROOT, Stage, clean

TURNS = 5


def dispatch(_stage: Stage) -> Measured:
    """Return what calling a hook of five plugins costs beside calling the five functions."""
    told = [dispatch_bench() for _ in range(TURNS)]
    samples = Samples([one["direct"] for one in told], [one["dispatched"] for one in told])
    ratios = [one["ratio"] for one in told]
    value = min(samples.job) / min(samples.floor)
    return Measured(value, (min(ratios), max(ratios)), samples)


def dispatch_bench() -> dict[str, Any]:
    """Return seconds of a call, direct and dispatched, timed in turns in one process by our own door."""
    command = [sys.executable, "-m", "qa.plugins.testing", "dispatch-bench"]
    done = subprocess.run(command, env=clean(), cwd=ROOT, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told
