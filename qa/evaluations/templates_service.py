"""Comment templates: one's own, and those the QA manager shares with everybody."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit
from qa.core.actor import Actor, by
from qa.core.errors import Forbidden
from qa.core.text import checked, checked_name
from qa.evaluations import queries
from qa.evaluations.models import COMMENT_MAX, CommentTemplate


def add_template(
    session: Session, actor: Actor, *, title: str, text: str, shared: bool, now: datetime
) -> CommentTemplate:
    """Keep a template; a shared one belongs to nobody and only a QA manager may add it."""
    require(actor, P.COMMENT_TEMPLATE_EDIT, by(actor.id))
    if shared and "manager" not in actor.roles:
        raise Forbidden("Only a QA manager shares a template with everybody.")
    template = CommentTemplate(owner_id=None if shared else actor.id, created_at=now, **_words(title, text))
    session.add(template)
    session.flush()
    audit.record(session, actor, "comment_template:add", "comment_template", template.id, now=now)
    return template


def change_template(
    session: Session, actor: Actor, template_id: int, *, title: str, text: str, now: datetime
) -> CommentTemplate:
    """Change a template of one's own, or a shared one as QA manager; written comments stay as they are."""
    template = queries.get_template(session, actor, template_id)
    for name, value in _words(title, text).items():
        setattr(template, name, value)
    audit.record(session, actor, "comment_template:change", "comment_template", template_id, now=now)
    return template


def _words(title: str, text: str) -> dict[str, str]:
    return {
        "title": checked_name(title, field="title", label="The title", limit=120),
        "text": checked(text.strip(), field="text", label="The text", limit=COMMENT_MAX),
    }


def remove_template(session: Session, actor: Actor, template_id: int, *, now: datetime) -> None:
    """Remove a template of one's own, or a shared one as QA manager."""
    template = queries.get_template(session, actor, template_id)
    session.delete(template)
    audit.record(session, actor, "comment_template:remove", "comment_template", template_id, now=now)
