"""``make bench``: each bar of ``bars.toml`` as a ratio to its floor, timed in the same run.

A bar that is missed is printed as FAIL and ends the command with code 1. What is not measured is
said so, never passed. ``bench/results`` keeps every sample; ``bench.compare`` sets two files side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from bench.measure import Measured
from bench.stage import SIZES, Stage

FOLDER = Path(__file__).parent
LIBRARIES = ("Flask", "SQLAlchemy", "waitress", "Jinja2", "WTForms", "cryptography", "ruamel.yaml")


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of the table."""

    id: str
    name: str
    aim: float
    most: float | None = None
    least: float | None = None
    size: str = ""
    run: str = ""
    unit: str = ""
    sql: int | None = None
    why: str = ""

    @property
    def must(self) -> str:
        """Return the gate as people read it."""
        return f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}"

    @property
    def wanted(self) -> str:
        """Return the aim as people read it."""
        return f"{'≤' if self.most is not None else '≥'} {self.aim:g}"

    def holds(self, found: Measured) -> bool:
        """Tell whether the gate is kept, statements included."""
        kept = found.value <= self.most if self.most is not None else found.value >= (self.least or 0)
        return kept and (self.sql is None or found.sql is None or found.sql <= self.sql)


def bars() -> list[Bar]:
    """Return the table."""
    table = tomllib.loads((FOLDER / "bars.toml").read_text(encoding="utf-8"))
    return [Bar(**row) for row in table["bar"]]


def chosen(rows: list[Bar], only: str) -> list[Bar]:
    """Return the rows whose id, name or module contains one of the words, all without words."""
    words = only.lower().replace(",", " ").split()
    if not words:
        return rows
    return [
        row
        for row in rows
        if any(word == row.id.lower() or word in f"{row.name} {row.run}".lower() for word in words)
    ]


def measure(row: Bar, stage: Stage) -> Measured:
    """Return what the row's job says."""
    module, _, function = row.run.partition(":")
    found: Measured = getattr(import_module(f"bench.jobs.{module}"), function)(stage)
    return found


def line(row: Bar, found: Measured | None, size: str) -> str:
    """Return one line of the table."""
    label = f"{row.id:<4}{row.name} {row.size.format(size=size)}".rstrip()
    gates = f"must {row.must:<7} aim {row.wanted:<7}"
    if found is None:
        return f"{label:<46} {'':<16} {gates} not measured: {row.why}"
    value = (
        f"{found.value:.2f} {row.unit or '× floor'}" if found.value < 100 else f"{found.value:.0f} {row.unit}"
    )
    details = []
    if found.spread is not None:
        low, high = found.spread
        details.append(f"{low:.2f}–{high:.2f}, n {len(found.samples.job)}")
    if found.sql is not None:
        details.append(f"sql {found.sql}" + (f" ≤ {row.sql}" if row.sql is not None else ""))
    details += [found.note] if found.note else []
    word = "pass" if row.holds(found) else "FAIL"
    return f"{label:<46} {value:<16} {gates} {word}   ({'; '.join(details)})".replace("   ()", "")


def machine() -> dict[str, Any]:
    """Return where this was measured, with what."""

    def said(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER, check=False)
        return done.stdout.strip()

    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "commit": said("git", "rev-parse", "HEAD"),
        "is_changed": bool(said("git", "status", "--porcelain")),
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }


def main() -> None:
    """Measure and print; keep every sample in ``bench/results``."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", default="", help="ids or words of names: ONLY=lists, ONLY=B4,B5")
    parser.add_argument("--size", default="100k", choices=SIZES, help="conversations in the larger instance")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    rows = chosen(bars(), asked.only)
    kept, missed = [], 0
    with Stage(asked.size) as stage:
        for row in rows:
            found = measure(row, stage) if row.run else None
            print(line(row, found, asked.size), flush=True)
            missed += found is not None and not row.holds(found)
            kept.append(
                {
                    "id": row.id,
                    "name": row.name,
                    "size": row.size.format(size=asked.size),
                    "must": row.must,
                    "aim": row.wanted,
                    "unit": row.unit,
                    "passed": None if found is None else row.holds(found),
                    **({} if found is None else found.as_data()),
                }
            )
    file = FOLDER / "results" / f"{time.strftime('%Y-%m-%dT%H%M%S')}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"machine": machine(), "size": asked.size, "bars": kept}, indent=1))
    measured = sum(one["passed"] is not None for one in kept)
    print(f"\n{measured} measured, {missed} missed, {len(kept) - measured} not measured: {file}")
    if missed:
        sys.exit(1)


if __name__ == "__main__":
    main()
