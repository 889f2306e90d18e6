"""Killable children: what looks at bytes from outside runs in a process of its own.

A child gets what it needs for one piece of work and nothing else: no settings, no database, no key
but that work's own, an environment without our variables. It is killed at its deadline, when its
work is no longer wanted, and when the worker that started it dies, however it dies.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pkgutil
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from typing import Any

from pebble import ProcessExpired, ProcessPool

from qa.core import logs

LOOK_SECONDS = 0.5
START_SECONDS = 60.0
MEMORY_BYTES = 2 * 1024**3
OPEN_FILES = 256
LINE_BYTES = 4_096  # PIPE_BUF: a shorter write is never mixed with another's
ENVIRONMENT = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV"})


class ChildFailed(Exception):
    """The child was killed at its deadline, or died; the message says which."""


class Unwanted(Exception):
    """The work was stopped because nobody wants it any more."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of work is, in units of its own."""

    done: int
    total: int | None
    message: str


Report = Callable[[int, int | None, str], None]


class Children:
    """Up to ``count`` children, started when first needed and replaced when they die."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPool | None = None
        self._guard = threading.Lock()
        self._tickets = itertools.count(1)
        self._progress: dict[int, Progress | None] = {}
        self._reader, self._writer = get_context("forkserver").Pipe(duplex=False)
        self._listener: threading.Thread | None = None

    def run(
        self,
        work: str,
        brief: Any,
        *,
        deadline_seconds: float,
        is_wanted: Callable[[Progress | None], bool] = lambda _progress: True,
    ) -> Any:
        """Call ``work`` (``package.module:function``) with ``brief`` in a child and return its answer.

        The function also gets a callable to report progress. ``is_wanted`` is asked twice a second
        with the newest progress. Raises ``ChildFailed``, ``Unwanted``, or what the function raised.
        """
        ticket = next(self._tickets)
        self._progress[ticket] = None
        future = self._scheduled(work, brief, ticket, deadline_seconds)
        started = time.monotonic()
        try:
            while not wait([future], timeout=LOOK_SECONDS).done:
                if not is_wanted(self._progress.get(ticket)):
                    future.cancel()
                    raise Unwanted
                if not future.running() and time.monotonic() - started > START_SECONDS:
                    self._drop_pool()
                    raise ChildFailed("No child process would start.")
            return future.result()
        except TimeoutError:
            raise ChildFailed(f"Stopped after {deadline_seconds:.0f} s, its time limit.") from None
        except ProcessExpired as error:
            raise ChildFailed(f"The child process died ({_died_of(error.exitcode)}).") from None
        except (BrokenProcessPool, CancelledError):
            self._drop_pool()
            raise ChildFailed("The child process died.") from None
        finally:
            self._progress.pop(ticket, None)

    def _scheduled(self, work: str, brief: Any, ticket: int, deadline_seconds: float) -> Any:
        with self._guard:
            if self._pool is None or not self._pool.active:
                # an idle child that is killed from outside breaks the whole pool
                self._pool = ProcessPool(
                    max_workers=self._count,
                    max_tasks=200,
                    context=get_context("forkserver"),
                    initializer=begin_child,
                    initargs=(self._writer,),
                )
                self._listen()
            return self._pool.schedule(call, args=(work, brief, ticket), timeout=deadline_seconds)

    def _drop_pool(self) -> None:
        with self._guard:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join(timeout=5)

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = threading.Thread(target=self._hear, daemon=True, name="children's progress")
            self._listener.start()

    def _hear(self) -> None:
        """Read what the children report, a line each."""
        held = b""
        while heard := os.read(self._reader.fileno(), 65_536):
            *lines, held = (held + heard).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError, TypeError):
                    ticket, done, total, message = json.loads(line)
                    if ticket in self._progress:
                        self._progress[ticket] = Progress(done, total, message)
        self._reader.close()

    def close(self) -> None:
        """Kill the children."""
        self._drop_pool()
        self._writer.close()
        if self._listener is None:
            self._reader.close()


def _died_of(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"


_channel: list[connection.Connection] = []
"""In a child only: the pipe that takes its reports."""


def begin_child(writer: connection.Connection) -> None:
    """Set a new child up: limits, a bare environment, an end when its worker ends."""
    logs.set_up("warning")
    _channel[:] = [writer]
    os.set_blocking(writer.fileno(), False)
    for name in set(os.environ) - ENVIRONMENT:
        del os.environ[name]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(70)


def call(work: str, brief: Any, ticket: int) -> Any:
    """In a child: find the function by its name, so that the worker need not load it, and call it."""

    def report(done: int, total: int | None, message: str = "") -> None:
        line = json.dumps([ticket, done, total, message[:100]]).encode() + b"\n"
        with contextlib.suppress(BlockingIOError):  # nobody reads just now: the next report will do
            if _channel and len(line) <= LINE_BYTES:
                os.write(_channel[0].fileno(), line)

    return pkgutil.resolve_name(work)(brief, report)
