"""What a page must be before it is kept, and how a record becomes one that can be.

The rules are the laws of ``docs/plugins/laws.md`` that a page can be held against by itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

from qa.plugins.api import AgentRef, BadRecord, Channel, Page, Record
from qa.plugins.masking import Mask
from qa.plugins.store import Cursor, Prepared, Rejected

PAGE_RECORDS = 500
PAGE_BYTES = 8_000_000
CURSOR_BYTES = 8_192
ID_LENGTH = 200
CHANNELS: tuple[str, ...] = get_args(Channel)
ERROR_LENGTH = 500
NOT_CONTENT = frozenset({"updated_at", "raw_ref"})
"""Fields that may change while the conversation stays the same: a system update is no change."""


class ContractBroken(Exception):
    """The connector broke a law; ``law`` is its number in the ten laws."""

    def __init__(self, law: int, message: str) -> None:
        super().__init__(message)
        self.law = law


class Drifted(ContractBroken):
    """Too many records of a page are bad: the vendor changed its shape, or the mapping is wrong."""

    def __init__(self, bad: int, total: int, example: str) -> None:
        super().__init__(6, f"{bad} of {total} records are bad. The first: {example}")


def plain(value: Any) -> Any:
    """Return dataclasses, times and decimals as what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(one) for one in value), key=str)
    return value


def as_json(value: Any) -> str:
    """Return the one JSON text of plain values: sorted, ASCII. Raises TypeError, ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(text: str) -> str:
    """Return the SHA-256 of an ASCII text in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def content_hash(record: Record) -> str:
    """Return the hash by which the same content is known again."""
    return _hash_of(plain(record))


def _hash_of(content: dict[str, Any]) -> str:
    return digest_of(as_json({name: value for name, value in content.items() if name not in NOT_CONTENT}))


def checked_cursor(cursor: object, mask: Mask) -> Cursor:
    """Return the cursor as plain JSON values; raise ``ContractBroken``."""
    if not isinstance(cursor, Mapping):
        raise ContractBroken(2, f"A page's cursor is a {type(cursor).__name__}, not a dict.")
    try:
        text = json.dumps(dict(cursor), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ContractBroken(2, f"A page's cursor is not plain JSON: {error}.") from None
    if len(text) > CURSOR_BYTES:
        raise ContractBroken(
            2, f"A page's cursor has {len(text):,} bytes; at most {CURSOR_BYTES:,} are kept."
        )
    if mask.finds(json.dumps(dict(cursor), ensure_ascii=False)):
        raise ContractBroken(8, "A page's cursor holds a secret.")
    kept: Cursor = json.loads(text)
    return kept


def checked_page(page: Page, most_records: int) -> None:
    """Raise ``ContractBroken`` for a page that is too long or not made of records."""
    if not isinstance(page.done, bool):
        raise ContractBroken(2, f"A page's done is {page.done!r}, not True or False.")
    if len(page.records) > most_records:
        raise ContractBroken(5, f"A page has {len(page.records)} records; at most {most_records} are taken.")
    for one in page.records:
        if not isinstance(one, Record | BadRecord | AgentRef):
            raise ContractBroken(
                6, f"A page holds a {type(one).__name__}; a record is a Record or a BadRecord."
            )


def ids_of(page: Page) -> str:
    """Return the mark of a page's records, empty for a page without any."""
    ids = [getattr(one, "external_id", "") or digest_of(ascii(one)) for one in page.records]
    return digest_of(as_json(ids)) if ids else ""


def place_of(cursor: Cursor, ids: str) -> str:
    """Return the mark by which a page is known again: its cursor and its records."""
    return digest_of(as_json([dict(cursor), ids]))


@dataclasses.dataclass(slots=True)
class Sorted:
    """A page's records, parted; ``size_bytes`` is the length of all of them as JSON."""

    good: dict[str, Prepared] = dataclasses.field(default_factory=dict)
    bad: list[Rejected] = dataclasses.field(default_factory=list)
    agents: list[AgentRef] = dataclasses.field(default_factory=list)
    verdicts: list[bool] = dataclasses.field(default_factory=list)
    size_bytes: int = 0


def sorted_out(page: Page, mask: Mask, most_bytes: int) -> Sorted:
    """Part sound records from bad ones, the last of an id winning; raise ``ContractBroken`` above 8 MB."""
    found = Sorted()
    for one in page.records:
        if isinstance(one, AgentRef):
            found.agents.append(one)
        else:
            _sort_in(found, one, mask)
        if found.size_bytes > most_bytes:
            raise ContractBroken(5, f"A page has more than {most_bytes:,} bytes.")
    return found


def _sort_in(found: Sorted, one: Record | BadRecord, mask: Mask) -> None:
    if isinstance(one, BadRecord):
        rejected = _rejected(plain(one.raw), one.error, mask, one.external_id)
    else:
        content = plain(one)
        fault = fault_of(one, content)
        if fault is None:
            found.good[one.external_id] = Prepared(one, _hash_of(content))
            found.size_bytes += len(as_json(content))
            found.verdicts.append(False)
            return
        rejected = _rejected(content, fault, mask, one.external_id)
    found.bad.append(rejected)
    found.size_bytes += len(rejected.raw)
    found.verdicts.append(True)


def _rejected(raw: object, error: object, mask: Mask, external_id: object) -> Rejected:
    """Return a bad record without secrets, as JSON text whatever it is made of."""
    try:
        text = as_json(mask.value(raw))
    except (TypeError, ValueError):
        text = as_json(mask.text(ascii(raw)))
    known = mask.text(external_id) if isinstance(external_id, str) else ""
    return Rejected(digest_of(text), text, mask.text(str(error))[:ERROR_LENGTH], known[:ID_LENGTH])


def fault_of(record: Record, content: dict[str, Any]) -> str | None:
    """Return what is wrong with a record in a sentence, None for a sound one; ``content`` is it as JSON."""
    if not isinstance(record.external_id, str) or not 0 < len(record.external_id) <= ID_LENGTH:
        return f"external_id must be text of 1 to {ID_LENGTH} characters, not {record.external_id!r}."
    if record.deleted:
        return _fault_of_values(content, "record")
    if record.channel not in CHANNELS:
        return f"channel is {record.channel!r}; it is one of {', '.join(CHANNELS)}."
    if record.ended_at is not None and record.ended_at < record.started_at:
        return "ended_at lies before started_at."
    return _fault_of_values(content, "record")


def _fault_of_values(value: Any, place: str) -> str | None:
    """Look for text that no database takes; what else may be wrong was refused where it was made."""
    if isinstance(value, str):
        return _fault_of_text(value, place)
    if isinstance(value, dict):
        return _first(_fault_of_values(one, f"{place}.{key}") for key, one in value.items())
    if isinstance(value, list):
        return _first(_fault_of_values(one, f"{place}.{number}") for number, one in enumerate(value, 1))
    return None


def _fault_of_text(text: str, place: str) -> str | None:
    if "\x00" in text:
        return f"{place} holds a NUL character."
    if any("\ud800" <= char <= "\udfff" for char in text):
        return f"{place} holds half of a character (a lone surrogate)."
    return None


def _first(faults: Iterable[str | None]) -> str | None:
    return next((fault for fault in faults if fault is not None), None)
