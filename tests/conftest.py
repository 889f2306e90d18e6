"""What every test may ask for: a migrated database, the app on it, a signed-in browser.

The SQLite file is copied from a template migrated once per run; with QA_TEST_DATABASE_URL set
the ``database`` fixture runs each test a second time on PostgreSQL, in a schema of its own.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from qa import config
from qa.accounts.models import User
from qa.app import create_app
from qa.core import crypto, schema
from qa.core.db import Database

POSTGRES = os.environ.get("QA_TEST_DATABASE_URL", "")
# how long an example takes says nothing on a busy machine
hypothesis_settings.register_profile("candor", deadline=None)
hypothesis_settings.load_profile("candor")

BACKENDS = ["sqlite", *(["postgresql"] if POSTGRES else [])]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file."""
    file = tmp_path_factory.mktemp("template") / "candor.db"
    schema.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def data_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data key for the whole run."""
    file = tmp_path_factory.mktemp("keys") / "data.key"
    crypto.ensure_key(file)
    return file


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    """The name of a migrated database to copy; it goes at the end of the run."""
    name = f"candor_template_{uuid.uuid4().hex[:12]}"
    _on_server(f'CREATE DATABASE "{name}"')
    schema.upgrade(_url_of(name))
    yield name
    _on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    if request.param == "sqlite":
        file = tmp_path / "candor.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    template = request.getfixturevalue("postgres_template")
    name = f"candor_test_{uuid.uuid4().hex[:12]}"
    _on_server(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield _url_of(name)
    _on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated database."""
    with Database(database_url) as opened:
        yield opened


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A session in one write transaction that is kept at the end of the test."""
    with database.transaction() as opened:
        yield opened


@pytest.fixture
def settings(database_url: str, data_key: Path, tmp_path: Path) -> config.Settings:
    """Settings of a site in a temporary folder."""
    values = {key: setting.default for key, setting in config.SETTINGS.items()}
    values |= {"data_dir": str(tmp_path), "database_url": database_url, "key_file": str(data_key)}
    return config.Settings(values=values)


@pytest.fixture
def app(settings: config.Settings) -> Iterator[Flask]:
    """The real app on the fresh database."""
    made = create_app(settings)
    yield made
    made.extensions["candor"].database.dispose()


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    """A browser without scripts that nobody has signed in with."""
    with app.test_client() as opened:
        yield opened


@pytest.fixture
def sign_in(app: Flask) -> Callable[[FlaskClient, User], None]:
    """Sign a person in, without the form."""
    from tests.factories import start_session

    def signed(client: FlaskClient, user: User) -> None:
        start_session(app, client, user)

    return signed


def _url_of(name: str) -> str:
    return POSTGRES.rsplit("/", 1)[0] + "/" + name


def _on_server(statement: str) -> Any:
    engine = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
