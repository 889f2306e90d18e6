"""``ctx``: everything a plugin gets from the host, made anew for each piece of work.

Network goes through ``ctx.http``, time through ``ctx.clock``, secrets come from ``ctx.secrets``. The
child process that runs the plugin has no other door: no database, no settings, no key of the site.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from qa.plugins.api.records import Media
from qa.plugins.api.value import Value

Params = Mapping[str, str | int | float | bool | None]
Expect = Literal["json", "any"]


class Response(Protocol):
    """An answer whose status was acceptable, read to its end."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names in any case."""

    @property
    def url(self) -> str:
        """The address that answered."""

    @property
    def content(self) -> bytes:
        """The decompressed body."""

    @property
    def text(self) -> str:
        """The body as text."""

    def json(self) -> Any:
        """The parsed body; raises ``Transient`` when it is not JSON. None for an empty one."""


class Http(Protocol):
    """The one door to the network. An address may be relative to the connector's ``base_url``.

    Reading is retried on time-outs, cut answers and 5xx; writing only when it carries a ``key``. Short
    waits the far side asks for are kept, long ones raise ``RateLimited``. Statuses become errors:
    401 ``AuthExpired`` (after one fresh ``sign_in``), 403 ``PermissionMissing``, 404 and 410 ``Gone``,
    408 and 5xx ``Transient``, other 4xx ``VendorBug``; those named in ``accept`` are returned instead. With
    ``expect="json"`` an answer that is not JSON counts as cut. Credentials go to the host of ``base_url``
    only.
    """

    def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        expect: Expect = "json",
    ) -> Response:
        """Read something."""

    def post(
        self,
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        key: str = "",
        accept: tuple[int, ...] = (),
        expect: Expect = "json",
    ) -> Response:
        """Make something. ``key`` is sent as ``Idempotency-Key`` and allows the host to retry."""

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        key: str = "",
        accept: tuple[int, ...] = (),
        expect: Expect = "json",
    ) -> Response:
        """Send any other request; a search by POST that changes nothing may be given a ``key``, too."""

    def download(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        name: str = "",
        accept: tuple[int, ...] = (),
    ) -> Media:
        """Stream a body into ``ctx.sink``, whatever its size; a redirect elsewhere loses the credentials."""


class Clock(Protocol):
    """The host's time; in tests it is virtual."""

    def now(self) -> datetime:
        """Return the present moment in UTC. Never a high-water mark: use the far side's own times."""

    def sleep(self, seconds: float) -> None:
        """Wait; raises ``Cancelled`` when the work is stopped meanwhile."""


class Sink(Protocol):
    """Where the bytes of one recording or attachment go."""

    def write(self, chunk: bytes) -> int:
        """Add bytes."""

    def done(self, media_type: str, name: str = "") -> Media:
        """Say what it was, after the last byte."""


class Blobs(Protocol):
    """A place for bytes too large for a record, such as an original payload."""

    def put(self, content: bytes, media_type: str = "application/octet-stream") -> str:
        """Keep bytes, sealed, and return the reference for ``Record.raw_ref``."""

    def get(self, ref: str) -> bytes:
        """Return what was kept."""


class Cancel(Protocol):
    """Whether somebody stopped the work."""

    def is_set(self) -> bool:
        """Tell it."""

    def check(self) -> None:
        """Raise ``Cancelled`` if so."""


@dataclass(frozen=True, slots=True)
class SourceInfo(Value):
    """The configured source that the work is for; empty for plugins that are none."""

    name: str = ""
    connector: str = ""
    stream: str = ""
    lane: Literal["live", "backfill"] = "live"
    zone: str = "UTC"


class Context(Protocol):
    """The host, as one piece of work sees it."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The checked settings, without secrets."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secret settings by field name; printed as stars."""

    @property
    def http(self) -> Http:
        """The network."""

    @property
    def log(self) -> logging.Logger:
        """The log; known secrets are taken out of every line."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def sink(self) -> Sink:
        """Where ``fetch_media`` writes."""

    @property
    def blob(self) -> Blobs:
        """Where large originals are kept."""

    @property
    def cancel(self) -> Cancel:
        """Whether to stop."""

    @property
    def state(self) -> Mapping[str, Any]:
        """What the host remembers for this work, such as the last run's time and counts; read-only."""

    @property
    def source(self) -> SourceInfo:
        """For which source."""

    @property
    def scratch(self) -> Path:
        """A folder of this piece of work: what is there survives a killed attempt, not the work's end."""

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the work is; also a sign of life."""

    def connect(self, host: str, port: int, *, timeout: timedelta = timedelta(seconds=10)) -> socket.socket:
        """Open a guarded connection for a protocol that is not HTTP, such as SFTP or IMAP."""
