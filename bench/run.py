"""``make bench``: each bar as a ratio to its floor, timed in turns in the same run.

A bar that is missed is printed as FAIL and ends the command with code 1; what is not measured yet
is not listed as passed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path

ROUNDS = 7
LINES = 2_000


@dataclass(frozen=True, slots=True)
class Bar:
    """A job, its floor, and how many times the floor's time it may take."""

    name: str
    job: Callable[[], None]
    floor: Callable[[], None]
    must: float


def timed(work: Callable[[], None]) -> float:
    """Return the seconds of one turn."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(bar: Bar) -> dict[str, object]:
    """Return the ratio of the least job to the least floor, and every sample."""
    floors, jobs = [], []
    for _ in range(ROUNDS):
        floors.append(timed(bar.floor))
        jobs.append(timed(bar.job))
    ratio = min(jobs) / min(floors)
    return {
        "name": bar.name,
        "ratio": ratio,
        "must": bar.must,
        "passed": ratio <= bar.must,
        "floor": floors,
        "job": jobs,
    }


def command(*arguments: str, given: str = "") -> Callable[[], None]:
    """Return a whole process as work."""

    def run() -> None:
        subprocess.run([sys.executable, *arguments], input=given, text=True, check=True, capture_output=True)

    return run


def bars(folder: Path) -> list[Bar]:
    """Return what is measured today."""
    form = folder / "form.yaml"
    ready = resources.files("qa.scorecards") / "ready" / "voice-support.yaml"
    form.write_text(ready.read_text(encoding="utf-8"), encoding="utf-8")
    one = json.dumps({"fields": {"channel": "voice"}, "answers": {"greeting": "y"}})
    lines = "\n".join([one] * LINES)
    weights = [40, 20, 20, 20, 10, 30, 50, 10, 5, 5, 5, 5, 5]

    def plain_integers() -> None:
        for line in lines.splitlines():
            json.loads(line)
            above = sum(weight * (place % 3) * 6 for place, weight in enumerate(weights))
            total = Fraction(above * 100, 12 * sum(weights))
            shown = {str(place): str(weight) for place, weight in enumerate(weights)}
            json.dumps({"score": str(total), "questions": [shown] * 13})

    floor = command("-c", "import click")
    score = ("-m", "qa.cli", "scorecards", "score", str(form), "--answers", "-")
    return [
        Bar("B1 qa --version", command("-m", "qa.cli", "--version"), floor, 2.0),
        Bar("B1 qa --help", command("-m", "qa.cli", "--help"), floor, 2.0),
        Bar("B2 qa scorecards score", command(*score, given=one), floor, 4.0),
        Bar(f"B19 score {LINES} lines", command(*score, "--lines", given=lines), plain_integers, 1 / 0.3),
    ]


def main() -> None:
    """Measure and print; keep every sample in ``bench/results``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="bars whose name contains this")
    parser.add_argument(
        "--size", default="", help="taken for the data-sized bars, which are not measured yet"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(bar) for bar in bars(Path(folder)) if asked.only in bar.name]
    for one in found:
        word = "pass" if one["passed"] else "FAIL"
        print(f"{one['name']:<28} {one['ratio']:5.2f} x floor   must <= {one['must']:.2f}   {word}")
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    file = results / f"{time.strftime('%Y-%m-%dT%H%M%S')}.json"
    file.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if not all(one["passed"] for one in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
