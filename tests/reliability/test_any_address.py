"""Addresses that nobody types on purpose: whatever stands in them, the answer is a page or a refusal."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from qa.accounts.models import User
from tests.factories import make_draft, make_submitted, make_team, make_user
from tests.reliability.scale import on_one_database

VIEWS = sorted((Path(__file__).parents[2] / "qa").rglob("*views.py"))
ASKED = re.compile(r"""(?:asked|args)(?:\.get\(|\[)"(\w+)\"""")
NAMES = sorted({name for path in VIEWS for name in ASKED.findall(path.read_text(encoding="utf-8"))})
ROLES = ("admin", "manager", "evaluator", "agent")
BIG = "9" * 30

NUMBERS = (
    "0",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    BIG,
    "1" + "0" * 5_000,
)
WORDS = {
    "nothing": "",
    "a blank": " ",
    "a superscript two": "²",
    "digits of another script": "٣",
    "a number no database holds": BIG,
    "a number no program reads": "9" * 5_000,
    "below zero": "-1",
    "a fraction": "1.5",
    "a NUL": "a\x00b",
    "a bell": "\x07",
    "a direction override": "\u202egnp.exe",
    "percent signs": "%%%_%",
    "a quote": "'\"\\",
    "the last day": "9999-12-31",
    "the first day": "0001-01-01",
    "a key without a zone": "2026-03-14~1",
    "a key without a time": "~1",
    "a key with a number too large": f"2026-03-14T00:00:00+00:00~{BIG}",
    "a key at the end of time": "9999-12-31T23:59:59-23:59~1",
    "a key in another order": "b~a~1~",
    "a long one": "İ" * 3_000,
    "a state": "submitted",
}
BYTES = {"half a character": "%ED%A0%80", "no UTF-8": "%FF%FE", "a cut one": "%E2%82", "a lone percent": "%"}

pytestmark = on_one_database


@pytest.fixture
def visitor(app: Flask) -> User:
    """Somebody who may open every page, and something of each kind to look at."""
    with app.extensions["candor"].database.transaction() as session:
        team = make_team(session)
        user, agent = make_user(session, *ROLES, team=team), make_user(session, "agent", team=team)
        make_draft(session, user, agent)
        make_submitted(session, user, agent)
    return user


def places(app: Flask) -> list[str]:
    """Every page's address, with each number left open."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    return [rule.rule for rule in rules if rule.endpoint != "static"]


def filled(rule: str, values: Iterator[str]) -> str:
    return re.sub(r"<[^>]+>", lambda _: next(values), rule)


ANSWERS = {200, 302, 303, 403, 404, 409, 422}


@pytest.mark.parametrize("words", WORDS)
def test_whatever_a_page_is_asked_for_it_answers(
    app: Flask,
    client: FlaskClient,
    visitor: User,
    sign_in: Callable[[FlaskClient, User], None],
    words: str,
) -> None:
    value = quote(WORDS[words])
    all_but_the_key = "&".join(f"{name}={value}" for name in NAMES if name != "after")
    sign_in(client, visitor)
    for page in (rule for rule in places(app) if "<" not in rule and rule != "/health/ready"):
        for query in (all_but_the_key, f"after={value}"):
            assert client.get(f"{page}?{query}").status_code in ANSWERS, f"{page} {query}"


@pytest.mark.parametrize("number", NUMBERS, ids=lambda one: one[:20])
def test_numbers_that_name_nothing_are_not_found(
    app: Flask,
    client: FlaskClient,
    visitor: User,
    sign_in: Callable[[FlaskClient, User], None],
    number: str,
) -> None:
    sign_in(client, visitor)
    for rule in app.url_map.iter_rules():
        if "<int:" not in rule.rule or rule.endpoint == "static":
            continue
        address = filled(rule.rule, itertools.repeat(number))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            status = client.open(address, method=method).status_code
            wanted = {403, 404} if method == "GET" else {403, 404, 405, 422}
            assert status in wanted, f"{method} {address}"


@pytest.mark.parametrize("sent", BYTES)
def test_bytes_that_are_no_text_are_answered(
    app: Flask,
    client: FlaskClient,
    visitor: User,
    sign_in: Callable[[FlaskClient, User], None],
    sent: str,
) -> None:
    sign_in(client, visitor)
    for page in (filled(rule, itertools.repeat("1")) for rule in places(app) if "health" not in rule):
        for address in (f"{page}?q={BYTES[sent]}&after={BYTES[sent]}", f"{page.rstrip('/')}/{BYTES[sent]}"):
            assert client.get(address).status_code in ANSWERS, address


@pytest.mark.parametrize("sent", ["a%00b", "%07", "%ED%A0%80", "%FF", "..", "%2e%2e%2f", "İ" * 2_000])
def test_a_name_in_an_address_may_be_anything(
    app: Flask,
    client: FlaskClient,
    visitor: User,
    sign_in: Callable[[FlaskClient, User], None],
    sent: str,
) -> None:
    sign_in(client, visitor)
    for rule in places(app):
        if re.search(r"<(?!int:)", rule):
            address = re.sub(r"<[^>]+>", lambda found: "1" if "int:" in found.group() else sent, rule)
            assert client.get(address).status_code in {308, 404, 409, 422}, address
