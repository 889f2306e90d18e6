"""A ticket of Zendesk as a record. Pure; null is thought of everywhere, for Zendesk sends it everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from qa.plugins.api import AgentRef, BadRecord, Channel, Kpi, MediaRef, Message, Record, Speaker

Raw = Mapping[str, Any]
Users = Mapping[int, Raw]

CHANNELS: Mapping[str, Channel] = {
    "email": "email",
    "mail": "email",
    "voice": "voice",
    "phone": "voice",
    "phone_call_inbound": "voice",
    "phone_call_outbound": "voice",
    "voicemail": "voice",
    "chat": "chat",
    "native_messaging": "chat",
    "messaging": "chat",
    "whatsapp": "chat",
    "sms": "chat",
}
OUTBOUND = frozenset({"phone_call_outbound"})
SOLVED = frozenset({"solved", "closed"})
RATINGS = {"good": Decimal(1), "bad": Decimal(0)}
MERGED = "closed_by_merge"
OUR_MARK = "[qa:"
"""Stands in each note that we leave: those are no part of the conversation."""


def record_of(
    raw: Raw, *, users: Users, groups: Mapping[int, str], comments: Sequence[Raw], base_url: str, tag: str
) -> Record | BadRecord:
    """Return a ticket as a record, or what is wrong with it. ``tag`` is the one we set ourselves."""
    try:
        return _record(raw, users, groups, comments, base_url, tag)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return BadRecord(dict(raw), f"{type(error).__name__}: {error}", external_id=str(raw.get("id") or ""))


def _record(
    raw: Raw, users: Users, groups: Mapping[int, str], comments: Sequence[Raw], base_url: str, tag: str
) -> Record:
    kind = str((raw.get("via") or {}).get("channel") or "")
    spoken = [one for one in comments if OUR_MARK not in str(one.get("body") or "")]
    requester = raw.get("requester_id")
    return Record(
        str(raw["id"]),
        CHANNELS.get(kind, "ticket"),
        moment(raw["created_at"]),
        kind=str(raw.get("type") or ""),
        ended_at=_ended(raw),
        updated_at=_moment_or_none(raw.get("updated_at")),
        queue=groups.get(raw.get("group_id") or 0, ""),
        direction="outbound" if kind in OUTBOUND else "inbound",
        subject=str(raw.get("subject") or ""),
        url=f"{base_url}/agent/tickets/{raw['id']}",
        agent_refs=_agents(raw, users, spoken),
        customer_ref=str(requester or ""),
        customer_name=str(users.get(requester or 0, {}).get("name") or ""),
        tags=[str(one) for one in raw.get("tags") or () if one != tag],
        messages=[_message(one, raw, users) for one in spoken] or _description(raw),
        media=[ref for one in spoken for ref in _media(one)],
        kpi=_kpi(raw, spoken),
        custom=_custom(raw, kind),
        deleted=raw.get("status") == "deleted",
        merged_into=_merged_into(raw, spoken),
    )


def _merged_into(raw: Raw, comments: Sequence[Raw]) -> str:
    """Return the ticket that a merged one went into: only the comment that Zendesk writes then names it."""
    if MERGED not in (raw.get("tags") or ()):
        return ""
    for one in reversed(comments):
        if found := re.search(r"#(\d+)", str(one.get("plain_body") or one.get("body") or "")):
            return found[1]
    return ""


def moment(text: str) -> datetime:
    """Return a time of Zendesk; raise ``ValueError`` for one without a zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found


def _moment_or_none(text: str | None) -> datetime | None:
    return moment(text) if text else None


def _metrics(raw: Raw) -> Raw:
    found: Raw = raw.get("metric_set") or {}
    return found


def _ended(raw: Raw) -> datetime | None:
    solved = _moment_or_none(_metrics(raw).get("solved_at")) if raw.get("status") in SOLVED else None
    return None if solved is None else max(solved, moment(raw["created_at"]))


def person_of(raw: Raw) -> AgentRef:
    """Return an agent."""
    active = bool(raw.get("active", True)) and not raw.get("suspended")
    name, email = str(raw.get("name") or ""), str(raw.get("email") or "")
    return AgentRef(str(raw["id"]), email=email, name=name, is_active=active)


def _agents(raw: Raw, users: Users, comments: Iterable[Raw]) -> list[AgentRef]:
    """Return the assignee first, then whoever else answered as an agent."""
    assignee = raw.get("assignee_id")
    others = [one.get("author_id") for one in comments if _speaker(one, raw, users) == "agent"]
    ids = [number for number in dict.fromkeys([assignee, *others]) if number]
    return [person_of(users.get(number, {"id": number})) for number in ids]


def _speaker(comment: Raw, raw: Raw, users: Users) -> Speaker:
    author = comment.get("author_id")
    if author is not None and author == raw.get("requester_id"):
        return "customer"
    role = users.get(author or 0, {}).get("role")
    if role in ("agent", "admin") or (author is not None and author == raw.get("assignee_id")):
        return "agent"
    return "customer" if role == "end-user" else "system" if author == -1 else "unknown"


def _message(comment: Raw, raw: Raw, users: Users) -> Message:
    kind: Literal["message", "note"] = "message" if comment.get("public", True) else "note"
    plain = comment.get("plain_body") or comment.get("body") or ""
    speaker = _speaker(comment, raw, users)
    author = users.get(comment.get("author_id") or 0)
    return Message(
        str(comment["id"]),
        moment(comment["created_at"]),
        str(plain),
        speaker=speaker,
        kind=kind,
        author=person_of(author) if author and speaker == "agent" else None,
    )


def _description(raw: Raw) -> list[Message]:
    """Return the first words of a ticket whose comments were not asked for."""
    text = raw.get("description")
    if not text:
        return []
    return [Message(f"{raw['id']}-description", moment(raw["created_at"]), str(text), speaker="customer")]


def _media(comment: Raw) -> list[MediaRef]:
    """Return the recording of a call, and attachments that are sound."""
    told = comment.get("data") or {}
    found = []
    if comment.get("type") == "VoiceComment" and told.get("recording_url"):
        found.append(
            MediaRef(
                str(told["recording_url"]),
                f"call-{comment['id']}",
                duration_s=_whole(told.get("call_duration")),
                recorded_at=_moment_or_none(told.get("started_at")),
            )
        )
    for one in comment.get("attachments") or ():
        if str(one.get("content_type") or "").startswith("audio/") and one.get("content_url"):
            kind, size = str(one["content_type"]), _whole(one.get("size"))
            name = str(one.get("file_name") or "")
            found.append(MediaRef(str(one["content_url"]), name, media_type=kind, size_bytes=size))
    return found


def _kpi(raw: Raw, comments: Iterable[Raw]) -> Kpi:
    metrics = _metrics(raw)
    calls = [
        _whole((one.get("data") or {}).get("call_duration"))
        for one in comments
        if one.get("type") == "VoiceComment"
    ]
    spoken = [seconds for seconds in calls if seconds is not None]
    score = RATINGS.get(str((raw.get("satisfaction_rating") or {}).get("score")))
    stations = _whole(metrics.get("assignee_stations"))
    return Kpi(
        talk_s=sum(spoken) if spoken else None,
        first_reply_s=_seconds(metrics, "reply_time_in_minutes"),
        resolution_s=_seconds(metrics, "full_resolution_time_in_minutes"),
        reopens=_whole(metrics.get("reopens")),
        transfers=None if stations is None else max(stations - 1, 0),
        csat=score,
        csat_scale=None if score is None else (Decimal(0), Decimal(1)),
    )


def _seconds(metrics: Raw, name: str) -> int | None:
    """Return a duration by the calendar; Zendesk counts minutes."""
    minutes = _whole((metrics.get(name) or {}).get("calendar"))
    return None if minutes is None else 60 * minutes


def _whole(value: Any) -> int | None:
    """Return a whole number that is not negative, None for what is none."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _custom(raw: Raw, kind: str) -> dict[str, Any]:
    """Return what has no field of its own: state, priority, where it came from, own fields that are set."""
    known = {"status": raw.get("status"), "priority": raw.get("priority"), "via": kind}
    known |= {"rating_comment": (raw.get("satisfaction_rating") or {}).get("comment")}
    own = {f"field_{one.get('id')}": one.get("value") for one in raw.get("custom_fields") or ()}
    plain = {name: value for name, value in {**known, **own}.items() if isinstance(value, str | int | bool)}
    return {name: value for name, value in plain.items() if value != ""}
