"""The check that a rule says the same about one record and, as SQL, about all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission
from qa.accounts.policy import allowed, visible
from qa.core.actor import Actor


def assert_agreement(
    session: Session, model: Any, records: Iterable[Any], actor: Actor, permissions: Iterable[Permission]
) -> None:
    """Fail on the first permission for which ``visible`` and ``allowed`` differ about these records.

    ``model`` has ``id``, ``scope_columns()`` and records with ``scope``, whatever that needs loaded.
    """
    records = list(records)
    for permission in permissions:
        listed = set(
            session.scalars(select(model.id).where(visible(actor, permission, model.scope_columns())))
        )
        single = {record.id for record in records if allowed(actor, permission, record.scope)}
        assert listed & {record.id for record in records} == single, (permission, actor)
