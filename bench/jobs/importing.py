"""Bringing in JSON Lines of twelve turns each: new, and the same file again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random

from bench.jobs.commands import process
from bench.measure import Measured, speed
from bench.stage import ROOT, Site, Stage, qa

LINES, TURNS, AGENTS = 4_000, 12, 40
BEGAN = datetime(2026, 3, 2, 8, tzinfo=UTC)
WORDS = [
    "please",
    "order",
    "late",
    "number",
    "parcel",
    "thank",
    "you",
    "invoice",
    "wrong",
    "again",
    "when",
    "today",
    "refund",
    "account",
    "moment",
]


def delivery(stage: Stage, lines: int = LINES) -> Path:
    """Return a file of so many conversations; the same each time."""
    file = stage.folder / f"delivery-{lines}.jsonl"
    if not file.exists():
        random = Random(7)
        with file.open("w", encoding="utf-8") as out:
            for number in range(lines):
                out.write(json.dumps(conversation(random, number)) + "\n")
    return file


def conversation(random: Random, number: int) -> dict[str, object]:
    """Return one conversation as people deliver it."""
    turns = [
        {
            "speaker": ("agent", "customer")[place % 2],
            "start": place * 6.5,
            "end": place * 6.5 + 5.0,
            "text": " ".join(random.choices(WORDS, k=18)),
        }
        for place in range(TURNS)
    ]
    agent = number % AGENTS
    return {
        "external_id": f"B-{number}",
        "channel": "voice",
        "started_at": (BEGAN + timedelta(seconds=61 * number)).isoformat(),
        "subject": "Charged twice",
        "agents": [{"email": f"agent{agent}@bench.example", "name": f"Agent {agent}"}],
        "customer": {"reference": f"C-{number % 977}"},
        "turns": turns,
        "kpis": {"talk_seconds": 78, "csat": {"score": 4, "max": 5}},
        "fields": {"plan": "large"},
        "tags": ["refund"],
    }


class Sites:
    """Fresh data folders, one for each call."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._numbers = count()
        self.present: Site | None = None

    def renew(self) -> None:
        """Take the former one away and make the next."""
        if self.present is not None:
            shutil.rmtree(self.present.folder)
        self.present = self._stage.empty(f"import-{next(self._numbers)}")

    def take_in(self, file: Path) -> None:
        """Import the file into the present one."""
        assert self.present is not None
        self.present.command("import", str(file), "--create-agents")


def jsonl(stage: Stage) -> Measured:
    """Return how fast new conversations come in beside parsing and upserting."""
    file, sites, numbers = delivery(stage), Sites(stage), count()

    def floor() -> None:
        target = stage.folder / f"plain-{next(numbers)}.db"
        process([sys.executable, "-m", "bench.floors.importing", str(file), str(target)])()
        target.unlink()

    return speed(floor, lambda: sites.take_in(file), turns=5, before=sites.renew)


def jsonl_again(stage: Stage) -> Measured:
    """Return how fast a file that changes nothing is read beside the floor reading it again."""
    file, sites, target = delivery(stage), Sites(stage), stage.folder / "plain-again.db"
    floor = process([sys.executable, "-m", "bench.floors.importing", str(file), str(target)])
    floor()
    sites.renew()
    sites.take_in(file)
    return speed(floor, lambda: sites.take_in(file), turns=5)


def jsonl_memory(stage: Stage) -> Measured:
    """Return the largest resident set of an import, in MiB."""
    site = stage.empty("import-memory")
    command = qa("import", str(delivery(stage)), "--create-agents")
    with subprocess.Popen(
        command, env=site.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return Measured(usage.ru_maxrss / 1024)
