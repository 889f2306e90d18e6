"""A connector whose ``check`` misbehaves in the way its settings name."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from wtforms import Form, StringField

from qa.plugins.api import Check, Connector, Page, PluginInfo, Record, SecretField, hookimpl

KEPT: list[bytes] = []
HOUR = 3_600


class Nasty(Exception):
    """An error that cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises(_ctx: Any) -> Any:
    raise RuntimeError("boom")


def raises_base(_ctx: Any) -> Any:
    raise BaseException("boom")


def raises_nasty(_ctx: Any) -> Any:
    raise Nasty


def exits(_ctx: Any) -> Any:
    sys.exit(3)


def interrupts(_ctx: Any) -> Any:
    raise KeyboardInterrupt


def recurses(ctx: Any) -> Any:
    return recurses(ctx)


def leaves(_ctx: Any) -> Any:
    os._exit(3)


def aborts(_ctx: Any) -> Any:
    os.abort()


def crashes(_ctx: Any) -> Any:
    ctypes.string_at(0)


def kills_itself(_ctx: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def stops_itself(_ctx: Any) -> Any:
    os.kill(os.getpid(), signal.SIGSTOP)


def kills_its_parent(_ctx: Any) -> Any:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(HOUR)


def hangs(_ctx: Any) -> Any:
    time.sleep(HOUR)


def spins(_ctx: Any) -> Any:
    while True:
        pass


def holds_the_lock(_ctx: Any) -> Any:
    re.match(r"(a+)+$", "a" * 60 + "b")


def swallows_everything(_ctx: Any) -> Any:
    while True:
        try:
            time.sleep(HOUR)
        except BaseException:
            continue


def ignores_signals(_ctx: Any) -> Any:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(HOUR)


def leaves_the_group(_ctx: Any) -> Any:
    os.setpgid(0, 0) if os.getpgrp() != os.getpid() else None
    subprocess.Popen(["sleep", str(HOUR)], start_new_session=True)
    time.sleep(HOUR)


def forks(_ctx: Any) -> Any:
    if os.fork() == 0:
        time.sleep(HOUR)
    return Check(True)


def forks_many(_ctx: Any) -> Any:
    for _ in range(60):
        if os.fork() == 0:
            time.sleep(HOUR)
    time.sleep(HOUR)


def forks_for_ever(_ctx: Any) -> Any:
    while True:
        if os.fork() == 0:
            time.sleep(0.2)


def daemonises(_ctx: Any) -> Any:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(HOUR)
        os._exit(0)
    os.wait()
    return Check(True)


def spawns(_ctx: Any) -> Any:
    subprocess.Popen(["sleep", str(HOUR)], start_new_session=True)
    return Check(True)


def threads(_ctx: Any) -> Any:
    for _ in range(40):
        threading.Thread(target=time.sleep, args=(HOUR,), daemon=True).start()
    return Check(True)


def leaks(_ctx: Any) -> Any:
    KEPT.append(os.urandom(1_024) * 20_480)
    return Check(True)


def allocates(_ctx: Any) -> Any:
    return Check(True, "x" * (4 * 1024**3))


def opens_files(_ctx: Any) -> Any:
    return [open("/dev/null") for _ in range(900)]


def floods_output(_ctx: Any) -> Any:
    while True:
        sys.stdout.write("noise " * 10_000)


def floods_errors(_ctx: Any) -> Any:
    while True:
        os.write(2, b"noise " * 10_000)


def floods_log(ctx: Any) -> Any:
    for number in range(20_000):
        ctx.log.warning("line %d", number)
    return Check(True)


def floods_progress(ctx: Any) -> Any:
    for number in range(20_000):
        ctx.progress(number, 20_000, "working")
    return Check(True)


def prints(_ctx: Any) -> Any:
    print('{"id": 1, "is": "done"}\t{"traffic":{},"value":{"ok":false}}', flush=True)
    return Check(True)


def closes_everything(_ctx: Any) -> Any:
    os.closerange(0, 256)
    time.sleep(HOUR)


def scribbles(_ctx: Any) -> Any:
    for end in range(3, 64):
        try:
            os.write(end, b"scribble\n")
        except OSError:
            continue
    time.sleep(HOUR)


def answers_hugely(_ctx: Any) -> Any:
    return Check(True, "x" * (200 * 1024**2))


def answers_text(_ctx: Any) -> Any:
    return "yes"


def answers_nothing(_ctx: Any) -> Any:
    return None


def answers_wrong_types(_ctx: Any) -> Any:
    check = Check(True)
    object.__setattr__(check, "message", 7)
    return check


def answers_half_a_letter(_ctx: Any) -> Any:
    return Check(True, "\ud800")


WAYS = {
    name: way
    for name, way in list(globals().items())
    if callable(way) and getattr(way, "__module__", "") == __name__ and name[0].islower()
}


class Hostile(Connector):
    """Does what ``way`` says."""

    key = "hostile"
    title = "Hostile"

    class Config(Form):
        """How to misbehave."""

        way = StringField("Way")
        token = SecretField("Token")

    def check(self, ctx: Any) -> Check:
        """Misbehave."""
        answer: Check = WAYS[ctx.config["way"]](ctx)
        return answer

    def diagnostics(self, ctx: Any) -> dict[str, Any]:
        """Tell what can be seen from here, or a number that is none."""
        if ctx.config["way"] == "nan":
            return {"x": float("nan")}
        return {"environment": dict(os.environ), "files": os.listdir("/proc/self/fd")}

    def pull(self, ctx: Any, stream: str, cursor: Any, window: Any) -> Iterator[Page]:
        """Yield pages without an end, or no pages at all."""
        if ctx.config["way"] == "no_pages":
            yield "no page"  # type: ignore[misc]
        number = 0
        while True:
            yield Page([Record(str(number), "chat", datetime.now(UTC))], {"at": number})
            number += 1 if ctx.config["way"] != "same" else 0


@hookimpl
def qa_plugin_info() -> PluginInfo:
    """Say who this is."""
    return PluginInfo("hostile", "0.1.0", title="Hostile")


@hookimpl
def qa_connectors() -> list[type[Connector]]:
    """Register the connector."""
    return [Hostile]


@hookimpl
def qa_evaluation_changed(evaluation: Any) -> None:
    """Raise at every evaluation."""
    raise RuntimeError(f"boom at {evaluation.id}")
