"""Zendesk: the kit, requests held against the vendor's description, recorded answers, notes, webhooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from candor_zendesk.connector import Zendesk
from candor_zendesk.mapping import person_of, record_of
from candor_zendesk.settings import Settings
from candor_zendesk.twin import ZendeskTwin
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers

from qa.plugins.api import ExternalRef, Hmac, Message, PushItem, Record
from qa.plugins.settings_form import judge
from qa.plugins.signatures import Received, verified
from qa.plugins.store import State
from qa.plugins.testing import Ask, ConnectorSuite, Reply, run_checks
from qa.plugins.testing.bench import Bench
from qa.plugins.testing.child import BROKEN
from qa.plugins.testing.wire import always, from_, says

VENDOR = Path(__file__).parent / "vendor"
KEPT = ("c01", "c02", "c06", "c11", "c13", "c14", "c18", "c19", "c20", "c21", "c30", "c38")


class TestZendesk(ConnectorSuite, connector=Zendesk, twin=ZendeskTwin):
    exempt = {"c22": "Zendesk deletes no comments by its API"}


# --- the vendor's description --------------------------------------------------


@cache
def description() -> OpenAPI:
    """Zendesk's own description; its validator would refuse slips that do not matter here."""
    spec = json.loads((VENDOR / "support_api.json").read_text("utf-8"))
    return OpenAPI.from_dict(
        spec | {"servers": [{"url": ZendeskTwin.url}]}, config=Config(spec_validator_cls=None)
    )


class Asked:
    """A request as openapi-core wants it."""

    def __init__(self, ask: Ask) -> None:
        parts = urlsplit(ask.url)
        query = dict(parse_qsl(parts.query))
        if (
            "cursor" in query
        ):  # the description asks for it with every page, and says that the cursor replaces it
            query.setdefault("start_time", "0")
        self.host_url = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path
        self.method = ask.method.lower()
        self.body = ask.body
        self.content_type = ask.headers.get("content-type", "")
        header = Headers(dict(ask.headers))
        self.parameters = RequestParameters(query=query, header=header, cookie={}, path={})


class StrictTwin(ZendeskTwin):
    """Refuses what Zendesk's description does not allow."""

    def handle(self, ask: Ask) -> Reply:
        if ask.path.startswith("/api/"):
            shown = ask if "?" not in ask.url else _plain(ask)
            with_password = {"authorization": "Basic " + "eDp5"}  # its only scheme; the twin checks ours
            checked = Ask(shown.method, shown.url, dict(shown.headers) | with_password, shown.body)
            description().validate_request(Asked(checked))
        return super().handle(ask)


def _plain(ask: Ask) -> Ask:
    parts = urlsplit(ask.url)
    return Ask(
        ask.method, parts._replace(query=urlencode(parse_qsl(parts.query))).geturl(), ask.headers, ask.body
    )


@pytest.mark.parametrize("number", KEPT)
def test_every_request_is_one_that_zendesk_describes(number: str) -> None:
    (result,) = run_checks(Zendesk, StrictTwin, only=[number])
    assert result.verdict != BROKEN, result.message


def validated(method: str, path: str, body: Any) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": "Basic eDp5"}
    description().validate_request(Asked(Ask(method, ZendeskTwin.url + path, headers, content)))


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        ("GET", "/api/v2/incremental/tickets/cursor?start_time=yesterday", None, "ParameterValidationError"),
        ("GET", "/api/v2/incremental/tickets/cursor", None, "MissingRequiredParameter"),
        ("GET", "/api/v2/tickets/abc", None, "ParameterValidationError"),
        ("GET", "/api/v2/nothing", None, "PathNotFound"),
        ("PUT", "/api/v2/tickets/1", {"ticket": {"comment": "just text"}}, "InvalidRequestBody"),
        ("DELETE", "/api/v2/tickets/1", None, "OperationNotFound"),
    ],
)
def test_the_description_refuses_what_is_wrong(method: str, path: str, body: Any, error: str) -> None:
    with pytest.raises(Exception) as caught:
        validated(method, path, body)
    assert type(caught.value).__name__ == error


def test_the_description_takes_what_is_right() -> None:
    validated("GET", "/api/v2/incremental/tickets/cursor?start_time=1772442000", None)
    validated("PUT", "/api/v2/tickets/1", {"ticket": {"comment": {"body": "Score 80", "public": False}}})


# --- recorded answers --------------------------------------------------------------


def recorded(name: str) -> dict[str, Any]:
    """An answer of a real Zendesk."""
    found: dict[str, Any] = json.loads((VENDOR / "recorded" / f"{name}.json").read_text("utf-8"))
    return found


def mapped(raw: Mapping[str, Any], comments: list[Any] | None = None, users: Any = None) -> Record:
    made = record_of(
        raw,
        users=users or {},
        groups={},
        comments=comments or [],
        base_url="https://x.zendesk.com",
        tag="qa_evaluated",
    )
    assert isinstance(made, Record), made
    return made


@pytest.mark.parametrize("raw", recorded("tickets_list")["tickets"], ids=lambda raw: str(raw["id"]))
def test_a_recorded_ticket_is_mapped_whatever_is_null(raw: dict[str, Any]) -> None:
    users = {one["id"]: one for one in recorded("users_list")["users"]}
    metrics = {one["ticket_id"]: one for one in recorded("ticket_metrics_list")["ticket_metrics"]}
    record = mapped(raw | {"metric_set": metrics.get(raw["id"])}, users=users)
    assert record.external_id == str(raw["id"])
    assert record.started_at == datetime.fromisoformat(raw["created_at"])
    assert record.subject == raw["subject"]
    assert [one.external_id for one in record.agent_refs] == [str(raw["assignee_id"])] * bool(
        raw["assignee_id"]
    )
    assert None not in record.custom.values()


@pytest.mark.parametrize(
    "raw", recorded("ticket_metrics_list")["ticket_metrics"], ids=lambda raw: str(raw["id"])
)
def test_recorded_metrics_become_seconds_or_nothing(raw: dict[str, Any]) -> None:
    ticket = recorded("tickets_list")["tickets"][0] | {"metric_set": raw, "status": "solved"}
    kpi = mapped(ticket).kpi
    minutes = raw["reply_time_in_minutes"]["calendar"]
    assert kpi.first_reply_s == (None if minutes is None else 60 * minutes)
    assert kpi.reopens == raw["reopens"]


def test_recorded_people_are_mapped() -> None:
    people = [person_of(raw) for raw in recorded("users_list")["users"]]
    assert people[0].email == "user1@example.com"
    assert len({one.external_id for one in people}) == len(people)


def test_a_recorded_conversation_has_its_messages_and_notes() -> None:
    events = [
        event | {"created_at": audit["created_at"]}
        for audit in recorded("ticket_audits")["audits"]
        for event in audit["events"]
        if event["type"] == "Comment"
    ]
    record = mapped(recorded("tickets_list")["tickets"][0], comments=events)
    assert len(record.messages) == len(events) > 0
    assert {one.kind for one in record.messages} <= {"message", "note"}


@pytest.mark.parametrize(
    ("score", "csat"), [("good", 1), ("bad", 0), ("offered", None), ("unoffered", None), (None, None)]
)
def test_a_rating_counts_only_when_it_was_given(score: str | None, csat: int | None) -> None:
    kpi = mapped(recorded("tickets_list")["tickets"][0] | {"satisfaction_rating": {"score": score}}).kpi
    assert kpi.csat == (None if csat is None else Decimal(csat))
    assert kpi.csat_scale == (None if csat is None else (Decimal(0), Decimal(1)))


def test_speakers_are_told_apart_and_our_own_notes_left_out() -> None:
    raw = {
        "id": 1,
        "created_at": "2026-03-02T09:00:00Z",
        "requester_id": 5,
        "assignee_id": 9,
        "tags": ["a", "qa_evaluated"],
    }
    base = {"created_at": "2026-03-02T09:00:00Z", "public": True}
    comments = [
        base | {"id": 1, "author_id": 5, "body": "Help"},
        base | {"id": 2, "author_id": 9, "body": "Sure"},
        base | {"id": 3, "author_id": 8, "body": "Asked a colleague", "public": False},
        base | {"id": 4, "author_id": -1, "body": "Closed by a rule"},
        base | {"id": 5, "author_id": 9, "body": "Score 80 [qa:e1]", "public": False},
    ]
    record = mapped(raw, comments, {8: {"id": 8, "role": "agent", "name": "Ann", "email": "ann@example.com"}})
    told = [(one.speaker, one.kind) for one in record.messages]
    assert told == [("customer", "message"), ("agent", "message"), ("agent", "note"), ("system", "message")]
    assert [one.external_id for one in record.agent_refs] == ["9", "8"]
    assert record.tags == ("a",)


# --- in a whole run ----------------------------------------------------------------


@pytest.fixture
def bench() -> Bench:
    """A source of twelve tickets."""
    made = Bench(Zendesk, ZendeskTwin)
    made.twin.seed(12)
    return made


def test_a_call_has_its_recording_its_length_and_its_channel(bench: Bench) -> None:
    bench.run()
    call, mail = bench.stored["1"], bench.stored["2"]
    assert (call.channel, call.kpi.talk_s, call.media[0].duration_s) == ("voice", 61, 61)
    assert (mail.channel, mail.media, mail.queue) == ("email", (), "Billing")
    assert mail.messages == (
        Message("2-description", mail.started_at, "About: Conversation 2", speaker="customer"),
    )
    assert mail.url == "https://desk.zendesk.example/agent/tickets/2"


def test_comments_are_asked_for_only_where_there_are_any(bench: Bench) -> None:
    bench.run()
    asked = [one.ask.path for one in bench.wire.asked if one.ask.path.endswith("/comments")]
    assert asked == [f"/api/v2/tickets/{number}/comments" for number in (1, 6, 11)]


def test_the_export_is_asked_at_most_ten_times_a_minute() -> None:
    bench = Bench(Zendesk, ZendeskTwin)
    bench.twin.seed(120)
    bench.run()
    times = [one.at for one in bench.wire.asked if one.ask.path.endswith("/cursor")]
    assert max(sum(first <= one < first + 60 for one in times) for first in times) <= 10


def test_a_large_page_is_given_in_parts_and_a_crash_between_them_loses_nothing() -> None:
    bench = Bench(Zendesk, ZendeskTwin)
    bench.twin.seed(250, step=timedelta(seconds=10))
    bench.twin.page_size = 1_000  # type: ignore[misc]
    sizes: list[int] = []
    bench.on_page = lambda _lane, _window, page: sizes.append(len(page.records))
    bench.run()
    assert sizes == [100, 100, 50]
    bench.expect_all("After a run")


def test_a_note_leaves_the_tag_and_is_private(bench: Bench) -> None:
    with bench.context() as (connector, ctx):
        connector.push(
            ctx, ExternalRef("2"), PushItem("note", text="Score 80", url="https://qa.example/e/1"), "e1-r1"
        )
    assert bench.twin.things[2].notes == ["Score 80\nhttps://qa.example/e/1\n[qa:e1-r1]"]
    put = [json.loads(one.ask.body) for one in bench.wire.asked if one.ask.method == "PUT"]
    assert put[0] == {"tags": ["qa_evaluated"]}
    assert put[1]["ticket"]["comment"]["public"] is False
    bench.clock.sleep(3_600)
    bench.run()
    assert "Score 80" not in repr(bench.stored["2"])


def test_a_ticket_that_is_gone_comes_as_a_tombstone(bench: Bench) -> None:
    with bench.context() as (connector, ctx):
        page = connector.pull_one(ctx, ExternalRef("4711"))
    assert [(one.external_id, one.deleted) for one in page.records] == [("4711", True)]  # type: ignore[union-attr]


def test_an_account_that_is_no_admin_is_told_what_is_missing(bench: Bench) -> None:
    bench.wire.rule = lambda number, ask: says(403) if "incremental" in ask.path else None
    with bench.context() as (connector, ctx):
        answer = connector.check(ctx)
    assert (answer.ok, answer.missing) == (False, ("incremental export (the account must be an admin)",))


def test_an_anonymous_answer_is_no_sign_in(bench: Bench) -> None:
    bench.wire.rule = lambda number, ask: (
        says(200, {"user": {"id": None}}) if ask.path.endswith("/me") else None
    )
    with bench.context() as (connector, ctx):
        assert not connector.check(ctx).ok


def test_a_token_that_expires_in_mid_run_is_fetched_anew(bench: Bench) -> None:
    expired = [True]

    def rule(number: int, ask: Ask) -> Any:
        if number == 4 and expired:
            expired.clear()
            return says(401)
        return None

    bench.wire.rule = rule
    bench.run()
    asked = [one.ask.path for one in bench.wire.asked].count("/oauth/tokens")
    assert asked == 2
    bench.wire.rule = always(says(401))
    assert bench.run_once().state is State.NEEDS_REAUTH


def test_a_vendor_that_is_down_is_tried_again_later(bench: Bench) -> None:
    bench.wire.rule = from_(3, says(503))
    assert [bench.run_once().state for _ in range(3)] == [None, None, State.DEGRADED]
    bench.wire.rule = lambda _number, _ask: None
    bench.run()
    bench.expect_all("Afterwards")


def test_an_api_token_signs_in_as_well(bench: Bench) -> None:
    typed = {
        "url": [ZendeskTwin.url],
        "way": ["token"],
        "email": ["admin@example.com"],
        "token": ["tok-9921"],
    }
    assert judge(Settings, typed, frozenset()).errors == {}
    missing = judge(Settings, {"url": [ZendeskTwin.url], "way": ["token"]}, frozenset())
    assert set(missing.errors) == {"email", "token"}


def test_a_webhook_is_verified_as_zendesk_signs(bench: Bench) -> None:
    vector = json.loads((VENDOR / "webhook_vector.json").read_text("utf-8"))
    auth = Zendesk.webhook_auth
    assert isinstance(auth, Hmac)
    headers = {
        auth.header.lower(): vector["expected"],
        auth.timestamp_header.lower(): vector["timestamp"],
        auth.id_header.lower(): "01",
    }
    at = datetime.fromisoformat(vector["timestamp"]).astimezone(UTC)
    received = Received("POST", "https://qa.example/hooks/1", vector["body"].encode(), at, headers)
    assert verified(auth, received, [vector["secret"]]) == "01"
