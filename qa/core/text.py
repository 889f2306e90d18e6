"""Text as people type it: what is kept, what is refused, how two texts are compared.

Text is stored exactly as typed and compared in NFC; what no person types (NUL, lone
surrogates, control characters) is refused with a sentence, never repaired in silence.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from qa.core.errors import Invalid

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")


def fault_of(text: str) -> str | None:
    """Return why this text cannot be kept, or None."""
    if "\x00" in text:
        return "contains a NUL character, which no text can hold. Remove it."
    if _SURROGATE.search(text):
        return "contains half of a character (a lone surrogate). Paste the text again from its source."
    if _CONTROL.search(text):
        return "contains a control character that cannot be shown. Remove it."
    return None


def checked(text: str, *, field: str, label: str, limit: int, multiline: bool = True) -> str:
    """Return ``text`` unchanged, or raise ``Invalid`` that names the field and the cure.

    ``limit`` counts code points. Line ends are taken as the browser sends them and kept as LF.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if fault := fault_of(text):
        raise Invalid(f"{label} {fault}", field=field)
    if not multiline and "\n" in text:
        raise Invalid(f"{label} must be one line.", field=field)
    if len(text) > limit:
        raise Invalid(f"{label} has {len(text):,} characters; {limit:,} are kept. Shorten it.", field=field)
    return text


def checked_name(text: str, *, field: str, label: str, limit: int = 200) -> str:
    """Return a one-line name without outer blanks; empty ones and direction controls are refused."""
    name = checked(text.strip(), field=field, label=label, limit=limit, multiline=False)
    if not name:
        raise Invalid(f"{label} is missing.", field=field)
    if _DIRECTION.search(name):
        raise Invalid(f"{label} contains a hidden text-direction character. Remove it.", field=field)
    return name


def folded(text: str) -> str:
    """Return the form in which two texts are compared: NFC and without case."""
    return unicodedata.normalize("NFC", text).casefold()


def sort_key(text: str) -> str:
    """Return the form in which names are sorted and searched: without case and accents."""
    bare = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).casefold())
    return "".join(letter for letter in bare if not unicodedata.combining(letter)).casefold()


def faults_in(value: Any, place: str = "") -> str | None:
    """Return the first fault in any string of a JSON value, with its place, or None."""
    if isinstance(value, str):
        fault = fault_of(value)
        return f"{place or 'The text'} {fault}" if fault else None
    if isinstance(value, dict):
        items = [(f"{place}.{key}" if place else str(key), item) for key, item in value.items()]
        keys = next((f"A field name {fault}" for key in value if (fault := fault_of(str(key)))), None)
        return keys or next((fault for name, item in items if (fault := faults_in(item, name))), None)
    if isinstance(value, list):
        pairs = ((f"{place}[{i}]", item) for i, item in enumerate(value, start=1))
        return next((fault for name, item in pairs if (fault := faults_in(item, name))), None)
    return None
