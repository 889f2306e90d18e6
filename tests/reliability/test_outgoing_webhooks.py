"""Our own webhooks: each event arrives signed, with one effect for one id, whatever the receiver does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from qa.config import Settings
from qa.core import clock, crypto, outbox
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.evaluations import life_service
from qa.evaluations.merge import ANSWER, Change
from qa.extensions import look_service, outgoing_service, queries, service
from qa.extensions.models import Outgoing
from qa.extensions.runtime import Runtime
from qa.worker import make_carriers, make_reactions
from tests.factories import actor_of, make_submitted, make_team, make_user
from tests.plugins.far_side import Asked, FarSide, Reply, serving

TORTURE = bool(os.environ.get("QA_TORTURE"))
SECRET = "whsec_" + base64.b64encode(b"s3cr3t-marker-0123456789abcdef").decode()
OK: Reply = (200, {"content-type": "application/json"}, b"{}")
CUT: Reply = (200, {"content-type": "application/json", "content-length": "900"}, b"{")
# within one try a 503 is asked four times with pauses in between, which takes its time
DOWN: Reply = (503 if TORTURE else 400, {}, b"")


class Receiver:
    """Verifies as Standard Webhooks says, and remembers ids: the same one again has no effect."""

    def __init__(self) -> None:
        self.effects: dict[str, dict[str, Any]] = {}
        self.answers: Callable[[int], Reply] = lambda _number: OK

    def __call__(self, asked: Asked) -> Reply:
        answer = self.answers(asked.number)
        if answer != DOWN:
            self.effects.setdefault(asked.headers["webhook-id"], self.verified(asked))
        return answer

    def verified(self, asked: Asked) -> dict[str, Any]:
        """Return the event; a forged or old one is refused."""
        stamp, message_id = asked.headers["webhook-timestamp"], asked.headers["webhook-id"]
        assert abs(int(stamp) - clock.now().timestamp()) < 300
        signed = f"{message_id}.{stamp}.".encode() + asked.body
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert f"v1,{wanted}" in asked.headers["webhook-signature"].split()
        event: dict[str, Any] = json.loads(asked.body)
        return event

    def told(self) -> list[tuple[str, int]]:
        """What had an effect, in order."""
        return [(event["type"], event["data"]["id"]) for event in self.effects.values()]


class Site:
    """A site with the plugin candor-webhook, and what its worker does with events."""

    def __init__(self, settings: Settings, database: Database, url: str) -> None:
        chosen = {"url": url, "events": ["evaluation"], "secret": SECRET}
        values = {**settings.values, "private_networks": ("127.0.0.0/8",)}
        self.settings = replace(settings, values=values, plugins={"webhook": chosen})
        self.database, self.keys = database, crypto.load_keys(settings.key_path)
        self.runtime = Runtime(self.settings, self.keys)
        look_service.look(database, self.runtime)
        with database.transaction() as session:
            service.enable_plugin(session, SYSTEM, "webhook", now=clock.now())
        report = look_service.load_one(database, self.runtime, "webhook")
        assert report is not None
        assert report.is_ok, report

    def work(self, **after: float) -> None:
        """Do all that is due ``after`` a while."""
        reactions = make_reactions(self.keys, self.runtime, ZoneInfo("UTC"))
        carriers = make_carriers(self.settings, self.keys)
        with clock.moved_to(datetime.now().astimezone() + timedelta(**after)):
            outbox.deliver(self.database, reactions)
            outgoing_service.deliver(self.database, self.runtime, self.keys, carriers, "event:webhook")

    def unsent(self) -> list[Outgoing]:
        """What waits or was given up on."""
        with self.database.reading() as session:
            return list(session.scalars(select(Outgoing).where(Outgoing.state != "sent")))


@pytest.fixture
def far() -> Iterator[tuple[FarSide, Receiver]]:
    """The receiver, served."""
    receiver = Receiver()
    with serving(receiver) as side:
        yield side, receiver


@pytest.fixture
def site(settings: Settings, database: Database, far: tuple[FarSide, Receiver]) -> Iterator[Site]:
    """The site."""
    made = Site(settings, database, far[0].url)
    yield made
    made.runtime.close()


def whole_life(database: Database) -> int:
    """Submit, release, acknowledge, revise and void one evaluation."""
    with database.transaction() as session:
        team = make_team(session)
        evaluator, agent = make_user(session, "evaluator", team=team), make_user(session, "agent", team=team)
        row = make_submitted(session, evaluator, agent)
        life_service.release_due(session, SYSTEM, now=clock.now())
        life_service.acknowledge(session, actor_of(agent), row.id, comment="", now=clock.now())
        changes = [Change("hello", ANSWER, "y", "n")]
        life_service.revise(
            session, SYSTEM, row.id, changes=changes, reason="Heard again", seen_number=1, now=clock.now()
        )
        life_service.void(session, SYSTEM, row.id, reason="Wrong call", now=clock.now())
        return row.id


CHANGES = ("submitted", "released", "acknowledged", "revised", "voided")


def test_every_event_of_an_evaluation_arrives_signed_and_in_order(
    site: Site, database: Database, far: tuple[FarSide, Receiver]
) -> None:
    number = whole_life(database)
    site.work()
    assert far[1].told() == [(f"evaluation.{change}", number) for change in CHANGES]
    assert site.unsent() == []


def test_a_receiver_that_takes_and_then_cuts_sees_one_effect(
    site: Site, database: Database, far: tuple[FarSide, Receiver]
) -> None:
    side, receiver = far
    receiver.answers = lambda number: CUT if (number % 3 if TORTURE else number in {0, 3}) else OK
    number = whole_life(database)
    for hours in range(0, 48, 3):
        site.work(hours=hours)
    assert receiver.told() == [(f"evaluation.{change}", number) for change in CHANGES]
    assert len(side.asked) > len(receiver.effects) == len(CHANGES)
    assert site.unsent() == []


def test_a_receiver_that_is_away_for_a_day_gets_the_dead_ones_by_replay(
    site: Site, database: Database, far: tuple[FarSide, Receiver]
) -> None:
    side, receiver = far
    receiver.answers = lambda _number: DOWN
    number = whole_life(database)
    for half_hours in range(32 * 2):
        site.work(hours=half_hours / 2)
    first = [asked.headers["webhook-id"] for asked in side.asked]
    assert first.count(first[0]) == (32 if TORTURE else 8), "eight tries over a day"
    with database.reading() as session:
        dead = queries.list_outgoing(session, SYSTEM, state="dead")
    assert len(dead) >= 1
    assert receiver.effects == {}
    receiver.answers = lambda _number: OK
    with database.transaction() as session:
        for row in dead:
            outgoing_service.send_again(session, SYSTEM, row.id, now=clock.now())
    site.work(hours=72)
    assert sorted(receiver.told()) == sorted((f"evaluation.{change}", number) for change in CHANGES)
    assert first[0] in receiver.effects, "with its old id"
    assert site.unsent() == []
