"""``qa upgrade``: folders, key and schema, made or brought up to date; safe to repeat."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from qa import config
from qa.core import crypto, schema


@click.command()
@click.option("--check", is_flag=True, help="List what would be done, and do nothing.")
@click.option("--to", "revision", default="head", show_default=True, help="Stop at this version.")
@click.option("--down-to", default=None, help="Go back to this version instead.")
@click.option(
    "--accept-loss", is_flag=True, help="Go back even where data has no place in the older version."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def upgrade(
    path: str | None, check: bool, revision: str, down_to: str | None, accept_loss: bool, as_json: bool
) -> None:
    """Bring the database to this program's version, whole or not at all.

    Makes the data folder and the data key when they are missing.
    """
    settings = config.load(Path(path) if path else None)
    settings.data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    steps = [] if down_to else schema.pending(settings.database)
    if check:
        _tell(steps, as_json, done=False)
        return
    crypto.ensure_key(settings.key_path)
    if down_to:
        if not accept_loss:
            raise click.ClickException(
                f"Going back to {down_to} drops what that version has no place for. "
                "Make a backup, then repeat with --accept-loss."
            )
        schema.downgrade(settings.database, down_to)
        return
    started = time.monotonic()
    schema.upgrade(settings.database, revision)
    _tell(steps, as_json, done=True, seconds=time.monotonic() - started)


def _tell(steps: list[tuple[str, str]], as_json: bool, *, done: bool, seconds: float = 0.0) -> None:
    if as_json:
        listed = [{"revision": revision, "what": what} for revision, what in steps]
        click.echo(json.dumps({"steps": listed, "done": done, "seconds": round(seconds, 3)}))
        return
    if not steps:
        click.echo("The database is up to date.")
        return
    for revision, what in steps:
        click.echo(f"{'did' if done else 'would do'}  {revision}  {what}")
    if done:
        click.echo(f"The database is up to date ({seconds:.1f} s).")
