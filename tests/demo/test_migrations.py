"""Migrations with a centre's data in place: down, up, and one that fails half way."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, inspect, select

from qa.core import revision as versions
from qa.core import schema
from qa.core.db import Database
from tests.demo.test_demo import fill

Rows = dict[str, dict[str, list[Any]]]
"""Table: column: its values, in the order of the primary key."""

FIRST = "0001"
FAILING = '''
"""Fails after it changed much."""

import sqlalchemy as sa
from alembic import op

revision = "planted"
down_revision = {head!r}


def upgrade():
    op.create_table("half_done", sa.Column("id", sa.Integer, primary_key=True))
    with op.batch_alter_table("interaction") as batch_op:
        batch_op.add_column(sa.Column("half_done", sa.Integer))
    op.execute("DELETE FROM answer")
    op.execute("INSERT INTO no_such_table VALUES (1)")
'''


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> Database:
    """A small centre at the newest version."""
    fill(database, tmp_path)
    return database


def rows_of(engine: Engine) -> Rows:
    """Everything that is stored, read as the database itself describes it."""
    described = MetaData()
    described.reflect(engine)
    found: Rows = {}
    with engine.connect() as connection:
        for table in described.sorted_tables:
            if table.name == "alembic_version":
                continue
            lines = connection.execute(select(table).order_by(*table.primary_key.columns)).fetchall()
            columns = zip(*lines, strict=True) if lines else ([] for _ in table.columns)
            found[table.name] = {
                column.name: list(values) for column, values in zip(table.columns, columns, strict=True)
            }
    return found


def known_to_both(one: Rows, other: Rows) -> tuple[Rows, Rows]:
    """Both, cut down to the tables and columns that both have."""
    shared = {table: one[table].keys() & other[table].keys() for table in one.keys() & other.keys()}
    assert {"interaction", "turn", "evaluation", "answer", "audit_entry"} <= shared.keys()

    def cut(rows: Rows) -> Rows:
        return {table: {name: rows[table][name] for name in names} for table, names in shared.items()}

    return cut(one), cut(other)


def steps() -> list[str]:
    """Every released version, the newest first."""
    script = ScriptDirectory.from_config(schema.alembic_config("sqlite://"))
    return [step.revision for step in script.walk_revisions()]


def test_each_step_down_and_all_the_way_up_again_keeps_what_both_versions_know(filled: Database) -> None:
    before = rows_of(filled.engine)
    assert len(before["interaction"]["id"]) >= 90
    for revision in steps()[1:]:
        filled.dispose()
        schema.downgrade(filled.url, revision)
        oldest = rows_of(filled.engine)
        assert_same(before, oldest)
    assert revision == FIRST
    filled.dispose()
    schema.upgrade(filled.url)
    assert_same(oldest, rows_of(filled.engine))  # what only newer versions know went with them
    with filled.reading() as session:
        assert versions.is_current(session)


def assert_same(one: Rows, other: Rows) -> None:
    """Compare table by table: a difference names its place."""
    mine, theirs = known_to_both(one, other)
    for table, columns in mine.items():
        for name, values in columns.items():
            assert theirs[table][name] == values, f"{table}.{name}"


def test_down_to_nothing_leaves_nothing_and_up_again_makes_everything(database: Database) -> None:
    whole = set(inspect(database.engine).get_table_names())
    database.dispose()
    schema.downgrade(database.url, "base")
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    database.dispose()
    schema.upgrade(database.url)
    assert set(inspect(database.engine).get_table_names()) == whole


def test_a_migration_that_fails_half_way_leaves_the_database_as_it_was(
    filled: Database, tmp_path: Path
) -> None:
    before = rows_of(filled.engine)
    folder = tmp_path / "planted"
    shutil.copytree(str(resources.files("qa.migrations")), folder)
    (folder / "versions" / "9999_planted.py").write_text(
        FAILING.format(head=versions.head()), encoding="utf-8"
    )
    planted = schema.alembic_config(filled.url)
    planted.set_main_option("script_location", str(folder))
    filled.dispose()
    with pytest.raises(Exception, match="no_such_table"):
        command.upgrade(planted, "head")
    assert rows_of(filled.engine) == before
    with filled.reading() as session:
        assert versions.current(session) == versions.head()
