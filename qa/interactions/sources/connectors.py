"""Connectors at work: each call made in the plugin's own process, with the source's settings and secrets.

What a connector raises with a meaning (``qa.plugins.api`` errors) comes through; every other fault comes as
``PluginFailed``, which names the plugin. Nothing here writes to the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import NotFound
from qa.extensions.models import Plugin
from qa.extensions.secrets_service import open_secrets
from qa.interactions.sources.models import Source
from qa.interactions.sources.service import Able
from qa.plugins.api import (
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
from qa.plugins.report import Offer, from_json
from qa.plugins.settings_form import Judged
from qa.plugins.store import AGENTS, Cursor, Lane

KIND = "connector"
CHECK_SECONDS = 60.0
PULL_SECONDS = 1_200.0
ONE_SECONDS = 60.0
MEDIA_SECONDS = 900.0
Start = Callable[[Cursor | None, Window | None], Iterator[Page | None]]


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


class Calls(Protocol):
    """What calls plugins: ``qa.extensions`` keeps their settings, figures and rests."""

    def call(self, database: Database, plugin: str, work: Work, is_wanted: IsWanted = always) -> Outcome:
        """Make one call."""

    def stream(
        self, database: Database, plugin: str, work: Work, is_wanted: IsWanted = always
    ) -> Iterator[Any]:
        """Yield what a streaming method yields, None about each second while it is at work."""

    def judge(
        self, plugin: str, connector: str, typed: Mapping[str, list[str]], kept: frozenset[str]
    ) -> Judged:
        """Let a settings form judge what was typed."""


def owner_of(source_key: str) -> str:
    """Return the owner under which a source's secrets are kept."""
    return f"source:{source_key}"


def list_facts(session: Session) -> list[Facts]:
    """Return the connectors of all enabled plugins that could be loaded, by title."""
    rows = session.scalars(select(Plugin).where(Plugin.is_enabled, Plugin.is_there))
    found = [facts for row in rows for facts in _facts_of(row)]
    return sorted(found, key=lambda one: one.title.casefold())


def find_facts(session: Session, plugin: str, connector: str) -> Facts | None:
    """Return what is known about one connector, None when its plugin is off, away or broken."""
    row = session.get(Plugin, plugin)
    if row is None or not row.is_enabled:
        return None
    return next((one for one in _facts_of(row) if one.offer.key == connector), None)


def get_facts(session: Session, plugin: str, connector: str) -> Facts:
    """Return what is known about one connector, or raise ``NotFound`` with what to do."""
    facts = find_facts(session, plugin, connector)
    if facts is None:
        raise NotFound(f"The plugin {plugin} does not run here. Install and enable it on the plugins page.")
    return facts


def _facts_of(row: Plugin) -> list[Facts]:
    if row.report is None:
        return []
    report = from_json(row.report)
    if not report.is_ok:
        return []
    offers = [offer for offer in report.offers if offer.kind == KIND]
    return [Facts(row.name, report.title or row.name, report.version, offer) for offer in offers]


class Connectors:
    """The site's connectors, each call with a deadline."""

    def __init__(self, calls: Calls, database: Database, keys: Keys, *, site_zone: str = "UTC") -> None:
        self._calls, self._database, self._keys, self._zone = calls, database, keys, site_zone
        self.shows_requests = False

    def secrets(self, source: Source) -> dict[str, str]:
        """Return a source's secrets, for use in this process only."""
        with self._database.reading() as session:
            return open_secrets(session, self._keys, owner_of(source.key))

    def _work(self, source: Source, method: str, seconds: float, **more: Any) -> Work:
        stream, lane = more.pop("stream", ""), more.pop("lane", Lane.LIVE)
        info = SourceInfo(source.key, source.connector, stream, str(lane), self._zone)  # type: ignore[arg-type]
        return Work(
            KIND,
            source.connector,
            method,
            config=source.config,
            secrets=self.secrets(source),
            deadline_seconds=seconds,
            source=info,
            state={"shows_requests": True} if self.shows_requests else {},
            **more,
        )

    def _call(self, source: Source, method: str, seconds: float, **more: Any) -> Any:
        work = self._work(source, method, seconds, **more)
        return self._calls.call(self._database, source.plugin, work).value

    def judge(
        self, plugin: str, connector: str, typed: Mapping[str, list[str]], kept: frozenset[str]
    ) -> Judged:
        """Let the connector's own form judge what a person typed."""
        return self._calls.judge(plugin, connector, typed, kept)

    def check(self, source: Source) -> Outcome:
        """Make a real call and tell what the credentials may: the outcome's value is a ``Check``."""
        work = self._work(source, "check", CHECK_SECONDS)
        return self._calls.call(self._database, source.plugin, work)

    def pages(self, source: Source, stream: str, lane: Lane, is_wanted: IsWanted = always) -> Start:
        """Return what starts the connector's ``pull``, for the sync loop."""

        def start(cursor: Cursor | None, window: Window | None) -> Iterator[Page | None]:
            arguments: dict[str, Any] = {"cursor": None if cursor is None else dict(cursor)}
            method = "agents" if stream == AGENTS else "pull"
            if stream != AGENTS:
                arguments |= {"stream": stream, "window": window}
            work = self._work(source, method, PULL_SECONDS, stream=stream, lane=lane, arguments=arguments)
            yield from self._calls.stream(self._database, source.plugin, work, is_wanted)

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
