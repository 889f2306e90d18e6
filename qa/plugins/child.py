"""The process in which one plugin runs: takes calls from a pipe, does them, answers on another.

Its own standard output goes elsewhere, so nothing a plugin prints is ever taken for an answer. It ends
when the host's end of the pipe does. ``qa.plugins.keeper`` starts it and kills what it leaves behind.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import resource
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from ipaddress import ip_network
from pathlib import Path
from types import GeneratorType
from typing import Any

from qa.plugins import wire
from qa.plugins.api import Page, PluginError, SourceInfo
from qa.plugins.contract import HOOK, Method, method_of
from qa.plugins.crossing import encode_page
from qa.plugins.ctx import Flag, Given, WorkContext
from qa.plugins.discovery import Candidate
from qa.plugins.lines import Head, json_of, line_of, parts_of
from qa.plugins.loading import Loaded, load, told
from qa.plugins.masking import Mask, MaskingFilter
from qa.plugins.quota import Budget, budget_of
from qa.plugins.reach import Reach
from qa.plugins.settings_form import judge

BEAT_SECONDS = 5.0
TELL_SECONDS = 0.1
LOG_LINES = 1_000
LOG_LENGTH = 2_000
TRACE_LENGTH = 4_000
MEGABYTE = 1024**2
MEMORY_MB = 1_024
OPEN_FILES = 256
FILE_BYTES = 3 * 1024**3
HELD_OBJECTS = 8


class Pipe:
    """The two ends of the channel. Writing is whole lines, from any thread."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._guard = threading.Lock()
        self.calls: queue.SimpleQueue[tuple[Head, bytes]] = queue.SimpleQueue()
        self.flags: dict[int, Flag] = {}

    def send(self, head: Head, body: bytes = b"null") -> None:
        """Send one line."""
        line = memoryview(line_of(head, body))
        with self._guard:
            while line:
                line = line[os.write(self._writes, line) :]

    def hear(self) -> None:
        """Take what the host says until it is gone; then end at once."""
        held = b""
        while heard := self._read():
            *lines, held = (held + heard).split(b"\n")
            for line in lines:
                head, body = parts_of(line)
                if head["is"] == "cancel":
                    self.flags.setdefault(head["id"], Flag()).set()
                else:
                    self.calls.put((head, body))
        os._exit(70)

    def _read(self) -> bytes:
        try:
            return os.read(self._reads, MEGABYTE)
        except OSError:  # the plugin closed it: the host shall see a dead process
            return b""


class LogLines(logging.Handler):
    """Sends log lines to the host: not more than it wants to read."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__()
        self._pipe = pipe
        self.left = LOG_LINES
        self.call_id = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line, while there are any left."""
        if self.left <= 0:
            return
        self.left -= 1
        words = record.getMessage() + (f"\n{record.exc_text}" if record.exc_text else "")
        if not self.left:
            words = "No more lines are taken from this call."
        body = json.dumps([record.levelname, record.name[:100], words[:LOG_LENGTH]]).encode()
        self._pipe.send({"id": self.call_id, "is": "log"}, body)


class Child:
    """One loaded plugin and the calls to it."""

    def __init__(self, pipe: Pipe, loaded: Loaded, reach: Reach) -> None:
        self.pipe, self.loaded, self.reach = pipe, loaded, reach
        self.mask = Mask()
        self.log_lines = LogLines(pipe)
        self.log_lines.addFilter(MaskingFilter(self.mask))
        self.held: dict[str, Any] = {}
        self.budgets: dict[str, Budget] = {}
        self.working_on = 0

    def serve(self) -> None:
        """Do calls until the host is gone."""
        threading.Thread(target=self._beat, daemon=True).start()
        while True:
            head, body = self.pipe.calls.get()
            if head["is"] == "call":
                self.working_on = head["id"]
                try:
                    self._do(head, body)
                finally:
                    self.working_on = 0

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT_SECONDS)
            if number := self.working_on:
                self.pipe.send({"id": number, "is": "beat"})

    def _do(self, head: Head, body: bytes) -> None:
        number = head["id"]
        self.log_lines.left, self.log_lines.call_id = LOG_LINES, number
        flag = self.pipe.flags.setdefault(number, Flag())
        end: tuple[str, bytes]
        try:
            end = "done", self._answer(head, body, flag)
        except PluginError as error:
            end = "error", self._masked(wire.encode_error(error))
        except wire.NotOfThisShape as error:
            end = "fault", self._masked({"how": "shape", "reason": f"It answered wrongly: {error}"})
        except MemoryError:
            end = (
                "fault",
                self._masked({"how": "memory", "reason": "It wanted more memory than it may have."}),
            )
        except BaseException as error:  # a border: whatever a plugin raises is its own
            trace = "".join(traceback.format_exception(error))[-TRACE_LENGTH:]
            end = "fault", self._masked({"how": "raised", "reason": told(error), "trace": trace})
        self.pipe.flags.pop(number, None)
        self.pipe.send({"id": number, "is": end[0]}, end[1])

    def _masked(self, facts: dict[str, Any]) -> bytes:
        return json.dumps(self.mask.value(facts)).encode("utf-8", "backslashreplace")

    def _answer(self, head: Head, body: bytes, flag: Flag) -> bytes:
        if head["kind"] == "form":
            return self._judged(head, body)
        method = method_of(head["kind"], head["method"])
        arguments = wire.decode(body, method.given)
        extension = None if head["kind"] == HOOK else self._object(head)
        context = WorkContext(extension, self._given(head, flag, extension))
        try:
            answer = self._called(head, method, extension, context, arguments)
            if method.streams:
                self._stream(head["id"], method, answer)
                answer = None
            elif isinstance(answer, GeneratorType):
                answer = list(answer)
            value = b"null" if method.streams else wire.encode(answer, method.answer)
        finally:
            context.close()
        traffic = {} if context.client is None else asdict(context.client.traffic)
        return b'{"traffic":' + json.dumps(traffic).encode() + b',"value":' + value + b"}"

    def _called(
        self, head: Head, method: Method, extension: Any, context: WorkContext, arguments: dict[str, Any]
    ) -> Any:
        if head["kind"] == HOOK:
            one = self.loaded.implementations[head["method"]]
            known = {**arguments, "ctx": context}
            one.call(*[known[name] for name in one.arguments])
            return None
        function = getattr(extension, head["method"])
        return function(context, **arguments) if method.takes_context else function(**arguments)

    def _stream(self, number: int, method: Method, answers: Iterator[Any]) -> None:
        answers = iter(answers)
        for answer in answers:
            item = encode_page(answer) if isinstance(answer, Page) else wire.encode(answer, method.answer)
            self.pipe.send({"id": number, "is": "item"}, item)
            head, _ = self.pipe.calls.get()
            if head["is"] != "next":
                if isinstance(answers, GeneratorType):
                    answers.close()
                return

    def _object(self, head: Head) -> Any:
        """Return a new object, or the one that an earlier call of the same hold made."""
        hold = head.get("hold")
        if hold in self.held:
            return self.held[hold]
        made = self.loaded.classes[head["kind"], head["key"]]()
        if hold:
            if len(self.held) >= HELD_OBJECTS:
                self.held.pop(next(iter(self.held)))
            self.held[hold] = made
        return made

    def _given(self, head: Head, flag: Flag, extension: Any) -> Given:
        number, source = head["id"], SourceInfo(**head.get("source", {}))
        for secret in head["secrets"].values():
            self.mask.learn([secret])
        told_at = [0.0]

        def tell(done: float, total: float | None, message: str) -> None:
            if time.monotonic() - told_at[0] >= TELL_SECONDS:
                told_at[0] = time.monotonic()
                body = json.dumps([float(done), total, self.mask.text(str(message))[:200]])
                self.pipe.send({"id": number, "is": "progress"}, body.encode())

        def find_blob(ref: str) -> bytes | None:
            self.pipe.send({"id": number, "is": "blob"}, json.dumps(ref).encode())
            _, answer = self.pipe.calls.get()
            place = json_of(answer)
            return None if place is None else Path(place).read_bytes()

        return Given(
            config=head["config"],
            secrets=head["secrets"],
            folder=Path(head["folder"]),
            log=logging.getLogger(self.loaded.candidate.name),
            mask=self.mask,
            flag=flag,
            reach=self.reach,
            budget=self._budget(source.name, extension),
            base_url=head.get("base_url", ""),
            state=head.get("state", {}),
            source=source,
            tell=tell,
            find_blob=find_blob,
        )

    def _budget(self, source: str, extension: Any) -> Budget | None:
        """Return the budget that all runs of a source in this process share."""
        quota = getattr(extension, "quota", None)
        if quota is None or not quota.rate:
            return None
        if source not in self.budgets:
            made = budget_of(quota, time.monotonic)
            if made is not None:
                self.budgets[source] = made
        return self.budgets.get(source)

    def _judged(self, head: Head, body: bytes) -> bytes:
        given = json_of(body)
        info, place = self.loaded.info, head.get("key", "")
        form = info.settings if info and not place else self.loaded.classes["connector", place].Config
        if form is None:
            raise KeyError("this plugin has no settings")
        judged = asdict(judge(form, given["typed"], frozenset(given["kept"])))
        return b'{"traffic":{},"value":' + json.dumps(judged).encode("utf-8", "backslashreplace") + b"}"


def serve(reads: int, writes: int) -> None:
    """Load the plugin that the first line names, say how that went, and do calls."""
    for number in (reads, writes):
        os.set_inheritable(number, False)
    os.umask(0o077)
    pipe = Pipe(reads, writes)
    threading.Thread(target=pipe.hear, daemon=True).start()
    _, body = pipe.calls.get()
    hello = json_of(body)
    _limit(MEMORY_MB if hello["memory_mb"] is None else hello["memory_mb"])
    api = hello["candidate"].pop("api")
    candidate = Candidate(**hello["candidate"], api=None if api is None else tuple(api))
    loaded = load(candidate)
    if hello["memory_mb"] is None:
        _limit(max([MEMORY_MB, *(int(offer.facts.get("memory_mb", 0)) for offer in loaded.report.offers)]))
    reach = Reach(private=tuple(ip_network(word) for word in hello["private_networks"]))
    child = Child(pipe, loaded, reach)
    logging.basicConfig(level=logging.INFO, handlers=[child.log_lines], force=True)
    report = json.dumps({"pid": os.getpid(), "report": loaded.report.to_json()})
    pipe.send({"id": 0, "is": "ready"}, report.encode("utf-8", "backslashreplace"))
    if loaded.report.is_ok:
        with contextlib.suppress(OSError):
            child.serve()
    sys.exit(0)


def _limit(memory_mb: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb * MEGABYTE, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
