"""Logs go to standard error; what writes their lines is loaded with the first one.

Modules use the standard ``logging``; only the command line calls ``set_up``.
"""

from __future__ import annotations

import logging
import sys
from functools import cached_property
from importlib import import_module
from typing import cast

LINES = "qa.core.log_lines"


class _Late(logging.Formatter):
    """Becomes the real one when there is something to say."""

    @cached_property
    def _lines(self) -> logging.Formatter:
        return cast("logging.Formatter", import_module(LINES).formatter())

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        return self._lines.format(record)


def set_up(level: str) -> None:
    """Send every log line of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Late())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for loud in ("waitress.queue", "huey", "av", "libav"):
        logging.getLogger(loud).setLevel(logging.ERROR)
