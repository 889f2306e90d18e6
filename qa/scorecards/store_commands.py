"""``qa scorecards add`` and ``export``: YAML into the database and out of it, the same text both ways."""

from __future__ import annotations

from pathlib import Path

import click

from qa import config
from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.errors import NotFound
from qa.scorecards import queries, service
from qa.scorecards.library import READY, ready_text
from qa.scorecards.models import ACTIVE


@click.command()
@click.argument("form", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--ready", type=click.Choice(READY), help="A ready-made scorecard instead of a file.")
@click.option("--activate", is_flag=True, help="Use it for new evaluations at once.")
@click.pass_obj
def add(path: str | None, form: Path | None, ready: str | None, activate: bool) -> None:
    """Keep a form as a draft: a new scorecard, or the next version of the one it names.

    With --activate a lint error or a failing test of the form keeps everything as it was.
    """
    if (form is None) == (ready is None):
        raise click.UsageError("Name either a file or a ready-made scorecard with --ready.")
    text = _text(form) if form is not None else ready_text(str(ready))
    now = clock.now()
    with _database(path).transaction() as session:
        version = service.draft_version(session, SYSTEM, text=text, now=now)
        if activate:
            service.activate_version(session, SYSTEM, version.id, now=now)
        said = f"{version.title}, version {version.number}: {version.state}."
    click.echo(said)


@click.command()
@click.argument("ref")
@click.option("--version", "number", type=int, help="Another than the active one.")
@click.pass_obj
def export(path: str | None, ref: str, number: int | None) -> None:
    """Print a version's YAML as it was added: the active one, else the newest."""
    with _database(path).reading() as session:
        card = queries.get_scorecard(session, SYSTEM, ref)
        wanted = [one for one in card.versions if number in (None, one.number)]
        if not wanted:
            raise NotFound(f"{ref} has no version {number}; it has {len(card.versions)}.")
        text = next((one for one in wanted if one.state == ACTIVE), wanted[-1]).yaml
    click.echo(text, nl=False)


def _text(form: Path) -> str:
    try:
        return form.read_text(encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{form} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{form} is not UTF-8 text (byte {error.start}).") from error


def _database(path: str | None) -> Database:
    settings = config.load(Path(path) if path else None)
    return click.get_current_context().with_resource(Database(settings.database))
