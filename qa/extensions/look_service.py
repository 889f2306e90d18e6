"""Looking at what is installed: new plugins are listed, allowed ones loaded once in each version.

Nothing of a plugin is run before somebody enables it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.core import clock, jobs
from qa.core.db import Database
from qa.extensions import secrets_service as secrets
from qa.extensions.models import Plugin
from qa.extensions.runtime import Runtime, fixed_settings, owner_of
from qa.extensions.standing import is_allowed, standing_of
from qa.plugins.calling import PluginFailed
from qa.plugins.discovery import Candidate
from qa.plugins.report import Report

LOOK_JOB = "plugins.look"
LOAD_JOB = "plugins.load"


def look(database: Database, runtime: Runtime) -> None:
    """Bring the list up to date and have loaded what may run and was not loaded yet."""
    found = runtime.installed(fresh=True)
    now = clock.now()
    with database.reading() as session:
        known = {row.name: row for row in session.scalars(select(Plugin))}
        changed = _differ(found, known)
        waiting = [row.name for row in known.values() if _must_load(row, runtime)]
    if changed:
        with database.transaction() as session:
            _update(session, found, now)
            waiting = [row.name for row in session.scalars(select(Plugin)) if _must_load(row, runtime)]
            _ask_to_load(session, waiting, now)
    elif waiting:
        with database.transaction() as session:
            _ask_to_load(session, waiting, now)


def _differ(found: Mapping[str, Candidate], known: Mapping[str, Plugin]) -> bool:
    if any(row.is_there and name not in found for name, row in known.items()):
        return True
    return any(name not in known or _facts(one) != _row_facts(known[name]) for name, one in found.items())


def _facts(one: Candidate) -> tuple[object, ...]:
    return one.distribution, one.version, one.origin[:500], one.fingerprint, True


def _row_facts(row: Plugin) -> tuple[object, ...]:
    return row.distribution, row.version, row.origin, row.fingerprint, row.is_there


def _update(session: Session, found: Mapping[str, Candidate], now: datetime) -> None:
    known = {row.name: row for row in session.scalars(select(Plugin).with_for_update())}
    for name, row in known.items():
        row.is_there = name in found
    for name, one in found.items():
        row = known.get(name) or Plugin(name=name, found_at=now, report=_first_report(one))
        row.distribution, row.version, row.origin, row.fingerprint, row.is_there = _facts(one)  # type: ignore[assignment]
        session.add(row)


def _first_report(one: Candidate) -> dict[str, Any]:
    """Return what the package says about itself, before its code was ever run."""
    return Report(
        one.name,
        "new",
        version=one.version,
        title=one.name,
        description=one.summary,
        homepage=one.homepage,
        issues_url=one.issues_url,
    ).to_json()


def _must_load(row: Plugin, runtime: Runtime) -> bool:
    return is_allowed(row, runtime.trusted) and row.report_of != row.fingerprint


def _ask_to_load(session: Session, names: list[str], now: datetime) -> None:
    for name in names:
        jobs.enqueue(
            session, LOAD_JOB, {"plugin": name}, now=now, queue="import", dedupe_key=f"{LOAD_JOB}:{name}"
        )


def load_one(database: Database, runtime: Runtime, plugin: str) -> Report | None:
    """Load an allowed plugin in a child process and keep the report; None when it may not run."""
    with database.reading() as session:
        row = session.get(Plugin, plugin)
        if row is None or not is_allowed(row, runtime.trusted):
            return None
        kept = secrets.set_names(session, owner_of(plugin))
    report, fingerprint = runtime.load(plugin)
    if report.is_ok and report.settings:
        report = _with_settings(report, row, runtime, kept)
    with database.transaction() as session:
        row = session.get(Plugin, plugin, with_for_update=True)
        if row is None or row.fingerprint != fingerprint:
            return report
        row.report, row.report_of, row.reported_at = report.to_json(), fingerprint, clock.now()
    return report


def _with_settings(report: Report, row: Plugin, runtime: Runtime, kept: frozenset[str]) -> Report:
    """Return the report, with a fault when ``qa.toml`` says something the plugin's form refuses."""
    fixed = fixed_settings(runtime.settings, row.name)
    if not fixed:
        return report
    known = [str(one["name"]) for one in report.settings]
    if unknown := sorted(set(fixed) - set(known)):
        fix = f"Known are: {', '.join(known)}."
        return _failed(report, f"qa.toml, [plugins.{row.name}]: there is no setting {unknown[0]!r}.", fix)
    typed = {name: typed_of(value) for name, value in {**row.settings, **fixed}.items()}
    try:
        judged = runtime.judge(row.name, "", typed, kept)
    except PluginFailed as failed:
        return _failed(report, f"Its settings form fails: {failed.reason}", "Tell its author.")
    for name, sentence in judged.errors.items():
        if name in fixed:
            place = f"qa.toml, [plugins.{row.name}] {name}"
            return _failed(report, f"{place}: {sentence}", "Correct it and start again.")
    return report


def _failed(report: Report, reason: str, fix: str) -> Report:
    return Report(**{**report.to_json(), "step": "settings", "reason": reason, "fix": fix, "offers": ()})


def typed_of(value: Any) -> list[str]:
    """Return a setting as a person would have typed it into a form."""
    if value is None or value is False:
        return []
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    return ["y" if value is True else str(value)]


def faults(database: Database, runtime: Runtime) -> list[str]:
    """Load every enabled plugin now; return a sentence for each that cannot run."""
    look(database, runtime)
    with database.reading() as session:
        names = list(session.scalars(select(Plugin.name).where(Plugin.is_enabled).order_by(Plugin.name)))
    for name in names:
        load_one(database, runtime, name)
    now = clock.now()
    with database.reading() as session:
        rows = session.scalars(select(Plugin).where(Plugin.is_enabled).order_by(Plugin.name))
        told = [(row.name, standing_of(row, now=now, trusted=runtime.trusted)) for row in rows]
    return [f"{name}: {one.sentence} {one.fix}".strip() for name, one in told if one.needs_somebody]
