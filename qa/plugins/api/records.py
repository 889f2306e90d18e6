"""What a connector brings in and takes out: pages of records, people, media, notes.

Times are aware and kept in UTC, ratings are ``Decimal``, durations are whole seconds. ``None`` means
"the far side does not say"; never put 0, "" or 1970 in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from qa.plugins.api.value import Value, made_plain

Channel = Literal["voice", "chat", "email", "ticket"]
Direction = Literal["inbound", "outbound", "internal"]
Speaker = Literal["agent", "customer", "bot", "system", "unknown"]


@dataclass(frozen=True, slots=True)
class AgentRef(Value):
    """An agent as the far side knows them. Unknown agents never block a record: people map them later."""

    external_id: str
    email: str = ""
    name: str = ""
    _: KW_ONLY
    extension: str = ""
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class ExternalRef(Value):
    """The name of one thing at the far side."""

    external_id: str
    stream: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class MediaRef(Value):
    """A recording or attachment to fetch by ``ref`` once somebody asks, never before.

    ``speakers`` says who is on which channel, for instance ``("agent", "customer")``.
    """

    ref: str
    name: str = ""
    _: KW_ONLY
    kind: Literal["recording", "attachment", "transcript"] = "recording"
    media_type: str = ""
    size_bytes: int | None = None
    duration_s: int | None = None
    recorded_at: datetime | None = None
    expires_at: datetime | None = None
    speakers: Sequence[Speaker] = ()


@dataclass(frozen=True, slots=True)
class Message(Value):
    """One message, internal note or event of a conversation. HTML is cleaned by the host."""

    external_id: str
    sent_at: datetime
    text: str
    _: KW_ONLY
    speaker: Speaker = "unknown"
    kind: Literal["message", "note", "event"] = "message"
    author: AgentRef | None = None
    is_html: bool = False
    media: Sequence[MediaRef] = ()


@dataclass(frozen=True, slots=True)
class Kpi(Value):
    """What the far side measured. ``csat_scale`` is its lowest and highest rating."""

    _: KW_ONLY
    handle_s: int | None = None
    talk_s: int | None = None
    hold_s: int | None = None
    wrap_s: int | None = None
    queue_s: int | None = None
    first_reply_s: int | None = None
    resolution_s: int | None = None
    reopens: int | None = None
    transfers: int | None = None
    csat: Decimal | None = None
    csat_scale: tuple[Decimal, Decimal] | None = None
    nps: int | None = None
    sla_met: bool | None = None
    business_hours: bool = False


@dataclass(frozen=True, slots=True)
class Record(Value):
    """One conversation. The host keeps one per source and ``external_id``; an equal one changes nothing.

    ``agent_refs`` names the main agent first. ``deleted`` and ``merged_into`` are tombstones: send
    them whenever the far side tells. ``raw_ref`` is what ``ctx.blob.put`` returned for the original.
    """

    external_id: str
    channel: Channel
    started_at: datetime
    _: KW_ONLY
    kind: str = ""
    ended_at: datetime | None = None
    updated_at: datetime | None = None
    queue: str = ""
    direction: Direction = "inbound"
    language: str = ""
    subject: str = ""
    url: str = ""
    agent_refs: Sequence[AgentRef] = ()
    customer_ref: str = ""
    customer_name: str = ""
    tags: Sequence[str] = ()
    messages: Sequence[Message] = ()
    media: Sequence[MediaRef] = ()
    kpi: Kpi = Kpi()
    custom: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool = False
    merged_into: str = ""
    raw_ref: str = ""


@dataclass(frozen=True, slots=True)
class BadRecord(Value):
    """What could not be mapped, as it came, with the reason: it goes to quarantine and is never lost."""

    raw: Any
    error: str
    external_id: str = ""

    def __post_init__(self) -> None:
        """Keep what JSON cannot hold as text: a broken record must not break its own quarantine."""
        object.__setattr__(self, "raw", made_plain(self.raw))
        Value.__post_init__(self)


@dataclass(frozen=True, slots=True)
class Page(Value):
    """Some records, and the cursor that means "everything up to and including this page is yours".

    A page of ``pull`` holds ``Record`` and ``BadRecord``, a page of ``agents`` holds ``AgentRef``. At
    most 500 or 8 MB. The cursor is plain JSON of at most 8 KB. An empty page with ``done=False`` goes on.
    """

    records: Sequence[Record | BadRecord | AgentRef]
    cursor: Mapping[str, Any]
    done: bool = False


@dataclass(frozen=True, slots=True)
class Window(Value):
    """A span of time to read again, first moment in, last moment out."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Media(Value):
    """What ``fetch_media`` wrote to ``ctx.sink``; ``ctx.http.download`` returns it ready-made."""

    media_type: str
    size_bytes: int
    sha256: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class PushItem(Value):
    """What shall appear at the far side: a private note, fields, tags. Never public, nothing else touched."""

    kind: Literal["note", "field", "tag"]
    _: KW_ONLY
    text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class PushResult(Value):
    """What ``push`` left behind; ``repeated`` when the key was found there already."""

    external_id: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Check(Value):
    """What a real call told about the credentials: which account, and each missing right by its name."""

    ok: bool
    message: str = ""
    _: KW_ONLY
    account: str = ""
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RawRequest(Value):
    """A delivery as it came, verified by the host before the plugin sees it. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    _: KW_ONLY
    query: Mapping[str, str] = field(default_factory=dict)
    delivery_id: str = ""


@dataclass(frozen=True, slots=True)
class WebhookResult(Value):
    """Which things to read again. A delivery's content is never data."""

    refs: Sequence[ExternalRef] = ()
