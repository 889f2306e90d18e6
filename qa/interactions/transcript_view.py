"""A conversation that has its text now, as plugins are told of it: what was said, hidden parts hidden."""

from __future__ import annotations

from typing import Any

from qa.core.db import Database
from qa.interactions.models import Interaction
from qa.interactions.plugin_view import loaded, view_of
from qa.interactions.transcript_values import as_value, read_transcript

HOOK = "qa_transcript_ready"


def arguments(public_url: str, database: Database, interaction_id: int) -> dict[str, Any] | None:
    """Return what the hook is told, None when the conversation is gone or withheld."""
    with database.reading() as session:
        row = session.scalar(loaded().where(Interaction.id == interaction_id))
        found = None if row is None else read_transcript(session, interaction_id)
    if row is None or found is None:
        return None
    return {"interaction": view_of(row, public_url), "transcript": as_value(found[0])}
