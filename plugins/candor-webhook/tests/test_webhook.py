"""Deliveries as Standard Webhooks: the published vector, the notifier's suite, every event, both secrets."""

from __future__ import annotations

import base64
import json
import logging
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import candor_webhook
import pytest
from candor_webhook.sending import BadSecret, key_of, message_id_of, signature
from candor_webhook.settings import Settings, WebhookNotifier
from click.testing import CliRunner

from qa.plugins.api import (
    AgentRef,
    AnswerView,
    CoachingView,
    ConfigError,
    EvaluationView,
    Gone,
    Hmac,
    InteractionView,
    Segment,
    Transcript,
    Transient,
)
from qa.plugins.ctx import Given, WorkContext
from qa.plugins.settings_form import describe, judge
from qa.plugins.signatures import Received, verified
from qa.plugins.testing import Ask, NotifierSuite, Reply, Thing, Twin, VirtualClock
from qa.plugins.testing.wire import Wire

SECRET = "whsec_" + base64.b64encode(b"a" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"b" * 32).decode()
SCHEME = Hmac(
    "webhook-signature",
    key_encoding="whsec",
    encoding="base64",
    over="{id}.{timestamp}.{body}",
    prefix="v1,",
    separator=" ",
    timestamp_header="webhook-timestamp",
    id_header="webhook-id",
)
URL = "https://receiver.example/hooks/candor"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Receiver(Twin):
    """Takes what is signed with one of the secrets, and refuses the rest."""

    url = "https://receiver.example"
    status = 200

    def show(self, thing: Thing) -> dict[str, Any]:
        return {}

    def is_signed_in(self, ask: Ask) -> bool:
        return True

    def handle(self, ask: Ask) -> Reply:
        received = Received(ask.method, ask.url, ask.body, self.clock.now(), dict(ask.headers))
        verified(SCHEME, received, [SECRET])
        return Reply(self.status)


class TestNotifier(NotifierSuite, extension=WebhookNotifier, twin=Receiver):
    secrets = {"secret": SECRET}
    target = URL


def test_the_published_vector_is_signed_the_same() -> None:
    vector = json.loads((Path(__file__).parent / "vector.json").read_text())
    signed = signature(vector["secret"], vector["id"], int(vector["timestamp"]), vector["body"].encode())
    assert signed == vector["expected"]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%%", "whsec_" + "YQ==", "whsec_" + "YWFh" * 30])
def test_a_secret_that_cannot_sign_is_refused_in_words(secret: str) -> None:
    with pytest.raises(BadSecret, match="secret"):
        key_of(secret)


def test_the_command_makes_a_secret_that_signs() -> None:
    made = CliRunner().invoke(candor_webhook.new_secret).output.strip()
    assert made.startswith("whsec_")
    assert len(key_of(made)) == 32


class Site:
    """A site with the plugin's settings, and the receiver."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.clock = VirtualClock(NOW)
        self.receiver = Receiver(self.clock)
        self.wire = Wire(self.receiver, self.clock)
        self.config = {
            "url": URL,
            "events": ["interaction", "transcript", "evaluation", "coaching"],
            **config,
        }
        self.secrets = {"secret": SECRET}
        self.folder = folder

    def tell(self, hook: Any, **arguments: Any) -> None:
        given = Given(
            config=self.config,
            secrets=self.secrets,
            folder=self.folder,
            log=logging.getLogger("plugin"),
            clock=self.clock,
            transport=self.wire,
        )
        hook(ctx=WorkContext(None, given), **arguments)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(one.ask.body) for one in self.wire.asked]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def interaction() -> InteractionView:
    return InteractionView(1, "desk", "T-1", "ticket", NOW, agent=AgentRef("a1", "dana@example.com", "Dana"))


def evaluation() -> EvaluationView:
    answers = (AnswerView("Greeting", "Yes", Decimal("1.5"), Decimal(2)),)
    return EvaluationView(
        12, interaction(), "Support", 4, 1, "submitted", "manual", percent=Decimal("83.3"), answers=answers
    )


TRANSCRIPT = Transcript([Segment(0.0, 1.0, "My number is 4711")], duration=1.0, language="en")
CALLS = {
    "interaction.created": ("qa_interaction_changed", {"interaction": interaction(), "change": "created"}),
    "transcript.ready": ("qa_transcript_ready", {"interaction": interaction(), "transcript": TRANSCRIPT}),
    "evaluation.submitted": ("qa_evaluation_changed", {"evaluation": evaluation(), "change": "submitted"}),
    "coaching.completed": (
        "qa_coaching_changed",
        {"item": CoachingView(3, "goal", "Listen", "done", AgentRef("a1")), "change": "completed"},
    ),
}


@pytest.mark.parametrize("event", CALLS)
def test_every_event_is_sent_signed_and_without_what_was_said(site: Site, event: str) -> None:
    hook, arguments = CALLS[event]
    site.tell(getattr(candor_webhook, hook), key="k1", **arguments)
    (asked,) = site.wire.asked
    assert (asked.status, asked.ask.url) == (200, URL)
    (body,) = site.bodies
    assert (body["type"], body["timestamp"]) == (event, NOW.isoformat())
    assert asked.ask.headers["webhook-id"] == message_id_of("k1")
    assert "4711" not in asked.ask.body.decode()


def test_answers_are_sent_only_when_the_settings_say_so(site: Site) -> None:
    site.tell(candor_webhook.qa_evaluation_changed, evaluation=evaluation(), change="submitted", key="k1")
    site.config["with_answers"] = True
    site.tell(candor_webhook.qa_evaluation_changed, evaluation=evaluation(), change="submitted", key="k1")
    without, with_answers = (body["data"] for body in site.bodies)
    assert "answers" not in without
    assert with_answers["answers"][0]["points"] == "1.5"
    assert with_answers["percent"] == "83.3"


def test_events_that_nobody_wants_are_not_sent(site: Site) -> None:
    site.config["events"] = ["coaching"]
    site.tell(candor_webhook.qa_evaluation_changed, evaluation=evaluation(), change="submitted", key="k1")
    site.config |= {"events": ["evaluation"], "url": ""}
    site.tell(candor_webhook.qa_evaluation_changed, evaluation=evaluation(), change="submitted", key="k1")
    assert site.wire.asked == []


def test_a_repeated_event_has_the_same_id_and_a_new_time(site: Site) -> None:
    hook, arguments = CALLS["evaluation.submitted"]
    for _ in range(2):
        site.tell(getattr(candor_webhook, hook), key="k1", **arguments)
        site.clock.sleep(600)
    first, second = (one.ask.headers for one in site.wire.asked)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 600
    assert message_id_of("k1") != message_id_of("k2")


def test_while_secrets_change_both_are_good(site: Site) -> None:
    site.secrets = {"secret": OLD, "old_secret": SECRET}
    hook, arguments = CALLS["evaluation.submitted"]
    site.tell(getattr(candor_webhook, hook), key="k1", **arguments)
    assert len(site.wire.asked[0].ask.headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize(("status", "error"), [(500, Transient), (410, Gone)])
def test_a_receiver_that_does_not_take_it_is_loud(site: Site, status: int, error: type[Exception]) -> None:
    site.receiver.status = status
    hook, arguments = CALLS["evaluation.submitted"]
    with pytest.raises(error):
        site.tell(getattr(candor_webhook, hook), key="k1", **arguments)


def test_without_a_secret_nothing_is_sent(site: Site) -> None:
    site.secrets = {}
    hook, arguments = CALLS["evaluation.submitted"]
    with pytest.raises(ConfigError, match="secret"):
        site.tell(getattr(candor_webhook, hook), key="k1", **arguments)
    assert site.wire.asked == []


def test_the_settings_can_be_shown_and_refuse_in_words() -> None:
    assert {one["name"]: one["kind"] for one in describe(Settings)} == {
        "url": "url",
        "events": "several",
        "with_answers": "yes_no",
        "secret": "secret",
        "old_secret": "secret",
    }
    good = judge(Settings, {"url": [URL], "events": ["evaluation"], "secret": [SECRET]}, frozenset())
    assert (good.errors, good.config["events"]) == ({}, ["evaluation"])
    bad = judge(Settings, {"url": ["no address"], "events": ["nothing"], "secret": ["short"]}, frozenset())
    assert set(bad.errors) == {"url", "events", "secret"}
    kept = judge(Settings, {"url": [URL]}, frozenset({"secret", "old_secret"}))
    assert kept.errors == {}
