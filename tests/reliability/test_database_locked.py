"""A database that another program holds: a short wait is waited out, a long one is told in a sentence."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Thread, active_count

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url, select

from qa.accounts.models import Team, User
from qa.core.db import LOCK_PATIENCE_SECONDS
from tests.accounts.conftest import token_on
from tests.factories import make_user
from tests.reliability.scale import times

SignIn = Callable[[FlaskClient, User], None]
WRITERS = times(6, 50)
Adding = Callable[[int], tuple[int, str, str]]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it has one writer


@pytest.fixture
def manager(app: Flask) -> User:
    with app.extensions["candor"].database.transaction() as session:
        return make_user(session, "manager")


@contextmanager
def held(app: Flask) -> Iterator[None]:
    """Hold the database as a second program would."""
    file = make_url(app.extensions["candor"].database.url).database
    with closing(sqlite3.connect(str(file), isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def add_team(app: Flask, manager: User, sign_in: SignIn) -> Adding:
    """Add a team of this number in a browser of its own; tell status, Retry-After and text."""
    with app.test_client() as client:
        sign_in(client, manager)
        token = token_on(client.get("/teams").text)
        cookie = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    assert cookie is not None

    def add(number: int) -> tuple[int, str, str]:
        with app.test_client() as client:
            client.set_cookie(cookie.key, cookie.value)
            form = {"csrf_token": token, "name": f"Team {number}", "parent_id": ""}
            answer = client.post("/teams", data=form)
        return answer.status_code, answer.headers.get("Retry-After", ""), answer.text

    return add


def names(app: Flask) -> set[str]:
    with app.extensions["candor"].database.reading() as session:
        return set(session.scalars(select(Team.name)))


def test_a_short_lock_is_waited_out(app: Flask, add_team: Adding) -> None:
    with ThreadPoolExecutor(1) as pool:
        with held(app):
            adding = pool.submit(add_team, 1)
            time.sleep(times(1, 6) * 0.5)
            assert not adding.done()
        assert adding.result()[0] == 303
    assert names(app) == {"Team 1"}


def test_a_long_lock_is_told_in_a_sentence_and_nothing_is_half_done(
    app: Flask, client: FlaskClient, add_team: Adding
) -> None:
    threads = active_count()
    answers: list[tuple[int, str, str]] = []
    with held(app):
        writers = [Thread(target=lambda one=one: answers.append(add_team(one))) for one in range(WRITERS)]
        for writer in writers:
            writer.start()
            time.sleep(LOCK_PATIENCE_SECONDS / 2 / WRITERS)  # they come one after the other
        assert client.get("/health").get_json() == {"status": "ok"}
        assert any(writer.is_alive() for writer in writers), "health answers while they wait"
        for writer in writers:
            writer.join()
    assert len(answers) == WRITERS
    for status, retry_after, text in answers:
        assert status == 503
        assert int(retry_after) > 0
        assert "The database is busy. Nothing was changed; try again in a moment." in text
    assert names(app) == set()
    assert active_count() == threads
    assert add_team(99)[0] == 303
    assert names(app) == {"Team 99"}
