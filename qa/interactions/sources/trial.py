"""Trying a source before it runs: does it let us in, which rights are missing, what would come in.

A trial stores nothing of what it reads. What it shows is covered so that whoever sets a source up sees
shapes, codes and people of this site, and nobody's conversations.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.interactions.alias_models import MATCHED, Alias
from qa.interactions.alias_service import account_of
from qa.interactions.lines import BrokenLine, Line
from qa.interactions.sources.connectors import Connectors
from qa.interactions.sources.mapping import media_of, parsed_record
from qa.interactions.sources.models import Source
from qa.interactions.sources.redaction import COVERED, shown
from qa.interactions.storing_service import Known, known_lines
from qa.plugins.api import BadRecord, Check, Page, PluginError, Record
from qa.plugins.calling import PluginFailed
from qa.plugins.masking import Mask
from qa.plugins.page_rules import content_hash, fault_of, plain
from qa.plugins.store import Lane
from qa.plugins.verdicts import judge

MOST_RECORDS = 20
KINDS = {"message": ("message", "messages"), "note": ("note", "notes"), "event": ("event", "events")}
NEW, CHANGED, SAME, GONE, WAITS = "new", "changed", "same", "gone", "waits"

Trial = dict[str, Any]


def check_source(connectors: Connectors, source: Source, now: datetime) -> Trial:
    """Return what a real call told: in or not, which account, each missing right by its name."""
    try:
        outcome = connectors.check(source)
    except (PluginError, PluginFailed) as error:
        return _refused(error, source, now)
    check: Check = outcome.value
    told: Trial = {
        "ok": check.ok,
        "message": check.message,
        "account": check.account,
        "missing": list(check.missing),
    }
    return told | {"seconds": round(outcome.seconds, 1), "requests": outcome.traffic.get("requests", 0)}


def _refused(error: Exception, source: Source, now: datetime) -> Trial:
    verdict = judge(error, 3, now, timedelta(seconds=source.every_seconds))
    missing = [error.scope] if hasattr(error, "scope") else []
    field = getattr(error, "field", "")
    return {
        "ok": False,
        "message": verdict.reason,
        "cure": verdict.cure,
        "account": "",
        "missing": missing,
        "field": field,
    }


def try_source(
    session: Session,
    connectors: Connectors,
    source: Source,
    stream: str,
    now: datetime,
    *,
    limit: int = MOST_RECORDS,
) -> Trial:
    """Read some records and return what would become of each; nothing is stored."""
    started = time.monotonic()
    try:
        records = list(islice(_records(connectors, source, stream), limit))
    except (PluginError, PluginFailed) as error:
        return _refused(error, source, now) | {"rows": []}
    mask = Mask(connectors.secrets(source).values())
    rows: list[Trial] = mask.value(rows_of(session, source.key, records))
    counts = Counter(row["result"] for row in rows)
    return {
        "ok": True,
        "rows": rows,
        "counts": dict(counts),
        "seconds": round(time.monotonic() - started, 1),
    }


def _records(connectors: Connectors, source: Source, stream: str) -> Iterator[Record | BadRecord]:
    pages: Any = connectors.pages(source, stream, Lane.LIVE)(None, None)
    try:
        for page in pages:
            if isinstance(page, Page):
                yield from (one for one in page.records if isinstance(one, Record | BadRecord))
                if page.done:
                    return
    finally:
        pages.close()


def rows_of(session: Session, source_key: str, records: Sequence[Record | BadRecord]) -> list[Trial]:
    """Return each record covered, beside what it would become and why."""
    ids = [one.external_id for one in records if one.external_id]
    known = known_lines(session, source_key, ids)
    people = _people(session, source_key, records)
    return [_row(one, known, people) for one in records]


def _row(one: Record | BadRecord, known: Mapping[str, Known], people: Mapping[str, str]) -> Trial:
    row: Trial = {"id": one.external_id or "?", "agent": "", "start": None, "holds": "", "mapped": []}
    if isinstance(one, BadRecord):
        return row | {"raw": shown(plain(one.raw)), "result": WAITS, "reason": one.error}
    content = plain(one)
    row["raw"] = shown(_told(content))
    fault = fault_of(one, content)
    if fault is not None:
        return row | {"result": WAITS, "reason": fault}
    try:
        parsed = parsed_record(one, content_hash(one))
    except BrokenLine as error:
        return row | {"result": WAITS, "reason": str(error)}
    line = parsed.line
    earlier = known.get(one.external_id)
    agent, holds = _agent(line, people), _holds(one)
    start = one.started_at.isoformat()
    mapped = _mapped(line, agent, holds)
    row |= {"agent": agent, "start": start, "holds": holds, "mapped": mapped, "reason": ""}
    if line.is_gone:
        return row | {"result": GONE}
    if earlier is None:
        return row | {"result": NEW}
    return row | {"result": CHANGED if earlier.is_changed_by(parsed) else SAME}


def _told(value: Any) -> Any:
    """Leave out what a record says nothing about."""
    if isinstance(value, dict):
        told = {name: _told(item) for name, item in value.items()}
        return {name: item for name, item in told.items() if item not in (None, "", [], {}, False)}
    return [_told(item) for item in value] if isinstance(value, list) else value


def _agent(line: Line, people: Mapping[str, str]) -> str:
    if not line.agents:
        return "nobody"
    account = account_of(line.agents[0])
    return people.get(account) or f"unknown account {account}"


def _holds(record: Record) -> str:
    counts = Counter(message.kind for message in record.messages)
    words = [f"{count} {KINDS[kind][count != 1]}" for kind, count in counts.items()]
    recordings = len(media_of(record))
    if recordings:
        words.append(f"{recordings} recording{'' if recordings == 1 else 's'}")
    return ", ".join(words) or "no messages"


def _mapped(line: Line, agent: str, holds: str) -> list[tuple[str, str]]:
    csat = line.kpis.csat
    return [
        ("Their id", line.external_id),
        ("Channel", line.channel),
        ("Subject", COVERED if line.subject else "none"),
        ("Queue", line.queue or "none"),
        ("Agent", agent),
        ("Customer", COVERED if line.customer.reference or line.customer.name else "none"),
        ("CSAT", "none" if csat is None else f"{csat.score:g} of {csat.max:g}"),
        ("Holds", holds),
        ("Tags", ", ".join(line.tags) or "none"),
        ("Other fields", ", ".join(sorted(line.fields)) or "none"),
    ]


def _people(session: Session, source_key: str, records: Sequence[Record | BadRecord]) -> dict[str, str]:
    """Return the names of the people behind the first agents, as far as they are matched or one fits."""
    accounts, emails, numbers = set(), set(), set()
    for one in records:
        if isinstance(one, Record) and one.agent_refs:
            ref = one.agent_refs[0]
            accounts.add(ref.external_id or ref.email.casefold() or ref.extension)
            emails.add(ref.email.casefold())
            numbers.add(ref.external_id)
    matched = (
        select(Alias.account, User.name)
        .join(User, User.id == Alias.user_id)
        .where(Alias.source == source_key, Alias.account.in_(accounts), Alias.state.in_(MATCHED))
    )
    names = {account: name for account, name in session.execute(matched)}
    by_mail = select(User.email_folded, User.name).where(User.email_folded.in_(emails - {""}))
    by_number = select(User.external_id, User.name).where(User.external_id.in_(numbers - {""}))
    mailed = {mail: name for mail, name in session.execute(by_mail)}
    numbered = {number: name for number, name in session.execute(by_number)}
    for one in records:
        if isinstance(one, Record) and one.agent_refs:
            ref = one.agent_refs[0]
            account = ref.external_id or ref.email.casefold() or ref.extension
            found = mailed.get(ref.email.casefold()) or numbered.get(ref.external_id)
            if found:
                names.setdefault(account, found)
    return names
