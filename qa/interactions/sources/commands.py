"""``qa source``: sources set up, tested, tried and pulled from the shell."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from qa import config
from qa.core import bell, clock, crypto
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import Invalid, NotFound
from qa.core.storage import LocalStorage
from qa.extensions import secrets_service
from qa.extensions.runtime import Runtime
from qa.interactions.sources import queries, service, trial, words
from qa.interactions.sources.connectors import Connectors, Facts, get_facts, list_facts, owner_of
from qa.interactions.sources.jobs import Runner
from qa.interactions.sources.models import Source, SyncRun
from qa.interactions.sources.service import Wanted

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
FAULT = 1
MOST_RUNS = 1_000


@dataclass(frozen=True, slots=True)
class _Site:
    settings: config.Settings
    database: Database
    keys: Keys
    connectors: Connectors

    def source(self, name: str) -> Source:
        with self.database.reading() as session:
            found = queries.find_source(session, SYSTEM, name)
            names = [one.source.key for one in queries.list_sources(session, SYSTEM, now=clock.now())]
        if found is None:
            known = f"Known are: {', '.join(names)}." if names else "There is none yet; see qa source add."
            raise NotFound(f"There is no source called {name}. {known}")
        return found

    def facts(self, source: Source) -> Facts:
        with self.database.reading() as session:
            return get_facts(session, source.plugin, source.connector)


@contextmanager
def _site(path: str | None) -> Iterator[_Site]:
    settings = config.load(Path(path) if path else None)
    keys = crypto.load_keys(settings.key_path)
    runtime = Runtime(settings, keys)
    opened = bell.ringing_database(settings.database, settings.queue_url, settings.data_path)
    try:
        with opened as database:
            yield _Site(
                settings,
                database,
                keys,
                Connectors(runtime, database, keys, site_zone=settings.time_zone),
            )
    finally:
        runtime.close()


@click.group()
def source() -> None:
    """Look after sources of conversations."""


@source.command(name="list")
@JSON
@click.pass_obj
def list_(path: str | None, as_json: bool) -> None:
    """Print every source with its state. Exits 1 when one needs somebody."""
    now = clock.now()
    with _site(path) as site, site.database.reading() as session:
        standings = queries.list_sources(session, SYSTEM, now=now)
    rows = [(one, words.state_of(one, lambda moment: f"{moment:%Y-%m-%d %H:%M}Z")) for one in standings]
    if as_json:
        click.echo(json.dumps({"sources": [_facts(one, state) for one, state in rows]}))
    elif not rows:
        click.echo("No source yet. qa source add PLUGIN/CONNECTOR adds one.")
    for one, state in () if as_json else rows:
        click.echo(f"{one.source.key:<24} {state.words:<24} {one.source.plugin}/{one.source.connector}")
        click.echo(f"{'':<24} {state.sentence}")
    if any(one.needs_somebody for one in standings):
        sys.exit(FAULT)


def _facts(one: queries.Standing, state: words.State) -> dict[str, object]:
    run = one.last_run
    return {
        "key": one.source.key,
        "name": one.source.name,
        "connector": f"{one.source.plugin}/{one.source.connector}",
        "state": one.source.state,
        "paused": one.source.is_paused,
        "words": state.words,
        "reason": one.source.reason,
        "in_quarantine": one.waiting,
        "last_run": None if run is None else _run_facts(run),
    }


def _run_facts(run: SyncRun) -> dict[str, object]:
    return {
        "ended": run.ended,
        "new": run.new_count,
        "changed": run.changed_count,
        "same": run.same_count,
        "deleted": run.deleted_count,
        "refused": run.refused_count,
    }


@source.command()
@click.argument("connector", metavar="PLUGIN/CONNECTOR")
@click.option("--name", required=True, help="What people call it.")
@click.option("--set", "given", multiple=True, metavar="FIELD=VALUE", help="A setting; repeat it for each.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="FIELD=WHERE",
    help="A secret: env:VARIABLE, file:PATH, or - to be asked.",
)
@click.option("--every", default=300, show_default=True, help="Seconds between two pulls.")
@click.option("--past", default="all", show_default=True, help="Days to begin with, or all.")
@click.option("--start/--no-start", default=True, help="Let it run at once.")
@click.pass_obj
def add(
    path: str | None,
    connector: str,
    name: str,
    given: Sequence[str],
    secrets: Sequence[str],
    every: int,
    past: str,
    start: bool,
) -> None:
    """Set a source up. Its connector's own form judges the settings."""
    span = _past(past)
    typed = _pairs(given, "--set") | {
        field: [_secret(field, values[0])] for field, values in _pairs(secrets, "--secret").items()
    }
    with _site(path) as site:
        facts = _chosen(site, connector)
        known = {str(one["name"]) for one in facts.settings}
        if unknown := sorted(set(typed) - known):
            raise click.UsageError(
                f"{connector} has no setting {unknown[0]!r}. Known are: {', '.join(sorted(known))}."
            )
        judged = site.connectors.judge(facts.plugin, facts.offer.key, typed, frozenset())
        if judged.errors:
            sentences = [f"{field or 'settings'}: {words}" for field, words in judged.errors.items()]
            raise Invalid("; ".join(sentences))
        wanted = Wanted(name, facts.plugin, facts.offer.key, judged.config, every_seconds=every)
        with site.database.transaction() as session:
            now = clock.now()
            made = service.draft_source(session, SYSTEM, wanted, facts.able, now=now)
            secrets_service.keep_secrets(
                session, site.keys, owner_of(made.key), judged.secrets, changed_by_id=None, now=now
            )
            if start:
                service.start_source(session, SYSTEM, made.id, facts.able, past=span, now=now)
        click.echo(f"{made.key}: added{', and running with the next worker' if start else ''}.")


def _past(text: str) -> timedelta | None:
    if text == "all":
        return None
    if not text.isdigit() or len(text) > 5:
        raise click.UsageError(f"--past is {text!r}; write a number of days, or all.")
    return timedelta(days=int(text))


def _pairs(given: Sequence[str], option: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in given:
        field, equals, value = pair.partition("=")
        if not equals or not field:
            raise click.UsageError(f"{option} {pair!r} is not FIELD=VALUE.")
        found.setdefault(field, []).append(value)
    return found


def _secret(field: str, where: str) -> str:
    """Return a secret from where it is, never from the command line itself, which others can see."""
    if where == "-":
        return str(click.prompt(field, hide_input=True))
    kind, _, place = where.partition(":")
    if kind == "env" and place in os.environ:
        return os.environ[place]
    if kind == "file" and Path(place).is_file():
        return Path(place).read_text(encoding="utf-8").strip()
    raise click.UsageError(f"--secret {field}: {where!r} is not there. Write env:VARIABLE, file:PATH or -.")


def _chosen(site: _Site, connector: str) -> Facts:
    plugin, _, key = connector.partition("/")
    with site.database.reading() as session:
        offers = list_facts(session)
    fits = [one for one in offers if one.plugin == plugin and key in ("", one.offer.key)]
    if len(fits) == 1:
        return fits[0]
    known = ", ".join(f"{one.plugin}/{one.offer.key}" for one in offers) or "none; see qa plugin enable"
    raise NotFound(f"There is no connector {connector} on this site. Enabled are: {known}.")


@source.command()
@click.argument("name")
@JSON
@click.pass_obj
def check(path: str | None, name: str, as_json: bool) -> None:
    """Make a real call: does it let us in, which permissions are missing. Exits 1 when something is."""
    with _site(path) as site:
        chosen = site.source(name)
        told = trial.check_source(site.connectors, chosen, clock.now())
        with site.database.transaction() as session:
            service.keep_trial(session, SYSTEM, chosen.id, "check", told, now=clock.now())
    if as_json:
        click.echo(json.dumps(told))
    else:
        click.echo(
            f"{'ok' if told['ok'] else 'no'}: {told['message'] or 'It works.'} {told.get('cure', '')}".strip()
        )
        for right in told["missing"]:
            click.echo(f"missing: {right}")
    if not told["ok"]:
        sys.exit(FAULT)


@source.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Store nothing; show what each record would become.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 500), help="Records of a dry run."
)
@click.option("--show-requests", is_flag=True, help="Print each request to the other side.")
@JSON
@click.pass_obj
def pull(path: str | None, name: str, dry_run: bool, limit: int, show_requests: bool, as_json: bool) -> None:
    """Pull a source now, to its end. Exits 1 when it did not end well."""
    with _site(path) as site:
        chosen = site.source(name)
        site.connectors.shows_requests = show_requests
        if show_requests:
            _print_requests()
        if dry_run:
            _try(site, chosen, limit, as_json)
            return
        runs = _pulled(site, chosen)
    if as_json:
        click.echo(json.dumps({"runs": [{"stream": one.stream, **_run_facts(one)} for one in runs]}))
    for run in () if as_json else runs:
        click.echo(
            f"{run.stream}: {words.run_words(run)}. {run.new_count} new, {run.changed_count} changed, "
            f"{run.same_count} the same, {run.deleted_count} gone, {run.refused_count} in quarantine. "
            f"{run.words}"
        )
    if any(run.ended not in {"done", "more"} for run in runs):
        sys.exit(FAULT)


def _print_requests() -> None:
    logging.getLogger("qa.plugin").setLevel(logging.DEBUG)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.getLogger("qa.plugin").addHandler(handler)


def _pulled(site: _Site, chosen: Source) -> list[SyncRun]:
    """Run every lane of a source until it has no more for now; return the runs."""
    runner = Runner(
        keys=site.keys,
        storage=LocalStorage(site.settings.recordings_path),
        folder=site.settings.data_path / "fetching",
        connectors=site.connectors,
        stopping=threading.Event(),
    )
    with site.database.reading() as session:
        lanes = service.list_lanes(session, SYSTEM, chosen.id)
        before = [run.id for run in queries.list_runs(session, SYSTEM, chosen.id)]
    if not lanes:
        raise Invalid(f"{chosen.name} has not been started. Start it on its page.")
    for lane in lanes:
        payload = {"source_id": chosen.id, "stream": lane.stream, "lane": lane.lane}
        for _ in range(MOST_RUNS):
            runner.pull(site.database, payload)
            if _last_end(site, chosen, lane.stream) != "more":
                break
    with site.database.reading() as session:
        runs = queries.list_runs(session, SYSTEM, chosen.id)
    return [run for run in reversed(runs) if run.id > max(before, default=0)]


def _last_end(site: _Site, chosen: Source, stream: str) -> str:
    with site.database.reading() as session:
        runs = queries.list_runs(session, SYSTEM, chosen.id)
    return next((run.ended for run in runs if run.stream == stream), "")


def _try(site: _Site, chosen: Source, limit: int, as_json: bool) -> None:
    stream = site.facts(chosen).streams[0]
    with site.database.reading() as session:
        told = trial.try_source(session, site.connectors, chosen, stream, clock.now(), limit=limit)
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
    elif told["ok"]:
        for row in told["rows"]:
            _print_row(row)
        counts: dict[str, Any] = told["counts"]
        summary = ", ".join(f"{count} {result}" for result, count in counts.items())
        click.echo(f"{len(told['rows'])} read, nothing stored: {summary or 'there was nothing'}.")
    else:
        click.echo(f"no: {told['message']} {told.get('cure', '')}".strip())
    if not told["ok"]:
        sys.exit(FAULT)


def _print_row(row: dict[str, Any]) -> None:
    click.echo(f"--- {row['id']}: {row['result']} {row.get('reason', '')}".rstrip())
    left = str(row["raw"]).splitlines()
    right = [f"{label}: {value}" for label, value in row["mapped"]]
    for number in range(max(len(left), len(right))):
        raw = left[number] if number < len(left) else ""
        mapped = right[number] if number < len(right) else ""
        click.echo(f"{raw[:58]:<60}{mapped}".rstrip())


@source.command()
@click.argument("name")
@click.pass_obj
def pause(path: str | None, name: str) -> None:
    """Stop pulling after the page in hand."""
    with _site(path) as site:
        chosen = site.source(name)
        with site.database.transaction() as session:
            service.pause_source(session, SYSTEM, chosen.id, now=clock.now())


@source.command()
@click.argument("name")
@click.pass_obj
def resume(path: str | None, name: str) -> None:
    """Go on from where it stood."""
    with _site(path) as site:
        chosen = site.source(name)
        with site.database.transaction() as session:
            service.resume_source(session, SYSTEM, chosen.id, now=clock.now())
