"""Answers of a far side: unpacked within limits, read as JSON, and what a refusal means."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from qa.plugins.api import AuthExpired, Gone, PermissionMissing, PluginError, Transient, VendorBug

JSON_BYTES = 50 * 1024**2
PIECE_BYTES = 256 * 1024
PLAIN = ("", "identity")
PACKED = ("gzip", "x-gzip", "deflate")


@dataclass(frozen=True, slots=True)
class Answer:
    """Satisfies ``qa.plugins.api.Response``."""

    status: int
    headers: Mapping[str, str]
    url: str
    content: bytes

    @property
    def text(self) -> str:
        """The body as text; bytes that are none become marks."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The parsed body, None for an empty one; raises ``Transient`` when it is not JSON."""
        if not self.content.strip():
            return None
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise Transient(f"{told('The answer of', self.url)} is not JSON, or was cut.") from None


def told(method: str, url: str) -> str:
    """Return a request in words, without its query, which may hold anything."""
    return f"{method} {urlsplit(url).path or '/'}"


def error_of(method: str, answer: Answer) -> PluginError:
    """Return what a refused request means."""
    where, status = told(method, answer.url), answer.status
    if status == 401:
        return AuthExpired(f"{where} answered 401: the credentials are not accepted.")
    if status == 403:
        return PermissionMissing(where, f"{where} answered 403: the account may not do this.")
    if status in (404, 410):
        return Gone(f"{where} answered {status}: there is no such thing.")
    if status == 408 or status >= 500:
        return Transient(f"{where} answered {status}.")
    if status < 400:
        return VendorBug(f"{where} answered {status}: it leads elsewhere, which is not followed.")
    return VendorBug(f"{where} answered {status}: the request is not accepted.")


def unpacked(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the body in pieces of at most 256 kB, however small it was packed.

    Raises ``Transient`` for a body that is cut or broken, ``VendorBug`` for a packing nobody asked for.
    """
    packing = encoding.strip().lower()
    if packing in PLAIN:
        yield from chunks
        return
    if packing not in PACKED:
        raise VendorBug(f"The answer is packed as {packing[:20]}, which was not asked for.")
    inflate = zlib.decompressobj(wbits=47)  # reads the headers of zlib and of gzip
    try:
        for chunk in chunks:
            rest = chunk
            while rest and not inflate.eof:
                yield inflate.decompress(rest, PIECE_BYTES)
                rest = inflate.unconsumed_tail
    except zlib.error:
        raise Transient("The answer is packed wrongly.") from None
    if not inflate.eof:
        raise Transient("The answer was cut.")
