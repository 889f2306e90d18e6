"""Secrets are sealed before they reach the database, open only where they were put, and survive a new key."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from qa.core.crypto import Keys, Tampered
from qa.core.db import Database
from qa.core.errors import Invalid
from qa.extensions import secrets_service as secrets
from qa.extensions.models import SealedSecret

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32


def keep(database: Database, keys: Keys, owner: str, **given: str) -> None:
    """Keep secrets in a transaction of their own."""
    with database.transaction() as session:
        secrets.keep_secrets(session, keys, owner, given, changed_by_id=None, now=NOON)


def test_a_secret_is_kept_sealed_and_opens_for_its_owner_only(database: Database) -> None:
    keys = Keys(OLD)
    keep(database, keys, "plugin:chat", token="marker-4711", other="two")
    keep(database, keys, "plugin:chat", other="three")
    keep(database, keys, "source:desk", token="desk's")
    with database.reading() as session:
        assert secrets.open_secrets(session, keys, "plugin:chat") == {
            "token": "marker-4711",
            "other": "three",
        }
        assert secrets.set_names(session, "plugin:chat") == {"token", "other"}
        assert secrets.open_secrets(session, keys, "plugin:none") == {}
        for row in session.scalars(select(SealedSecret)):
            assert b"marker" not in row.sealed


def test_a_sealed_secret_cannot_be_moved_to_another_owner(database: Database) -> None:
    keys = Keys(OLD)
    keep(database, keys, "source:bank", token="bank's")
    with database.transaction() as session:
        row = session.get_one(SealedSecret, ("source:bank", "token"))
        row.owner = "source:evil"
    with database.reading() as session, pytest.raises(Tampered):
        secrets.open_secrets(session, keys, "source:evil")


def test_dropping_takes_all_of_one_owner(database: Database) -> None:
    keys = Keys(OLD)
    keep(database, keys, "source:a", token="x1234", pin="y1234")
    keep(database, keys, "source:b", token="z1234")
    with database.transaction() as session:
        secrets.drop_secrets(session, "source:a")
    with database.reading() as session:
        assert secrets.set_names(session, "source:a") == frozenset()
        assert secrets.set_names(session, "source:b") == {"token"}


def test_a_new_key_takes_over_and_the_old_one_can_go(database: Database) -> None:
    keep(database, Keys(OLD), "plugin:chat", token="marker-4711")
    both = Keys(NEW, [OLD])
    keep(database, both, "plugin:new", token="young")
    assert secrets.reseal_all(database, both) == (1, 2)
    assert secrets.reseal_all(database, both) == (0, 2)
    with database.reading() as session:
        assert secrets.open_secrets(session, Keys(NEW), "plugin:chat") == {"token": "marker-4711"}
        with pytest.raises(Tampered):
            secrets.open_secrets(session, Keys(OLD), "plugin:chat")


def test_a_secret_has_a_length(database: Database) -> None:
    with pytest.raises(Invalid, match="at most 20,000"):
        keep(database, Keys(OLD), "plugin:chat", token="x" * 20_001)
