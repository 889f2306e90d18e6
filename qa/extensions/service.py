"""What an administrator can do with plugins: enable, disable, allow a version, set up, arrange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission
from qa.accounts.policy import require
from qa.core import audit, jobs
from qa.core.actor import Actor, by
from qa.core.crypto import Keys
from qa.core.errors import Conflict, NotFound
from qa.core.text import checked
from qa.extensions import secrets_service as secrets
from qa.extensions.look_service import LOAD_JOB
from qa.extensions.models import NOTE_MAX, Plugin
from qa.extensions.runtime import owner_of


def enable_plugin(session: Session, actor: Actor, name: str, *, fingerprint: str = "", now: datetime) -> None:
    """Let this very version run. ``fingerprint`` is the one the person saw: another one by now is refused."""
    require(actor, Permission.PLUGIN_ENABLE, by(actor.id))
    row = _locked(session, name)
    if not row.is_there:
        raise Conflict("This plugin is not installed. Install it first.")
    if fingerprint and fingerprint != row.fingerprint:
        raise Conflict("The plugin changed since this page was loaded. Look at it again, then enable it.")
    before = {"enabled": row.is_enabled, "version": row.allowed_version}
    row.is_enabled, row.note = True, ""
    row.allowed_version, row.allowed_fingerprint = row.version, row.fingerprint
    row.strikes, row.rests_until, row.report_of = [], None, ""
    _changed(row, actor, now)
    after = {"enabled": True, "version": row.version, "fingerprint": row.fingerprint}
    audit.record(session, actor, "plugin:enable", "plugin", name, before=before, after=after, now=now)
    _ask_to_load(session, name, now)


def disable_plugin(session: Session, actor: Actor, name: str, *, note: str = "", now: datetime) -> None:
    """Stop a plugin; its settings, secrets and sources stay. What it was to deliver waits."""
    require(actor, Permission.PLUGIN_ENABLE, by(actor.id))
    row = _locked(session, name)
    row.note = checked(note.strip(), field="note", label="The reason", limit=NOTE_MAX, multiline=False)
    if not row.is_enabled:
        raise Conflict("This plugin is off already.")
    row.is_enabled = False
    _changed(row, actor, now)
    audit.record(session, actor, "plugin:disable", "plugin", name, reason=row.note or None, now=now)


def wake_plugin(session: Session, actor: Actor, name: str, *, now: datetime) -> None:
    """End a plugin's rest and load it anew."""
    require(actor, Permission.PLUGIN_ENABLE, by(actor.id))
    row = _locked(session, name)
    if not row.is_enabled:
        raise Conflict("This plugin is off. Enable it first.")
    row.strikes, row.rests_until, row.report_of = [], None, ""
    audit.record(session, actor, "plugin:wake", "plugin", name, now=now)
    _ask_to_load(session, name, now)


def configure_plugin(
    session: Session,
    actor: Actor,
    name: str,
    *,
    config: Mapping[str, Any],
    given_secrets: Mapping[str, str],
    fixed: Sequence[str],
    keys: Keys,
    now: datetime,
) -> None:
    """Keep settings that the plugin's form has judged; ``fixed`` names those that ``qa.toml`` sets.

    Another host in a setting that names one clears all secrets that were not typed again: they were
    meant for the former host.
    """
    require(actor, Permission.PLUGIN_CONFIGURE, by(actor.id))
    row = _locked(session, name)
    before = dict(row.settings)
    after = {key: value for key, value in config.items() if key not in fixed}
    if moved := hosts_moved(before, after):
        secrets.drop_secrets(session, owner_of(name))
    mine = {key: value for key, value in given_secrets.items() if key not in fixed}
    secrets.keep_secrets(session, keys, owner_of(name), mine, changed_by_id=actor.id, now=now)
    row.settings = after
    row.report_of = ""
    _changed(row, actor, now)
    names = sorted({key for key in {*before, *after} if before.get(key) != after.get(key)})
    facts = {"settings": names, "secrets": sorted(mine), "secrets_cleared": bool(moved)}
    audit.record(session, actor, "plugin:configure", "plugin", name, after=facts, now=now)
    if row.is_enabled:
        _ask_to_load(session, name, now)


def hosts_moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return which settings name another host than before."""
    moved = []
    for key, value in after.items():
        old = host_in(before.get(key))
        if old and old != host_in(value):
            moved.append(key)
    return moved


def host_in(value: Any) -> str:
    """Return scheme, host and port of a setting that is an address, empty for others."""
    text = str(value or "")
    scheme, found, rest = text.partition("://")
    if not found:
        return ""
    return f"{scheme.lower()}://{rest.partition('/')[0].partition('?')[0].rpartition('@')[2].lower()}"


def arrange_plugins(session: Session, actor: Actor, names: Sequence[str], *, now: datetime) -> None:
    """Set the order in which plugins are asked; those not named come after, by name."""
    require(actor, Permission.PLUGIN_ENABLE, by(actor.id))
    rows = {row.name: row for row in session.scalars(select(Plugin).with_for_update())}
    if unknown := [name for name in names if name not in rows]:
        raise NotFound(f"There is no plugin {unknown[0]!r}.")
    for row in rows.values():
        row.position = names.index(row.name) + 1 if row.name in names else None
    audit.record(session, actor, "plugin:arrange", "plugin", "all", after={"order": list(names)}, now=now)


def _locked(session: Session, name: str) -> Plugin:
    row = session.get(Plugin, name, with_for_update=True)
    if row is None:
        raise NotFound("There is no such plugin.")
    return row


def _changed(row: Plugin, actor: Actor, now: datetime) -> None:
    row.changed_by_id, row.changed_at = actor.id, now


def _ask_to_load(session: Session, name: str, now: datetime) -> None:
    jobs.enqueue(
        session, LOAD_JOB, {"plugin": name}, now=now, queue="import", dedupe_key=f"{LOAD_JOB}:{name}"
    )
