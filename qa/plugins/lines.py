"""The lines on the pipe between the host and a plugin's process: a head, a tab, a body, both JSON."""

from __future__ import annotations

import json
from typing import Any

from qa.plugins.wire import MAX_BYTES

LINE_BYTES = MAX_BYTES + 65_536

Head = dict[str, Any]


class BadLine(Exception):
    """What stands in the pipe is no line of ours."""


def line_of(head: Head, body: bytes = b"null") -> bytes:
    """Return one line; ``body`` is JSON already."""
    return json.dumps(head, separators=(",", ":")).encode() + b"\t" + body + b"\n"


def parts_of(line: bytes) -> tuple[Head, bytes]:
    """Return head and body of a line without its end; raise ``BadLine``."""
    head, tab, body = line.partition(b"\t")
    try:
        parsed = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise BadLine(str(error)) from error
    if not tab or not isinstance(parsed, dict) or not isinstance(parsed.get("is"), str):
        raise BadLine("no head")
    return parsed, body


def json_of(body: bytes) -> Any:
    """Return a plain body; raise ``BadLine``."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadLine(str(error)) from error
