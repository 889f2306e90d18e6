"""``qa import``: conversations from a JSON Lines file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from qa import config
from qa.core import bell, clock, crypto
from qa.core.storage import LocalStorage
from qa.interactions.import_lines import Importer


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of sound files.",
)
@click.option(
    "--source", default="file", show_default=True, help="Name of where the conversations come from."
)
@click.option(
    "--create-agents", is_flag=True, help="Add unknown agents as people; else they wait to be matched."
)
@click.option(
    "--errors",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rows set aside, with reasons.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_obj
def import_(
    path: str | None,
    file: Path,
    recordings: Path | None,
    source: str,
    create_agents: bool,
    errors: Path | None,
    as_json: bool,
) -> None:
    """Bring in conversations, one JSON object a line; the format is in docs/operate/import.md.

    The same file again changes nothing. A broken row is set aside with its line and the reason,
    the others go in. Exits 1 when rows were set aside.
    """
    settings = config.load(Path(path) if path else None)
    if not file.is_file():
        raise click.UsageError(f"{file}: there is no such file.")
    opened = bell.ringing_database(settings.database, settings.queue_url, settings.data_path)
    importer = Importer(
        click.get_current_context().with_resource(opened),
        LocalStorage(settings.recordings_path),
        crypto.load_keys(settings.key_path),
        source=source,
        recordings=recordings,
        creates_agents=create_agents,
        patterns=settings.redaction_patterns,
        now=clock.now(),
    )
    started = time.monotonic()
    aside = []
    with (
        file.open("rb") as lines,
        click.progressbar(length=file.stat().st_size, label="Importing", file=sys.stderr) as bar,
    ):
        for row in importer.run(lines):
            aside.append({"line": row.line, "reason": row.reason})
            if errors is not None:
                with errors.open("a", encoding="utf-8") as out:
                    raw = row.raw.decode("utf-8", "replace").rstrip("\n")
                    out.write(json.dumps({"line": row.line, "reason": row.reason, "row": raw}) + "\n")
            bar.update(0)
        bar.update(file.stat().st_size)
    _tell(importer, aside, time.monotonic() - started, as_json)
    if aside:
        sys.exit(1)


def _tell(importer: Importer, aside: list[dict[str, object]], seconds: float, as_json: bool) -> None:
    counts = importer.result.counts
    total = counts.new + counts.changed + counts.unchanged + counts.deleted
    if as_json:
        summary = {
            "new": counts.new,
            "changed": counts.changed,
            "unchanged": counts.unchanged,
            "deleted": counts.deleted,
            "recordings": importer.result.recordings,
            "set_aside": aside,
        }
        click.echo(json.dumps(summary, ensure_ascii=False))
        return
    for row in aside[:20]:
        click.echo(f"line {row['line']}: {row['reason']}", err=True)
    if len(aside) > 20:
        click.echo(f"… and {len(aside) - 20} more; --errors FILE keeps them all.", err=True)
    rate = total / max(seconds, 0.001)
    click.echo(
        f"{counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged, "
        f"{counts.deleted} deleted, "
        f"{importer.result.recordings} recordings, {len(aside)} set aside; "
        f"{rate:.0f} rows a second."
    )
