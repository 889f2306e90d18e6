"""``qa plugin …``: start, check and try a plugin."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import click

from qa.plugins.api import Connector
from qa.plugins.discovery import Candidate
from qa.plugins.loading import load
from qa.plugins.reach import Network
from qa.plugins.scaffolding import AUTHS, PAGINGS, CannotMake, make_connector
from qa.plugins.settings_form import describe
from qa.plugins.testing.child import BROKEN, NOT_NEEDED, Result
from qa.plugins.testing.live import visit
from qa.plugins.testing.quality import CLAIMED_WRONGLY, OPEN
from qa.plugins.testing.reports import junit_of, page_of
from qa.plugins.testing.serving import served, started
from qa.plugins.testing.whole import NoPlugin, Verdict, candidate_in, check_plugin, twin_of

SIGNS = {BROKEN: "✗", NOT_NEEDED: "–"}


@click.group()
def group() -> None:
    """Start, check and try a plugin."""


@group.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(["connector"]), default="connector", show_default=True)
@click.option("--auth", type=click.Choice(list(AUTHS)), default="token", show_default=True)
@click.option("--paging", type=click.Choice(list(PAGINGS)), default="cursor", show_default=True)
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), help="Folder; candor-NAME by default."
)
def new(name: str, kind: str, auth: str, paging: str, into: Path | None) -> None:
    """Write a plugin that works, to be changed into yours."""
    del kind  # the only one so far
    folder = into or Path(f"candor-{name}")
    try:
        files = make_connector(name, folder, auth=auth, paging=paging)
    except CannotMake as error:
        raise click.UsageError(str(error)) from None
    click.echo(f"{folder}: {len(files)} files. {AUTHS[auth].words}, {PAGINGS[paging].words}.")
    click.echo(f"Next: cd {folder} && qa plugin check")


@group.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--only", multiple=True, metavar="CHECK", help="Run some checks only, such as c06.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML for a build server."
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page for people.")
@click.option(
    "--against", metavar="URL", help="Visit the real vendor instead; secrets come from QA_CHECK_<FIELD>."
)
@click.option(
    "--private", multiple=True, metavar="NETWORK", help="A private network that --against may reach."
)
@click.option("--show-requests", is_flag=True, help="Print each request that --against makes.")
@click.option("--next", "is_next", is_flag=True, help="What leaves the plugin API is a fault, not a note.")
def check(
    folder: Path,
    only: Sequence[str],
    junit: Path | None,
    html: Path | None,
    against: str | None,
    private: Sequence[str],
    show_requests: bool,
    is_next: bool,
) -> None:
    """Run every check on the plugin in FOLDER: the kit, its source, its quality tier."""
    try:
        if against:
            with _shown_requests() if show_requests else contextlib.nullcontext():
                good = _against(folder, against, private)
        else:
            good = _checked(folder, only, junit, html, is_next=is_next)
    except NoPlugin as error:
        raise click.UsageError(str(error)) from None
    sys.exit(0 if good else 1)


@contextlib.contextmanager
def _shown_requests() -> Iterator[None]:
    """Print what the client says of each request: the address without secrets, the answer, the time."""
    log, handler = logging.getLogger("qa.plugins.http"), logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("  %(message)s"))
    former = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(former)


def _checked(
    folder: Path, only: Sequence[str], junit: Path | None, html: Path | None, *, is_next: bool
) -> bool:
    verdict = None
    for one in check_plugin(folder.resolve(), only=only, is_next=is_next):
        if isinstance(one, Result):
            click.echo(f"{SIGNS.get(one.verdict, '✓')} {one.message if one.verdict == BROKEN else one.name}")
        else:
            verdict = one
    assert verdict is not None
    for line in summary_of(verdict):
        click.echo(line)
    if junit is not None:
        junit.write_text(junit_of(verdict), encoding="utf-8")
    if html is not None:
        html.write_text(page_of(verdict), encoding="utf-8")
    return verdict.is_good


def summary_of(verdict: Verdict) -> list[str]:
    """Return what is to be said of a plugin after its checks, a line each."""
    lines = [f"✗ It does not load: {verdict.load_fault}"] if verdict.load_fault else []
    lines += [f"✗ {finding.words}" for finding in verdict.findings]
    lines += [f"! {note}" for note in verdict.notes]
    lines += [f"{'✗' if verdict.is_next else '!'} {note}" for note in verdict.leaving]
    lines += [
        f"✗ quality.toml claims “{one.words.lower()}” ({one.rule}), which is not so."
        for one in verdict.standings
        if one.state == CLAIMED_WRONGLY
    ]
    broken = sum(one.verdict == BROKEN for one in verdict.results)
    skipped = sum(one.verdict == NOT_NEEDED for one in verdict.results)
    passed = len(verdict.results) - broken - skipped
    if verdict.results:
        lines.append(f"{passed} checks passed, {broken} broken, {skipped} not needed.")
    if verdict.standings:
        still_open = [one.rule for one in verdict.standings if one.state == OPEN]
        lines.append(
            f"Tier: {verdict.tier or 'none yet'}."
            + (f" Open: {', '.join(still_open)}." if still_open else "")
        )
    return lines


def _against(folder: Path, url: str, private: Sequence[str]) -> bool:
    networks = _networks(private)
    good = True
    for kind in _connectors(_candidate(folder)):
        seen = visit(kind, _typed(kind, url), networks)
        click.echo(f"{kind.title}: signed in as {seen.account or 'nobody'}, {seen.requests} requests.")
        click.echo(f"{seen.pages} pages, {seen.records} records, {len(seen.bad)} of them bad.")
        for words in (*seen.bad[:5], *seen.faults):
            click.echo(f"✗ {words}")
        good = good and not (seen.faults or seen.bad)
    return good


@group.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--port", type=click.IntRange(0, 65535), default=8900, show_default=True)
@click.option("--conversations", type=click.IntRange(1, 100_000), default=200, show_default=True)
def twin(folder: Path, port: int, conversations: int) -> None:
    """Serve the plugin's vendor in memory on this machine, to try the plugin as in production."""
    candidate = _candidate(folder)
    for kind in _connectors(candidate):
        kept = twin_of(candidate, kind)
        if kept is None:
            raise click.UsageError(f"{kind.__name__} has no twin.")
        with served(started(kept, count=conversations), port=port) as address:
            click.echo(f"{kind.title} in memory at {address}, {conversations} conversations. Ctrl+C ends it.")
            for name, value in {**kept.config, **kept.secrets}.items():
                click.echo(f"  {name} = {value}")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()


def _candidate(folder: Path) -> Candidate:
    try:
        return candidate_in(folder.resolve())
    except NoPlugin as error:
        raise click.UsageError(str(error)) from None


def _connectors(candidate: Candidate) -> list[type[Connector]]:
    loaded = load(candidate)
    if not loaded.report.is_ok:
        raise click.UsageError(
            f"The plugin does not load: {loaded.report.reason} {loaded.report.fix}".strip()
        )
    return [kind for kind in loaded.classes.values() if issubclass(kind, Connector)]


def _networks(private: Sequence[str]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(one) for one in private)
    except ValueError as error:
        raise click.UsageError(f"--private: {error}.") from None


def _typed(kind: type[Connector], url: str) -> dict[str, str]:
    """Return the settings: the address, and each field from the environment or the keyboard."""
    typed: dict[str, Any] = {"url": url}
    for field in describe(kind.Config):
        name = str(field["name"])
        given = os.environ.get(f"QA_CHECK_{name.upper()}")
        if given is not None:
            typed[name] = given
        elif field["required"] and name != "url":
            typed[name] = click.prompt(str(field["label"]), hide_input=field["kind"] == "secret")
    return typed
