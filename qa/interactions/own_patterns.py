"""What only this site or this conversation knows must be hidden: customers' names, numbers of its own.

A site's pattern is plain text in which ``#`` is one digit and ``@`` one letter, such as ``HM-######``: it
can only be read in one way, so that no text makes the search slow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache, partial

from qa.interactions.redaction import Finder
from qa.stats.intervals import Span

LEAST_NAME = 3
MOST_PATTERN = 80
_PLACES = {"#": r"\d", "@": r"[^\W\d_]", " ": r"\s"}
_LABEL = re.compile(r"[A-Z][A-Z_]{1,19}")
_PATTERN = re.compile(r"(?P<label>[^:]*):\s*(?P<pattern>.*)")
_NAME_PART = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class BadPattern(ValueError):
    """A site's pattern that cannot be used; the message says why."""


def finder_of(written: str) -> Finder:
    """Return the finder that a setting such as ``CONTRACT: HM-######`` means. Raises ``BadPattern``."""
    read = _PATTERN.fullmatch(written.strip())
    if read is None or not _LABEL.fullmatch(read["label"].strip()):
        raise BadPattern(
            f'"{written}" must be a LABEL in capitals, a colon and a pattern: CONTRACT: HM-######'
        )
    pattern = read["pattern"].strip()
    if not 3 <= len(pattern) <= MOST_PATTERN:
        raise BadPattern(f'"{written}": a pattern has 3 to {MOST_PATTERN} characters.')
    whole = "".join(_PLACES.get(letter, re.escape(letter)) for letter in pattern)
    search = re.compile(rf"(?<!\w){whole}(?!\w)", re.IGNORECASE)
    return read["label"].strip(), partial(_spans, search)


@lru_cache(maxsize=64)
def finders_of(patterns: tuple[str, ...]) -> tuple[Finder, ...]:
    """Return the finders of all patterns of a site."""
    return tuple(finder_of(one) for one in patterns)


def name_finders(names: Sequence[str]) -> tuple[Finder, ...]:
    """Return what finds these people's names: a whole name in any case, its parts where written as names."""
    whole = {" ".join(name.split()) for name in names}
    parts = {part for name in whole for part in _NAME_PART.findall(name) if len(part) >= LEAST_NAME}
    parts = {part[0].upper() + part[1:] for part in parts}
    longest = sorted((name for name in whole if len(name) >= LEAST_NAME), key=len, reverse=True)
    pieces = [r"(?i:" + re.escape(name).replace(r"\ ", r"\s") + ")" for name in longest]
    pieces += [re.escape(part) for part in sorted(parts, key=len, reverse=True)]
    if not pieces:
        return ()
    return (("NAME", partial(_spans, re.compile(rf"(?<!\w)(?:{'|'.join(pieces)})(?!\w)"))),)


def _spans(search: re.Pattern[str], text: str) -> list[Span]:
    return [match.span() for match in search.finditer(text)]
