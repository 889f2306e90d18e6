"""A conversation as plugins are told of it: facts and ids, never what was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from qa.accounts.models import User
from qa.core.db import Database
from qa.extensions.events import Happening
from qa.interactions.models import Interaction
from qa.plugins.api import AgentRef, InteractionView

HOOK = "qa_interaction_changed"
CHANGES = ("created", "updated", "deleted", "merged")


def happenings(payload: Mapping[str, Any]) -> Iterator[Happening]:
    """Read the event that tells of a batch of conversations."""
    for change in CHANGES:
        yield Happening(HOOK, change, tuple(payload[change]))


def arguments(public_url: str, database: Database, interaction_id: int) -> dict[str, Any] | None:
    """Return what the hook is told, None when the conversation is gone for good."""
    with database.reading() as session:
        row = session.scalar(loaded().where(Interaction.id == interaction_id))
        return None if row is None else {"interaction": view_of(row, public_url)}


def loaded() -> Any:
    """Return the statement that loads what ``view_of`` reads."""
    return select(Interaction).options(selectinload(Interaction.agent), selectinload(Interaction.tags))


def view_of(row: Interaction, public_url: str) -> InteractionView:
    """Return the view of a loaded conversation."""
    return InteractionView(
        id=row.id,
        source=row.source,
        external_id=row.external_id,
        channel=row.channel,
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_s=None if row.duration_ms is None else row.duration_ms // 1_000,
        queue=row.queue,
        direction=row.direction,
        language=row.language,
        agent=None if row.agent is None else agent_of(row.agent),
        tags=sorted(tag.tag for tag in row.tags),
        url=f"{public_url}/interactions/{row.id}" if public_url else "",
    )


def agent_of(user: User) -> AgentRef:
    """Return a person as plugins know agents: by the id they have here."""
    return AgentRef(str(user.id), user.email or "", user.name)
