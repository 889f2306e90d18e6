"""How a plugin stands, in words: pure, from its row."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from qa.extensions.models import Plugin
from qa.plugins.report import Report, from_json

ALL = "*"


@dataclass(frozen=True, slots=True)
class Standing:
    """A state: its code, the words on its badge, their tone, and what to know or do."""

    code: str
    words: str
    tone: str
    sentence: str = ""
    fix: str = ""

    @property
    def needs_somebody(self) -> bool:
        """Tell whether a person must act."""
        return self.code in {"failed", "changed", "missing"}


def is_allowed(row: Plugin, trusted: Collection[str] = ()) -> bool:
    """Tell whether this very version may run: enabled, and allowed by its fingerprint or trusted by name."""
    if not (row.is_enabled and row.is_there):
        return False
    same = (row.version, row.fingerprint) == (row.allowed_version, row.allowed_fingerprint)
    return same or row.name in trusted or ALL in trusted


def report_of(row: Plugin) -> Report | None:
    """Return what loading the installed version told, None before it was loaded."""
    if row.report is None or row.report_of != row.fingerprint:
        return None
    return from_json(row.report)


def standing_of(
    row: Plugin, *, now: datetime, trusted: Collection[str] = (), is_safe_mode: bool = False
) -> Standing:
    """Return how a plugin stands now."""
    if not row.is_enabled:
        new = row.changed_at is None
        return Standing("new" if new else "off", "New" if new else "Off", "", row.note)
    if not row.is_there:
        words = "It is no longer installed. Its settings are kept for when it is back."
        return Standing("missing", "Not installed", "fail", words, "Install it again, or disable it.")
    if not is_allowed(row, trusted):
        return _changed(row)
    if is_safe_mode:
        return Standing("safe", "Safe mode", "warn", "The site was started with --no-plugins.")
    report = report_of(row)
    if report is None:
        return Standing("starting", "Starting", "warn", "The worker loads it within a minute.")
    if not report.is_ok:
        return Standing("failed", "Failed", "fail", f"{report.reason.rstrip('.')}.", report.fix)
    if row.rests_until is not None and row.rests_until > now:
        words = "It failed three times in five minutes and rests for five."
        return Standing("resting", "Resting", "warn", words)
    return Standing("running", "Running", "pass")


def _changed(row: Plugin) -> Standing:
    words = f"Version {row.allowed_version or '?'} was allowed; version {row.version or '?'} is installed."
    if row.version == row.allowed_version:
        words = "Its files changed since it was allowed."
    return Standing("changed", "Stopped", "fail", words, "Look at what changed, then allow this version.")


def runs(row: Plugin, trusted: Collection[str] = ()) -> bool:
    """Tell whether calls may be made to it: allowed, and loaded without a fault."""
    report = report_of(row) if is_allowed(row, trusted) else None
    return report is not None and report.is_ok
