"""Run migrations in one transaction: on SQLite too, a failed one leaves the database as it was."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from sqlalchemy import Engine, event

import qa.accounts.models
import qa.coaching.models
import qa.coaching.training_models
import qa.core.audit
import qa.core.jobs
import qa.core.outbox
import qa.evaluations.models
import qa.extensions.models
import qa.interactions.alias_models
import qa.interactions.models
import qa.interactions.sources.models
import qa.scorecards.models
from qa.core.db import Base, UtcDateTime
from qa.core.schema import engine_for

MODELS = (
    qa.accounts.models,
    qa.coaching.models,
    qa.coaching.training_models,
    qa.core.audit,
    qa.core.jobs,
    qa.core.outbox,
    qa.evaluations.models,
    qa.extensions.models,
    qa.interactions.alias_models,
    qa.interactions.models,
    qa.interactions.sources.models,
    qa.scorecards.models,
)


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our own column type as a plain one: history must not import the program."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Migrate the database that the configuration names."""
    with engine_for(context.config.attributes["url"]) as engine:
        _migrate(engine)


def _migrate(engine: Engine) -> None:
    # foreign keys are off on SQLite while tables are rebuilt, and checked before the commit
    sqlite = engine.dialect.name == "sqlite"
    if sqlite:
        event.listen(engine, "connect", _sqlite_connected)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=sqlite,
            render_item=render_item,
            transactional_ddl=True,
            compare_type=True,
        )
        with context.begin_transaction():
            if not sqlite:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(730051)")
            context.run_migrations()
            if sqlite:
                _refuse_orphans(connection)


def _sqlite_connected(dbapi: Any, _record: Any) -> None:
    dbapi.isolation_level = None
    for pragma in ("journal_mode=WAL", "foreign_keys=OFF", "busy_timeout=30000", "synchronous=FULL"):
        dbapi.execute(f"PRAGMA {pragma}")


def _refuse_orphans(connection: sa.Connection) -> None:
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if orphans:
        raise RuntimeError(
            f"the migration would leave {len(orphans)} rows without their parent: {orphans[:3]}"
        )


run()
