"""Each part that can fail, broken for real: named while it is, forgotten when it is well again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from qa.core import clock, jobs
from qa.web import health


@pytest.fixture
def beating(app: Flask) -> Flask:
    """A site whose worker has just shown itself."""
    with app.extensions["candor"].database.transaction() as session:
        jobs.beat(session, "worker", now=clock.now())
    return app


def _execute(app: Flask, statement: str) -> None:
    with app.extensions["candor"].database.transaction() as session:
        session.execute(text(statement))


@contextmanager
def _other_schema(app: Flask) -> Iterator[None]:
    _execute(app, "UPDATE alembic_version SET version_num = '9' || version_num")
    yield
    _execute(app, "UPDATE alembic_version SET version_num = substr(version_num, 2)")


@contextmanager
def _no_key(app: Flask) -> Iterator[None]:
    key = app.extensions["candor"].settings.key_path
    os.rename(key, f"{key}.away")
    try:
        yield
    finally:
        os.rename(f"{key}.away", key)


@contextmanager
def _an_old_beat(app: Flask) -> Iterator[None]:
    database = app.extensions["candor"].database
    with database.transaction() as session:
        jobs.beat(session, "worker", now=clock.now() - timedelta(seconds=health.HEARTBEAT_SECONDS + 1))
    yield
    with database.transaction() as session:
        jobs.beat(session, "worker", now=clock.now())


@contextmanager
def _no_database(app: Flask) -> Iterator[None]:
    database = app.extensions["candor"].database
    file = database.engine.url.database
    database.dispose()
    os.rename(file, f"{file}.away")
    os.mkdir(file)
    yield
    database.dispose()
    os.rmdir(file)
    os.rename(f"{file}.away", file)


BREAKS = {
    "schema": (_other_schema, ["schema"]),
    "key": (_no_key, ["key"]),
    "worker": (_an_old_beat, ["worker"]),
    "database": (_no_database, ["database", "schema", "worker"]),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # a server is not stopped by a test
@pytest.mark.parametrize("part", BREAKS)
def test_what_fails_is_named_and_forgotten_when_it_is_well(
    beating: Flask, client: FlaskClient, part: str
) -> None:
    broken, named = BREAKS[part]
    assert client.get("/health/ready").status_code == 200
    with broken(beating):
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.get_json()) == (503, {"status": "not ready", "failing": named})
        assert client.get("/health").status_code == 200
    assert client.get("/health/ready").get_json() == {"status": "ready"}


def test_a_disk_with_too_little_room_is_named(
    beating: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "DISK_NEEDED_BYTES", 1 << 70)
    assert client.get("/health/ready").get_json() == {"status": "not ready", "failing": ["disk"]}
