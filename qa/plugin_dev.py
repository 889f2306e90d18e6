"""``qa plugin dev``: a plugin under development in a site of its own, run again at every change.

Each round is a process of its own, so that nothing of the former code is left: it loads the plugin, serves
its twin, sets a source up, has the real worker pull it, tells the plugin every kind of event, and prints
what was called in which order and how long it took.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from qa import config
from qa.core import clock, crypto, jobs, outbox, schema
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.storage import LocalStorage
from qa.core.working import Worker
from qa.demo.build import build
from qa.demo.centre import Size
from qa.evaluations import events as evaluations
from qa.evaluations.models import Evaluation
from qa.extensions import look_service, secrets_service, service
from qa.extensions.models import Outgoing
from qa.extensions.runtime import Runtime
from qa.interactions.events import InteractionsChanged
from qa.interactions.models import Interaction
from qa.interactions.sources import jobs as source_jobs
from qa.interactions.sources import queries, trial, words
from qa.interactions.sources import service as sources
from qa.interactions.sources.connectors import Connectors, Facts, list_facts, owner_of
from qa.interactions.sources.models import Source
from qa.interactions.sources.service import Wanted
from qa.plugins.api import Connector
from qa.plugins.calling import PluginFailed
from qa.plugins.discovery import NAME, Candidate, find
from qa.plugins.loading import load
from qa.plugins.report import Report
from qa.plugins.testing.bench import typed_settings
from qa.plugins.testing.serving import served, started
from qa.plugins.testing.twin import Twin
from qa.plugins.testing.whole import NoPlugin, candidate_in, twin_of
from qa.worker import make_kinds

FAULT = 1
LOOK_SECONDS = 0.4
SAMPLE = Size(interactions=6, evaluations=3, transcripts=3, agents=4)
SHIM = '''"""Stands for the plugin in {folder} while it is being developed."""

import importlib
import sys

sys.path.insert(0, {folder!r})
_there = importlib.import_module({module!r})
for _part in {attribute!r}.split("."):
    _there = getattr(_there, _part) if _part else _there
globals().update({{name: getattr(_there, name) for name in dir(_there) if name.startswith("qa_")}})
'''


@dataclass(slots=True)
class Called:
    """The calls of one method of the plugin."""

    seconds: list[float] = field(default_factory=list)
    failures: list[PluginFailed] = field(default_factory=list)


class Watched(Runtime):
    """The site's plugins, with what was called, in the order of the first call."""

    called: dict[str, Called]

    def note(
        self, database: Database, plugin: str, what: str, seconds: float, failed: PluginFailed | None
    ) -> None:
        """Remember a call, then count it as every site does."""
        one = self.called.setdefault(what, Called())
        one.seconds.append(seconds)
        if failed is not None:
            one.failures.append(failed)
        super().note(database, plugin, what, seconds, failed)


@dataclass(slots=True)
class Round:
    """One round in the sandbox: what it needs, and whether something went wrong."""

    name: str
    settings: config.Settings
    keys: crypto.Keys
    database: Database
    runtime: Watched
    is_good: bool = True

    def wrong(self, words: str) -> None:
        """Say what went wrong."""
        self.is_good = False
        click.echo(f"  ✗ {words}")


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path), default=".")
@click.option("--once", is_flag=True, help="One round; exits 1 when something went wrong in it.")
@click.option("--conversations", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option(
    "--site",
    "place",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the sandbox in this folder; else it goes at the end.",
)
@click.pass_obj
def dev(given: str | None, path: Path, once: bool, conversations: int, place: Path | None) -> None:
    """Run the plugin in PATH, a folder or one file, in a sandbox; again whenever a file of it changes."""
    with contextlib.ExitStack() as stack:
        folder = place or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qa-dev-")))
        if once:
            is_good = _round(given, path.resolve(), folder.absolute(), conversations)
            sys.exit(0 if is_good else FAULT)
        click.echo(f"Sandbox in {folder}. Change a file and it runs again; Ctrl+C ends it.")
        with contextlib.suppress(KeyboardInterrupt):
            _again_and_again(path.resolve(), folder.absolute(), conversations)


def _again_and_again(path: Path, folder: Path, conversations: int) -> None:
    command = [sys.executable, "-m", "qa.cli", "plugin", "dev", str(path), "--once"]
    command += ["--site", str(folder), "--conversations", str(conversations)]
    while True:
        seen = _state_of(path)
        click.echo(f"\n{datetime.now().astimezone():%H:%M:%S}")
        subprocess.run(command, check=False)  # noqa: S603  our own program, no shell
        while _state_of(path) == seen:
            time.sleep(LOOK_SECONDS)


def _state_of(path: Path) -> list[tuple[str, int, int]]:
    """Return what changes with every edit of the plugin."""
    files = [path] if path.is_file() else path.rglob("*")
    found = []
    for file in files:
        if file.suffix in {".py", ".cfg", ".toml"} and "__pycache__" not in file.parts:
            with contextlib.suppress(FileNotFoundError):  # an editor puts a new one in its place
                facts = file.stat()
                found.append((str(file), facts.st_mtime_ns, facts.st_size))
    return sorted(found)


# --- one round ----------------------------------------------------------------


def _round(given: str | None, path: Path, folder: Path, conversations: int) -> bool:
    try:
        candidate = _file_candidate(path) if path.is_file() else candidate_in(path)
    except NoPlugin as error:
        raise click.UsageError(str(error)) from None
    settings = _sandbox_settings(given, folder)
    _put_in_place(candidate, path, folder)
    keys = _prepared(settings)
    runtime = Watched(settings, keys)
    runtime.called = {}
    with Database(settings.database) as database:
        one = Round(candidate.name, settings, keys, database, runtime)
        try:
            if _load(one):
                _work_with(one, candidate, conversations)
        finally:
            runtime.close()
        _tell_calls(runtime)
    return one.is_good


def _file_candidate(path: Path) -> Candidate:
    name = path.stem.replace("_", "-").lower()
    if path.suffix != ".py" or not NAME.fullmatch(name):
        raise click.UsageError(f"{path.name} cannot be a plugin: it takes a file such as my_desk.py.")
    return Candidate(name, path.name, "", str(path), is_file=True)


def _sandbox_settings(given: str | None, folder: Path) -> config.Settings:
    """Return the sandbox's settings: its own place, this machine reachable, the plugin's own from outside."""
    outside = config.load(Path(given) if given else None)
    inside: dict[str, Any] = {key: setting.default for key, setting in config.SETTINGS.items()}
    inside |= {
        "data_dir": str(folder / "data"),
        "plugins_dir": str(folder / "plugins"),
        "private_networks": ("127.0.0.0/8",),
    }
    return config.Settings(values=inside, plugins=outside.plugins)


def _put_in_place(candidate: Candidate, path: Path, folder: Path) -> None:
    """Put the plugin where the sandbox finds it; what is installed from here is found already."""
    plugins = folder / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    file = plugins / f"{candidate.name.replace('-', '_')}.py"
    if candidate.is_file:
        file.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        return
    module, _, attribute = candidate.target.partition(":")
    if candidate.name in {one.name for one in find(None)}:
        spec = PathFinder.find_spec(module.partition(".")[0], [one for one in sys.path if one != str(path)])
        if spec is None or spec.origin is None or not Path(spec.origin).is_relative_to(path):
            raise click.UsageError(
                f"Another copy of {candidate.name} is installed. Remove it, or install this one: "
                f"pip install -e {path}"
            )
        return
    root = path / "src" if (path / "src").is_dir() else path
    file.write_text(
        SHIM.format(folder=str(root), module=module.strip(), attribute=attribute.strip()), "utf-8"
    )


def _prepared(settings: config.Settings) -> crypto.Keys:
    """Make the sandbox's database with a small believable centre, once."""
    is_new = not settings.key_path.exists()
    if is_new:
        crypto.ensure_key(settings.key_path)
        schema.upgrade(settings.database)
    keys = crypto.load_keys(settings.key_path)
    if is_new:
        with Database(settings.database) as database:
            build(
                database,
                LocalStorage(settings.recordings_path),
                keys,
                size=SAMPLE,
                seed=1,
                until=clock.now().date(),
                progress=lambda _count: None,
            )
    return keys


def _load(one: Round) -> bool:
    """Enable and load the plugin as it is now; say how that went."""
    began = time.monotonic()
    look_service.look(one.database, one.runtime)
    with one.database.transaction() as session:
        service.enable_plugin(session, SYSTEM, one.name, now=clock.now())
    report = look_service.load_one(one.database, one.runtime, one.name)
    assert report is not None
    if not report.is_ok:
        one.wrong(f"It does not load: {report.reason} {report.fix}".rstrip())
        return False
    took = _milliseconds(time.monotonic() - began)
    click.echo(f"✓ {report.title or one.name} {report.version} is loaded in {took}.")
    click.echo(f"  Hooks: {', '.join(report.hooks)}")
    _tell_offers(report)
    return True


def _tell_offers(report: Report) -> None:
    for offer in report.offers:
        click.echo(f"  Offers: {offer.kind} {offer.key} ({offer.title})")
    for note in report.notes:
        click.echo(f"  ! {note}")


def _work_with(one: Round, candidate: Candidate, conversations: int) -> None:
    with contextlib.ExitStack() as stack:
        connectors = Connectors(one.runtime, one.database, one.keys)
        with one.database.reading() as session:
            mine = [facts for facts in list_facts(session) if facts.plugin == one.name]
        source_ids: list[int] = []
        for facts in mine:
            twin = _twin_of(candidate, facts)
            if twin is None:
                click.echo(f"  ! {facts.title} has no twin, so nothing is pulled: write twin.py beside it.")
                continue
            kind, made = twin[0], started(twin[1], count=conversations)
            typed = {**typed_settings(made, kind), "url": [stack.enter_context(served(made))]}
            source_ids += _source(one, connectors, facts, typed)
        _happen(one)
        _drain(one, connectors)
        for source_id in source_ids:
            _tell_source(one, source_id)
        _tell_undelivered(one)


def _twin_of(candidate: Candidate, facts: Facts) -> tuple[type[Connector], type[Twin]] | None:
    loaded = {} if candidate.is_file else load(candidate).classes
    for kind in loaded.values():
        if issubclass(kind, Connector) and kind.key == facts.offer.key:
            twin = twin_of(candidate, kind)
            return None if twin is None else (kind, twin)
    return None


def _source(
    one: Round, connectors: Connectors, facts: Facts, typed: Mapping[str, list[str]]
) -> Iterator[int]:
    """Set a source up anew with the twin's settings, try it, and let it start."""
    judged = connectors.judge(one.name, facts.offer.key, typed, frozenset())
    for name, said in judged.errors.items():
        one.wrong(f"The form refuses the twin's settings: {name or 'whole form'}: {said}")
    if judged.errors:
        return
    now, title = clock.now(), f"Sandbox of {facts.title}"
    with one.database.transaction() as session:
        former = session.scalar(select(Source.id).where(Source.name == title))
        if former is not None:
            sources.remove_source(session, SYSTEM, former, now=now)
            session.flush()
        wanted = Wanted(title, one.name, facts.offer.key, judged.config)
        row = sources.draft_source(session, SYSTEM, wanted, facts.able, now=now)
        owner = owner_of(row.key)
        secrets_service.keep_secrets(session, one.keys, owner, judged.secrets, changed_by_id=None, now=now)
    _try(one, connectors, row)
    with one.database.transaction() as session:
        sources.start_source(session, SYSTEM, row.id, facts.able, past=None, now=now)
    yield row.id


def _try(one: Round, connectors: Connectors, row: Source) -> None:
    told = trial.check_source(connectors, row, clock.now())
    if told["ok"]:
        click.echo(f"✓ check: {told['message'] or 'it works'} {told['account']}".rstrip())
        return
    missing = f" Missing: {', '.join(told['missing'])}." if told["missing"] else ""
    one.wrong(f"check: {told['message'] or 'it says no.'}{missing}")


def _happen(one: Round) -> None:
    """Let every kind of event happen to the sample, as it does when people work."""
    with one.database.transaction() as session:
        row = session.scalars(select(Evaluation).where(Evaluation.submitted_at.is_not(None)).limit(1)).one()
        outbox.emit(session, *_events(session, row), now=clock.now())


def _events(session: Session, row: Evaluation) -> Sequence[outbox.Event]:
    source = session.get_one(Interaction, row.interaction_id).source
    return (
        InteractionsChanged(source, [], [row.interaction_id], [], []),
        evaluations.EvaluationSubmitted(row.id, row.interaction_id, row.agent_id),
        evaluations.EvaluationReleased(row.id, row.agent_id),
        evaluations.EvaluationAcknowledged(row.id, row.agent_id),
        evaluations.EvaluationRevised(row.id, row.number, row.agent_id),
        evaluations.EvaluationVoided(row.id, row.agent_id),
    )


def _drain(one: Round, connectors: Connectors) -> None:
    """Do all that is due, as the site's own worker does it."""
    stopping = threading.Event()
    runner = source_jobs.Runner(
        keys=one.keys,
        storage=LocalStorage(one.settings.recordings_path),
        folder=one.settings.data_path / "fetching",
        connectors=connectors,
        stopping=stopping,
    )
    kinds = make_kinds(one.settings, one.keys, one.runtime, runner)
    worker = Worker(
        Database(one.settings.database), kinds, ring=lambda _queue: None, children=1, stopping=stopping
    )
    try:
        while sum(worker.drain(queue) for queue in jobs.QUEUES):
            continue
    finally:
        worker.close()


# --- telling -------------------------------------------------------------------


def _tell_source(one: Round, source_id: int) -> None:
    with one.database.reading() as session:
        runs = queries.list_runs(session, SYSTEM, source_id)
        waiting = queries.list_quarantine(session, SYSTEM, source_id=source_id)
    for run in reversed(runs):
        counts = f"{run.new_count} new, {run.changed_count} changed, {run.same_count} the same"
        line = f"{run.stream}: {words.run_words(run)}. {counts}, {run.deleted_count} gone, "
        line += f"{run.refused_count} in quarantine."
        if run.ended in {"done", "more"}:
            click.echo(f"✓ {line}")
        else:
            one.wrong(f"{line} {run.words} {run.error}".rstrip())
    for record in waiting.rows[:5]:
        one.wrong(f"In quarantine: {record.external_id or '?'}: {record.error}")


def _tell_undelivered(one: Round) -> None:
    unsent = select(Outgoing).where(Outgoing.state != "sent", Outgoing.error != "").order_by(Outgoing.id)
    with one.database.reading() as session:
        for row in session.scalars(unsent.limit(5)):
            one.wrong(f"Not delivered: {row.key}: {row.error}")
    with one.database.transaction() as session:  # the next round begins with nothing behind it
        for row in session.scalars(select(Outgoing)):
            session.delete(row)


def _tell_calls(runtime: Watched) -> None:
    if not runtime.called:
        return
    click.echo(f"  {'Called, in this order':<34}{'calls':>6}{'typical':>11}{'slowest':>11}")
    for what, one in runtime.called.items():
        ordered = sorted(one.seconds)
        typical, slowest = _milliseconds(ordered[len(ordered) // 2]), _milliseconds(ordered[-1])
        click.echo(f"  {what:<34}{len(ordered):>6}{typical:>11}{slowest:>11}")
        for failure in one.failures[:3]:
            click.echo(f"    ✗ {failure.reason}")
            for line in failure.detail.splitlines()[-6:]:
                click.echo(f"      {line}")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
