"""How a log line is written: one JSON object, in UTC, without secrets and without what customers said."""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET = re.compile(r"(?i)(password|secret|token|cookie|authorization|key)(['\"]?\s*[:=]\s*)(\S+)")
_CARD = re.compile(r"\b(?:\d[ -]?){13,19}\b")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def formatter() -> logging.Formatter:
    """Return what writes records of the standard library as such lines."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redacted,
            structlog.processors.JSONRenderer(),
        ],
    )


def redacted(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets and card numbers out of a line, and make its control characters harmless."""
    return {key: _clean(value) for key, value in line.items()}


def _clean(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = _SECRET.sub(r"\1\2[removed]", value)
    value = _CARD.sub("[number removed]", value)
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", value)
