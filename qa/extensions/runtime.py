"""Calling the plugins of this site: settings and secrets put in, figures kept, failures counted.

One object in each worker. What it calls runs in child processes; what it raises is a plugin's own error
with a meaning, ``PluginFailed`` with the plugin's name, or ``PluginRests``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.config import Settings
from qa.core import clock
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.extensions import secrets_service as secrets
from qa.extensions.models import DETAIL_MAX, REASON_MAX, Plugin
from qa.extensions.standing import is_allowed, report_of, runs
from qa.plugins.calling import IsWanted, Outcome, PluginFailed, Work, always
from qa.plugins.circuit import Circuit
from qa.plugins.discovery import Candidate, find
from qa.plugins.hosting import Host
from qa.plugins.report import Offer, Report
from qa.plugins.settings_form import Judged

FIND_SECONDS = 30.0
FLUSH_SECONDS = 10.0
KEPT_SECONDS = 60
"""How many durations of each method are kept for the plugins page."""
MEMORY_KEY = "memory_mb"


class PluginRests(PluginFailed):
    """The plugin failed too often and rests until ``until``; nothing was called."""

    def __init__(self, plugin: str, until: datetime) -> None:
        super().__init__(plugin, "resting", "It failed three times in five minutes and rests.")
        self.until = until


class NotRunning(PluginFailed):
    """The plugin is off, changed, not installed or cannot be loaded; nothing was called."""


@dataclass(slots=True)
class _Figures:
    """What is not written down yet about one plugin."""

    calls: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    flushed_at: float = field(default_factory=time.monotonic)


class Runtime:
    """The plugins of one site, as its worker calls them. ``close`` it at the end."""

    def __init__(
        self, settings: Settings, keys: Keys, find_blob: Callable[[str], bytes | None] = lambda _ref: None
    ) -> None:
        self.settings, self.keys = settings, keys
        self.trusted = frozenset(settings.trusted_plugins)
        self._find_blob = find_blob
        self._host: Host | None = None
        self._guard = threading.Lock()
        self._figures: dict[str, _Figures] = {}
        self._found: dict[str, Candidate] = {}
        self._found_at = -FIND_SECONDS

    # --- what there is -------------------------------------------------------

    def offers(self, session: Session, kind: str) -> list[tuple[str, Offer]]:
        """Return what running plugins offer of a kind (``connector`` …), in the administrator's order."""
        offered = []
        for row in self._rows(session):
            report = report_of(row)
            if report is not None and runs(row, self.trusted):
                offered += [(row.name, offer) for offer in report.offers if offer.kind == kind]
        return offered

    def hooked(self, session: Session, hook: str) -> list[str]:
        """Return which running plugins implement an event hook, in the administrator's order."""
        found = []
        for row in self._rows(session):
            report = report_of(row)
            if report is not None and runs(row, self.trusted) and hook in report.hooks:
                found.append(row.name)
        return found

    def _rows(self, session: Session) -> list[Plugin]:
        if self.settings.no_plugins:
            return []
        order = (Plugin.position.is_(None), Plugin.position, Plugin.distribution, Plugin.name)
        return list(session.scalars(select(Plugin).where(Plugin.is_enabled).order_by(*order)))

    def installed(self, *, fresh: bool = False) -> dict[str, Candidate]:
        """Return what is installed on this machine, by name; looked for twice a minute at most."""
        with self._guard:
            if fresh or time.monotonic() - self._found_at > FIND_SECONDS:
                self._found = {one.name: one for one in find(self.settings.plugins_path)}
                self._found_at = time.monotonic()
            return dict(self._found)

    # --- calling -------------------------------------------------------------

    def call(self, database: Database, plugin: str, work: Work, is_wanted: IsWanted = always) -> Outcome:
        """Make one call. ``work.config`` and ``work.secrets`` are added to the plugin's own settings."""
        candidate, whole = self._prepared(database, plugin, work)
        with self._counted(database, plugin, work, Outcome()):
            return self._hosted().call(candidate, whole, is_wanted)

    def stream(
        self, database: Database, plugin: str, work: Work, is_wanted: IsWanted = always
    ) -> Iterator[Any]:
        """Yield what a streaming method yields, None about each second while it is at work."""
        candidate, whole = self._prepared(database, plugin, work)
        outcome = Outcome()
        with self._counted(database, plugin, work, outcome):
            yield from self._hosted().stream(candidate, whole, is_wanted, outcome)

    @contextmanager
    def holding(self, plugin: str) -> Iterator[str]:
        """Give a ``hold``: calls whose work carries it reach one object, until the block ends."""
        candidate = self.installed().get(plugin)
        if candidate is None:
            raise NotRunning(plugin, "missing", "It is not installed.")
        with self._hosted().holding(candidate) as hold:
            yield hold

    def load(self, plugin: str) -> tuple[Report, str]:
        """Load what is installed in a child process; return the report and of which fingerprint it is."""
        candidate = self.installed(fresh=True).get(plugin)
        if candidate is None:
            return Report(plugin, "missing", "It is not installed."), ""
        return self._hosted().load(candidate), candidate.fingerprint

    def judge(
        self, plugin: str, connector: str, typed: Mapping[str, list[str]], kept: frozenset[str]
    ) -> Judged:
        """Let a settings form judge what was typed: the plugin's own, or that of one of its connectors."""
        candidate = self.installed().get(plugin)
        if candidate is None:
            raise NotRunning(plugin, "missing", "It is not installed.")
        return self._hosted().judge(candidate, connector, typed, kept)

    def _prepared(self, database: Database, plugin: str, work: Work) -> tuple[Candidate, Work]:
        if self.settings.no_plugins:
            raise NotRunning(plugin, "safe", "The site was started with --no-plugins.")
        with database.reading() as session:
            row = session.get(Plugin, plugin)
            own = {} if row is None else dict(row.settings)
            kept = secrets.open_secrets(session, self.keys, owner_of(plugin))
        candidate = self.installed().get(plugin)
        if row is None or candidate is None or not is_allowed(row, self.trusted):
            raise NotRunning(plugin, "off", "It is not enabled on this site.")
        if candidate.fingerprint != row.fingerprint:
            raise NotRunning(plugin, "changed", "Its files on this machine are not those that were allowed.")
        if row.rests_until is not None and row.rests_until > clock.now():
            raise PluginRests(plugin, row.rests_until)
        report = report_of(row)
        names = {one["name"]: one["kind"] for one in report.settings} if report else {}
        fixed = fixed_settings(self.settings, plugin)
        open_ones = {name: value for name, value in fixed.items() if names.get(name) != "secret"}
        sealed = {name: str(value) for name, value in fixed.items() if names.get(name) == "secret"}
        defaults = {} if report is None else defaults_of(report)
        whole = replace(
            work,
            config={**defaults, **own, **open_ones, **work.config},
            secrets={**kept, **sealed, **work.secrets},
        )
        return candidate, whole

    def _hosted(self) -> Host:
        with self._guard:
            if self._host is None:
                limits = {
                    name: int(table[MEMORY_KEY])
                    for name, table in self.settings.plugins.items()
                    if str(table.get(MEMORY_KEY, "")).isdigit()
                }
                self._host = Host(
                    self.settings.plugin_work_path,
                    private_networks=tuple(self.settings.private_networks),
                    memory_mb=limits,
                    find_blob=self._find_blob,
                )
            return self._host

    # --- figures -------------------------------------------------------------

    def _counted(self, database: Database, plugin: str, work: Work, outcome: Outcome) -> _Count:
        return _Count(self, database, plugin, f"{work.key}.{work.method}".lstrip("."), outcome)

    def note(
        self, database: Database, plugin: str, what: str, seconds: float, failed: PluginFailed | None
    ) -> None:
        """Count a call. Failures are written at once, the rest every ten seconds."""
        with self._guard:
            figures = self._figures.setdefault(plugin, _Figures())
            figures.calls += 1
            figures.seconds.setdefault(what, []).append(round(seconds, 4))
            if failed is None and time.monotonic() - figures.flushed_at < FLUSH_SECONDS:
                return
            self._figures[plugin] = _Figures()
        self._write(database, plugin, figures, failed)

    @staticmethod
    def _write(database: Database, plugin: str, figures: _Figures, failed: PluginFailed | None) -> None:
        now = clock.now()
        with database.transaction() as session:
            row = session.get(Plugin, plugin, with_for_update=True)
            if row is None:
                return
            row.call_count += figures.calls
            row.called_at = now
            kept = {what: list(told) for what, told in row.seconds.items()}
            for what, told in figures.seconds.items():
                kept[what] = (kept.get(what, []) + told)[-KEPT_SECONDS:]
            row.seconds = kept
            if failed is not None:
                _note_failure(row, failed, now)

    def flush(self, database: Database) -> None:
        """Write down all figures."""
        with self._guard:
            waiting, self._figures = self._figures, {}
        for plugin, figures in waiting.items():
            if figures.calls:
                self._write(database, plugin, figures, None)

    def tidy(self, database: Database) -> None:
        """Write figures down and end processes that nobody called for a while."""
        self.flush(database)
        if self._host is not None:
            self._host.tidy()

    def close(self) -> None:
        """End all processes."""
        if self._host is not None:
            self._host.close()


class _Count:
    """Counts one call, whatever its end: only ``PluginFailed`` is the plugin's fault."""

    def __init__(
        self, runtime: Runtime, database: Database, plugin: str, what: str, outcome: Outcome
    ) -> None:
        self.runtime, self.database, self.plugin, self.what = runtime, database, plugin, what
        self.outcome = outcome
        self.started = time.monotonic()

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        failed = error if isinstance(error, PluginFailed) else None
        seconds = self.outcome.seconds or time.monotonic() - self.started
        self.runtime.note(self.database, self.plugin, self.what, seconds, failed)


def _note_failure(row: Plugin, failed: PluginFailed, now: datetime) -> None:
    row.failure_count += 1
    row.error = failed.reason[:REASON_MAX]
    row.error_detail = failed.detail[-DETAIL_MAX:]
    row.error_at = now
    rests = 0.0 if row.rests_until is None else row.rests_until.timestamp()
    circuit = Circuit(tuple(row.strikes), rests).struck(now.timestamp())
    row.strikes = list(circuit.strikes)
    row.rests_until = datetime.fromtimestamp(circuit.rests_until, UTC) if circuit.rests_until else None


def owner_of(plugin: str) -> str:
    """Return the owner of a plugin's own secrets."""
    return f"plugin:{plugin}"


def fixed_settings(settings: Settings, plugin: str) -> dict[str, Any]:
    """Return what ``qa.toml`` says about a plugin: it wins over the settings page."""
    return {name: value for name, value in settings.plugins.get(plugin, {}).items() if name != MEMORY_KEY}


def defaults_of(report: Report) -> dict[str, Any]:
    """Return what a plugin's settings are before anybody set them."""
    return {one["name"]: one["default"] for one in report.settings if one["kind"] != "secret"}
