"""One call on its way through a plugin's process: asked, watched, answered, or ended in time."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qa.core.children import ChildFailed, Progress, Unwanted
from qa.plugins import wire
from qa.plugins.api import SourceInfo
from qa.plugins.contract import method_of
from qa.plugins.lines import BadLine, Head, json_of
from qa.plugins.masking import Mask
from qa.plugins.process import Ended, Process

log = logging.getLogger("qa.plugin")

SILENT_SECONDS = 30.0
CANCEL_SECONDS = 5.0
STEP_SECONDS = 1.0
LOOK_SECONDS = 0.5
SIDE_LINES = 5_000
ENDS = frozenset({"done", "error", "fault"})

IsWanted = Callable[[Progress | None], bool]


class PluginFailed(ChildFailed):
    """A call did not end well, and that is the plugin's fault; the message says what happened."""

    def __init__(self, plugin: str, how: str, reason: str, detail: str = "") -> None:
        super().__init__(f"{plugin}: {reason}")
        self.plugin, self.how, self.reason, self.detail = plugin, how, reason, detail


@dataclass(frozen=True, slots=True)
class Work:
    """One call: which method of which class (or which event hook, kind ``hook``), with what.

    ``folder`` is where the plugin may write and where ``fetch_media`` leaves the file ``media``; without one
    it gets its own and loses it. Calls with one ``hold`` (see ``Host.holding``) reach one object.
    """

    kind: str
    key: str
    method: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    deadline_seconds: float = 60.0
    source: SourceInfo = field(default_factory=SourceInfo)
    state: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    base_url: str = ""
    hold: str = ""


@dataclass(slots=True)
class Outcome:
    """What a call gave, and what it took."""

    value: Any = None
    seconds: float = 0.0
    traffic: Mapping[str, Any] = field(default_factory=dict)


def always(_progress: Progress | None) -> bool:
    """Want it to the end."""
    return True


def printable(tail: bytes) -> str:
    """Return what a process printed as text that is safe to show."""
    letters = tail.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() or letter == "\n" else "·" for letter in letters)


class Call:
    """One call on its way through a process."""

    def __init__(
        self,
        process: Process,
        plugin: str,
        number: int,
        work: Work,
        is_wanted: IsWanted,
        find_blob: Callable[[str], bytes | None],
    ) -> None:
        self.process, self.plugin, self.number, self.work = process, plugin, number, work
        self.is_wanted, self.find_blob = is_wanted, find_blob
        self.mask = Mask(work.secrets.values())
        self.progress: Progress | None = None
        self.side_lines = 0
        self.heard_at = self.looked_at = time.monotonic()
        self.unwanted_at: float | None = None
        self.is_over = False
        """Whether the process is free for the next call; it is not after a fault of the process itself."""

    def run(self, folder: Path, outcome: Outcome) -> Iterator[Any]:
        """Yield answers, None while it works; raise what the call ends with."""
        self.process.printed = 0
        try:
            self._ask(folder)
            yield from self._answers(folder, outcome)
        except Ended as ended:
            tail = self.mask.text(printable(self.process.tail))
            raise PluginFailed(self.plugin, ended.how, str(ended), tail) from ended
        except (BadLine, wire.NotOfThisShape, KeyError, TypeError, ValueError) as error:
            self.is_over = False
            raise PluginFailed(self.plugin, "protocol", f"It answered wrongly: {error}") from error

    def _ask(self, folder: Path) -> None:
        work = self.work
        if work.kind == "form":
            body = wire.encode(dict(work.arguments), dict[str, Any])
        else:
            body = wire.encode(dict(work.arguments), method_of(work.kind, work.method).given)
        head: Head = {
            "id": self.number,
            "is": "call",
            "kind": work.kind,
            "key": work.key,
            "method": work.method,
            "config": dict(work.config),
            "secrets": dict(work.secrets),
            "state": dict(work.state),
            "source": asdict(work.source),
            "folder": str(folder),
            "base_url": work.base_url,
            "hold": work.hold,
        }
        self.process.send(head, body)

    def _answers(self, folder: Path, outcome: Outcome) -> Iterator[Any]:
        deadline = time.monotonic() + self.work.deadline_seconds
        yielded_at = time.monotonic()
        while True:
            line = self.process.receive(min(LOOK_SECONDS, max(deadline - time.monotonic(), 0.0)))
            now = time.monotonic()
            if line is None:
                self._check(now, deadline)
                if now - yielded_at >= STEP_SECONDS:
                    yielded_at = now
                    yield None
                continue
            self.heard_at = now
            head, body = line
            if head.get("id") != self.number:
                continue  # what a call before this one still had to say
            kind = head["is"]
            if kind == "item":
                yield from self._handed_out(body)
                # the host's own work on a page does not count against the plugin
                deadline += time.monotonic() - now
                self.heard_at = yielded_at = time.monotonic()
            elif kind in ENDS:
                self._finish(kind, body, outcome)
                return
            else:
                self._aside(kind, body, folder)
            self._check(now, deadline)

    def _check(self, now: float, deadline: float) -> None:
        """Raise ``Ended`` or ``Unwanted`` when the call must not go on."""
        if now >= deadline:
            raise Ended("deadline", f"Stopped after {self.work.deadline_seconds:.0f} s, its time limit.")
        if now - self.heard_at > SILENT_SECONDS:
            raise Ended("silent", f"It gave no sign of life for {SILENT_SECONDS:.0f} s.")
        if self.unwanted_at is not None:
            if now - self.unwanted_at > CANCEL_SECONDS:
                raise Unwanted
            return
        if now - self.looked_at >= LOOK_SECONDS:
            self.looked_at = now
            if not self.is_wanted(self.progress):
                self.unwanted_at = now
                self.process.send({"id": self.number, "is": "cancel"})

    def _handed_out(self, body: bytes) -> Iterator[Any]:
        """Yield one item; let the plugin go on afterwards, or put it away when nobody wants more."""
        try:
            yield wire.decode(body, method_of(self.work.kind, self.work.method).answer)
        except GeneratorExit:
            self.process.send({"id": self.number, "is": "stop"})
            until = time.monotonic() + CANCEL_SECONDS
            with contextlib.suppress(Ended):
                while not self.is_over and time.monotonic() < until:
                    line = self.process.receive(LOOK_SECONDS)
                    head = {} if line is None else line[0]
                    self.is_over = head.get("id") == self.number and head["is"] in ENDS
            raise
        self.process.send({"id": self.number, "is": "next"})

    def _finish(self, kind: str, body: bytes, outcome: Outcome) -> None:
        self.is_over = kind != "fault" or json_of(body).get("how") in {"raised", "shape"}
        if self.unwanted_at is not None:
            raise Unwanted
        if kind == "done":
            outcome.value, outcome.traffic = self._value(body)
            return
        facts = json_of(body)
        if kind == "error":
            raise wire.decode_error(facts)
        how, reason = str(facts.get("how", "raised")), str(facts.get("reason", ""))
        trace = self.mask.text(str(facts.get("trace", "")))
        raise PluginFailed(self.plugin, how, self.mask.text(reason), trace)

    def _value(self, body: bytes) -> tuple[Any, Mapping[str, Any]]:
        prefix, middle = b'{"traffic":', b',"value":'
        place = body.find(middle)
        if not body.startswith(prefix) or place < 0 or not body.endswith(b"}"):
            raise BadLine("no answer")
        traffic, value = json_of(body[len(prefix) : place]), body[place + len(middle) : -1]
        words = value.decode("utf-8", "replace")
        if self.work.kind != "form" and self.mask.finds(words):
            value = self.mask.text(words).encode()  # whatever it answers may be shown or kept
        if self.work.kind == "form":
            return json_of(value), traffic
        method = method_of(self.work.kind, self.work.method)
        return (None if method.streams else wire.decode(value, method.answer)), traffic

    def _aside(self, kind: str, body: bytes, folder: Path) -> None:
        """Take what a plugin says beside its answer: signs of life, progress, log lines, a wish."""
        self.side_lines += 1
        if self.side_lines > SIDE_LINES:
            raise Ended("output", "It sent too many lines beside its answer.")
        if kind == "progress":
            done, total, message = json_of(body)
            total = None if total is None else round(float(total))
            self.progress = Progress(round(float(done)), total, self.mask.text(str(message))[:100])
        elif kind == "log":
            level, name, words = map(str, json_of(body))
            number = logging.getLevelNamesMapping().get(level, logging.INFO)
            facts = {"plugin": self.plugin, "logger_name": name[:100]}
            log.log(number, "%s", self.mask.text(words), extra=facts)
        elif kind == "blob":
            found, place = self.find_blob(str(json_of(body))), None
            if found is not None:
                place = str(folder / "asked-for")
                Path(place).write_bytes(found)
            self.process.send({"id": self.number, "is": "blob"}, wire.encode(place, str | None))
