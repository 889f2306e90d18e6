"""What ``qa speech transcribe`` and ``qa x whisper fetch`` call."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from candor_whisper.transcriber import Whisper
from qa.plugins.api import Hints, LocalFile, Transcript


class _NotStopped:
    """Ctrl-C ends the command by itself."""

    def is_set(self) -> bool:
        return False

    def check(self) -> None:
        return


@dataclass
class _Ctx:
    """As much of a host as a transcription needs."""

    config: Mapping[str, Any]
    scratch: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("candor_whisper"))
    cancel: _NotStopped = field(default_factory=_NotStopped)

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        if sys.stderr.isatty():
            share = "" if not total else f" {100 * done / total:.0f} %"
            sys.stderr.write(f"\r{message}{share}   ")


def transcribe(path: str, options: Mapping[str, Any]) -> Transcript:
    """Return the transcript of a file; nothing is kept. Raises ``PluginError`` with one sentence."""
    with tempfile.TemporaryDirectory(prefix="candor-whisper-") as folder:
        ctx: Any = _Ctx(dict(options), Path(folder))
        return Whisper().transcribe(ctx, LocalFile(path, Path(path).name), Hints())
