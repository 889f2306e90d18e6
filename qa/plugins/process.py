"""A plugin's process as the host sees it: started bare, spoken to in lines, killed with all its kin."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from qa.core.children import ENVIRONMENT
from qa.plugins.discovery import Candidate
from qa.plugins.lines import LINE_BYTES, BadLine, Head, line_of, parts_of

START_SECONDS = 20.0
KILL_SECONDS = 12.0
TAIL_BYTES = 4_096
OUTPUT_BYTES = 8 * 1024**2
PIECE = 262_144
QUIRKS = {"MALLOC_ARENA_MAX": "2"}
"""The memory limit counts addresses; without this each thread would take 64 MB of them."""


class Ended(Exception):
    """The process is gone, or must go; ``how`` is a word, the message a sentence."""

    def __init__(self, how: str, reason: str) -> None:
        super().__init__(reason)
        self.how = how


class Process:
    """One process with one plugin in it. Used by one thread at a time."""

    def __init__(
        self, candidate: Candidate, folder: Path, *, private_networks: tuple[str, ...], memory_mb: int | None
    ) -> None:
        """Start it in ``folder``; it loads the plugin while the caller goes on."""
        self.pid = 0
        self.calls_done = 0
        self.tail = b""
        self.printed = 0
        self._ending = threading.Lock()
        self._lines: list[bytes] = []
        self._held = bytearray()
        self._unsent = bytearray()
        theirs_alive, self._alive = os.pipe()
        theirs_in, self._writes = os.pipe()
        self._reads, theirs_out = os.pipe()
        self._printed, theirs_print = os.pipe()
        given = (theirs_alive, theirs_in, theirs_out)
        command = [sys.executable, "-P", "-m", "qa.plugins.keeper", *map(str, given)]
        try:
            self._keeper = subprocess.Popen(  # noqa: S603  our own program, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=theirs_print,
                stderr=theirs_print,
                pass_fds=given,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if name in ENVIRONMENT} | QUIRKS,
                cwd=folder,
            )
        finally:
            for end in (*given, theirs_print):
                os.close(end)
        for end in (self._writes, self._reads, self._printed):
            os.set_blocking(end, False)
        facts = {
            "candidate": asdict(candidate) | {"fault": None},
            "private_networks": list(private_networks),
            "memory_mb": memory_mb,
        }
        self.send({"id": 0, "is": "hello"}, json.dumps(facts).encode())

    def send(self, head: Head, body: bytes = b"null") -> None:
        """Put a line on its way; it goes out while ``receive`` waits."""
        self._unsent += line_of(head, body)

    def receive(self, timeout: float) -> tuple[Head, bytes] | None:
        """Return the next line, None when none came in time; raise ``Ended``."""
        until = time.monotonic() + timeout
        while not self._lines:
            left = until - time.monotonic()
            if not self._pump(max(left, 0.0)) and left <= 0:
                return None
        try:
            return parts_of(self._lines.pop(0))
        except BadLine as error:
            raise Ended("protocol", "It wrote into the channel of the host.") from error

    def _pump(self, seconds: float) -> bool:
        """Move bytes in all directions once; return whether any moved."""
        poll = select.poll()
        poll.register(self._reads, select.POLLIN)
        if self._printed >= 0:
            poll.register(self._printed, select.POLLIN)
        if self._unsent:
            poll.register(self._writes, select.POLLOUT)
        ready = {end for end, _ in poll.poll(seconds * 1_000)}
        if self._writes in ready:
            self._write()
        if self._printed in ready:
            self._take_print()
        if self._reads in ready:
            self._read()
        return bool(ready)

    def _write(self) -> None:
        try:
            sent = os.write(self._writes, self._unsent[:PIECE])
        except BlockingIOError:
            return
        except OSError as error:
            raise Ended("died", self._obituary()) from error
        del self._unsent[:sent]

    def _read(self) -> None:
        piece = os.read(self._reads, PIECE)
        if not piece:
            raise Ended("died", self._obituary())
        *lines, held = bytes(self._held + piece).split(b"\n") if b"\n" in piece else [piece]
        if lines:
            self._lines += lines
            self._held = bytearray(held)
        else:
            self._held += held
        if len(self._held) > LINE_BYTES:
            raise Ended("output", "It sent more than 8 MB at once.")

    def _take_print(self) -> None:
        piece = os.read(self._printed, PIECE)
        self.printed += len(piece)
        self.tail = (self.tail + piece)[-TAIL_BYTES:]
        if self.printed > OUTPUT_BYTES:
            raise Ended("output", "It printed more than 8 MB.")
        if not piece:
            os.close(self._printed)
            self._printed = -1

    def _obituary(self) -> str:
        code = self._wait(2.0)
        if code is None:
            return "It closed its channel to the host."
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            return f"Its process was ended by {name}."
        return f"Its process ended by itself (exit code {code})."

    def _wait(self, seconds: float) -> int | None:
        try:
            return self._keeper.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    @property
    def is_alive(self) -> bool:
        """Tell whether it still runs."""
        return self._keeper.poll() is None

    def end(self) -> None:
        """End it and everything it started; return when nothing is left. From any thread, safe to repeat."""
        with self._ending:
            if self._alive >= 0:
                os.close(self._alive)  # the keeper sees it and kills all
                self._alive = -1
        if self._wait(KILL_SECONDS) is None:
            self._keeper.kill()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid or self._keeper.pid, signal.SIGKILL)
            self._keeper.wait()

    def kill(self) -> None:
        """End it and close the channel; only for the thread that uses it."""
        self.end()
        for name in ("_writes", "_reads", "_printed"):
            pipe = getattr(self, name)
            if pipe >= 0:
                os.close(pipe)
                setattr(self, name, -1)
