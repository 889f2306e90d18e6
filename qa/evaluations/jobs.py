"""Background work on evaluations: releases that are due, and what follows a submit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.evaluations.life_service import BATCH
from qa.evaluations.life_service import release_due as release_batch
from qa.interactions.service import mark_evaluated


def release_due(database: Database, now: datetime) -> None:
    """Release everything that is due, a batch a transaction."""
    while True:
        with database.transaction() as session:
            if release_batch(session, SYSTEM, now=now) < BATCH:
                return


def note_evaluated(database: Database, event: dict[str, Any], now: datetime) -> None:
    """Mark the conversation of a submitted evaluation."""
    with database.transaction() as session:
        mark_evaluated(session, SYSTEM, event["interaction_id"], at=now)
