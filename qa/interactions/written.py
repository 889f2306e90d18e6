"""A written conversation over time: who wrote when, and how long the customer waited.

Pure values: a message is what it says and when; nothing here reads a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH = 720
LEAST_WIDTH, MOST_WIDTH = 6, 60
CHARACTERS_PER_UNIT = 4
LONG_WAIT = {"chat": timedelta(minutes=3)}
LONG_WAIT_ELSEWHERE = timedelta(days=1)
AGENT, CUSTOMER, NOTE = "agent", "customer", "note"


@dataclass(frozen=True, slots=True)
class Message:
    """What one turn contributes: who, when, how much; notes are not for the customer."""

    who: str
    at: datetime | None
    length: int
    kind: str = "message"


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of the lane in units of ``WIDTH``: agent, customer, note or a wait."""

    kind: str
    x: float
    width: float


def waits(messages: Sequence[Message], channel: str) -> list[timedelta | None]:
    """Return for each message how long the customer had waited for it, where that was long.

    A wait runs from the customer's last unanswered message to the agent's next one.
    """
    limit = LONG_WAIT.get(channel, LONG_WAIT_ELSEWHERE)
    found: list[timedelta | None] = []
    since: datetime | None = None
    for one in messages:
        waited = None
        if one.kind == "message" and one.at is not None:
            if one.who == CUSTOMER:
                since = since or one.at
            elif one.who == AGENT:
                if since is not None and one.at - since >= limit:
                    waited = one.at - since
                since = None
        found.append(waited)
    return found


def lane(messages: Sequence[Message], channel: str) -> tuple[Block, ...]:
    """Return the pieces to draw, waits first; empty where times are not known."""
    timed = [(one, one.at) for one in messages if one.at is not None and one.kind in {"message", "note"}]
    if len(timed) < 2:
        return ()
    first, last = min(at for _, at in timed), max(at for _, at in timed)
    span = (last - first).total_seconds() or 1.0
    room = WIDTH - MOST_WIDTH

    def place(at: datetime) -> float:
        return round((at - first).total_seconds() / span * room, 1)

    drawn = []
    for one, waited in zip(messages, waits(messages, channel), strict=True):
        if waited is not None and one.at is not None:
            drawn.append(
                Block("wait", place(one.at - waited), round(place(one.at) - place(one.at - waited), 1))
            )
    for one, at in timed:
        width = min(MOST_WIDTH, max(LEAST_WIDTH, one.length // CHARACTERS_PER_UNIT))
        kind = NOTE if one.kind == "note" else CUSTOMER if one.who == CUSTOMER else AGENT
        drawn.append(Block(kind, place(at), width))
    return tuple(drawn)
