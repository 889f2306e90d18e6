"""What a site or a command chooses, checked once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qa.plugins.api import ConfigError

ENGINES = ("openai-whisper", "faster-whisper")
DEVICES = ("cpu", "cuda", "auto")
VOICE_FINDERS = ("auto", "energy", "silero")
DEFAULT_FOLDER = "~/.cache/whisper"
"""Where openai-whisper itself keeps models: those that are there already are found."""

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
METHOD = 1
"""Grows when the same settings would give another text."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings of one transcription."""

    engine: str = "openai-whisper"
    model: str = "base"
    model_dir: str = DEFAULT_FOLDER
    device: str = "cpu"
    compute_type: str = "int8"
    language: str = "auto"
    agent_channel: int = 0
    threads: int = 0
    chunk_s: float = 28.0
    max_hours: float = 4.0
    timeout_factor: float = 20.0
    voice_finder: str = "auto"

    @property
    def folder(self) -> Path:
        """The models' folder."""
        return Path(self.model_dir).expanduser()

    def fingerprint(self, **more: str) -> str:
        """Return the hash of all that changes a text; threads, device and limits do not."""
        told = {
            name: value
            for name, value in asdict(self).items()
            if name not in {"model", "model_dir", "device", "threads", "max_hours", "timeout_factor"}
        }
        told |= {"temperatures": TEMPERATURES, "method": METHOD} | more
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def choice_of(config: Mapping[str, Any]) -> Choice:
    """Return the settings, defaults where nothing is set. Raises ``ConfigError`` that names the field."""
    known = asdict(Choice())
    given = {name: config[name] for name in known if config.get(name) not in (None, "")}
    if "engine" not in given and "model" in given and Path(str(given["model"])).expanduser().is_dir():
        given["engine"] = "faster-whisper"  # its models are folders, the other's are files
    chosen = {name: _as(known[name], value, name) for name, value in given.items()}
    choice = Choice(**chosen)
    for field, value, allowed in (
        ("engine", choice.engine, ENGINES),
        ("device", choice.device, DEVICES),
        ("voice_finder", choice.voice_finder, VOICE_FINDERS),
        ("agent_channel", choice.agent_channel, (0, 1)),
    ):
        if value not in allowed:
            raise ConfigError(f"{field} must be {' or '.join(map(str, allowed))}, not {value}.", field=field)
    for field, number in (("chunk_s", choice.chunk_s), ("max_hours", choice.max_hours)):
        if number <= 0:
            raise ConfigError(f"{field} must be more than 0.", field=field)
    return choice


def _as(known: Any, value: Any, field: str) -> Any:
    if isinstance(known, str):
        return str(value)
    try:
        return type(known)(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{field} must be a number, not {value}.", field=field) from None
