"""Sixty strange texts into each text field: kept as sent or refused, never changed, never a fault."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote_plus

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.models import Team, User
from qa.config import Settings
from qa.core import crypto
from qa.core.db import Database
from qa.core.storage import LocalStorage
from qa.evaluations.merge import WHOLE
from qa.evaluations.models import Answer, Assignment, CommentTemplate, Evaluation, Revision
from qa.interactions.import_lines import Importer
from qa.interactions.models import Interaction, InteractionTag, Turn
from qa.scorecards.models import ScorecardVersion
from tests.accounts.conftest import token_on
from tests.factories import (
    NOW,
    make_assignment,
    make_draft,
    make_interaction,
    make_scorecard,
    make_submitted,
    make_team,
    make_user,
)
from tests.reliability.scale import on_one_database
from tests.reliability.strange_texts import TEXTS

pytestmark = on_one_database

ROLES = ("admin", "manager", "lead", "evaluator", "agent")


@dataclass
class Site:
    """The app, somebody who may do everything, and the agent whose conversations they are."""

    database: Database
    client: FlaskClient
    user: User
    agent: User
    token: str = ""

    def post(self, path: str, **fields: str) -> int:
        """Send a form byte for byte, half characters too, as no browser but any program can."""
        pairs = {"csrf_token": self.token, **fields}
        body = "&".join(f"{name}={quote_plus(text, errors='surrogatepass')}" for name, text in pairs.items())
        kind = "application/x-www-form-urlencoded"
        return self.client.post(path, data=body.encode(), content_type=kind).status_code

    def put(self, path: str, body: dict[str, Any]) -> int:
        """Send JSON; half characters go as escapes."""
        return self.client.put(path, json=body, headers={"X-CSRF": self.token}).status_code

    def made(self, make: Callable[[Session], Any]) -> Any:
        """Make something in a transaction of its own."""
        with self.database.transaction() as session:
            return make(session)

    def people(self, session: Session) -> list[User]:
        """Return the evaluator and the agent, as rows of this session."""
        return [session.get_one(User, one.id) for one in (self.user, self.agent)]

    def read(self, column: Any) -> Any:
        """Return this column of the newest row."""
        with self.database.reading() as session:
            newest = column.class_.__table__.primary_key.columns[0]
            return session.scalar(select(column).order_by(newest.desc()).limit(1))


@pytest.fixture
def site(app: Flask, client: FlaskClient, sign_in: Callable[[FlaskClient, User], None]) -> Site:
    database = app.extensions["candor"].database
    with database.transaction() as session:
        team = make_team(session)
        user, agent = make_user(session, *ROLES, team=team), make_user(session, "agent", team=team)
    sign_in(client, user)
    return Site(database, client, user, agent, token_on(client.get("/account").text))


Kept = tuple[int, Any]
"""The status, and what is stored."""

Keep = Callable[[str], Kept]


def team_name(site: Site) -> Keep:
    return lambda text: (site.post("/teams", name=text, parent_id=""), site.read(Team.name))


def new_name_of_a_team(site: Site) -> Keep:
    path = f"/teams/{site.made(make_team).id}"
    return lambda text: (site.post(path, name=text, parent_id=""), site.read(Team.name))


def name_of_a_person(site: Site) -> Keep:
    path, email = f"/people/{site.agent.id}/profile", site.agent.email
    return lambda text: (site.post(path, name=text, email=email), site.read(User.name))


def address_of_a_person(site: Site) -> Keep:
    path = f"/people/{site.agent.id}/profile"
    return lambda text: (site.post(path, name="Dana", email=text), site.read(User.email))


def title_of_a_template(site: Site) -> Keep:
    def keep(text: str) -> Kept:
        return site.post("/comment-templates", title=text, text="x"), site.read(CommentTemplate.title)

    site.post("/comment-templates", title="First", text="x")
    return keep


def text_of_a_template(site: Site) -> Keep:
    def keep(text: str) -> Kept:
        return site.post("/comment-templates", title="T", text=text), site.read(CommentTemplate.text)

    site.post("/comment-templates", title="First", text="x")
    return keep


def _in_the_workspace(site: Site, question: str, field: str, stored: Any) -> Keep:
    draft = site.made(lambda session: make_draft(session, *site.people(session)))
    path, was = f"/evaluations/{draft.id}/draft", ""

    def keep(text: str) -> Kept:
        nonlocal was
        change = {"question": question, "field": field, "was": was, "value": text}
        status = site.put(path, {"changes": [change]})
        was = site.read(stored)
        return status, was

    return keep


def comment_in_the_workspace(site: Site) -> Keep:
    return _in_the_workspace(site, "hello", "comment", Answer.comment)


def private_note(site: Site) -> Keep:
    return _in_the_workspace(site, WHOLE, "private_note", Evaluation.private_note)


def word_for_the_coach(site: Site) -> Keep:
    return _in_the_workspace(site, WHOLE, "coaching_note", Evaluation.coaching_note)


def text_answer(site: Site) -> Keep:
    return _in_the_workspace(site, "note", "answer", Answer.value)


def comment_on_the_plain_form(site: Site) -> Keep:
    draft = site.made(lambda session: make_draft(session, *site.people(session)))

    def keep(text: str) -> Kept:
        fields = {"revision": str(site.read(Evaluation.revision)), "private_note": text}
        return site.post(f"/evaluations/{draft.id}/work", **fields), site.read(Evaluation.private_note)

    return keep


def reason_of_a_revision(site: Site) -> Keep:
    shown = site.made(lambda session: make_submitted(session, *site.people(session)))
    turns = 0

    def keep(text: str) -> Kept:
        nonlocal turns
        turns += 1
        number = site.read(Evaluation.number)
        fields = {"q-1": "y", "q-2": "n", "q-4": "y", "q-1-comment": f"Turn {turns}"}
        status = site.post(f"/evaluations/{shown.id}/revise", revision=str(number), reason=text, **fields)
        with site.database.reading() as session:
            return status, session.scalar(select(Revision.reason).order_by(Revision.number.desc()).limit(1))

    return keep


def reason_against_an_evaluation(site: Site) -> Keep:
    def keep(text: str) -> Kept:
        row = _another(site)
        return site.post(f"/evaluations/{row.id}/void", reason=text), site.read(Evaluation.void_reason)

    return keep


def word_of_the_agent(site: Site) -> Keep:
    with site.database.transaction() as session:
        other = make_user(session, "evaluator")
    site.agent, site.user = site.user, other

    def keep(text: str) -> Kept:
        path = f"/evaluations/{_another(site).id}/acknowledge"
        return site.post(path, comment=text), site.read(Evaluation.acknowledgement)

    return keep


def _another(site: Site) -> Evaluation:
    """Return a submitted evaluation that nobody has touched: the last one if it was refused."""
    with site.database.reading() as session:
        newest = session.scalar(select(Evaluation).order_by(Evaluation.id.desc()).limit(1))
    if newest is not None and newest.state == "released":
        return newest
    made: Evaluation = site.made(lambda session: make_submitted(session, *site.people(session)))
    return made


def note_on_a_skip(site: Site) -> Keep:
    version = site.made(make_scorecard)

    def keep(text: str) -> Kept:
        def make(session: Session) -> Assignment:
            user, agent = site.people(session)
            return make_assignment(session, user, make_interaction(session, agent), version)

        path = f"/queue/{site.made(make).id}/skip"
        return site.post(path, reason="other", note=text), site.read(Assignment.skip_note)

    return keep


def name_of_a_new_person(site: Site) -> Keep:
    site.post("/people/new", name="First", email="first@example.org", roles="agent", team_id="")
    numbers = count(1)

    def keep(text: str) -> Kept:
        email = f"new{next(numbers)}@example.org"
        status = site.post("/people/new", name=text, email=email, roles="agent", team_id="")
        return status, site.read(User.name)

    return keep


def _preference(site: Site, name: str, **fields: str) -> Keep:
    def keep(text: str) -> Kept:
        status = site.post("/account/preferences", **{"theme": "dark", **fields, fields["field"]: text})
        with site.database.reading() as session:
            kept = session.get_one(User, site.user.id).preferences
        return status, kept.get(name) if name != "keys" else kept.get("keys", {}).get("comment")

    return keep


def zone_of_a_person(site: Site) -> Keep:
    return _preference(site, "time_zone", field="time_zone")


def key_of_a_person(site: Site) -> Keep:
    return _preference(site, "keys", field="key-comment")


def scorecard_in_yaml(site: Site) -> Keep:
    def keep(text: str) -> Kept:
        return site.post("/scorecards/new", yaml=text), site.read(ScorecardVersion.yaml)

    site.made(make_scorecard)
    return keep


FIELDS = {
    maker.__name__.replace("_", " "): maker
    for maker in (
        team_name,
        new_name_of_a_team,
        name_of_a_person,
        address_of_a_person,
        title_of_a_template,
        text_of_a_template,
        comment_in_the_workspace,
        private_note,
        word_for_the_coach,
        text_answer,
        comment_on_the_plain_form,
        reason_of_a_revision,
        reason_against_an_evaluation,
        word_of_the_agent,
        note_on_a_skip,
        name_of_a_new_person,
        zone_of_a_person,
        key_of_a_person,
        scorecard_in_yaml,
    )
}
NARROW = {"address of a person", "zone of a person", "key of a person", "scorecard in yaml"}
"""Fields that take few texts by their nature."""
TAKEN = {200, 303}
REFUSED = {413, 422}


def shown_as_sent(text: str, *, outer_blanks_go: bool = True) -> str:
    """Return what a text must be when it is read back: one kind of line end, no blanks around."""
    one_kind = text.replace("\r\n", "\n").replace("\r", "\n")
    return one_kind.strip() if outer_blanks_go else one_kind


@pytest.mark.parametrize("field", FIELDS)
def test_a_strange_text_is_kept_as_sent_or_refused(site: Site, field: str) -> None:
    keep = FIELDS[field](site)
    wrong, taken = {}, []
    for name, text in TEXTS.items():
        status, stored = keep(text)
        if status in TAKEN:
            taken.append(name)
            if stored not in {text, shown_as_sent(text)}:
                wrong[name] = f"changed: {stored!r:.60}"
        elif status not in REFUSED:
            wrong[name] = f"answered {status}"
        elif stored == shown_as_sent(text):
            wrong[name] = "refused and yet kept"
    assert not wrong
    assert "an SQL quote" in taken or field in NARROW


IMPORTED = ("external_id", "queue", "subject", "customer", "tags", "turns", "fields")


@pytest.mark.parametrize("place", IMPORTED)
def test_a_strange_text_in_an_import_is_kept_as_sent_or_set_aside(
    settings: Settings, database: Database, place: str
) -> None:
    importer = Importer(
        database,
        LocalStorage(settings.data_path / "recordings"),
        crypto.load_keys(settings.key_path),
        source="test",
        recordings=None,
        creates_agents=True,
        now=NOW,
    )
    rows = [_line(place, number, text) for number, text in enumerate(TEXTS.values(), start=1)]
    aside = {one.line: one.reason for one in importer.run(io.BytesIO(b"\n".join(rows) + b"\n"))}
    kept = dict(_imported(database, place))
    for number, (name, text) in enumerate(TEXTS.items(), start=1):
        if number in aside:
            assert number not in kept, name
            assert aside[number], name
        else:
            assert shown_as_sent(kept[number], outer_blanks_go=False) == shown_as_sent(
                text, outer_blanks_go=False
            ), name
    assert 25 < len(kept) < len(TEXTS)


def _line(place: str, number: int, text: str) -> bytes:
    line: dict[str, Any] = {
        "external_id": f"N-{number}",
        "channel": "chat",
        "started_at": f"2026-03-14T09:{number - 1:02}:00Z",
        "agents": [{"email": "dana@example.org"}],
    }
    values: dict[str, Any] = {
        "tags": [text],
        "turns": [{"speaker": "agent", "start": 1, "end": 2, "text": text}],
        "fields": {"reason": text},
        "customer": {"reference": text, "name": text},
    }
    return json.dumps(line | {place: values.get(place, text)}).encode()


def _imported(database: Database, place: str) -> Iterator[tuple[int, str]]:
    with database.reading() as session:
        for row in session.scalars(select(Interaction)):
            number = row.started_at.minute + 1
            if place == "tags":
                tags = select(InteractionTag.tag).where(InteractionTag.interaction_id == row.id)
                yield number, str(session.scalar(tags))
            elif place == "turns":
                said = select(Turn.stored).where(Turn.interaction_id == row.id)
                yield number, str(session.scalar(said))
            elif place == "fields":
                yield number, row.fields["reason"]
            elif place == "customer":
                assert row.customer_name == row.customer_reference
                yield number, row.customer_name
            else:
                yield number, getattr(row, place)
