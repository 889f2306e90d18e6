"""Reading plugins and what they have to deliver."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.accounts.permissions import Permission
from qa.accounts.policy import require
from qa.core.actor import Actor, by
from qa.core.errors import NotFound
from qa.extensions import secrets_service as secrets
from qa.extensions.models import Outgoing, Plugin
from qa.extensions.runtime import owner_of
from qa.extensions.standing import Standing, standing_of
from qa.plugins.report import Report, from_json


@dataclass(frozen=True, slots=True)
class Timing:
    """How long calls of one kind took, of the last sixty."""

    what: str
    calls: int
    typical: float
    slowest: float


@dataclass(frozen=True, slots=True)
class PluginLine:
    """One plugin as the list shows it."""

    row: Plugin
    standing: Standing
    report: Report
    timings: list[Timing]
    changed_by: str
    waiting: int
    dead: int

    @property
    def title(self) -> str:
        """Return what people call it."""
        return self.report.title or self.row.name

    @property
    def kinds(self) -> list[str]:
        """Return what it offers, each kind once."""
        return sorted({offer.kind for offer in self.report.offers})


@dataclass(frozen=True, slots=True)
class PluginPage:
    """One plugin whole: with the names of the secrets that are set, never what they are."""

    line: PluginLine
    secrets_set: frozenset[str]


def list_plugins(
    session: Session, actor: Actor, *, now: datetime, trusted: Collection[str], is_safe_mode: bool
) -> list[PluginLine]:
    """Return all plugins that are installed or were, those in need of somebody first."""
    require(actor, Permission.PLUGIN_LIST, by(actor.id))
    rows = list(session.scalars(select(Plugin)))
    lines = _lines(session, rows, now=now, trusted=trusted, is_safe_mode=is_safe_mode)
    return sorted(lines, key=lambda line: (not line.standing.needs_somebody, line.title.casefold()))


def get_plugin(
    session: Session, actor: Actor, name: str, *, now: datetime, trusted: Collection[str], is_safe_mode: bool
) -> PluginPage:
    """Return one plugin; raise ``NotFound``."""
    require(actor, Permission.PLUGIN_LIST, by(actor.id))
    row = session.get(Plugin, name)
    if row is None:
        raise NotFound("There is no such plugin.")
    (line,) = _lines(session, [row], now=now, trusted=trusted, is_safe_mode=is_safe_mode)
    return PluginPage(line, secrets.set_names(session, owner_of(name)))


def count_needing_somebody(
    session: Session, actor: Actor, *, now: datetime, trusted: Collection[str], is_safe_mode: bool
) -> int:
    """Return how many plugins wait for a person."""
    require(actor, Permission.PLUGIN_LIST, by(actor.id))
    rows = session.scalars(select(Plugin).where(Plugin.is_enabled))
    told = (standing_of(row, now=now, trusted=trusted, is_safe_mode=is_safe_mode) for row in rows)
    return sum(standing.needs_somebody for standing in told)


def _lines(
    session: Session, rows: list[Plugin], *, now: datetime, trusted: Collection[str], is_safe_mode: bool
) -> list[PluginLine]:
    people = {row.changed_by_id for row in rows if row.changed_by_id is not None}
    named = session.execute(select(User.id, User.name).where(User.id.in_(people)))
    names = {user_id: name for user_id, name in named}
    counted = select(Outgoing.plugin, Outgoing.state, func.count()).where(
        Outgoing.state.in_(("pending", "dead")), Outgoing.plugin.in_([row.name for row in rows])
    )
    numbers = {
        (plugin, state): number
        for plugin, state, number in session.execute(counted.group_by(Outgoing.plugin, Outgoing.state))
    }
    return [
        PluginLine(
            row=row,
            standing=standing_of(row, now=now, trusted=trusted, is_safe_mode=is_safe_mode),
            report=from_json(row.report) if row.report else Report(row.name, "new", title=row.name),
            timings=timings_of(row),
            changed_by=names.get(row.changed_by_id or 0, ""),
            waiting=numbers.get((row.name, "pending"), 0),
            dead=numbers.get((row.name, "dead"), 0),
        )
        for row in rows
    ]


def timings_of(row: Plugin) -> list[Timing]:
    """Return the median and the slowest in a hundred of each kind of call, the slowest kind first."""
    found = []
    for what, seconds in row.seconds.items():
        ordered = sorted(seconds)
        if ordered:
            slow = ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.99) - 1)]
            found.append(Timing(what, len(ordered), ordered[len(ordered) // 2], slow))
    return sorted(found, key=lambda timing: -timing.typical)


def list_outgoing(
    session: Session, actor: Actor, *, state: str, plugin: str = "", limit: int = 100
) -> list[Outgoing]:
    """Return what waits or was given up on, the oldest first; what is in it stays sealed."""
    require(actor, Permission.JOB_LIST, by(actor.id))
    wanted = select(Outgoing).where(Outgoing.state == state).order_by(Outgoing.id).limit(limit)
    return list(session.scalars(wanted.where(Outgoing.plugin == plugin) if plugin else wanted))


def has_redactors(session: Session, actor: Actor) -> bool:
    """Tell whether an enabled plugin hides text too: then nothing is shown before it has looked."""
    require(actor, Permission.PLUGIN_LIST, by(actor.id))
    enabled = session.scalars(select(Plugin).where(Plugin.is_enabled))
    reports = [from_json(row.report) for row in enabled if row.report is not None]
    return any(offer.kind == "redactor" for report in reports for offer in report.offers)
