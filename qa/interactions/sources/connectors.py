"""Connectors at work: each call made in the plugin's own process, with the source's settings and secrets.

What a connector raises with a meaning (``qa.plugins.api`` errors) comes through; every other fault comes as
``PluginFailed``, which names the plugin. Nothing here writes to the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from qa.interactions.sources.models import Source
from qa.interactions.sources.service import Able
from qa.plugins.api import (
    Check,
    ExternalRef,
    Hmac,
    Media,
    MediaRef,
    Page,
    PushItem,
    PushResult,
    RawRequest,
    SharedSecret,
    SourceInfo,
    WebhookResult,
    Window,
)
from qa.plugins.calling import IsWanted, Outcome, Work, always
from qa.plugins.discovery import Candidate
from qa.plugins.hosting import Host
from qa.plugins.report import Offer
from qa.plugins.settings_form import Judged
from qa.plugins.store import AGENTS, Cursor, Lane

KIND = "connector"
CHECK_SECONDS = 60.0
PULL_SECONDS = 1_200.0
ONE_SECONDS = 60.0
MEDIA_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a connector without running it."""

    plugin: str
    plugin_title: str
    plugin_version: str
    offer: Offer

    @property
    def title(self) -> str:
        """Return its name for people."""
        return self.offer.title

    def can(self, capability: str) -> bool:
        """Tell whether it declares a capability."""
        return capability in self.offer.facts.get("capabilities", ())

    @property
    def streams(self) -> tuple[str, ...]:
        """Return its streams."""
        return tuple(self.offer.facts.get("streams", ("main",)))

    @property
    def able(self) -> Able:
        """Return what setting up a source must know."""
        return Able(self.streams, self.can("agents"), self.can("backfill"), self.can("webhook"))

    @property
    def lag(self) -> timedelta:
        """Return how far back each live run looks again."""
        return timedelta(seconds=float(self.offer.facts.get("lag_seconds", 600)))

    @property
    def cursor_version(self) -> int:
        """Return the version of its cursors."""
        return int(self.offer.facts.get("cursor_version", 1))

    @property
    def settings(self) -> list[Mapping[str, Any]]:
        """Return the fields of its settings form."""
        return list(self.offer.facts.get("settings", ()))

    @property
    def webhook_auth(self) -> Hmac | SharedSecret | None:
        """Return how its deliveries are verified."""
        told = dict(self.offer.facts.get("webhook_auth") or {})
        kind = {"Hmac": Hmac, "SharedSecret": SharedSecret}.get(str(told.pop("is", "")))
        return None if kind is None else kind(**told)


class Shelf(Protocol):
    """Which plugins are there and enabled, and the secrets that were given for a source."""

    def candidate(self, plugin: str) -> Candidate:
        """Return an enabled plugin; raise ``NotFound`` or ``Conflict`` with a sentence for any other."""

    def secrets(self, source_key: str) -> Mapping[str, str]:
        """Return a source's secrets by field."""


class Connectors:
    """The site's connectors, each call with a deadline."""

    def __init__(self, host: Host, shelf: Shelf, *, site_zone: str = "UTC") -> None:
        self._host, self._shelf, self._zone = host, shelf, site_zone

    def _work(self, source: Source, method: str, seconds: float, **more: Any) -> tuple[Candidate, Work]:
        stream, lane = more.pop("stream", ""), more.pop("lane", Lane.LIVE)
        info = SourceInfo(source.key, source.connector, stream, str(lane), self._zone)  # type: ignore[arg-type]
        work = Work(
            KIND,
            source.connector,
            method,
            config=source.config,
            secrets=self._shelf.secrets(source.key),
            deadline_seconds=seconds,
            source=info,
            **more,
        )
        return self._shelf.candidate(source.plugin), work

    def _call(self, source: Source, method: str, seconds: float, **more: Any) -> Any:
        candidate, work = self._work(source, method, seconds, **more)
        return self._host.call(candidate, work).value

    def judge(
        self, plugin: str, connector: str, typed: Mapping[str, list[str]], kept: frozenset[str]
    ) -> Judged:
        """Let the connector's own form judge what a person typed."""
        return self._host.judge(self._shelf.candidate(plugin), connector, typed, kept)

    def secret_values(self, source: Source) -> list[str]:
        """Return what must not appear in anything that is kept."""
        return list(self._shelf.secrets(source.key).values())

    def check(self, source: Source, outcome: Outcome | None = None) -> Check:
        """Make a real call and tell what the credentials may."""
        candidate, work = self._work(source, "check", CHECK_SECONDS)
        told = self._host.call(candidate, work)
        if outcome is not None:
            outcome.seconds, outcome.traffic = told.seconds, told.traffic
        found: Check = told.value
        return found

    def pages(
        self,
        source: Source,
        stream: str,
        lane: Lane,
        is_wanted: IsWanted = always,
        outcome: Outcome | None = None,
    ) -> Any:
        """Return what starts the connector's ``pull``, for the sync loop."""

        def start(cursor: Cursor | None, window: Window | None) -> Iterator[Page | None]:
            arguments: dict[str, Any] = {"cursor": None if cursor is None else dict(cursor)}
            method = "agents" if stream == AGENTS else "pull"
            if stream != AGENTS:
                arguments |= {"stream": stream, "window": window}
            candidate, work = self._work(
                source, method, PULL_SECONDS, stream=stream, lane=lane, arguments=arguments
            )
            yield from self._host.stream(candidate, work, is_wanted, outcome)

        return start

    def migrated(self, source: Source, cursor: Cursor, from_version: int) -> Cursor:
        """Return a kept cursor as the connector's present version writes it."""
        arguments = {"cursor": dict(cursor), "from_version": from_version}
        new: Cursor = self._call(source, "migrate_cursor", ONE_SECONDS, arguments=arguments)
        return new

    def webhook(self, source: Source, request: RawRequest) -> WebhookResult:
        """Return what a delivery speaks of."""
        found: WebhookResult = self._call(source, "webhook", ONE_SECONDS, arguments={"request": request})
        return found

    def pull_one(self, source: Source, ref: ExternalRef) -> Page:
        """Return one thing, read anew."""
        page: Page = self._call(source, "pull_one", ONE_SECONDS, arguments={"ref": ref}, stream=ref.stream)
        return page

    def fetch_media(self, source: Source, ref: MediaRef, folder: Path) -> Media:
        """Fetch a recording into ``folder / "media"``."""
        media: Media = self._call(source, "fetch_media", MEDIA_SECONDS, arguments={"ref": ref}, folder=folder)
        return media

    def push(self, source: Source, target: ExternalRef, item: PushItem, key: str) -> PushResult:
        """Leave something at the far side; the same key twice leaves one."""
        arguments = {"target": target, "item": item, "key": key}
        left: PushResult = self._call(source, "push", ONE_SECONDS, arguments=arguments)
        return left
