"""Which bytes of a stored file a request wants, by RFC 9110, section 14.

A range that cannot be read, a unit nobody knows, several ranges at once and an ``If-Range`` of
another version are all answered with the whole file; only a range outside the file is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from werkzeug.datastructures import Headers
from werkzeug.http import parse_range_header


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``start`` up to, not including, ``end``; ``part`` when only they were asked for."""

    start: int
    end: int
    size: int
    part: bool

    @property
    def status(self) -> int:
        """Return 206 for a part, 200 for the whole file."""
        return 206 if self.part else 200

    def headers(self, etag: str) -> Headers:
        """Return what an answer with these bytes says about them."""
        said = Headers({"Accept-Ranges": "bytes", "Content-Length": str(self.end - self.start), "ETag": etag})
        if self.part:
            said["Content-Range"] = f"bytes {self.start}-{self.end - 1}/{self.size}"
        return said


def etag_of(key: str) -> str:
    """Return the strong entity tag of a file that never changes under its key, without telling the key."""
    return f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'


def span_asked(range_header: str | None, if_range: str | None, *, etag: str, size: int) -> Span | None:
    """Return the bytes asked for, None when all of them lie outside the file (416)."""
    whole = Span(0, size, size, part=False)
    asked = parse_range_header(range_header)
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return whole
    if if_range is not None and if_range.strip() != etag:  # a date never fits: none is sent
        return whole
    start, end = asked.ranges[0]
    if start < 0:
        start = max(0, size + start)
    if start >= size:
        return None
    return Span(start, min(size, size if end is None else end), size, part=True)
