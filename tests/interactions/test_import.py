"""Bringing in JSON Lines: what is right goes in once, each broken row is set aside with its reason."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from qa.core import crypto
from qa.core.db import Database
from qa.core.storage import LocalStorage
from qa.interactions.import_lines import Importer, SetAside
from qa.interactions.models import Interaction, Recording, Turn
from tests.factories import NOW, make_user

GOOD: dict[str, Any] = {
    "external_id": "A-1",
    "channel": "voice",
    "started_at": "2026-03-14T09:30:00+01:00",
    "agents": [{"email": "dana@example.org"}],
    "turns": [{"speaker": "agent", "start": 0.5, "end": 2, "text": "Hello"}],
    "kpis": {"talk_seconds": 40, "csat": {"score": 4, "max": 5}},
    "tags": ["refund"],
}


def run(
    database: Database, tmp_path: Path, *lines: bytes | dict[str, Any], folder: Path | None = None
) -> tuple[Importer, list[SetAside]]:
    """Import lines into a site in a temporary folder."""
    key = tmp_path / "data.key"
    crypto.ensure_key(key)
    importer = Importer(
        database,
        LocalStorage(tmp_path / "recordings"),
        crypto.load_keys(key),
        source="test",
        recordings=folder,
        creates_agents=True,
        now=NOW,
    )
    raw = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return importer, list(importer.run(io.BytesIO(raw + b"\n")))


BROKEN: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "not json": (b"{oops", "Not valid JSON"),
    "not an object": (b"[1]", "Not an object"),
    "not utf-8": (b'{"external_id": "\xff"}', "Not UTF-8"),
    "a key twice": (b'{"external_id": "a", "external_id": "b"}', "stands twice"),
    "an unknown key": (GOOD | {"chanel": "voice"}, "Did you mean"),
    "a missing key": ({"channel": "voice", "started_at": "2026-03-14T09:30:00Z"}, "missing"),
    "a wrong type": (GOOD | {"tags": "refund"}, "tags"),
    "an unknown channel": (GOOD | {"channel": "fax"}, "channel"),
    "a time without a zone": (GOOD | {"started_at": "2026-03-14T09:30:00"}, "no time zone"),
    "ended before started": (GOOD | {"ended_at": "2026-03-14T07:00:00Z"}, "before started_at"),
    "a turn that ends first": (
        GOOD | {"turns": [{"speaker": "agent", "start": 5, "end": 1, "text": "x"}]},
        "before it starts",
    ),
    "an agent without a name": (GOOD | {"agents": [{"name": "Dana"}]}, "needs an email"),
    "a NUL": (GOOD | {"subject": "a\x00b"}, "NUL"),
    "a lone surrogate": (
        b'{"external_id": "a", "started_at": "2026-03-14T09:30:00Z", "subject": "\\ud800"}',
        "surrogate",
    ),
    "NaN": (b'{"external_id": "a", "kpis": {"talk_seconds": NaN}}', "not a number"),
    "a score above its scale": (GOOD | {"kpis": {"csat": {"score": 9, "max": 5}}}, "above its max"),
    "too long a name": (GOOD | {"customer": {"name": "x" * 201}}, "customer.name"),
    "a recording without a folder": (GOOD | {"recordings": [{"file": "a.wav"}]}, "--recordings"),
    "nested too deeply": (b'{"external_id": ' + b"[" * 70 + b"]" * 70 + b"}", "Nested deeper"),
}


@pytest.mark.parametrize("kind", list(BROKEN))
def test_a_broken_row_is_set_aside_and_the_others_go_in(
    database: Database, tmp_path: Path, kind: str
) -> None:
    line, words = BROKEN[kind]
    importer, aside = run(database, tmp_path, GOOD, line, GOOD | {"external_id": "A-2"})
    assert [row.line for row in aside] == [2]
    assert words in aside[0].reason
    assert importer.result.counts.new == 2


def test_the_same_file_again_changes_nothing_and_a_changed_row_changes(
    database: Database, tmp_path: Path
) -> None:
    run(database, tmp_path, GOOD)
    again, _ = run(database, tmp_path, GOOD)
    assert (again.result.counts.new, again.result.counts.unchanged) == (0, 1)
    changed, _ = run(database, tmp_path, GOOD | {"subject": "New", "turns": []})
    assert changed.result.counts.changed == 1
    with database.reading() as session:
        row = session.scalars(select(Interaction)).one()
        assert (row.subject, row.agent_id is not None, row.csat_max) == ("New", True, 5)
        assert session.scalar(select(func.count()).select_from(Turn)) == 0


def test_a_deleted_conversation_stays_deleted(database: Database, tmp_path: Path) -> None:
    run(database, tmp_path, GOOD, {"external_id": "A-1", "deleted": True})
    again, _ = run(database, tmp_path, GOOD)
    assert again.result.counts.unchanged == 1
    with database.reading() as session:
        assert session.scalars(select(Interaction)).one().deleted_at is not None


@pytest.mark.parametrize("name", ["../secret.wav", "missing.wav", "link.wav"])
def test_a_recording_outside_its_folder_is_refused(database: Database, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    (tmp_path / "secret.wav").write_bytes(b"x")
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    _, aside = run(database, tmp_path, GOOD | {"recordings": [{"file": name}]}, folder=folder)
    assert "recordings folder" in aside[0].reason


def test_a_recording_is_sealed_stored_and_named_once(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"RIFF secret sound" * 99)
    line = GOOD | {"recordings": [{"file": "a.wav", "speakers": ["agent", "customer"]}]}
    run(database, tmp_path, line, folder=folder)
    run(database, tmp_path, line | {"subject": "again"}, folder=folder)
    with database.reading() as session:
        recording = session.scalars(select(Recording)).one()
    files = [path for path in (tmp_path / "recordings").rglob("*") if path.is_file()]
    assert files
    assert not any(b"secret" in path.read_bytes() for path in files)
    assert recording.state == "waiting"


def test_known_agents_are_found_by_their_address(database: Database, tmp_path: Path) -> None:
    with database.transaction() as session:
        user = make_user(session, "agent")
        email, user_id = user.email, user.id
    run(database, tmp_path, GOOD | {"agents": [{"email": email.upper()}]})
    with database.reading() as session:
        assert session.scalars(select(Interaction.agent_id)).one() == user_id
