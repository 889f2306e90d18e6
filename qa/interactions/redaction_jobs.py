"""The worker's part in redaction: what waits is redacted by the core and by plugins that find more.

A plugin that fails, is too slow or names a place that does not exist leaves the conversation withheld.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.working import Kind
from qa.extensions.queries import has_redactors
from qa.extensions.runtime import Runtime
from qa.interactions import original_service as originals
from qa.interactions.redacting import HELD_BACK, Raw, Safe, make_safe, withheld
from qa.interactions.redaction import WITHHELD, Hidden
from qa.interactions.storing_service import REDACT_JOB, enqueue_redaction
from qa.plugins.api import PluginError
from qa.plugins.calling import PluginFailed, Work

WAITING_JOB = "interactions.redact_waiting"
SHARE_SECONDS = 30.0
FIND_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Redaction:
    """What the jobs need: the keys, the plugins, the site's own patterns."""

    keys: Keys
    plugins: Runtime
    patterns: tuple[str, ...]

    def run(self, database: Database, _payload: dict[str, Any]) -> None:
        """Redact what waits, the newest first; after a while be asked again, so that others get a turn."""
        until = time.monotonic() + SHARE_SECONDS
        while time.monotonic() < until:
            with database.reading() as session:
                waiting = originals.list_waiting(session, SYSTEM)
            if not waiting:
                return
            for interaction_id in waiting:
                self.redact_one(database, interaction_id)
        with database.transaction() as session:
            enqueue_redaction(session, now=clock.now())

    def redact_one(self, database: Database, interaction_id: int) -> None:
        """Redact one conversation from its originals and keep what came of it."""
        with database.reading() as session:
            raw = originals.raw_of(session, SYSTEM, interaction_id, keys=self.keys)
            offers = self.redactors(session)
        if raw is None:
            return
        safe = self.safe_of(database, raw, offers)
        with database.transaction() as session:
            originals.keep_redaction(
                session, SYSTEM, interaction_id, safe, of=raw.content_hash, now=clock.now()
            )

    def redactors(self, session: Session) -> list[tuple[str, str]] | None:
        """Return plugin and key of each redactor; None when one is enabled that does not run."""
        running = [(plugin, offer.key) for plugin, offer in self.plugins.offers(session, "redactor")]
        return None if not running and has_redactors(session, SYSTEM) else running

    def safe_of(self, database: Database, raw: Raw, redactors: list[tuple[str, str]] | None) -> Safe:
        """Return the texts as they may be read, with what plugins found hidden too."""
        if redactors is None:
            return withheld(raw, self.keys, HELD_BACK, f"{WITHHELD}: a plugin that redacts does not run.")
        found: list[Hidden] = []
        for plugin, key in redactors:
            try:
                for place, turn in enumerate(raw.turns):
                    given = {"text": turn.text, "language": raw.language}
                    work = Work("redactor", key, "find", given, deadline_seconds=FIND_SECONDS)
                    findings = self.plugins.call(database, plugin, work).value
                    found += [Hidden(place, one.start, one.end, one.label) for one in findings]
            except (PluginFailed, PluginError):
                return withheld(raw, self.keys, HELD_BACK, f"{WITHHELD}: the plugin {plugin} failed.")
        return make_safe(raw, self.keys, patterns=self.patterns, found_already=found)


def kinds(redaction: Redaction) -> dict[str, Kind]:
    """Return the kinds of work of redaction by name."""
    return {REDACT_JOB: Kind(redaction.run), WAITING_JOB: Kind(_ask)}


def _ask(database: Database, _payload: dict[str, Any]) -> None:
    """Look whether anything waits: what an upgrade brought, or what was left by a stop."""
    with database.reading() as session:
        waiting = originals.list_waiting(session, SYSTEM, limit=1)
    if waiting:
        with database.transaction() as session:
            enqueue_redaction(session, now=clock.now())
