"""A vendor's record as a person may look at it who sets up a source: its shape and its codes, nobody's data.

What is surely harmless is kept: numbers that are no telephone numbers, yes and no, times, short codes. All
other text is covered, and long lists are counted. When in doubt it is covered.
"""

from __future__ import annotations

import json
import re
from typing import Any

COVERED = "████████"
MOST_ITEMS = 3
MOST_DEPTH = 6
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,23}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_ID = re.compile(r"[A-Za-z]{0,4}[-_]?\d{1,9}")
_ABOUT_PEOPLE = re.compile(
    r"(?i)name|mail|phone|mobile|address|street|city|birth|customer|requester|caller|callee|contact|person|user"
    r"|author|from|to$|cc$|body|text|comment|message|note|subject|title|description|content|signature|agent"
    r"|assignee|submitter|transcript|number|ip$|token|secret|password|key$"
)
_CODES = re.compile(
    r"(?i)(^|_)(id|status|state|type|kind|channel|via|direction|speaker|queue|priority|language|locale)$"
)


def redacted(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a JSON value with everything covered that may be somebody's."""
    if value is None or isinstance(value, bool):
        return value
    if depth > MOST_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {str(key): redacted(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        if len(value) > MOST_ITEMS:
            return f"[ {len(value)} ]"
        return [redacted(item, name, depth + 1) for item in value]
    if isinstance(value, int | float):
        return value if _is_harmless_number(value, name) else COVERED
    return _text(str(value), name)


def _is_harmless_number(value: float, name: str) -> bool:
    return bool(_CODES.search(name)) or (not _ABOUT_PEOPLE.search(name) and abs(value) < 10**9)


def _text(text: str, name: str) -> str:
    if not text:
        return text
    if _TIME.fullmatch(text):
        return text
    if _CODES.search(name) and (_ID.fullmatch(text) or _CODE.fullmatch(text)):
        return text
    return COVERED


def shown(raw: Any) -> str:
    """Return a redacted record as indented text."""
    return json.dumps(redacted(raw), indent=2, ensure_ascii=False)


def shown_text(raw: str) -> str:
    """Return kept raw JSON redacted; what is no JSON is covered whole."""
    try:
        return shown(json.loads(raw))
    except (ValueError, RecursionError):
        return COVERED
