"""``qa plugin``: plugins listed, examined, enabled and disabled from the shell."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from qa import config
from qa.core import bell, clock, crypto
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.errors import NotFound
from qa.extensions import look_service, outgoing_service, queries, service
from qa.extensions.runtime import Runtime
from qa.plugins.discovery import find
from qa.plugins.hosting import Host
from qa.plugins.report import Report

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
FAULT, REFUSED = 1, 3


@dataclass(frozen=True, slots=True)
class _Site:
    settings: config.Settings
    database: Database
    runtime: Runtime


@contextmanager
def _site(path: str | None) -> Iterator[_Site]:
    settings = config.load(Path(path) if path else None)
    opened = bell.ringing_database(settings.database, settings.queue_url, settings.data_path)
    runtime = Runtime(settings, crypto.load_keys(settings.key_path))
    try:
        with opened as database:
            yield _Site(settings, database, runtime)
    finally:
        runtime.close()


@click.command(name="list")
@JSON
@click.pass_obj
def list_(path: str | None, as_json: bool) -> None:
    """Print every plugin with version, state and last error. Exits 1 when one needs somebody."""
    with _site(path) as site:
        look_service.look(site.database, site.runtime)
        with site.database.reading() as session:
            lines = queries.list_plugins(
                session,
                SYSTEM,
                now=clock.now(),
                trusted=site.runtime.trusted,
                is_safe_mode=site.settings.no_plugins,
            )
    if as_json:
        click.echo(json.dumps({"plugins": [_facts(line) for line in lines]}))
    elif not lines:
        click.echo("No plugin is installed.")
    for line in () if as_json else lines:
        row, standing = line.row, line.standing
        click.echo(f"{row.name:<20} {row.version:<10} {standing.words:<12} {row.origin}")
        for words in filter(None, (standing.sentence, standing.fix)):
            click.echo(f"{'':<20} {words}")
    if any(line.standing.needs_somebody for line in lines):
        sys.exit(FAULT)


def _facts(line: queries.PluginLine) -> dict[str, object]:
    row = line.row
    return {
        "name": row.name,
        "version": row.version,
        "origin": row.origin,
        "state": line.standing.code,
        "reason": line.standing.sentence,
        "fix": line.standing.fix,
        "offers": [f"{offer.kind}:{offer.key}" for offer in line.report.offers],
        "calls": row.call_count,
        "failures": row.failure_count,
        "last_error": row.error,
        "last_error_at": None if row.error_at is None else row.error_at.isoformat(),
        "waiting": line.waiting,
        "undelivered": line.dead,
    }


@click.command()
@click.argument("name", required=False)
@JSON
@click.pass_obj
def doctor(path: str | None, name: str | None, as_json: bool) -> None:
    """Load NAME (or all) in a process of its own now and say what is wrong, with the cure.

    Needs no database. Exits 1 when something is wrong, 2 when there is no such plugin.
    """
    settings = config.load(Path(path) if path else None)
    found = [one for one in find(settings.plugins_path) if name in (None, one.name)]
    if name is not None and not found:
        raise NotFound(f"There is no plugin {name!r}. `qa plugin list` shows those that are installed.")
    host = Host(settings.plugin_work_path)
    try:
        reports = [host.load(one) for one in found]
    finally:
        host.close()
    if as_json:
        click.echo(json.dumps({"plugins": [report.to_json() for report in reports]}))
    for report in () if as_json else reports:
        _tell(report)
    if not all(report.is_ok for report in reports):
        sys.exit(FAULT)


def _tell(report: Report) -> None:
    mark = "ok   " if report.is_ok else "FAULT"
    click.echo(f"{mark}  {report.name} {report.version}".rstrip())
    if not report.is_ok:
        click.echo(f"       {report.step}: {report.reason}")
        click.echo(f"       {report.fix or 'Tell its author.'}")
        if report.issues_url:
            click.echo(f"       Its issues: {report.issues_url}")
    for offer in report.offers:
        click.echo(f"       {offer.kind} {offer.key}: {offer.title}")
    for note in report.notes:
        click.echo(f"       note: {note}")


@click.command()
@click.argument("name")
@click.pass_obj
def enable(path: str | None, name: str) -> None:
    """Let the installed version of NAME run. Exits 1 when it cannot be loaded."""
    with _site(path) as site:
        look_service.look(site.database, site.runtime)
        with site.database.transaction() as session:
            service.enable_plugin(session, SYSTEM, name, now=clock.now())
        report = look_service.load_one(site.database, site.runtime, name)
    if report is not None:
        _tell(report)
        if not report.is_ok:
            sys.exit(FAULT)


@click.command()
@click.argument("name")
@click.option("--note", default="", help="Why; shown on the plugins page.")
@click.pass_obj
def disable(path: str | None, name: str, note: str) -> None:
    """Stop NAME; its settings, secrets and sources stay."""
    with _site(path) as site, site.database.transaction() as session:
        service.disable_plugin(session, SYSTEM, name, note=note, now=clock.now())


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def order(path: str | None, names: tuple[str, ...]) -> None:
    """Ask these plugins first, in this order; the others follow by name."""
    with _site(path) as site, site.database.transaction() as session:
        service.arrange_plugins(session, SYSTEM, names, now=clock.now())


@click.command()
@click.option("--state", type=click.Choice(["dead", "pending"]), default="dead", show_default=True)
@JSON
@click.pass_obj
def undelivered(path: str | None, state: str, as_json: bool) -> None:
    """Print what could not be delivered outside, with the reason. Exits 1 when there is any."""
    with _site(path) as site, site.database.reading() as session:
        rows = queries.list_outgoing(session, SYSTEM, state=state, limit=1_000)
    facts = [
        {
            "id": row.id,
            "work": row.work,
            "plugin": row.plugin,
            "attempts": row.attempt,
            "put_at": row.put_at.isoformat(),
            "error": row.error,
        }
        for row in rows
    ]
    if as_json:
        click.echo(json.dumps({"undelivered": facts}))
    for one in () if as_json else facts:
        click.echo(f"{one['id']:>6}  {one['plugin']:<16} {one['work']:<8} {one['put_at']}  {one['error']}")
    if facts and state == "dead":
        sys.exit(FAULT)


@click.command()
@click.argument("ids", nargs=-1, type=int, required=True)
@click.pass_obj
def send(path: str | None, ids: tuple[int, ...]) -> None:
    """Deliver again what was given up on, each with its old key."""
    with _site(path) as site, site.database.transaction() as session:
        for outgoing_id in ids:
            outgoing_service.send_again(session, SYSTEM, outgoing_id, now=clock.now())


@click.command()
@click.argument("ids", nargs=-1, type=int, required=True)
@click.pass_obj
def discard(path: str | None, ids: tuple[int, ...]) -> None:
    """Give up for good on what was given up on; its contents go."""
    with _site(path) as site, site.database.transaction() as session:
        for outgoing_id in ids:
            outgoing_service.discard(session, SYSTEM, outgoing_id, now=clock.now())


def faults_of_start(settings: config.Settings) -> list[str]:
    """Return why enabled plugins cannot run, a sentence each: ``plugins_strict`` refuses to start then."""
    if settings.no_plugins:
        return []
    runtime = Runtime(settings, crypto.load_keys(settings.key_path))
    try:
        with Database(settings.database) as database:
            return look_service.faults(database, runtime)
    finally:
        runtime.close()
