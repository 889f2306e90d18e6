"""What the worker does for accounts: moves that were entered ahead come into force on their day."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from qa.accounts import people_service
from qa.core.actor import SYSTEM
from qa.core.db import Database


def apply_due_memberships(database: Database, now: datetime, zone: tzinfo = UTC) -> int:
    """Bring everybody's present team up to the site's day; return how many changed. Safe to repeat."""
    with database.transaction() as session:
        return people_service.apply_due_moves(session, SYSTEM, today=now.astimezone(zone).date())
