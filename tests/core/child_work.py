"""What children do in tests: answer, spin, die, ignore signals, eat memory, look around."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from qa.core.children import Report


def add(brief: list[int], report: Report) -> int:
    """Add numbers and say how far it is."""
    for number, _ in enumerate(brief, start=1):
        report(number, len(brief), "Adding")
    return sum(brief)


def linger(brief: float, report: Report) -> str:
    """Report, then take that many seconds."""
    report(1, 2, "Half way, “so” to say")
    time.sleep(brief)
    return "done"


def stubborn(brief: str, _report: Report) -> None:
    """Ignore the polite signal, leave a mark, and spin."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(brief).write_text(str(os.getpid()), encoding="ascii")
    while True:
        pass


def die(_brief: Any, _report: Report) -> None:
    """End the process without a word."""
    os._exit(7)


def die_by_signal(_brief: Any, _report: Report) -> None:
    """End as the kernel ends what takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(_brief: Any, _report: Report) -> None:
    """Raise an ordinary error."""
    raise ValueError("that is no number")


def eat(_brief: Any, _report: Report) -> int:
    """Ask for more memory than a child may have."""
    return len(bytearray(8 * 1024**3))


def look_around(_brief: Any, _report: Report) -> dict[str, str]:
    """Return the environment the child sees."""
    return dict(os.environ)


def shout(_brief: Any, report: Report) -> str:
    """Report far more than anybody reads."""
    for number in range(50_000):
        report(number, None, "x" * 90)
    return "done"


def write_mark(brief: dict[str, Any], report: Report) -> dict[str, Any]:
    """Append a line to a file, perhaps slowly: what a job's effect is in these tests."""
    report(0, 1, "Writing")
    time.sleep(brief.get("seconds", 0.0))
    with Path(brief["file"]).open("a", encoding="ascii") as out:
        out.write(f"{brief['number']}\n")
    return {"number": brief["number"]}
