"""Looks over the connector's shoulder in a check's process: sockets, sleeping, other processes, output, logs.

Audit hooks cannot be taken away again, which is right for a process that lives for one check.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from qa.plugins.testing.laws import is_theirs, place_now

SOCKETS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind")
PROCESSES = ("subprocess.Popen", "os.system", "os.fork", "os.exec", "os.posix_spawn", "os.spawn")


class Bypassed(BaseException):
    """The connector went round ``ctx``; no ``except Exception`` hides it."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(what)
        self.what, self.where = what, where


class Watch:
    """What the connector did besides its work."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder`` is where benches put their files; the system's, when there is none."""
        self.folder = folder
        self.bypassed: list[Bypassed] = []
        self.lines: list[str] = []
        self.places: list[str] = []
        self.read: Callable[[], str] = str
        self._is_on = False

    def hear(self, event: str, _arguments: tuple[Any, ...]) -> None:
        """Take an audit event of the interpreter; raise ``Bypassed`` for what is not allowed."""
        if event in SOCKETS:
            self._refuse("opened a connection of its own")
        elif event in PROCESSES:
            self._refuse("started another process")

    def _refuse(self, what: str) -> None:
        if not self._is_on:
            return
        self._is_on = False
        found = Bypassed(what, place_now())
        self.bypassed.append(found)
        self._is_on = True
        raise found

    def _take_sleep_away(self) -> None:
        """Let ``time.sleep`` be refused, also where a module of the author's took it by name."""
        real = time.sleep

        def refused(seconds: Any) -> None:
            self._refuse(f"slept by itself for {seconds} s")

        time.sleep = refused
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if file and is_theirs(Path(file)):
                for name in [name for name, value in vars(module).items() if value is real]:
                    setattr(module, name, refused)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Watch inside the block: refuse by-passes, collect every log line and all output."""
        sys.addaudithook(self.hear)
        self._take_sleep_away()
        collector = _Collector(self)
        root = logging.getLogger()
        level = root.level
        root.addHandler(collector)
        root.setLevel(logging.DEBUG)
        with _collected_output() as self.read:
            self._is_on = True
            try:
                yield
            finally:
                self._is_on = False
                root.removeHandler(collector)
                root.setLevel(level)


class _Collector(logging.Handler):
    """Keeps whole lines (words, extra values, traceback) and the author's line behind each."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.DEBUG)
        self._watch = watch
        self._known = set(vars(logging.makeLogRecord({})))

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in vars(record).items() if name not in self._known}
        self._watch.lines.append(f"{logging.Formatter().format(record)} {extra or ''}")
        self._watch.places.append(place_now())


@contextmanager
def _collected_output() -> Iterator[Callable[[], str]]:
    """Send all output of this process to a file; give a function that reads it."""
    with tempfile.TemporaryFile() as file, open(os.dup(file.fileno()), "w", buffering=1) as text:
        kept = os.dup(1), os.dup(2)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)

        def read() -> str:
            text.flush()
            file.seek(0)
            return file.read().decode("utf-8", "replace")

        try:
            with redirect_stdout(text), redirect_stderr(text):
                yield read
        finally:
            for number, saved in enumerate(kept, start=1):
                os.dup2(saved, number)
                os.close(saved)
