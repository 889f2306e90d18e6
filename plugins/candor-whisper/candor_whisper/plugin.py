"""What this plugin registers. Importing this loads no engine."""

from __future__ import annotations

import click
from wtforms import Form
from wtforms.fields import DecimalField, IntegerField, SelectField, StringField
from wtforms.validators import NumberRange, Optional

from candor_whisper.commands import fetch
from candor_whisper.settings import DEFAULT_FOLDER, DEVICES, ENGINES, VOICE_FINDERS
from candor_whisper.transcriber import Whisper
from qa.plugins.api import PluginInfo, hookimpl


class Settings(Form):
    """How a site transcribes."""

    engine = SelectField("Engine", choices=list(ENGINES), default=ENGINES[0])
    model = StringField(
        "Model", default="base", description="A name such as tiny, base or small, or the path of a model."
    )
    model_dir = StringField("Folder of models", default=DEFAULT_FOLDER)
    device = SelectField("Device", choices=list(DEVICES), default="cpu")
    compute_type = StringField("Numbers", default="int8", description="faster-whisper only: int8 on a CPU.")
    language = StringField("Language", default="auto", description="auto, or a code such as en.")
    agent_channel = IntegerField(
        "Channel of the agent", [NumberRange(0, 1)], default=0, description="0 is left, 1 is right."
    )
    threads = IntegerField("Threads", [NumberRange(0, 256)], default=0, description="0: the engine decides.")
    chunk_s = DecimalField("Longest piece in seconds", [NumberRange(1, 29)], default=28)
    max_hours = DecimalField("Longest recording in hours", [NumberRange(0.1, 24)], default=4)
    timeout_factor = DecimalField(
        "Give up after this many times the recording's length", [Optional(), NumberRange(1, 1000)], default=20
    )
    voice_finder = SelectField("Finder of voices", choices=list(VOICE_FINDERS), default="auto")


@hookimpl
def qa_plugin_info() -> PluginInfo:
    """Say who this is."""
    return PluginInfo(
        "whisper",
        "0.1.0",
        title="Whisper",
        description="Transcribes recordings on this machine; nothing leaves it.",
        needs=("An engine (make whisper) and a model (qa x whisper fetch base).",),
        settings=Settings,
    )


@hookimpl
def qa_transcribers() -> list[type[Whisper]]:
    """Register Whisper."""
    return [Whisper]


@hookimpl
def qa_commands() -> list[click.Command]:
    """Register ``fetch``."""
    return [fetch]
