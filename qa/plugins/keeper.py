"""The process between the worker and a plugin: it outlives neither and leaves nothing behind.

It forks the plugin's process, adopts whatever that one starts, however far it runs away, and kills all
of it when the plugin ends, when the worker says so, or when the worker is gone. It loads nothing, so it
is small and cannot be hurt by what plugins do to their own process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GIVE_UP_SECONDS = 10.0
NICENESS = 10
"""Plugins give way to people's pages, from their first import on."""


def prctl(option: int, value: int) -> None:
    """Ask the kernel, where it is one that can be asked."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def children_of(pid: int) -> list[int]:
    """Return the processes whose parent is ``pid``."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in task.read_text().split()]
    return found


def kill_all(pid: int) -> None:
    """Kill every descendant of ``pid`` and wait until none is left; new ones are stopped before they fork."""
    until = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < until:
        waiting, family = children_of(pid), []
        while waiting:
            one = waiting.pop()
            family.append(one)
            _signal(one, signal.SIGSTOP)
            waiting += children_of(one)
        for one in family:
            _signal(one, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG if family else 0)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def keep(child: int, alive: int, woken: int) -> int:
    """Wait until the plugin's process ends or nobody holds ``alive`` any more; return its wait status."""
    while True:
        ready, _, _ = select.select([alive, woken], [], [])
        if alive in ready:
            kill_all(os.getpid())
            return signal.SIGKILL
        os.read(woken, 512)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == child:
                    kill_all(os.getpid())
                    return status
                if pid == 0:
                    break


def main() -> int:
    """Run as ``python -m qa.plugins.keeper ALIVE IN OUT``; the fork goes on into ``qa.plugins.child``."""
    alive, *channel = map(int, sys.argv[1:])
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    keeper = os.getpid()
    child = os.fork()
    if child:
        for theirs in channel:
            os.close(theirs)  # or their closing it would never be seen
        status = keep(child, alive, read)
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
            os.kill(os.getpid(), -code)
        return code
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for inherited in (alive, read, write):
        os.close(inherited)
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(70)
    os.nice(NICENESS)
    return -1


if __name__ == "__main__":
    ended = main()
    if ended >= 0:
        sys.exit(ended)
    from qa.plugins.child import serve  # in the fork only: the keeper stays small

    serve(*map(int, sys.argv[2:]))
