"""The wire between a connector and its twin, where things go wrong without knowledge of the vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from qa.plugins.testing.clock import VirtualClock
from qa.plugins.testing.twin import Ask, Reply, Twin

Go = Callable[[], Reply]
Fault = Callable[[Ask, Go], Reply]
"""What happens to one request: ask ``go`` for the vendor's answer, change it, or raise an httpx error."""
Rule = Callable[[int, Ask], Fault | None]
"""Which fault meets the request of that number (from 1), None for no fault."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that went over the wire, when, and what came back (0: nothing)."""

    ask: Ask
    at: float
    status: int


PIECE = 65_536


class Body(httpx.SyncByteStream):
    """An answer's bytes, given once, in pieces as a network gives them."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), PIECE):
            yield self._content[start : start + PIECE]


class Endless(BaseException):
    """The vendor was asked thousands of times: the connector would never end."""


class Wire(httpx.BaseTransport):
    """Carries requests to the twin. Set ``rule`` to let faults happen; read ``asked`` afterwards."""

    most = 1_000

    def __init__(self, twin: Twin, clock: VirtualClock) -> None:
        self.twin, self.clock = twin, clock
        self.asked: list[Asked] = []
        self.rule: Rule = lambda _number, _ask: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        ask = Ask(request.method, str(request.url), headers, request.read())
        if len(self.asked) >= self.most:
            raise Endless
        fault = self.rule(len(self.asked) + 1, ask)
        place = len(self.asked)
        self.asked.append(Asked(ask, self.clock.passed, 0))

        def go() -> Reply:
            return self.twin.answer(ask)

        reply = go() if fault is None else fault(ask, go)
        self.asked[place] = Asked(ask, self.asked[place].at, reply.status)
        named = {"content-type": "application/json"} | {k.lower(): v for k, v in reply.headers.items()}
        return httpx.Response(reply.status, headers=named, stream=Body(reply.body))

    def count(self, since: int = 0) -> int:
        """Return how many requests there were after the first ``since``."""
        return len(self.asked) - since


# --- which requests ------------------------------------------------------------


def at(number: int, fault: Fault) -> Rule:
    """Let a fault meet one request."""
    return lambda now, _ask: fault if now == number else None


def from_(number: int, fault: Fault) -> Rule:
    """Let a fault meet a request and all after it."""
    return lambda now, _ask: fault if now >= number else None


def later(after: int, rule: Rule) -> Rule:
    """Let a rule count from the request after the first ``after``."""
    return lambda now, ask: rule(now - after, ask)


def always(fault: Fault) -> Rule:
    """Let a fault meet every request."""
    return lambda _now, _ask: fault


def writes(fault: Fault) -> Rule:
    """Let a fault meet the first request that writes."""
    met: list[int] = []

    def rule(number: int, ask: Ask) -> Fault | None:
        if ask.method in ("GET", "HEAD") or met:
            return None
        met.append(number)
        return fault

    return rule


# --- what happens ----------------------------------------------------------------


def says(status: int, body: Any = None, **headers: str) -> Fault:
    """Answer in the vendor's place."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _ask, _go: Reply(status, {"error": status} if body is None else body, named)


def times_out(_ask: Ask, _go: Go) -> Reply:
    """Never answer."""
    raise httpx.ReadTimeout("no answer in time")


def answer_lost(_ask: Ask, go: Go) -> Reply:
    """Let the vendor do it, then lose the answer."""
    go()
    raise httpx.ReadTimeout("the answer was lost")


def cut(_ask: Ask, go: Go) -> Reply:
    """Cut the answer in half."""
    reply = go()
    return Reply(reply.status, headers=reply.headers, content=reply.body[: len(reply.body) // 2])


def html(_ask: Ask, _go: Go) -> Reply:
    """Answer with a page for people, as a proxy does."""
    return Reply(200, headers={"Content-Type": "text/html"}, content=b"<html><h1>Please wait</h1></html>")


def doubled(_ask: Ask, go: Go) -> Reply:
    """Answer twice in one."""
    reply = go()
    return Reply(reply.status, headers=reply.headers, content=reply.body * 2)


def frozen() -> Fault:
    """Answer every request like the first one this fault met."""
    kept: list[Reply] = []

    def fault(_ask: Ask, go: Go) -> Reply:
        if not kept:
            kept.append(go())
        return kept[0]

    return fault
