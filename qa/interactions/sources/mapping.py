"""A connector's record as one of our lines, by plain rules; nothing here knows a database or a vendor.

Labels longer than we keep are cut with an ellipsis, ids never; what the far side measured and we have
no column for goes to the fields. A record that cannot be kept raises ``BrokenLine`` with the reason.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import Any

import nh3

from qa.core.text import faults_in
from qa.interactions.lines import BrokenLine, Parsed, line_of
from qa.plugins.api import AgentRef, Kpi, MediaRef, Message, Record

CUT = "…"
MOST_FIELDS = 200
MOST_TAGS = 100
_LINE_ENDS = re.compile(r"(?i)<\s*(?:br|/p|/div|/li|/tr|/h[1-6]|/blockquote)\b[^>]*>")
_EMPTY_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")


def parsed_record(record: Record, content_hash: str) -> Parsed:
    """Return the line of a record with the hash by which it is known again; raise ``BrokenLine``."""
    data = _tombstone(record) if record.deleted or record.merged_into else _line(record)
    fault = faults_in(data)
    if fault is not None:
        raise BrokenLine(fault)
    return Parsed(line_of(data), content_hash)


def _tombstone(record: Record) -> dict[str, Any]:
    return {
        "external_id": record.external_id,
        "channel": record.channel,
        "started_at": record.started_at,
        "deleted": record.deleted,
        "merged_into": record.merged_into,
    }


def _line(record: Record) -> dict[str, Any]:
    return {
        "external_id": record.external_id,
        "channel": record.channel,
        "queue": cut(record.queue, 120),
        "direction": record.direction,
        "language": cut(record.language, 20),
        "subject": cut(record.subject, 500),
        "agents": _agents(record.agent_refs),
        "customer": {
            "reference": cut(record.customer_ref, 200),
            "name": cut(record.customer_name, 200),
        },
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "updated_at": record.updated_at,
        "turns": [_turn(message) for message in record.messages],
        "kpis": _kpis(record.kpi),
        "fields": _fields(record),
        "tags": [cut(tag, 80) for tag in dict.fromkeys(record.tags) if tag][:MOST_TAGS],
    }


def cut(text: str, limit: int) -> str:
    """Return one line of at most ``limit`` characters, an ellipsis where something was cut."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + CUT


def _agents(refs: Sequence[AgentRef]) -> list[dict[str, Any]]:
    named = [ref for ref in refs if ref.external_id or ref.email or ref.extension]
    return [agent_part(ref) | {"part": "main" if place == 0 else "other"} for place, ref in enumerate(named)]


def agent_part(ref: AgentRef) -> dict[str, Any]:
    """Return an agent as a line names it."""
    return {
        "external_id": ref.external_id or None,
        "email": ref.email or None,
        "extension": ref.extension[:80] or None,
        "name": cut(ref.name, 200) or None,
    }


def _turn(message: Message) -> dict[str, Any]:
    return {
        "speaker": message.speaker,
        "kind": message.kind,
        "sent_at": message.sent_at,
        "text": text_of(message.text) if message.is_html else message.text,
    }


def text_of(markup: str) -> str:
    """Return the words of HTML, a line for each block; scripts, styles and all tags are gone."""
    bare = nh3.clean(_LINE_ENDS.sub("\n", markup), tags=set(), clean_content_tags={"script", "style", "head"})
    return _EMPTY_LINES.sub("\n\n", html.unescape(bare)).strip()


def _kpis(kpi: Kpi) -> dict[str, Any]:
    rated = None
    if kpi.csat is not None and kpi.csat_scale is not None:
        rated = {"score": kpi.csat, "max": kpi.csat_scale[1]}
    return {
        "talk_seconds": kpi.talk_s,
        "hold_seconds": kpi.hold_s,
        "wrap_seconds": kpi.wrap_s,
        "wait_seconds": kpi.queue_s,
        "first_reply_seconds": kpi.first_reply_s,
        "resolution_seconds": kpi.resolution_s,
        "reopen_count": kpi.reopens,
        "transfer_count": kpi.transfers,
        "csat": rated,
        "sla_met": kpi.sla_met,
    }


def _fields(record: Record) -> dict[str, Any]:
    kpi = record.kpi
    known: dict[str, Any] = {
        "kind": record.kind or None,
        "url": record.url or None,
        "handle_seconds": kpi.handle_s,
        "nps": kpi.nps,
        "csat": str(kpi.csat) if kpi.csat is not None and kpi.csat_scale is None else None,
        "business_hours": kpi.business_hours or None,
    }
    told = {name: value for name, value in known.items() if value is not None}
    custom = {cut(str(name), 200): value for name, value in record.custom.items() if str(name).strip()}
    both = {**told, **custom}
    return {name: _scalar(value) for name, value in list(both.items())[:MOST_FIELDS]}


def _scalar(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def media_of(record: Record) -> list[MediaRef]:
    """Return everything there is to fetch of a record, each once."""
    found = [*record.media, *(ref for message in record.messages for ref in message.media)]
    return list({ref.ref: ref for ref in found}.values())
