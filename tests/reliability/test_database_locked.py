"""A database that another program holds, or that is slow: a short wait is waited out, a long one is told."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import replace
from threading import active_count

import httpx
import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url, select

from qa.accounts.models import Team, User
from qa.config import Settings
from qa.core.db import LOCK_PATIENCE_SECONDS
from tests.accounts.conftest import token_on
from tests.conftest import BACKENDS
from tests.factories import make_user
from tests.reliability.scale import times
from tests.reliability.served import Browser, Served, cookie_of
from tests.reliability.slow_road import slow_road

SignIn = Callable[[FlaskClient, User], None]
WRITERS = times(6, 50)
SLOW_SECONDS = times(1, 10) * 0.2
Adding = Callable[[int], tuple[int, str, str]]
BUSY = "The database is busy. Nothing was changed; try again in a moment."


@pytest.fixture
def manager(app: Flask) -> User:
    with app.extensions["candor"].database.transaction() as session:
        return make_user(session, "manager")


@contextmanager
def held(app: Flask) -> Iterator[None]:
    """Hold what is written to as a second program would: all of SQLite, the table of teams of PostgreSQL."""
    url = make_url(app.extensions["candor"].database.url)
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
    else:
        with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as held:
            held.execute("LOCK TABLE team IN EXCLUSIVE MODE")
            yield
            held.rollback()


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


def refused(answer: tuple[int, str, str]) -> bool:
    """Tell whether an answer is the kind refusal."""
    status, retry_after, text = answer
    return status == 503 and int(retry_after) > 0 and BUSY in text


def test_a_short_lock_is_waited_out(app: Flask, add_team: Adding) -> None:
    with ThreadPoolExecutor(1) as pool:
        with held(app):
            adding = pool.submit(add_team, 1)
            time.sleep(times(1, 6) * 0.5)
            assert not adding.done()
        assert adding.result()[0] == 303
    assert names(app) == {"Team 1"}


def test_a_long_lock_is_told_in_a_sentence_and_nothing_is_half_done(app: Flask, add_team: Adding) -> None:
    threads = active_count()
    with held(app), ThreadPoolExecutor(WRITERS) as pool:
        begun = time.monotonic()
        writers: list[Future[tuple[int, str, str]]] = []
        for number in range(WRITERS):
            writers.append(pool.submit(add_team, number))
            time.sleep(LOCK_PATIENCE_SECONDS / 2 / WRITERS)  # they come one after the other
        assert all(refused(writer.result()) for writer in writers)
        if app.extensions["candor"].database.is_sqlite:
            waited = time.monotonic() - begun
            assert refused(add_team(98))
            newcomer = time.monotonic() - begun - waited
            assert newcomer < LOCK_PATIENCE_SECONDS / 2, "who comes now learns it at once"
    assert names(app) == set()
    assert active_count() == threads
    assert add_team(99)[0] == 303
    assert names(app) == {"Team 99"}


@contextmanager
def serving(app: Flask, settings: Settings, manager: User) -> Iterator[tuple[Served, Callable[[], int]]]:
    """Serve the site with two threads; give it and a way to ask for a page and change something."""
    site = Served(settings, QA_THREADS="2")
    cookie = cookie_of(app, manager)
    site.start()

    def change() -> int:
        browser = Browser(site.url, cookie)
        try:
            browser.look("/teams")
            return browser.send("/teams", {"name": "Team of many", "parent_id": ""}).status_code
        finally:
            browser.close()

    try:
        yield site, change
    finally:
        site.stop()


def alive(site: Served) -> float:
    """Ask whether the process lives; return how long the answer took."""
    answer = httpx.get(f"{site.url}/health", timeout=30)
    assert answer.json() == {"status": "ok"}
    return answer.elapsed.total_seconds()


def test_health_answers_while_every_thread_waits_for_the_lock(
    app: Flask, settings: Settings, manager: User
) -> None:
    with serving(app, settings, manager) as (site, change), ThreadPoolExecutor(WRITERS) as pool:
        with held(app):
            asked = [pool.submit(change) for _ in range(WRITERS)]
            time.sleep(0.5)
            took = [alive(site) for _ in range(times(5, 20))]
            assert not wait(asked, 0).done, "health answered before any of them got through"
            assert sorted(took)[len(took) // 2] < LOCK_PATIENCE_SECONDS / 10
        ends = {one.result() for one in asked}
    assert ends <= {303, 409, 422, 503}
    assert names(app) <= {"Team of many"}


@pytest.mark.skipif("postgresql" not in BACKENDS, reason="a database on this machine's disk has no road")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_slow_database_makes_pages_slow_and_breaks_none(
    app: Flask, settings: Settings, manager: User
) -> None:
    url = make_url(settings.database)
    delay = {"seconds": 0.0}
    with slow_road(url.host or "127.0.0.1", url.port or 5432, delay) as port:
        detour = url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        slow = replace(settings, values={**settings.values, "database_url": detour})
        with serving(app, slow, manager) as (site, change), ThreadPoolExecutor(WRITERS) as pool:
            delay["seconds"] = SLOW_SECONDS
            asked = [pool.submit(change) for _ in range(4)]
            time.sleep(SLOW_SECONDS)
            took = [alive(site) for _ in range(5)]
            assert not wait(asked, 0).done, "health answered before any of them got through"
            assert sorted(took)[2] < LOCK_PATIENCE_SECONDS / 10
            delay["seconds"] = 0.0
            ends = {one.result() for one in asked}
    assert ends <= {303, 409, 422}
    assert names(app) == {"Team of many"}
