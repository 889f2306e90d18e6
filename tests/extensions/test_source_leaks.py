"""A vendor and a connector that give a source's secret back: no table, log, page or command has it."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from qa import cli
from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.db import Base, Database
from qa.core.storage import LocalStorage
from qa.extensions import outgoing_service as outgoing
from qa.extensions.models import Outgoing
from qa.extensions.secrets_service import keep_secrets
from qa.interactions.sources import queries, trial
from qa.interactions.sources.connectors import Connectors, owner_of
from qa.interactions.sources.jobs import Runner
from qa.interactions.sources.models import Source
from tests.extensions.test_leaks import MARKER, forms
from tests.extensions.test_write_back import Site, site
from tests.factories import make_user

__all__ = ["site"]


def leaky_tickets() -> list[dict[str, object]]:
    """Bad records that hold the secret in every place, among good ones. What is good is kept as it came."""
    return [
        {"id": f"bad-{MARKER}", "at": MARKER},
        {"id": "2", "at": {"token": MARKER}},
        {"id": "3", "at": f"2026-03-14 {MARKER}", "subject": MARKER},
        {"id": "4", "at": f"Basic {MARKER}", "agent": MARKER},
        *({"id": str(number)} for number in range(10, 30)),
    ]


def dumped(database: Database) -> bytes:
    """Every row of every table, as it lies there."""
    with database.reading() as session:
        rows = [
            str(tuple(row)) for table in Base.metadata.sorted_tables for row in session.execute(select(table))
        ]
    return "\n".join(rows).encode()


def opened(site: Site) -> bytes:
    """What is sealed in quarantine and among the undelivered, opened."""
    with site.database.reading() as session:
        rejected = queries.list_quarantine(session, SYSTEM, source_id=site.source_id).rows
        assert rejected
        raw = [queries.raw_of(row, site.keys).encode() for row in rejected]
        letters = [
            site.keys.open(row.sealed, purpose=outgoing.PURPOSE) for row in session.scalars(select(Outgoing))
        ]
        assert letters
    return b"\n".join([*raw, *letters])


def said(site: Site, monkeypatch: pytest.MonkeyPatch, *words: str) -> bytes:
    """What a command prints."""
    values = site.runtime.settings.values
    for name in ("data_dir", "database_url", "key_file", "plugins_dir"):
        monkeypatch.setenv(f"QA_{name.upper()}", str(values[name]))
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out), suppress(SystemExit):
        cli.main(list(words))
    return out.getvalue().encode()


COMMANDS = (
    ("source", "list", "--json"),
    ("source", "check", "desk"),
    ("source", "pull", "desk", "--dry-run", "--show-requests"),
    ("plugin", "list", "--json"),
    ("plugin", "undelivered"),
    ("plugin", "doctor", "twin"),
)


def test_a_sources_secret_is_nowhere(
    site: Site,
    app: Flask,
    client: FlaskClient,
    sign_in: Callable[..., None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    with site.database.transaction() as session:
        admin = make_user(session, "admin")
        source = session.scalars(select(Source)).one()
        source.config = {**source.config, "size": 100}
        keep_secrets(
            session, site.keys, owner_of(source.key), {"token": MARKER}, changed_by_id=None, now=clock.now()
        )
    sign_in(client, admin)
    site.twin.says(tickets=leaky_tickets(), leaks=True)
    connectors = Connectors(site.runtime, site.database, site.keys)
    told = [trial.check_source(connectors, source, clock.now())]
    with site.database.reading() as session:
        told.append(trial.try_source(session, connectors, source, "tickets", clock.now()))
    pull(site, connectors, tmp_path)
    site.evaluated("77")
    site.work()
    places = {
        "trials": json.dumps(told, default=str).encode(),
        "sealed": opened(site),
        "commands": b"\n".join(said(site, monkeypatch, *words) for words in COMMANDS),
        "pages": pages(site, client),
        "database": dumped(site.database),
        "log": caplog.text.encode() + str([vars(record) for record in caplog.records]).encode(),
        **{str(one): one.read_bytes() for one in tmp_path.rglob("*") if one.is_file() and is_ours(one)},
    }
    assert {place: form for place, held in places.items() for form in forms() if form in held} == {}
    assert "•••" in places["database"].decode()
    assert places["sealed"].count(b"\\u2022" * 3) >= len(leaky_tickets()[:4])
    assert [state for state, *_ in site.states()] == ["dead"]


def is_ours(file: Path) -> bool:
    """Tell our files from the vendor's, which may hold what the vendor knows."""
    return not file.name.startswith("vendor.json")


def pull(site: Site, connectors: Connectors, folder: Path) -> None:
    """Pull the source as the worker does."""
    runner = Runner(
        keys=site.keys,
        storage=LocalStorage(folder / "recordings"),
        folder=folder / "fetching",
        connectors=connectors,
        stopping=threading.Event(),
    )
    runner.pull(site.database, {"source_id": site.source_id, "stream": "tickets", "lane": "live"})


def pages(site: Site, client: FlaskClient) -> bytes:
    """Every page of sources and plugins."""
    with site.database.reading() as session:
        rejected = [row.id for row in queries.list_quarantine(session, SYSTEM).rows]
    paths = ["/sources", f"/sources/{site.source_id}", f"/sources/{site.source_id}/settings", "/quarantine"]
    paths += [f"/quarantine/{number}" for number in rejected]
    paths += ["/plugins", "/plugins/twin", "/plugins/undelivered", f"/sources/{site.source_id}/begin"]
    answers = [client.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(paths), paths
    return "\n".join(answer.text for answer in answers).encode()
