"""``qa demo``: a believable centre to look at, and its removal."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import click

from qa import config
from qa.core import bell, clock, crypto
from qa.core.db import Database
from qa.core.storage import LocalStorage
from qa.demo.build import build, is_empty, keep_sign_ins
from qa.demo.centre import Size
from qa.demo.recorded import CALLS
from qa.demo.remove import real_work, remove

DEFAULT = Size()


@click.command()
@click.option("--if-empty", is_flag=True, help="Do nothing when somebody is there already.")
@click.option(
    "--interactions", type=click.IntRange(1, 100_000_000), default=DEFAULT.interactions, show_default=True
)
@click.option(
    "--evaluations", type=click.IntRange(0, 100_000_000), default=DEFAULT.evaluations, show_default=True
)
@click.option(
    "--transcripts",
    type=click.IntRange(0, 100_000_000),
    default=DEFAULT.transcripts,
    show_default=True,
    help="How many of the conversations have words.",
)
@click.option("--agents", type=click.IntRange(2, 5_000), default=DEFAULT.agents, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same centre.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    default=None,
    help="The day it ends before; today when left out.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=None, help="Another data folder."
)
@click.option("--remove", "removes", is_flag=True, help="Take the demo data away; audit rows stay.")
@click.option("--yes", is_flag=True, help="Also what real people have added to it.")
@click.pass_obj
def demo(
    path: str | None,
    if_empty: bool,
    interactions: int,
    evaluations: int,
    transcripts: int,
    agents: int,
    seed: int,
    until: date | None,
    out: Path | None,
    removes: bool,
    yes: bool,
) -> None:
    """Fill an empty site with a believable centre: people, conversations, evaluations.

    The last line is JSON with one sign-in for each role. Everything is marked as demo data;
    --remove takes it away.
    """
    settings = config.load(Path(path) if path else None)
    if out is not None:
        settings = config.Settings(values={**settings.values, "data_dir": str(out)}, source=settings.source)
    opened = bell.ringing_database(settings.database, settings.queue_url, settings.data_path)
    database = click.get_current_context().with_resource(opened)
    storage = LocalStorage(settings.recordings_path)
    if removes:
        _remove(settings, database, storage, yes=yes)
        return
    with database.reading() as session:
        empty = is_empty(session)
    if not empty:
        if if_empty:
            return
        raise click.ClickException(
            "Somebody is here already. Demo data goes into an empty site only; choose another data_dir."
        )
    size = Size(interactions, evaluations, transcripts, agents)
    day = (
        clock.now().astimezone(settings.zone).date()
        if until is None
        else date(until.year, until.month, until.day)
    )
    total = interactions + min(evaluations, interactions) + len(CALLS)
    with click.progressbar(length=total, label="Making the demo centre", file=sys.stderr) as bar:
        keys = crypto.load_keys(settings.key_path)
        users = build(database, storage, keys, size=size, seed=seed, until=day, progress=bar.update)
    keep_sign_ins(settings.data_path, users)
    click.echo(json.dumps({"users": users}))


def _remove(settings: config.Settings, database: Database, storage: LocalStorage, *, yes: bool) -> None:
    with database.reading() as session:
        found = real_work(session)
    for work in found:
        click.echo(f"{work.count} {work.words}", err=True)
    if found and not yes:
        raise click.ClickException(
            "Real people have added this to the demo data. Repeat with --yes to remove it too."
        )
    with database.transaction() as session:
        gone = remove(session, storage, now=clock.now())
    (settings.data_path / "demo-users.json").unlink(missing_ok=True)
    click.echo(f"The demo data is gone: {gone} conversations and everything around them.")
