"""The door for webhooks: signed ones are kept once and answered at once, all others look alike."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.jobs import Job
from qa.extensions import secrets_service
from qa.extensions.secrets_service import keep_secrets
from qa.interactions.sources import hook_views, inbox_service, service
from qa.interactions.sources.connectors import owner_of
from qa.interactions.sources.models import Delivery, Source
from qa.interactions.sources.service import Wanted
from tests.factories import NOW
from tests.interactions.conftest import Plugged
from tests.interactions.sources_site import ABLE, enable

SECRET = "h00k-marker"


class Door:
    """The address of one source, and a vendor that knows its secret."""

    def __init__(self, app: Flask, client: FlaskClient, plugged: Plugged) -> None:
        self.client = client
        self.database: Database = app.extensions["candor"].database
        keys = app.extensions["candor"].keys
        _, candidate, report = plugged
        with self.database.transaction() as session:
            enable(session, candidate, report)
            wanted = Wanted("Ticket system", "twin", "twin", {"file": "/nowhere"})
            source = service.draft_source(session, SYSTEM, wanted, ABLE, now=clock.now())
            keep_secrets(
                session, keys, owner_of(source.key), {"webhook_secret": SECRET}, changed_by_id=None, now=NOW
            )
            session.flush()
            self.source_id, self.path = source.id, f"/hooks/{source.hook_token}"

    def signed(
        self, body: bytes, delivery_id: str, secret: str = SECRET, late: timedelta = timedelta()
    ) -> dict[str, str]:
        stamp = str(int((clock.now() - late).timestamp()))
        content = f"{stamp}.{delivery_id}.".encode() + body
        signature = hmac.new(secret.encode(), content, "sha256").hexdigest()
        return {"X-Twin-Signature": signature, "X-Twin-Id": delivery_id, "X-Twin-Time": stamp}

    def send(self, delivery_id: str = "d-1", body: bytes = b'{"ids": [1]}', **over: Any) -> Any:
        return self.client.post(self.path, data=body, headers=self.signed(body, delivery_id, **over))

    def kept(self) -> list[Delivery]:
        with self.database.reading() as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.id)))


@pytest.fixture
def door(app: Flask, client: FlaskClient, plugged: Plugged) -> Iterator[Door]:
    hook_views.forgeries.forget()
    yield Door(app, client, plugged)
    hook_views.forgeries.forget()


def test_a_signed_delivery_is_kept_sealed_and_asked_to_be_read(door: Door) -> None:
    answer = door.send()
    assert (answer.status_code, answer.get_json()) == (202, {"taken": True})
    (row,) = door.kept()
    assert (row.delivery_id, row.state, row.size_bytes) == ("d-1", "waiting", 12)
    assert b"ids" not in row.sealed
    with door.database.reading() as session:
        assert session.scalars(select(Job.kind)).all() == [inbox_service.READ_JOB]


def test_the_same_delivery_again_is_taken_and_kept_once(door: Door) -> None:
    assert {door.send().status_code for _ in range(3)} == {202}
    assert len(door.kept()) == 1


def test_no_cookie_or_token_of_a_page_is_needed_or_looked_at(door: Door) -> None:
    answer = door.client.post(
        door.path,
        data=b"{}",
        headers={
            **door.signed(b"{}", "d-9"),
            "Origin": "https://vendor.example",
            "Sec-Fetch-Site": "cross-site",
        },
    )
    assert answer.status_code == 202


FORGED: dict[str, dict[str, Any]] = {
    "another secret": {"secret": "guess"},
    "six minutes old": {"late": timedelta(minutes=6)},
    "from the future": {"late": -timedelta(minutes=6)},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_or_old_delivery_is_refused_and_leaves_nothing(door: Door, how: str) -> None:
    answer = door.send(**FORGED[how])
    assert answer.status_code == 401
    assert door.kept() == []


def test_an_unknown_address_and_a_bad_signature_are_answered_alike(door: Door) -> None:
    bad = door.client.post(door.path, data=b"{}", headers={"X-Twin-Signature": "0" * 64})
    unsigned = door.client.post(door.path, data=b"{}")
    unknown = door.client.post("/hooks/" + "a" * 43, data=b"{}", headers=door.signed(b"{}", "d-1"))
    answers = [
        (one.status_code, one.get_data(), sorted(one.headers.keys())) for one in (bad, unsigned, unknown)
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 401


def test_a_body_changed_on_the_way_is_refused(door: Door) -> None:
    headers = door.signed(b'{"ids": [1]}', "d-1")
    assert door.client.post(door.path, data=b'{"ids": [2]}', headers=headers).status_code == 401


def test_what_is_too_large_is_refused_wherever_it_goes(door: Door) -> None:
    body = b"x" * 1_000_001
    for path in (door.path, "/hooks/unknown"):
        answer = door.client.post(path, data=body, headers=door.signed(body, "big"))
        assert answer.status_code == 413
    assert door.kept() == []


def test_many_forgeries_are_slowed_down_and_good_deliveries_are_not(door: Door) -> None:
    statuses = [door.send(secret="guess").status_code for _ in range(hook_views.FORGED_A_MINUTE + 5)]
    assert statuses.count(429) >= 4
    last = door.send(secret="guess")
    assert last.status_code == 429
    assert 0 < int(last.headers["Retry-After"]) <= 60
    assert door.send().status_code == 202


def test_a_burst_is_kept_whole_and_asks_the_worker_once(door: Door) -> None:
    for number in range(200):
        assert door.send(f"d-{number}").status_code == 202
    assert len(door.kept()) == 200
    with door.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1


def test_the_former_secret_is_good_for_a_week_after_it_was_replaced(door: Door, app: Flask) -> None:
    keys, now = app.extensions["candor"].keys, clock.now()
    with door.database.transaction() as session:
        owner = owner_of(session.get_one(Source, door.source_id).key)
        secrets_service.keep_former(session, keys, owner, "webhook_secret", now=now)
        keep_secrets(session, keys, owner, {"webhook_secret": "new-one"}, changed_by_id=None, now=now)
        assert secrets_service.open_secrets(session, keys, owner) == {"webhook_secret": "new-one"}
    assert door.send("with-old").status_code == 202
    assert door.send("with-new", secret="new-one").status_code == 202
    assert door.send("neither", secret="x").status_code == 401
    with clock.moved_to(now + timedelta(days=8)):
        assert door.send("too-old").status_code == 401
        assert door.send("new-later", secret="new-one").status_code == 202
        with door.database.transaction() as session:
            secrets_service.drop_former(session, now=clock.now())
            assert secrets_service.set_names(session, owner) == {"webhook_secret"}


def test_only_posts_are_answered(door: Door) -> None:
    assert door.client.get(door.path).status_code == 405


def test_the_answer_says_nothing_about_the_site(door: Door) -> None:
    for answer in (door.send(), door.client.post("/hooks/none", data=b"")):
        assert json.loads(answer.get_data()) in ({"taken": True}, {"error": "not taken"})
        assert "Set-Cookie" not in answer.headers
