"""Conversations as rows: calls with spoken times, chats with waits, letters that take days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from qa.demo.dialogue import NOTES, Said, Topic, letters, talk

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Scene:
    """Who talks with whom about what, how well, from when, and for how long at a call."""

    channel: str
    topic: Topic
    agent: str
    customer: str
    good: bool
    started: datetime
    length_ms: int


def turns_of(scene: Scene, random: Random) -> tuple[Rows, int]:
    """Return the turns and when the conversation ends, in milliseconds from its start."""
    if scene.channel == "voice":
        return _call(scene, random)
    if scene.channel == "chat":
        return _chat(scene, random)
    return _letters(scene, random)


def _call(scene: Scene, random: Random) -> tuple[Rows, int]:
    lines = talk(scene.topic, random, scene.agent, scene.customer, good=scene.good)
    weight = sum(len(text) for _, text in lines)
    turns, at = [], 400
    for place, (who, text) in enumerate(lines, start=1):
        share = max(1_200, scene.length_ms * len(text) // weight)
        spoken = min(share, 62 * len(text) + 600)
        gap = max(-300 if random.random() < 0.08 else 150, share - spoken)
        turns.append(_row(place, who, text, "speech") | {"start_ms": at, "end_ms": at + spoken})
        at += spoken + gap
    return turns, at


def _chat(scene: Scene, random: Random) -> tuple[Rows, int]:
    lines = talk(scene.topic, random, scene.agent, scene.customer, good=scene.good, written=True)
    slow = 0.10 if scene.good else 0.3
    turns: Rows = []
    at = 0
    for place, (who, text) in enumerate(lines, start=1):
        if turns:
            waits = who == "agent" and random.random() < slow
            at += (
                random.randint(180_000, 540_000)
                if waits
                else 6_000 + 260 * len(text) + random.randint(0, 25_000)
            )
        turns.append(_sent(place, who, text, "message", scene.started, at))
    return turns, at


def _letters(scene: Scene, random: Random) -> tuple[Rows, int]:
    """Return letters over days; a ticket also has the notes and changes that the customer never sees."""
    found: list[tuple[Said, str]] = [
        (said, "message")
        for said in letters(scene.topic, random, scene.agent, scene.customer, good=scene.good)
    ]
    if scene.channel == "ticket":
        first = scene.agent.split()[0]
        found.insert(1, (("system", f"{first} took it. Status changed from new to open"), "event"))
        found.insert(2, (("agent", random.choice(NOTES)), "note"))
        found.append((("system", "Status changed from open to solved"), "event"))
    turns: Rows = []
    at = 0
    for place, ((who, text), kind) in enumerate(found, start=1):
        if turns:
            at += _pause(scene, random, who, kind)
        at = _at_work(scene.started, at, random)
        turns.append(_sent(place, who, text, kind, scene.started, at))
    return turns, at


def _at_work(started: datetime, at: int, random: Random) -> int:
    """Return the time, or a morning after it when it falls into the night."""
    moment = started + timedelta(milliseconds=at)
    if 7 <= moment.hour < 19:
        return at
    morning = moment.replace(hour=8, minute=random.randrange(60))
    morning += timedelta(days=1 if moment.hour >= 19 else 0)
    return int((morning - started).total_seconds() * 1000)


def _pause(scene: Scene, random: Random, who: str, kind: str) -> int:
    """Return how long nothing happens before this, in milliseconds."""
    if kind != "message":
        return random.randint(4, 50) * 60_000
    if who == "agent" and not scene.good and random.random() < 0.5:
        return random.randint(26, 60) * 3_600_000
    return random.randint(25, 420) * 60_000


def _sent(place: int, who: str, text: str, kind: str, started: datetime, at: int) -> dict[str, Any]:
    return _row(place, who, text, kind) | {"sent_at": started + timedelta(milliseconds=at)}


def _row(place: int, who: str, text: str, kind: str) -> dict[str, Any]:
    return {
        "position": place,
        "speaker": who,
        "stored": text,
        "is_redacted": True,
        "kind": kind,
        "start_ms": None,
        "end_ms": None,
        "sent_at": None,
    }
