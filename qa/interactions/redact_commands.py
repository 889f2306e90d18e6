"""``qa redact``: a transcript, and its recording, without what must not stay. No database is needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from qa.core.errors import Invalid
from qa.interactions.redaction import Redaction, Withheld
from qa.interactions.redaction import redact as redacted
from qa.interactions.speech_commands import tell, transcript_in
from qa.interactions.transcript import seconds

SOUND = "qa.interactions.tones"
"""Loaded only when there is a recording: it needs numpy."""


@click.command()
@click.argument("transcript")
@click.option("--audio", type=click.Path(path_type=Path, dir_okay=False), help="The recording to cover.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it, as WAV.")
def redact(transcript: str, audio: Path | None, out: Path | None) -> None:
    """Hide card and account numbers, codes and addresses in TRANSCRIPT, or - for standard input.

    Prints the new texts, what was hidden and where the sound was covered as JSON. With --audio and --out
    the recording is written with tones in those places. Nothing is printed or written when anything fails.
    """
    if (audio is None) != (out is None):
        raise Invalid("--audio and --out belong together: the recording, and where to write it covered.")
    try:
        found = redacted(transcript_in(transcript))
    except Withheld as error:
        raise Invalid(str(error)) from None
    if audio is not None and out is not None:
        _cover(found, audio, out)
    tell(as_json(found))


def _cover(found: Redaction, audio: Path, out: Path) -> None:
    if not audio.is_file():
        raise Invalid(f"{audio}: there is no such file.")
    if out.exists() and out.samefile(audio):
        raise Invalid("--out must be another file than --audio.")
    if not out.absolute().parent.is_dir():
        raise Invalid(f"{out.parent}: there is no such folder.")
    if found.untimed:
        raise Invalid(
            f"Withheld: segment {found.untimed[0] + 1} has no time, so its sound cannot be covered."
        )
    import_module(SOUND).write_covered(audio, out, found.tones)


def as_json(found: Redaction) -> dict[str, object]:
    """Return the published fields; offsets are those of the original texts."""
    return {
        "segments": [{"text": text} for text in found.texts],
        "spans": [
            {"segment": one.segment, "start": one.start, "end": one.end, "label": one.label}
            for one in found.hidden
        ],
        "audio": [
            {"channel": tone.channel, "start": seconds(tone.start_ms), "end": seconds(tone.end_ms)}
            for tone in found.tones
        ],
    }
