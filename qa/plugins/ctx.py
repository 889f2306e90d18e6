"""``ctx`` as a plugin gets it: made for one piece of work, in the child process that runs the plugin."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from qa.plugins.api import Cancelled, ConfigError, Connector, Gone, Media, Quota, SourceInfo, Transient
from qa.plugins.api.context import Cancel, Clock, Http
from qa.plugins.guarded import GuardedTransport
from qa.plugins.http import Client, Wiring
from qa.plugins.masking import MASKED, Mask
from qa.plugins.quota import Budget
from qa.plugins.reach import Reach

SLICE_SECONDS = 0.5

Tell = Callable[[float, float | None, str], None]


class Flag:
    """Whether somebody stopped the work."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Stop it."""
        self._event.set()

    def is_set(self) -> bool:
        """Tell it."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise ``Cancelled`` when it is stopped."""
        if self._event.is_set():
            raise Cancelled("The work was stopped.")

    def wait(self, seconds: float) -> bool:
        """Wait, or be woken by the stop."""
        return self._event.wait(seconds)


class RealClock:
    """The machine's time; sleeping ends with the work."""

    def __init__(self, flag: Flag) -> None:
        self._flag = flag

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait; raise ``Cancelled`` when the work is stopped meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._flag.check()
            self._flag.wait(min(left, SLICE_SECONDS))
        self._flag.check()


class FileSink:
    """Bytes of one recording, as a file in the folder of the work."""

    def __init__(self, file: Path) -> None:
        self._opened = file.open("wb")
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, chunk: bytes) -> int:
        """Add bytes."""
        self._digest.update(chunk)
        self._size += len(chunk)
        return self._opened.write(chunk)

    def done(self, media_type: str, name: str = "") -> Media:
        """Close the file and say what it was."""
        self._opened.close()
        return Media(media_type, self._size, self._digest.hexdigest(), name)


class Drawer:
    """Large originals: kept as files under their hash, which the host takes over with the page."""

    def __init__(self, folder: Path, find: Callable[[str], bytes | None] = lambda _ref: None) -> None:
        self._folder = folder
        self._find = find

    def put(self, content: bytes, media_type: str = "application/octet-stream") -> str:
        """Keep bytes and return their reference."""
        del media_type  # originals are found again by their record, not by their kind
        ref = hashlib.sha256(content).hexdigest()
        self._folder.mkdir(exist_ok=True)
        draft = self._folder / f"{ref}.part"
        draft.write_bytes(content)
        draft.rename(self._folder / ref)
        return ref

    def get(self, ref: str) -> bytes:
        """Return what was kept; raise ``Gone``."""
        file = self._folder / os.path.basename(ref)
        found = file.read_bytes() if file.is_file() else self._find(ref)
        if found is None:
            raise Gone("That original is no longer kept.")
        return found


class Secrets(Mapping[str, str]):
    """Secret settings by name, printed as stars."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = dict(secrets)

    def __getitem__(self, name: str) -> str:
        """Return one secret; raise ``ConfigError`` when it is not set."""
        try:
            return self._secrets[name]
        except KeyError:
            raise ConfigError(f"The secret {name} is not set.", name) from None

    def __iter__(self) -> Any:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def get(self, name: str, default: Any = None) -> Any:
        """Return one secret, or the default."""
        return self._secrets.get(name, default)

    def __repr__(self) -> str:
        """Return the names only."""
        return "{" + ", ".join(f"{name!r}: '{MASKED}'" for name in self._secrets) + "}"


@dataclass(frozen=True, slots=True)
class Given:
    """What one piece of work is given: settings, place, network. The kit gives its own clock and transport.

    Without a transport requests leave through ``reach``. ``budget`` lets runs of one source share a quota;
    ``base_url`` is where requests go whatever the settings say, such as a message's target.
    """

    config: Mapping[str, Any]
    secrets: Mapping[str, str]
    folder: Path
    log: logging.Logger
    mask: Mask = field(default_factory=Mask)
    flag: Flag = field(default_factory=Flag)
    clock: Clock | None = None
    transport: httpx.BaseTransport | None = None
    reach: Reach = field(default_factory=Reach)
    budget: Budget | None = None
    base_url: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    source: SourceInfo = field(default_factory=SourceInfo)
    tell: Tell = lambda done, total, message: None
    find_blob: Callable[[str], bytes | None] = lambda _ref: None


class WorkContext:
    """Everything a plugin gets; what ``qa.plugins.api.Context`` promises. ``close`` it at the end."""

    def __init__(self, extension: Any, given: Given) -> None:
        """``extension`` is the object that works: a connector, a notifier, or None for an event hook."""
        self._given = given
        self._sink: FileSink | None = None
        self.client: Client | None = None
        self.extension = extension
        self.config: Mapping[str, Any] = MappingProxyType(dict(given.config))
        self.secrets: Mapping[str, str] = Secrets(given.secrets)
        given.mask.learn(given.secrets.values())
        self.log = given.log
        self.cancel: Cancel = given.flag
        self.clock: Clock = given.clock or RealClock(given.flag)
        self.blob = Drawer(given.folder / "blobs", given.find_blob)
        self.scratch = given.folder
        self.state: Mapping[str, Any] = MappingProxyType(dict(given.state))
        self.source = given.source

    @property
    def sink(self) -> FileSink:
        """Where ``fetch_media`` writes."""
        if self._sink is None:
            self._sink = self._new_sink()
        return self._sink

    def _new_sink(self) -> FileSink:
        self._sink = FileSink(self.scratch / "media")
        return self._sink

    @property
    def http(self) -> Http:
        """The network; the client is made when it is first wanted."""
        if self.client is None:
            extension, given = self.extension, self._given
            is_connector = isinstance(extension, Connector)
            self.client = Client(
                Wiring(
                    base_url=self._base_url(),
                    transport=given.transport or GuardedTransport(given.reach),
                    clock=self.clock,
                    cancel=self.cancel,
                    sink=self._new_sink,
                    sign_in=(lambda: extension.sign_in(self)) if is_connector else dict,
                    quota=extension.quota if is_connector else Quota(),
                    media_hosts=tuple(getattr(extension, "media_hosts", ())),
                    mask=given.mask,
                    budget=given.budget,
                )
            )
        return self.client

    def _base_url(self) -> str:
        extension, given = self.extension, self._given
        own = extension.base_url(self.config) if isinstance(extension, Connector) else self.config.get("url")
        address = given.base_url or own
        if not address:
            raise ConfigError("No address is set to send requests to.", "url")
        return str(address)

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the work is."""
        self._given.tell(done, total, message)

    def connect(self, host: str, port: int, *, timeout: timedelta = timedelta(seconds=10)) -> socket.socket:
        """Open a connection to a judged address."""
        address = self._given.reach.address_of(host, port)
        try:
            return socket.create_connection((address, port), timeout=timeout.total_seconds())
        except OSError as error:
            raise Transient(f"{host} port {port} does not answer: {error.strerror or error}.") from error

    def close(self) -> None:
        """Close what was opened."""
        if self.client is not None:
            self.client.close()
