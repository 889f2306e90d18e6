"""The host's side of plugin calls: a long-lived process for each plugin, every call with a deadline.

Whatever a plugin does, a call ends in time, with an answer of the right shape or with ``PluginFailed``
that says whose fault it was. The database is not known here; ``qa.extensions`` keeps settings and figures.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qa.core.children import Unwanted
from qa.plugins import report
from qa.plugins.calling import Call, IsWanted, Outcome, PluginFailed, Work, always, printable
from qa.plugins.discovery import Candidate
from qa.plugins.lines import BadLine, json_of
from qa.plugins.process import START_SECONDS, Ended, Process
from qa.plugins.report import Report
from qa.plugins.settings_form import Judged

RECYCLE_AFTER = 200
IDLE_SECONDS = 600.0
JUDGE_SECONDS = 10.0


class NotLoaded(PluginFailed):
    """The plugin cannot be loaded; ``report`` says why."""

    def __init__(self, told: Report) -> None:
        super().__init__(told.name, "load", told.reason, told.fix)
        self.report = told


class Host:
    """Keeps a process for each plugin that is called; close it at the end."""

    def __init__(
        self,
        folder: Path,
        *,
        private_networks: tuple[str, ...] = (),
        memory_mb: Mapping[str, int] | None = None,
        find_blob: Callable[[str], bytes | None] = lambda _ref: None,
    ) -> None:
        """``folder`` is where plugins work; ``memory_mb`` overrides a plugin's limit."""
        self.folder = folder
        self._private = private_networks
        self._memory = memory_mb or {}
        self._find_blob = find_blob
        self._idle: dict[tuple[str, str], list[tuple[float, Process]]] = {}
        self._busy: set[Process] = set()
        self._held: dict[str, Process] = {}
        self._guard = threading.Lock()
        self._is_closed = False
        self._numbers = iter(range(1, 1 << 62))

    # --- calling -------------------------------------------------------------

    def load(self, candidate: Candidate) -> Report:
        """Load a plugin in a process of its own and return the report; never raises."""
        if candidate.fault is not None:
            fault = candidate.fault
            return Report(candidate.name, fault.step, fault.reason, fault.fix, candidate.version)
        try:
            process, told = self._started(candidate)
        except PluginFailed as failed:
            reason = failed.reason if failed.how == "load" else f"Loading it failed: {failed.reason}"
            if isinstance(failed, NotLoaded):
                return failed.report
            return Report(candidate.name, "import", reason, "Tell its author.", candidate.version)
        self._give_back(candidate, process)
        return told

    def call(self, candidate: Candidate, work: Work, is_wanted: IsWanted = always) -> Outcome:
        """Do one call and return its outcome.

        Raises the plugin's own errors with a meaning, ``PluginFailed`` for everything else that goes
        wrong, and ``Unwanted`` when ``is_wanted`` says so.
        """
        outcome = Outcome()
        for _ in self._run(candidate, work, is_wanted, outcome):
            pass
        return outcome

    def stream(
        self, candidate: Candidate, work: Work, is_wanted: IsWanted = always, outcome: Outcome | None = None
    ) -> Iterator[Any]:
        """Yield what a streaming method yields, None about each second while it is at work.

        The plugin goes on only when the next one is asked for. ``outcome`` gets the figures at the end.
        """
        yield from self._run(candidate, work, is_wanted, outcome or Outcome())

    def judge(
        self, candidate: Candidate, connector: str, typed: Mapping[str, list[str]], kept: frozenset[str]
    ) -> Judged:
        """Let a settings form judge what was typed: the plugin's own, or that of one of its connectors."""
        body = {"typed": {name: list(values) for name, values in typed.items()}, "kept": sorted(kept)}
        work = Work("form", connector, "judge", deadline_seconds=JUDGE_SECONDS, arguments=body)
        return Judged(**self.call(candidate, work).value)

    def _run(self, candidate: Candidate, work: Work, is_wanted: IsWanted, outcome: Outcome) -> Iterator[Any]:
        started = time.monotonic()
        process = self._held.pop(work.hold, None) or self._taken(candidate)
        call = Call(process, candidate.name, next(self._numbers), work, is_wanted, self._find_blob)
        try:
            with self._place(work) as folder:
                yield from call.run(folder, outcome)
        except PluginFailed:
            if self._is_closed:  # it was ended from here, which is not its fault
                raise Unwanted from None
            raise
        finally:
            outcome.seconds = time.monotonic() - started
            if call.is_over and work.hold:
                self._held[work.hold] = process
            elif call.is_over:
                self._give_back(candidate, process)
            else:
                self._end(process)

    @contextmanager
    def holding(self, candidate: Candidate) -> Iterator[str]:
        """Give a ``hold``: calls that carry it reach one object in one process, until the block ends."""
        hold = secrets.token_hex(8)
        try:
            yield hold
        finally:
            process = self._held.pop(hold, None)
            if process is not None:
                self._give_back(candidate, process)

    @contextmanager
    def _place(self, work: Work) -> Iterator[Path]:
        if work.folder is not None:
            yield work.folder
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Path(tempfile.mkdtemp(prefix="work-", dir=self.folder))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    # --- processes -----------------------------------------------------------

    def _taken(self, candidate: Candidate) -> Process:
        key = (candidate.name, candidate.fingerprint)
        with self._guard:
            while self._idle.get(key):
                _, process = self._idle[key].pop()
                if process.is_alive:
                    self._busy.add(process)
                    return process
        process, _ = self._started(candidate)
        return process

    def _started(self, candidate: Candidate) -> tuple[Process, Report]:
        if self._is_closed:
            raise Unwanted
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        process = Process(
            candidate,
            self.folder,
            private_networks=self._private,
            memory_mb=self._memory.get(candidate.name),
        )
        with self._guard:
            self._busy.add(process)
        try:
            told = self._greeted(process, candidate)
        except Ended as ended:
            self._end(process)
            raise PluginFailed(candidate.name, ended.how, str(ended), printable(process.tail)) from ended
        except BaseException:
            self._end(process)
            raise
        if not told.is_ok:
            self._end(process)
            raise NotLoaded(told)
        return process, told

    @staticmethod
    def _greeted(process: Process, candidate: Candidate) -> Report:
        line = process.receive(START_SECONDS)
        if line is None:
            raise Ended("deadline", f"Loading it took more than {START_SECONDS:.0f} s.")
        head, body = line
        try:
            facts = json_of(body)
            told = report.from_json(facts["report"])
            process.pid = int(facts["pid"])
        except (BadLine, KeyError, TypeError, ValueError) as error:
            raise Ended("protocol", "It wrote into the channel of the host.") from error
        if head["is"] != "ready" or told.name != candidate.name:
            raise Ended("protocol", "It wrote into the channel of the host.")
        return told

    def _give_back(self, candidate: Candidate, process: Process) -> None:
        process.calls_done += 1
        key = (candidate.name, candidate.fingerprint)
        with self._guard:
            waits = self._idle.setdefault(key, [])
            keeps = not (self._is_closed or waits or process.calls_done >= RECYCLE_AFTER)
            if keeps:
                waits.append((time.monotonic(), process))
                self._busy.discard(process)
        if not keeps:
            self._end(process)

    def _end(self, process: Process) -> None:
        process.kill()
        with self._guard:
            self._busy.discard(process)

    def tidy(self, *, idle_seconds: float = IDLE_SECONDS) -> int:
        """End processes that nobody called for a while; return how many."""
        old = time.monotonic() - idle_seconds
        ends = []
        with self._guard:
            for key, waits in list(self._idle.items()):
                ends += [process for at, process in waits if at <= old or not process.is_alive]
                self._idle[key] = [one for one in waits if one[1] not in ends]
        for process in ends:
            process.kill()
        return len(ends)

    def close(self) -> None:
        """End all processes, those at work too."""
        self._is_closed = True
        self.tidy(idle_seconds=-1.0)
        with self._guard:
            busy = list(self._busy)
        for process in busy:
            process.end()  # whoever waits for it closes its channel
