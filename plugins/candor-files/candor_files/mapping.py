"""A row or an object as a record: the format of ``qa import``, and flat columns for spreadsheets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from qa.plugins.api import AgentRef, BadRecord, Kpi, MediaRef, Message, Record

CHANNELS = {"call": "voice", "phone": "voice", "mail": "email", "e-mail": "email"}
SECONDS = {
    "talk_seconds": "talk_s",
    "hold_seconds": "hold_s",
    "wrap_seconds": "wrap_s",
    "wait_seconds": "queue_s",
    "first_reply_seconds": "first_reply_s",
    "resolution_seconds": "resolution_s",
    "reopen_count": "reopens",
    "transfer_count": "transfers",
}
TRUE = {"true", "yes", "y", "1", "ja", "oui"}
FALSE = {"false", "no", "n", "0", "nein", "non"}
NAMES = (
    "external_id channel queue direction language subject started_at ended_at updated_at "
    "agent_email agent_id agent_name agent_extension customer_reference customer_name "
    "recording speakers text csat csat_max sla_met tags deleted merged_into"
)
FLAT = frozenset(NAMES.split()) | frozenset(SECONDS)
"""The columns of a spreadsheet that have a meaning; any other goes to the custom fields."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How this source's files are read."""

    channel: str = "voice"
    zone: tzinfo = field(default_factory=lambda: ZoneInfo("UTC"))
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our name of a column: theirs."""


def record_of(values: Mapping[str, Any], rules: Rules, folder: str) -> Record | BadRecord:
    """Return what an object or a row says; one that cannot be read comes back with the reason."""
    named = {theirs: ours for ours, theirs in rules.columns.items()}
    renamed = {named.get(name, name): value for name, value in values.items()}
    external_id = str(renamed.get("external_id") or renamed.get("id") or "").strip()
    try:
        if not external_id:
            raise ValueError("“external_id” is missing")
        is_flat = not any(isinstance(value, dict | list) for value in values.values())
        made = _from_flat if is_flat else _from_object
        return made(renamed, external_id, rules, folder)
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        return BadRecord(dict(values), _sentence(error), external_id)


def _sentence(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"“{error.args[0]}” is missing."
    return f"{str(error).rstrip('.')}."


def _moment(value: Any, name: str, zone: tzinfo) -> datetime:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"“{name}” is missing")
    try:
        moment = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(f"“{name}” is {value!r}; write it like 2026-03-14T09:30:00+01:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _perhaps(read: Callable[..., Any], value: Any, *more: Any) -> Any:
    return None if value is None or value == "" else read(value, *more)


def _whole(value: Any, name: str) -> int:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"“{name}” is {value!r}, which is no number") from None
    return round(number)


def _yes_no(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise ValueError(f"“{name}” is {value!r}, which is neither yes nor no")


def _common(values: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    channel = str(values.get("channel") or rules.channel).strip().lower()
    return {
        "channel": CHANNELS.get(channel, channel),
        "started_at": _moment(values.get("started_at"), "started_at", rules.zone),
        "ended_at": _perhaps(_moment, values.get("ended_at"), "ended_at", rules.zone),
        "updated_at": _perhaps(_moment, values.get("updated_at"), "updated_at", rules.zone),
        "queue": str(values.get("queue") or ""),
        "direction": str(values.get("direction") or "inbound").strip().lower(),
        "language": str(values.get("language") or ""),
        "subject": str(values.get("subject") or ""),
        "merged_into": str(values.get("merged_into") or ""),
    }


def _kpi(values: Mapping[str, Any], score: Any, top: Any) -> Kpi:
    facts: dict[str, Any] = {
        theirs: _perhaps(_whole, values.get(ours), ours) for ours, theirs in SECONDS.items()
    }
    if score not in (None, "") and top not in (None, ""):
        facts["csat"] = Decimal(str(score))
        facts["csat_scale"] = (Decimal(0), Decimal(str(top)))
    return Kpi(**facts, sla_met=_perhaps(_yes_no, values.get("sla_met"), "sla_met"))


def _media(name: str, speakers: Any, folder: str) -> MediaRef:
    below = str(PurePosixPath(folder) / name.replace("\\", "/"))
    parts = speakers.split("+") if isinstance(speakers, str) else (speakers or [])
    return MediaRef(
        below, PurePosixPath(name).name, speakers=[part.strip() for part in parts if part.strip()]
    )


# --- a spreadsheet's row -----------------------------------------------------


def _from_flat(values: Mapping[str, Any], external_id: str, rules: Rules, folder: str) -> Record:
    if _perhaps(_yes_no, values.get("deleted"), "deleted"):
        return _tombstone(values, external_id, rules)
    common = _common(values, rules)
    agent = {name: str(values.get(f"agent_{name}") or "") for name in ("id", "email", "name", "extension")}
    recording = str(values.get("recording") or "").strip()
    tags = str(values.get("tags") or "").replace(";", ",").split(",")
    words = str(values.get("text") or "")
    return Record(
        external_id,
        **common,
        agent_refs=[AgentRef(agent["id"], agent["email"], agent["name"], extension=agent["extension"])]
        if agent["id"] or agent["email"] or agent["extension"]
        else [],
        customer_ref=str(values.get("customer_reference") or ""),
        customer_name=str(values.get("customer_name") or ""),
        tags=[tag.strip() for tag in tags if tag.strip()],
        messages=[Message(external_id, common["started_at"], words)] if words else [],
        media=[_media(recording, values.get("speakers"), folder)] if recording else [],
        kpi=_kpi(values, values.get("csat"), values.get("csat_max")),
        custom={
            name: value for name, value in values.items() if name not in FLAT and name != "id" and value != ""
        },
    )


def _tombstone(values: Mapping[str, Any], external_id: str, rules: Rules) -> Record:
    started = values.get("started_at") or "1970-01-01T00:00:00Z"
    channel = str(values.get("channel") or rules.channel)
    moment = _moment(started, "started_at", rules.zone)
    return Record(external_id, CHANNELS.get(channel, channel), moment, deleted=True)  # type: ignore[arg-type]


# --- an object ---------------------------------------------------------------


def _from_object(values: Mapping[str, Any], external_id: str, rules: Rules, folder: str) -> Record:
    _check_kinds(values)
    if values.get("deleted"):
        return _tombstone(values, external_id, rules)
    common = _common(values, rules)
    customer, kpis = values.get("customer") or {}, values.get("kpis") or {}
    rated = kpis.get("csat") or {}
    return Record(
        external_id,
        **common,
        agent_refs=[_agent(one) for one in values.get("agents") or []],
        customer_ref=str(customer.get("reference") or ""),
        customer_name=str(customer.get("name") or ""),
        tags=[str(tag) for tag in values.get("tags") or []],
        messages=[
            _message(place, one, common["started_at"], rules.zone)
            for place, one in enumerate(values.get("turns") or [], start=1)
        ],
        media=[
            _media(str(one["file"]), one.get("speakers"), folder) for one in values.get("recordings") or []
        ],
        kpi=_kpi(kpis, rated.get("score"), rated.get("max")),
        custom=values.get("fields") or {},
    )


KINDS: dict[str, tuple[type, str]] = {
    "agents": (list, "a list"),
    "turns": (list, "a list"),
    "recordings": (list, "a list"),
    "tags": (list, "a list"),
    "customer": (dict, "an object"),
    "kpis": (dict, "an object"),
    "fields": (dict, "an object"),
}


def _check_kinds(values: Mapping[str, Any]) -> None:
    for name, (kind, words) in KINDS.items():
        given = values.get(name)
        if given and not isinstance(given, kind):
            raise TypeError(f"“{name}” must be {words}")
        if kind is list and name != "tags" and not all(isinstance(one, dict) for one in given or ()):
            raise TypeError(f"“{name}” must be a list of objects")


def _agent(one: Mapping[str, Any]) -> AgentRef:
    return AgentRef(
        str(one.get("external_id") or ""),
        str(one.get("email") or ""),
        str(one.get("name") or ""),
        extension=str(one.get("extension") or ""),
    )


def _message(place: int, one: Mapping[str, Any], started_at: datetime, zone: tzinfo) -> Message:
    sent_at = _perhaps(_moment, one.get("sent_at"), f"turns.{place}.sent_at", zone)
    after = timedelta(seconds=float(one.get("start") or 0))
    kind = str(one.get("kind") or "message")
    return Message(
        str(place),
        sent_at or started_at + after,
        str(one["text"]),
        speaker=str(one["speaker"]),  # type: ignore[arg-type]  # the host refuses other words
        kind="message" if kind == "speech" else kind,  # type: ignore[arg-type]
    )
