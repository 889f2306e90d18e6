"""The vendor in memory: you write what a conversation looks like and how the API answers, about 30 lines.

A twin keeps ``Thing`` after ``Thing``; the kit adds, changes, hides, breaks and deletes them and plays with
the wire between your connector and ``handle``. So a twin needs no faults of its own.
"""

from __future__ import annotations

import base64
import binascii
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from qa.plugins.testing.clock import VirtualClock

SECRET = "tw1n-t0ken-8c41f"  # noqa: S105  a marker to look for, not a secret
WEBHOOK_SECRET = "tw1n-h00k-77aa02"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as the vendor sees it. Header names are lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def host(self) -> str:
        """The host that was asked."""
        return urlsplit(self.url).hostname or ""

    @property
    def path(self) -> str:
        """The path, without the query."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        """The query; the last value of a name counts."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON, None when it is empty."""
        return json.loads(self.body) if self.body else None

    def form(self) -> dict[str, str]:
        """The body as form fields."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def basic(self) -> tuple[str, str] | None:
        """The name and password of HTTP Basic, None when there are none."""
        kind, _, packed = self.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        name, _, password = _unpacked(packed).partition(":")
        return name, password


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the vendor: JSON, or bytes with their kind."""

    status: int = 200
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None

    @property
    def body(self) -> bytes:
        """The bytes that go over the wire."""
        if self.content is not None:
            return self.content
        return b"" if self.json is None else json.dumps(self.json).encode()


@dataclass(slots=True)
class Thing:
    """One conversation at the vendor. ``created_at`` is when it began; times are whole seconds, in UTC.

    ``hidden`` things are left out of pages after paging, as real vendors do: a page may come out empty.
    ``broken`` says how ``shown`` spoils it: "", "malformed", "unknown" or "enum".
    """

    number: int
    created_at: datetime
    updated_at: datetime
    text: str
    agent: str | None
    deleted: bool = False
    merged_into: int | None = None
    hidden: bool = False
    broken: str = ""
    media: str = "ready"
    notes: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The number as text."""
        return str(self.number)


class Twin(ABC):
    """Extend it: ``show`` and ``handle`` are yours.

    ``config`` and ``secrets`` are what a person would type into the connector's settings. ``time_field``
    and ``agent_field`` name where ``show`` puts the time and the agent, ``enum_fields`` those with a fixed
    list of words; dots lead inside. ``limit`` is the vendor's own quota, such as ``10/min``, "" for none.
    """

    url: ClassVar[str] = "https://vendor.example"
    config: ClassVar[Mapping[str, str]] = {}
    secrets: ClassVar[Mapping[str, str]] = {"token": SECRET}
    page_size: ClassVar[int] = 5
    limit: ClassVar[str] = ""
    time_field: ClassVar[str] = "created_at"
    agent_field: ClassVar[str] = "agent_id"
    enum_fields: ClassVar[Sequence[str]] = ()
    media_path: ClassVar[str] = "/media/"
    tells_deletions: ClassVar[bool] = False
    signs_time: ClassVar[bool] = False
    old_cursors: ClassVar[Mapping[int, Mapping[str, Any]]] = {}

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.things: dict[int, Thing] = {}
        self.agents: dict[str, str] = {"a1": "Dana Ortiz", "a2": "Ravi Kaur"}

    # --- yours ---------------------------------------------------------------

    @abstractmethod
    def show(self, thing: Thing) -> dict[str, Any]:
        """Return a conversation as the vendor's JSON: its times, its text, its agent."""

    @abstractmethod
    def handle(self, ask: Ask) -> Reply:
        """Answer a request of somebody who is signed in. ``Reply(404)`` for what does not exist."""

    def is_signed_in(self, ask: Ask) -> bool:
        """Tell whether a request carries the credentials: here, every secret somewhere in its headers."""
        said = " ".join(ask.headers.values())
        said += " ".join(_unpacked(part) for part in said.split())
        return all(secret in said for secret in self.api_secrets.values())

    def external_id(self, thing: Thing) -> str:
        """Return the id your connector gives to a conversation."""
        return thing.id

    def deliver(self, thing: Thing, at: datetime) -> Ask:
        """Return the webhook the vendor sends when ``thing`` changed, signed as the vendor signs it."""
        raise NotImplementedError

    def too_many(self, until: datetime) -> Reply:
        """Return the vendor's way of saying that the quota is used up until then."""
        seconds = (until - self.clock.true_now()).total_seconds()
        return Reply(429, {"error": "too many requests"}, {"Retry-After": str(round(seconds))})

    def sound(self, thing: Thing) -> Reply:
        """Return a recording, or what the vendor says while it is made and when it is gone."""
        if thing.media == "ready":
            content = f"RIFF sound of {thing.id}".encode()
            return Reply(200, headers={"Content-Type": "audio/wav"}, content=content)
        return Reply(202 if thing.media == "not_ready" else 404, {"state": thing.media})

    # --- given ---------------------------------------------------------------

    @property
    def api_secrets(self) -> Mapping[str, str]:
        """The secrets that requests carry: all but the webhook's."""
        return {name: value for name, value in self.secrets.items() if value != WEBHOOK_SECRET}

    def living(self, since: datetime | None = None, *, until: datetime | None = None) -> list[Thing]:
        """Return what changed at or after ``since``, oldest change first; deleted ones only when told."""
        known = [
            thing
            for thing in self.things.values()
            if (self.tells_deletions or not (thing.deleted or thing.merged_into))
            and (since is None or thing.updated_at >= since)
            and (until is None or thing.updated_at <= until)
        ]
        return sorted(known, key=lambda thing: (thing.updated_at, thing.number))

    def find(self, number: str) -> Thing | None:
        """Return a conversation by its number, None for one that is unknown or deleted."""
        thing = self.things.get(int(number)) if number.isdecimal() else None
        return None if thing is None or thing.deleted else thing

    def shown(self, things: Sequence[Thing]) -> list[dict[str, Any]]:
        """Return what a page shows of some conversations."""
        return [self._spoilt(thing) for thing in things if not thing.hidden]

    def after(self, things: Sequence[Thing], mark: str = "") -> tuple[list[dict[str, Any]], str]:
        """Return the page behind ``mark`` and its own mark, "" when nothing follows (cursor paging)."""
        stamp, _, number = mark.partition("~")
        place = (datetime.fromisoformat(stamp), int(number)) if mark else None
        rest = [one for one in things if place is None or (one.updated_at, one.number) > place]
        page = rest[: self.page_size]
        return self.shown(page), _mark(page[-1]) if len(rest) > len(page) else ""

    def numbered(self, things: Sequence[Thing], page: int) -> tuple[list[dict[str, Any]], bool]:
        """Return page 1, 2, 3 … and whether another follows (page numbers)."""
        start = (page - 1) * self.page_size
        return self.shown(things[start : start + self.page_size]), start + self.page_size < len(things)

    def note(self, number: str, text: str) -> Thing:
        """Leave a note at a conversation; it does not change it otherwise."""
        thing = self.things[int(number)]
        thing.notes.append(text)
        return thing

    # --- for the kit -----------------------------------------------------------

    def answer(self, ask: Ask) -> Reply:
        """Answer any request: sign-in first, recordings, then ``handle``."""
        if ask.path.startswith(self.media_path) and ask.host != urlsplit(self.url).hostname:
            thing = self.find(ask.path.removeprefix(self.media_path).split(".")[0])
            return Reply(404) if thing is None else self.sound(thing)
        if not self.is_signed_in(ask):
            return Reply(401, {"error": "not signed in"})
        return self.handle(ask)

    def is_media(self, ask: Ask) -> bool:
        """Tell whether a request fetches a recording."""
        return ask.path.startswith(self.media_path)

    def seed(self, count: int, *, step: timedelta = timedelta(minutes=1)) -> list[Thing]:
        """Add conversations, ``step`` apart, the last one an hour ago."""
        first, last = len(self.things) + 1, self.clock.true_now() - timedelta(hours=1)
        made = []
        for place in range(count):
            moment = (last - step * (count - 1 - place)).replace(microsecond=0)
            made.append(self.add(moment, number=first + place))
        return made

    def add(self, moment: datetime, *, number: int | None = None, text: str = "") -> Thing:
        """Add one conversation that began and changed at ``moment``."""
        number = number or len(self.things) + 1
        agent = "a1" if number % 2 else "a2"
        thing = Thing(number, moment, moment, text or f"Conversation {number}", agent)
        self.things[number] = thing
        return thing

    def touch(self, thing: Thing, text: str = "", *, at: datetime | None = None) -> Thing:
        """Change a conversation now, or at another moment."""
        thing.text = text or f"{thing.text}, changed"
        thing.updated_at = (at or self.clock.true_now()).replace(microsecond=0)
        return thing

    def delete(self, thing: Thing) -> None:
        """Delete a conversation."""
        thing.deleted = True
        self.touch(thing, thing.text)

    def corrupt(self, thing: Thing, how: str) -> None:
        """Spoil how a conversation is shown: malformed, unknown or enum."""
        thing.broken = how

    def _spoilt(self, thing: Thing) -> dict[str, Any]:
        shown = self.show(thing)
        if thing.broken == "malformed":
            _put(shown, self.time_field, lambda _value: "the day before yesterday")
        elif thing.broken == "unknown":
            shown["field_of_next_year"] = {"nested": [1, None, {"deep": True}]}
        elif thing.broken == "enum":
            for path in self.enum_fields:
                _put(shown, path, lambda _value: "word_of_next_year")
        return shown


def _mark(thing: Thing) -> str:
    return f"{thing.updated_at.isoformat()}~{thing.number}"


def _unpacked(packed: str) -> str:
    try:
        return base64.b64decode(packed, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _put(shown: dict[str, Any], path: str, change: Callable[[Any], Any]) -> None:
    """Change the value at a dotted path; raise ``KeyError`` when ``show`` puts nothing there."""
    *above, last = path.split(".")
    place: Any = shown
    for part in above:
        place = place[part]
    if last not in place:
        raise KeyError(path)
    place[last] = change(place[last])
