"""``qa speech match`` and ``transcribe``: the work is done by whichever plugin is installed for it.

A plugin names a function for each in the entry point group ``qa.speech``:
``match(rules: str, transcript: Transcript) -> Mapping`` and
``transcribe(path: str, options: Mapping[str, str]) -> Transcript``; both raise ``PluginError`` with one
sentence for people. The function runs in this process: the person who typed the command chose it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from qa.core.errors import Invalid
from qa.interactions.speech_commands import read, tell, transcript_in
from qa.interactions.transcript_values import as_value
from qa.plugins.api import PluginError, Segment, Transcript

GROUP = "qa.speech"
DISTRIBUTIONS = {"match": "candor-spacy", "transcribe": "candor-whisper"}


@click.command()
@click.argument("rules")
@click.argument("transcript")
def match(rules: str, transcript: str) -> None:
    """Print what the phrase rules in RULES say about TRANSCRIPT, or - for standard input."""
    served = _served("match")
    try:
        text = read(rules).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid(f"{rules} is not UTF-8 text (byte {error.start + 1}).") from None
    given = as_value(transcript_in(transcript))
    try:
        tell(served(text, given))
    except PluginError as error:
        raise Invalid(str(error)) from None


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", default="", help="A model's file or name.")
@click.option("--engine", default="", help="openai-whisper or faster-whisper.")
@click.option("--language", default="", help="Such as en; found out by itself when not given.")
def transcribe(file: Path, model: str, engine: str, language: str) -> None:
    """Print the transcript of the recording in FILE."""
    served = _served("transcribe")
    if not file.is_file():
        raise Invalid(f"{file}: there is no such file.")
    options = {"model": model, "engine": engine, "language": language}
    try:
        tell(as_json(served(str(file), {name: value for name, value in options.items() if value})))
    except PluginError as error:
        raise Invalid(str(error)) from None


def _served(name: str) -> Callable[..., Any]:
    """Return the installed plugin's function. Raises ``Invalid`` that names what to install."""
    distribution = DISTRIBUTIONS[name]
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    if found is None:
        raise Invalid(
            f"`qa speech {name}` comes with the plugin {distribution}, which is not installed. "
            f"Install it beside the product: pip install {distribution}"
        )
    try:
        function: Callable[..., Any] = found.load()
    except ImportError as error:
        raise Invalid(
            f"The plugin {distribution} is here, but not what it needs ({error.name or error}). "
            f"Install it whole: pip install {distribution}"
        ) from None
    return function


def as_json(transcript: Transcript) -> dict[str, Any]:
    """Return a plugin's transcript in the published shape."""
    told: dict[str, Any] = {
        "duration": transcript.duration,
        "language": transcript.language,
        "engine": transcript.engine,
        "model": transcript.model,
        "params_hash": transcript.params_hash,
    }
    if transcript.holds is not None:
        told["holds"] = [list(hold) for hold in transcript.holds]
    if transcript.truncated:
        told["truncated"] = True
    told["segments"] = [_segment(one) for one in transcript.segments]
    return told | {"notes": list(transcript.notes), "dropped": [dict(one) for one in transcript.dropped]}


def _segment(one: Segment) -> dict[str, Any]:
    return {
        "start": one.start,
        "end": one.end,
        "channel": one.channel,
        "speaker": one.speaker,
        "text": one.text,
        "conf": one.conf,
        "words": [{"word": w.word, "start": w.start, "end": w.end, "conf": w.conf} for w in one.words],
        "flags": list(one.flags),
    }
