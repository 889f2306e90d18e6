"""The single keys that act on pages: their names, their first letters, and a person's own choice.

A key is one printable character; digits stay with the answers. No two acts share a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qa.core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Key:
    """An act with the key it has until somebody changes it."""

    name: str
    first: str
    words: str


KEYS = (
    Key("next", "j", "Next question"),
    Key("previous", "k", "Previous question"),
    Key("na", "n", "Not applicable"),
    Key("comment", "c", "Comment"),
    Key("template", "t", "Comment template"),
    Key("pin", "p", "Pin evidence"),
    Key("star", "w", "Worth coaching"),
    Key("silence", "s", "Next silence"),
    Key("marker", "m", "Next marker"),
    Key("slower", "[", "Slower"),
    Key("faster", "]", "Faster"),
    Key("acknowledge", "a", "Acknowledge an evaluation"),
    Key("search", "/", "Search"),
    Key("help", "?", "All keys of a page"),
)
FIRST = {key.name: key.first for key in KEYS}


def keys_of(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return every act's key for a person who chose these."""
    return FIRST | {name: key for name, key in chosen.items() if name in FIRST}


def checked_keys(given: Mapping[str, str]) -> dict[str, str]:
    """Return what differs from the first keys, or raise ``Invalid`` naming each field ``key-<act>``."""
    wanted = keys_of({name: text.strip() for name, text in given.items()})
    errors: dict[str, str] = {}
    taken: dict[str, str] = {}
    words = {key.name: key.words for key in KEYS}
    for name, key in wanted.items():
        if len(key) != 1 or not key.isprintable() or key.isspace():
            errors[f"key-{name}"] = "Type one character."
        elif key.isdigit():
            errors[f"key-{name}"] = "Digits choose answers. Take a letter or a sign."
        elif key in taken:
            errors[f"key-{name}"] = f"“{words[taken[key]]}” has this key already."
        else:
            taken[key] = name
    if errors:
        raise Invalid("These keys cannot be kept.", errors=errors)
    return {name: key for name, key in wanted.items() if key != FIRST[name]}
