"""Files as records with the offset behind each, so that reading can begin anywhere a page ended."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from qa.plugins.api import ConfigError

MOST_LINE_BYTES = 5_000_000
SAMPLE = 65_536
DELIMITERS = ",;\t|"
Row = tuple[int, dict[str, Any] | None, str, str]
"""The offset behind it, its values or None, the raw text, and why it cannot be read."""


class Lines:
    """Lines of a stream of bytes, counted; one that is too long comes out cut and marked."""

    def __init__(self, pieces: Iterable[bytes], start: int) -> None:
        self._pieces = iter(pieces)
        self.offset = start

    def __iter__(self) -> Iterator[bytes]:
        held = b""
        for piece in self._pieces:
            held += piece
            *lines, held = held.split(b"\n")
            for line in lines:
                self.offset += len(line) + 1
                yield line + b"\n"
            if len(held) > MOST_LINE_BYTES:
                raise ConfigError(
                    f"A line is longer than {MOST_LINE_BYTES // 1_000_000} MB; that is no such file."
                )
        if held:
            self.offset += len(held)
            yield held


def json_rows(pieces: Iterable[bytes], start: int, encoding: str) -> Iterator[Row]:
    """Yield the objects of JSON Lines."""
    lines = Lines(pieces, start)
    for raw in lines:
        text = raw.decode(encoding, "replace").lstrip("\ufeff").strip()
        if not text:
            continue
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield lines.offset, None, text, f"Not valid JSON: {error}"
            continue
        if isinstance(values, dict):
            yield lines.offset, values, text, ""
        else:
            yield lines.offset, None, text, "Not an object. Each line is one conversation in { }."


def csv_rows(pieces: Iterable[bytes], start: int, encoding: str, head: bytes) -> Iterator[Row]:
    """Yield the rows of a CSV; ``head`` is how the file begins, with the names of the columns."""
    csv.field_size_limit(MOST_LINE_BYTES)
    dialect = _dialect(head.decode(encoding, "replace").lstrip("\ufeff"))
    names, begins = _names(head, encoding, dialect)
    lines = Lines(_from(pieces, start, begins), max(start, begins))
    texts: list[str] = []

    def decoded() -> Iterator[str]:
        for raw in lines:
            text = raw.decode(encoding, "replace")
            texts.append(text)
            yield text

    for cells in csv.reader(decoded(), delimiter=dialect, strict=False):
        raw = "".join(texts).rstrip("\r\n")
        texts.clear()
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            yield lines.offset, None, raw, f"{len(cells)} cells where the header has {len(names)}."
            continue
        yield lines.offset, dict(zip(names, cells, strict=True)), raw, ""


def _from(pieces: Iterable[bytes], start: int, begins: int) -> Iterator[bytes]:
    """Leave out the header when reading begins at the top."""
    leave_out = begins if start == 0 else 0
    for piece in pieces:
        taken = piece[leave_out:]
        leave_out = max(0, leave_out - len(piece))
        if taken:
            yield taken


def _dialect(head: str) -> str:
    first = head.splitlines()[0] if head.splitlines() else ""
    counts = {one: first.count(one) for one in DELIMITERS}
    best = max(counts, key=lambda one: counts[one])
    return best if counts[best] else ","


def _names(head: bytes, encoding: str, delimiter: str) -> tuple[list[str], int]:
    """Return the columns' names and where the rows begin."""
    lines = Lines([head], 0)
    reader = csv.reader((raw.decode(encoding, "replace") for raw in lines), delimiter=delimiter)
    names = [cell.strip().lstrip("\ufeff") for cell in next(reader, [])]
    if not names or len(set(names)) < len(names):
        raise ConfigError("The first line must name the columns, each once.")
    return names, lines.offset
