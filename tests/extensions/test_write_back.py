"""A released score goes back to the source of its conversation: once, in order, or on the dead list."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from qa.core import clock, outbox
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.evaluations import life_service
from qa.evaluations.merge import ANSWER, Change
from qa.evaluations.models import Evaluation
from qa.extensions import look_service, service
from qa.extensions.models import Outgoing
from qa.extensions.runtime import Runtime
from qa.extensions.secrets_service import keep_secrets
from qa.interactions.models import Interaction
from qa.interactions.sources import push_service
from qa.interactions.sources import service as sources
from qa.interactions.sources.connectors import owner_of
from qa.interactions.sources.models import Source
from qa.interactions.sources.service import Wanted
from qa.worker import make_carriers, make_reactions
from tests.extensions.test_outgoing import deliver_all, later
from tests.factories import NOW, make_submitted, make_team, make_user
from tests.interactions.sources_site import ABLE, Twin

TWIN = Path(__file__).parents[1] / "interactions" / "twin_plugin.py"


class Site:
    """A site with the twin as a source that writes back, and what its worker does."""

    def __init__(self, database: Database, runtime: Runtime, keys: Keys, twin: Twin) -> None:
        self.database, self.runtime, self.keys, self.twin = database, runtime, keys, twin
        wanted = Wanted("Desk", "twin", "twin", {"file": str(twin.file)}, writes_back=True)
        with database.transaction() as session:
            made = sources.draft_source(session, SYSTEM, wanted, ABLE, now=NOW)
            sources.start_source(session, SYSTEM, made.id, ABLE, past=None, now=NOW)
            secrets = {"token": "t0ken-marker"}
            keep_secrets(session, keys, owner_of(made.key), secrets, changed_by_id=None, now=NOW)
            self.source_id, self.source_key = made.id, made.key

    def evaluated(self, ticket: str, **given: object) -> int:
        """Submit, and so release, an evaluation of a ticket."""
        with self.database.transaction() as session:
            team = make_team(session)
            evaluator, agent = make_user(session, "evaluator", team=team), make_user(session, "agent")
            made = make_submitted(session, evaluator, agent, **given)
            row = session.get_one(Interaction, made.interaction_id)
            row.source, row.external_id = self.source_key, ticket
            life_service.release_due(session, SYSTEM, now=clock.now())
            return made.id

    def work(self) -> None:
        """Deliver events, then whatever waits to go out."""
        outbox.deliver(self.database, make_reactions(self.keys, self.runtime, ZoneInfo("UTC")))
        deliver_all(self.database, self.runtime, self.keys, make_carriers(self.runtime.settings, self.keys))

    def notes(self) -> list[list[str]]:
        """What lies at the tickets: ticket and text."""
        told = [json.loads(line) for line in self.twin.noted("notes")]
        assert all(kind == "note" for _ticket, kind, _text, _key in told)
        return [[ticket, text] for ticket, _kind, text, _key in told]

    def change(self, **values: object) -> None:
        """Change the source."""
        with self.database.transaction() as session:
            session.execute(update(Source).values(values))

    def states(self) -> list[tuple[str, int, str]]:
        """State, attempts and error of everything put down for tickets."""
        with self.database.reading() as session:
            rows = session.scalars(select(Outgoing).where(Outgoing.work == "push").order_by(Outgoing.id))
            return [(row.state, row.attempt, row.error) for row in rows]


@pytest.fixture
def site(folder: Path, tmp_path: Path, database: Database, runtime: Runtime, keys: Keys) -> Site:
    """The site."""
    shutil.copy(TWIN, folder / "twin.py")
    look_service.look(database, runtime)
    with database.transaction() as session:
        service.enable_plugin(session, SYSTEM, "twin", now=clock.now())
    look_service.load_one(database, runtime, "twin")
    return Site(database, runtime, keys, Twin(tmp_path / "vendor.json"))


def test_a_score_its_change_and_its_end_are_noted_in_order_and_once(site: Site) -> None:
    evaluation_id = site.evaluated("77")
    site.work()
    site.work()
    with site.database.reading() as session:
        title = session.scalars(select(Evaluation)).one().score
    assert title is not None
    (first,) = site.notes()
    assert first[0] == "77"
    assert first[1].startswith("Quality review: 100.0 of 100")
    with site.database.transaction() as session:
        change = [Change("hello", ANSWER, "y", "n")]
        life_service.revise(
            session,
            SYSTEM,
            evaluation_id,
            changes=change,
            reason="Heard again",
            seen_number=1,
            now=clock.now(),
        )
    site.work()
    with site.database.transaction() as session:
        life_service.void(session, SYSTEM, evaluation_id, reason="Wrong call", now=clock.now())
    site.work()
    assert [text.partition(":")[0] for _ticket, text in site.notes()] == [
        "Quality review",
        "Quality review, changed",
        "Quality review",
    ]
    assert site.notes()[2][1].endswith("it was withdrawn, the score does not count.")
    assert {state for state, _attempt, _error in site.states()} == {"sent"}


def test_what_was_overtaken_is_not_told(site: Site) -> None:
    evaluation_id = site.evaluated("77")
    outbox.deliver(site.database, make_reactions(site.keys, site.runtime, ZoneInfo("UTC")))
    with site.database.transaction() as session:
        life_service.void(session, SYSTEM, evaluation_id, reason="Wrong call", now=clock.now())
    site.work()
    assert [text for _ticket, text in site.notes()] == [
        "Quality review: it was withdrawn, the score does not count."
    ]


def test_an_answer_that_was_lost_leaves_one_note(site: Site) -> None:
    site.twin.says(tickets=[], loses_answers=True)
    site.evaluated("77")
    site.work()
    assert site.states() == [("pending", 1, "The answer was cut.")]
    site.twin.says(tickets=[])
    with later(minutes=5):
        site.work()
    assert (len(site.notes()), [state for state, *_ in site.states()]) == (1, ["sent"])


def test_one_ticket_in_trouble_holds_up_no_other_and_ends_on_the_dead_list(site: Site) -> None:
    site.twin.says(tickets=[], token="another")
    site.evaluated("77")
    hours = 0.0
    while site.states()[:1] != [("dead", 8, "The token ended.")]:
        with later(hours=hours):
            site.work()
        hours += 2.0
        assert hours < 60
    site.twin.says(tickets=[])
    site.evaluated("78")
    site.work()
    assert [ticket for ticket, _text in site.notes()] == ["78"]
    with site.database.transaction() as session:
        pushed = push_service.look_pushed(session, SYSTEM, site.source_id)
        assert (pushed.sent, pushed.waiting, pushed.dead) == (1, 0, 1)
        push_service.send_again(session, SYSTEM, site.source_id, pushed.rows[0].id, now=clock.now())
    site.work()
    assert [ticket for ticket, _text in site.notes()] == ["78", "77"]


def test_a_paused_source_waits_and_one_that_does_not_ask_gets_nothing(site: Site) -> None:
    site.evaluated("77")
    site.change(is_paused=True)
    site.work()
    assert site.states() == [("pending", 0, "The source is paused.")]
    site.change(is_paused=False, writes_back=False)
    site.evaluated("78")
    with later(hours=1):
        site.work()
    assert site.states() == [("dead", 1, "Write-back was turned off for this source.")]
    assert site.notes() == []


def test_the_source_page_tells_what_became_of_the_notes(
    site: Site,
    app: Flask,
    client: FlaskClient,
    sign_in: Callable[..., None],
) -> None:
    with site.database.transaction() as session:
        admin = make_user(session, "admin")
    sign_in(client, admin)
    page = f"/sources/{site.source_id}"
    assert "No note was left in the last week." in client.get(page).text
    site.twin.says(tickets=[], token="another")
    site.evaluated("77")
    site.work()
    shown = client.get(page).text
    assert "1 note waits." in shown
    assert "The token ended." in shown
    with site.database.transaction() as session:
        session.execute(update(Outgoing).values(state="dead", settled_at=clock.now()))
        number = session.scalars(select(Outgoing.id)).one()
    shown = client.get(page).text
    token = shown.partition('name="csrf" content="')[2].partition('"')[0]
    sent = client.post(f"{page}/notes/{number}/send", data={"csrf_token": token})
    assert (sent.status_code, sent.headers["location"]) == (303, page)
    assert client.post(f"{page}/notes/{number + 1}/send", data={"csrf_token": token}).status_code == 404
    again = client.post(f"{page}/notes/{number}/discard", data={"csrf_token": token}, follow_redirects=True)
    assert "not on the dead list" in again.text
    site.twin.says(tickets=[])
    with later(minutes=5):
        site.work()
    assert "1 note left in the last week" in client.get(page).text
