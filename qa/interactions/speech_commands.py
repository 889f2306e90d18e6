"""``qa speech``: measures of a transcript, and what plugins do with recordings and transcripts.

JSON on standard output; exit 0, or 2 with one sentence. No database is needed.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from qa.core.errors import Invalid
from qa.interactions.digits import digit_runs
from qa.interactions.talk import as_json, talk_of
from qa.interactions.transcript import MAX_BYTES, Transcript, parse

SERVED = {
    "match": "Look for the phrases of rules in a transcript (plugin candor-spacy).",
    "transcribe": "Turn a recording into a transcript (plugin candor-whisper).",
}
"""Sub-commands that plugins do the work of, and the line that --help shows."""
SERVED_MODULE = "qa.interactions.served_commands"


class SpeechGroup(click.Group):
    """Loads what plugins serve only when it is called: it needs more than the pure commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names."""
        return sorted({*super().list_commands(ctx), *SERVED})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a sub-command, or None when there is no such name."""
        if cmd_name not in SERVED:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(SERVED_MODULE), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without loading anything."""
        own = {name: command.get_short_help_str(80) for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted((own | SERVED).items()))


@click.group(name="speech", cls=SpeechGroup)
def group() -> None:
    """Measure, match and transcribe conversations, without a database."""


@group.command()
@click.argument("file")
def metrics(file: str) -> None:
    """Print the talk metrics of the transcript in FILE, or - for standard input."""
    tell(as_json(talk_of(transcript_in(file))))


@group.command()
@click.argument("file")
def digits(file: str) -> None:
    """Print the runs of digits, spoken or written, in the text in FILE, or - for standard input."""
    try:
        text = read(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"The text is not UTF-8 (byte {error.start + 1}).") from None
    tell([{"digits": run.digits, "start": run.start, "end": run.end} for run in digit_runs(text)])


def read(file: str) -> bytes:
    """Return the content of a file, or of standard input for "-". Raises ``Invalid``."""
    if file == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    path = Path(file)
    if not path.is_file():
        raise Invalid(f"{file}: there is no such file.")
    try:
        with path.open("rb") as source:
            return source.read(MAX_BYTES + 1)
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from None


def transcript_in(file: str) -> Transcript:
    """Return the transcript in a file, or on standard input for "-". Raises ``Invalid``."""
    return parse(read(file))


def tell(value: Any) -> None:
    """Print JSON on one line."""
    click.echo(json.dumps(value, ensure_ascii=False))
