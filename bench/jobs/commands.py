"""Commands that must start at once, and scoring line by line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

from bench.measure import Measured, Work, in_turns, speed
from bench.stage import ROOT, Stage, clean, qa

LINES = 5_000
GOOD = {
    "greeting": "y",
    "recording-notice": "y",
    "identity": "y",
    "understood": "fully",
    "kind": "refund",
    "refund-steps": "fully",
    "refund-date": "y",
    "next-step": "y",
    "hold": "both",
    "empathy": "4",
    "interruptions": 0,
    "closing": "y",
    "beyond": "n",
}
"""The first of the ready-made voice form's own tests: everything right, a refund."""

GIVEN = json.dumps({"fields": {"channel": "voice"}, "answers": {"greeting": "y"}})


def process(command: list[str], given: str | Path = "") -> Work:
    """Return a whole process as work; ``given`` is its standard input."""

    def work() -> None:
        if isinstance(given, Path):
            with given.open("rb") as file:
                subprocess.run(command, stdin=file, check=True, capture_output=True, env=clean(), cwd=ROOT)
        else:
            subprocess.run(
                command, input=given.encode(), check=True, capture_output=True, env=clean(), cwd=ROOT
            )

    return work


def memory_mib(command: list[str], given: str = "") -> float:
    """Return the largest resident set of a process, in MiB."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=clean(), cwd=ROOT
    ) as child:
        assert child.stdin is not None
        child.stdin.write(given.encode())
        child.stdin.close()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024


CLICK = [sys.executable, "-c", "import click"]


def form(stage: Stage) -> str:
    """Return the ready-made voice form as a file."""
    file = stage.folder / "form.yaml"
    text = (resources.files("qa.scorecards") / "ready" / "voice-support.yaml").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    return str(file)


def version(_stage: Stage) -> Measured:
    """Time ``qa --version``."""
    return in_turns(process(CLICK), process(qa("--version")))


def help_(_stage: Stage) -> Measured:
    """Time ``qa --help``."""
    return in_turns(process(CLICK), process(qa("--help")))


def help_memory(_stage: Stage) -> Measured:
    """Return what ``qa --help`` takes."""
    return Measured(memory_mib(qa("--help")))


def score(stage: Stage) -> Measured:
    """Time scoring one object on the command line."""
    command = qa("scorecards", "score", form(stage), "--answers", "-")
    return in_turns(process(CLICK), process(command, GIVEN))


def score_memory(stage: Stage) -> Measured:
    """Return what scoring one object takes."""
    return Measured(memory_mib(qa("scorecards", "score", form(stage), "--answers", "-"), GIVEN))


def score_lines(stage: Stage) -> Measured:
    """Return how fast lines are scored beside plain integers that print the same JSON."""
    file = stage.folder / "answers.jsonl"
    one = json.dumps({"fields": {"channel": "voice"}, "answers": GOOD})
    file.write_text(f"{one}\n" * LINES, encoding="utf-8")
    floor = process([sys.executable, "-m", "bench.floors.scoring"], file)
    job = process(qa("scorecards", "score", form(stage), "--answers", "-", "--lines"), file)
    return speed(floor, job, turns=5)
