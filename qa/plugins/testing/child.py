"""Runs one check in a process of its own: what hangs, exits or eats memory there hurts nothing here."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from select import select

from qa.plugins.testing.laws import Broken, Check, NotNeeded, message_of, place_of
from qa.plugins.testing.watch import Bypassed, Watch
from qa.plugins.testing.wire import Endless

DEADLINE_SECONDS = 60.0
STACK = "stack.txt"

PASSED, BROKEN, NOT_NEEDED = "passed", "broken", "not needed"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check."""

    name: str
    verdict: str
    message: str
    seconds: float


def run_check(check: Check, work: Callable[[Watch], None], *, deadline: float = DEADLINE_SECONDS) -> Result:
    """Run ``work`` (the check on its bench) in a child process and return what came of it.

    The child is forked: classes that only a test module knows are there, and nothing is imported again.
    """
    folder = Path(tempfile.mkdtemp(prefix="qa-kit-"))
    started = time.perf_counter()
    try:
        said = _in_child(check, work, folder, deadline)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(check.name, said[0], said[1], time.perf_counter() - started)


def _in_child(check: Check, work: Callable[[Watch], None], folder: Path, deadline: float) -> tuple[str, str]:
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _live(check, work, folder, writer, deadline)
    os.close(writer)
    said = _heard(reader, deadline)
    os.close(reader)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if said:
        verdict, message = json.loads(said)
        return verdict, message
    return BROKEN, message_of(check, _died(folder, status, deadline))


def _heard(reader: int, deadline: float) -> bytes:
    """Return all the child says, empty when it died or ran out of time."""
    until, said = time.monotonic() + deadline, b""
    while select([reader], [], [], max(0.0, until - time.monotonic()))[0]:
        some = os.read(reader, 65_536)
        if not some:
            return said
        said += some
    return b""


def _died(folder: Path, status: int, deadline: float) -> Broken:
    stack = folder / STACK
    where = ""
    for line in stack.read_text("utf-8", "replace").splitlines() if stack.exists() else ():
        parts = line.strip().split('"')
        if len(parts) == 3 and "/qa/plugins/" not in parts[1] and "site-packages" not in parts[1]:
            where = f"{Path(parts[1]).name}:{parts[2].split()[2]}"
            break
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return Broken(
            f"The check did not end within {deadline:.0f} s.", where=where, cure="Find the endless loop."
        )
    code = os.waitstatus_to_exitcode(status)
    return Broken(
        f"The process ended by itself (code {code}).",
        where=where,
        cure="Never call sys.exit() or os._exit().",
    )


def _live(check: Check, work: Callable[[Watch], None], folder: Path, writer: int, deadline: float) -> None:
    """The child's whole life; it never returns."""
    code = 1
    try:
        os.setsid()
        with (folder / STACK).open("w") as stack:
            faulthandler.dump_traceback_later(max(deadline - 1, 0.5), file=stack)
            said = _judged(check, work, Watch(folder))
        os.write(writer, json.dumps(said).encode())
        code = 0
    except BaseException:  # the border of the process: nothing may leave it as an exception
        traceback.print_exc()
    finally:
        os._exit(code)


def _judged(check: Check, work: Callable[[Watch], None], watch: Watch) -> tuple[str, str]:
    """Return the verdict and its words."""
    try:
        with watch.on():
            work(watch)
        if watch.bypassed:
            raise watch.bypassed[0]
    except NotNeeded as reason:
        return NOT_NEEDED, str(reason)
    except Broken as broken:
        return BROKEN, message_of(check, broken)
    except Bypassed as one:
        return BROKEN, message_of(check, _round_ctx(one))
    except Endless as error:
        where = place_of(error.__traceback__)
        return BROKEN, message_of(check, Broken("The vendor is asked without end.", where=where))
    except BaseException as error:
        carried = getattr(error, "broken", None)
        if isinstance(carried, Broken):
            return BROKEN, message_of(check, carried)
        where, words = place_of(error.__traceback__), f"{type(error).__name__}: {error}"
        return BROKEN, message_of(check, Broken(f"It raised {words[:400]}", where=where))
    return PASSED, ""


CURES = {
    "slept": "Use ctx.clock.sleep(), or let ctx.http wait.",
    "opened": "Use ctx.http, or ctx.connect() for what is not HTTP.",
    "started": "Do it in this process.",
}


def _round_ctx(one: Bypassed) -> Broken:
    cure = CURES.get(one.what.split()[0], "Go through ctx.")
    return Broken(f"The connector {one.what}.", where=one.where, cure=cure, law=8)
