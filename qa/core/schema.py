"""The schema's steps up and down: ``qa upgrade`` runs Alembic's in one transaction on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, make_url


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for this database, from a checkout or from a wheel."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("qa.migrations")))
    config.attributes["url"] = url
    config.set_main_option("path_separator", "os")
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to ``revision``, whole or not at all."""
    database = make_url(url)
    if database.get_backend_name() == "sqlite" and database.database:
        Path(database.database).parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(alembic_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database back to ``revision``, whole or not at all."""
    command.downgrade(alembic_config(url), revision)


def pending(url: str) -> list[tuple[str, str]]:
    """Return the steps that ``upgrade`` would take: revision and what it does."""
    script = ScriptDirectory.from_config(alembic_config(url))
    with engine_for(url) as engine, engine.connect() as connection:
        here = MigrationContext.configure(connection).get_current_revision()
    steps = script.iterate_revisions("head", here or "base")
    return [(step.revision, step.doc) for step in reversed(list(steps))]


@contextmanager
def engine_for(url: str) -> Iterator[Engine]:
    """Give an engine and close it."""
    engine = create_engine(url)  # a step may wait for its lock as long as it takes
    try:
        yield engine
    finally:
        engine.dispose()
