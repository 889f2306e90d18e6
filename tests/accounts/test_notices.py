"""Notices: once for each key, with their cause or not at all, and only to whom they are meant for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from qa.accounts.models import Notice, User
from qa.accounts.notices_service import forget_old_notices, notify
from qa.core.db import Database
from qa.core.outbox import OutboxEvent
from tests.accounts.conftest import NOW, make_user, post

Browser = Callable[[User], FlaskClient]


@pytest.fixture
def dana(database: Database) -> User:
    with database.transaction() as session:
        return make_user(session, "agent", name="Dana Ortiz")


def tell(
    database: Database, person: User, key: str, endpoint: str = "accounts.my_account", *, fails: bool = False
) -> bool:
    """Tell somebody something, perhaps in a transaction that fails."""
    with database.transaction() as session:
        told = notify(
            session,
            person_id=person.id,
            kind="test",
            words=f"It is told by {key}.",
            endpoint=endpoint,
            values={},
            key=key,
            now=NOW,
        )
        if fails:
            raise RuntimeError
        return told


def number(database: Database, table: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_key_is_told_once_and_nothing_is_told_when_its_cause_fails(database: Database, dana: User) -> None:
    assert tell(database, dana, "a")
    assert not tell(database, dana, "a")
    with pytest.raises(RuntimeError):
        tell(database, dana, "b", fails=True)
    assert (number(database, Notice), number(database, OutboxEvent)) == (1, 1)


def test_whoever_has_left_is_told_nothing(database: Database, dana: User) -> None:
    with database.transaction() as session:
        session.get_one(User, dana.id).deactivated_at = NOW
    assert not tell(database, dana, "a")


def test_the_bell_counts_what_is_new_and_a_notice_leads_to_its_page(
    database: Database, dana: User, signed_in: Browser
) -> None:
    tell(database, dana, "a")
    tell(database, dana, "b", endpoint="gone.since")
    browser = signed_in(dana)
    page = browser.get("/notices").text
    assert "Notices, 2 new" in page
    with database.reading() as session:
        ids = {key: one for key, one in session.execute(select(Notice.key, Notice.id))}
    assert browser.get(f"/notices/{ids['a']}").headers["Location"] == "/account"
    assert "Notices, 1 new" in browser.get("/notices").text
    assert browser.get(f"/notices/{ids['b']}").headers["Location"] == "/notices"
    assert "You have read all of them." in browser.get("/notices").text


def test_all_are_read_with_one_button_and_nobody_opens_those_of_others(
    database: Database, dana: User, signed_in: Browser
) -> None:
    tell(database, dana, "a")
    with database.transaction() as session:
        other = make_user(session, "agent", name="Kofi Mensah")
    tell(database, other, "a")
    with database.reading() as session:
        others = session.scalars(select(Notice.id).where(Notice.person_id == other.id)).one()
    browser = signed_in(dana)
    assert browser.get(f"/notices/{others}").status_code == 404
    assert post(browser, "/notices/read", page="/notices").status_code == 303
    assert "You have read all of them." in browser.get("/notices").text
    assert "Notices, 1 new" in signed_in(other).get("/notices").text


def test_notices_go_after_half_a_year(database: Database, dana: User) -> None:
    tell(database, dana, "a")
    with database.transaction() as session:
        forget_old_notices(session, now=NOW + timedelta(days=179))
    assert number(database, Notice) == 1
    with database.transaction() as session:
        forget_old_notices(session, now=NOW + timedelta(days=181))
    assert number(database, Notice) == 0
