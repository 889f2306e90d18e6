"""What a page costs: the same few statements for any amount of data, each found by an index."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, insert, select
from sqlalchemy.orm import Session

from qa.accounts.models import Team, User
from qa.core import jobs, outbox
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.text import folded, sort_key
from qa.evaluations.life_service import release_due
from qa.evaluations.models import Assignment, Evaluation, Pin
from qa.interactions.models import Interaction, InteractionTag, Participant, Turn, Viewer
from tests.factories import NOW, make_draft, make_scorecard, make_submitted, make_team, make_user

SignIn = Callable[[FlaskClient, User], None]
Asked = tuple[str, Any]

NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
FEW, MANY = 10, 1_000


@dataclass(slots=True)
class Centre:
    """A centre that can grow: one person for each role, a draft and a submitted evaluation."""

    team: Team
    evaluator: User
    agent: User
    lead: User
    manager: User
    draft: Evaluation
    done: Evaluation

    def grow(self, session: Session, rows: int) -> None:
        """Add so many conversations, assignments, evaluations and people, and turns to those on the pages."""
        first = (session.scalar(select(func.max(Interaction.id))) or 0) + 1
        ids = range(first, first + rows)
        people = [self._person(number) for number in ids]
        session.execute(insert(User), people)
        wanted = [self._interaction(number) for number in ids]
        made = list(session.scalars(insert(Interaction).returning(Interaction.id), wanted))
        parts = [{"interaction_id": one, "user_id": self.agent.id} for one in made]
        session.execute(insert(Participant), parts)
        looks = [{"interaction_id": one, "user_id": self.evaluator.id, "because": "x"} for one in made]
        session.execute(insert(Viewer), looks)
        session.execute(insert(InteractionTag), [{"interaction_id": one, "tag": "t"} for one in made])
        session.execute(insert(Assignment), [self._assignment(one) for one in made])
        session.execute(insert(Evaluation), [self._evaluation(one) for one in made])
        for evaluation in (self.draft, self.done):
            self._lengthen(session, evaluation, rows)

    def _person(self, number: int) -> dict[str, Any]:
        name, mail = f"Person {number}", f"grown{number}@example.org"
        keys = {"name_key": sort_key(name), "email_folded": folded(mail)}
        return {"name": name, "email": mail, "team_id": self.team.id, "created_at": NOW, **keys}

    def _interaction(self, number: int) -> dict[str, Any]:
        return {
            "source": "grown",
            "external_id": f"G-{number}",
            "channel": "voice",
            "subject": f"Subject {number}",
            "agent_id": self.agent.id,
            "team_id": self.team.id,
            "started_at": NOW - timedelta(minutes=number),
            "duration_ms": 60_000,
            "imported_at": NOW,
            "fields": {},
        }

    def _judged(self, interaction_id: int) -> dict[str, Any]:
        return {
            "interaction_id": interaction_id,
            "agent_id": self.agent.id,
            "scorecard_id": self.done.scorecard_id,
            "evaluator_id": self.evaluator.id,
            "selection_method": "manual",
        }

    def _assignment(self, interaction_id: int) -> dict[str, Any]:
        return self._judged(interaction_id) | {"due_at": NOW, "assigned_at": NOW}

    def _evaluation(self, interaction_id: int) -> dict[str, Any]:
        at = NOW - timedelta(minutes=interaction_id)
        times = dict.fromkeys(("started_at", "saved_at", "submitted_at", "released_at"), at)
        result = {"score": "75", "outcome": "pass", "fail_causes": [], "state": "released", "number": 1}
        version = {"version_id": self.done.version_id, "team_id": self.team.id, "worked_seconds": 60}
        return self._judged(interaction_id) | times | result | version

    @staticmethod
    def _lengthen(session: Session, evaluation: Evaluation, rows: int) -> None:
        last = select(func.max(Turn.position)).where(Turn.interaction_id == evaluation.interaction_id)
        start = (session.scalar(last) or 0) + 1
        turns = [
            {
                "interaction_id": evaluation.interaction_id,
                "position": place,
                "speaker": "agent",
                "start_ms": place * 1_000,
                "end_ms": place * 1_000 + 900,
                "stored": "And so on.",
                "is_redacted": True,
            }
            for place in range(start, start + rows)
        ]
        session.execute(insert(Turn), turns)
        pins = [
            {
                "evaluation_id": evaluation.id,
                "client_id": f"p{place}",
                "question": "hello",
                "kind": "audio",
                "start_ms": place,
                "end_ms": place + 1,
                "pinned_at": NOW,
            }
            for place in range(start, start + rows)
        ]
        session.execute(insert(Pin), pins)


@pytest.fixture
def centre(app: Flask) -> Centre:
    """A centre with ten rows of everything."""
    with site(app).transaction() as session:
        team = make_team(session)
        version = make_scorecard(session)
        evaluator, agent = make_user(session, "evaluator", team=team), make_user(session, "agent", team=team)
        made = Centre(
            team=team,
            evaluator=evaluator,
            agent=agent,
            lead=make_user(session, "lead", team=team),
            manager=make_user(session, "manager"),
            draft=make_draft(session, evaluator, agent, version),
            done=make_submitted(session, evaluator, agent),
        )
        made.grow(session, FEW)
    return made


def site(app: Flask) -> Database:
    """The app's own database."""
    database: Database = app.extensions["candor"].database
    return database


@contextmanager
def statements(database: Database) -> Iterator[list[Asked]]:
    """Everything sent to the database meanwhile, but for the begin and end of transactions."""
    asked: list[Asked] = []

    def note(_connection: Any, _cursor: Any, text: str, values: Any, *_: Any) -> None:
        if not text.startswith(NOT_COUNTED):
            asked.append((text, values))

    event.listen(database.engine, "before_cursor_execute", note)
    yield asked
    event.remove(database.engine, "before_cursor_execute", note)


DEEP = "2026-03-16T09:25:00+00:00~99999"
PAGES = {
    "evaluator": (
        ("/queue", 8),
        ("/interactions", 8),
        ("/evaluations", 8),
        ("/evaluations/{draft}/work", 12),
        ("/evaluations/{draft}/sheet", 12),
    ),
    "agent": (
        ("/", 16),
        ("/evaluations", 8),
        ("/evaluations/{done}", 12),
        ("/interactions", 8),
        ("/agents/{agent}", 10),
        ("/training", 12),
    ),
    "lead": (
        ("/", 16),
        ("/agents", 8),
        ("/training", 16),
        ("/teams/{team}/quality", 8),
        ("/interactions", 8),
        (f"/interactions?after={DEEP}", 8),
        ("/evaluations", 8),
        ("/people", 8),
        ("/agents/{agent}", 10),
        ("/assignments", 8),
        ("/assignments?state=done", 8),
        ("/assignments?state=skipped&evaluator={evaluator}", 8),
    ),
    "manager": (
        ("/interactions", 8),
        ("/interactions?team={team}", 8),
        ("/interactions?agent={agent}", 8),
        ("/interactions?channel=voice", 8),
        ("/interactions/{interaction}", 8),
        (f"/interactions?after={DEEP}", 8),
        ("/evaluations", 8),
        (f"/evaluations?after={DEEP}", 8),
        ("/evaluations?agent={agent}", 8),
        ("/evaluations/{done}", 12),
        ("/people", 8),
        ("/teams", 8),
        ("/scorecards", 8),
    ),
}


def path_of(centre: Centre, page: str) -> str:
    """The address of a page in this centre."""
    return page.replace("+", "%2B").format(
        draft=centre.draft.id,
        done=centre.done.id,
        team=centre.team.id,
        agent=centre.agent.id,
        evaluator=centre.evaluator.id,
        interaction=centre.done.interaction_id,
    )


def cost(app: Flask, client: FlaskClient, path: str) -> list[Asked]:
    """The statements of one page."""
    with statements(site(app)) as asked:
        assert client.get(path).status_code == 200
    return asked


@pytest.mark.parametrize("role", PAGES)
def test_pages_cost_the_same_few_statements_for_ten_rows_and_for_a_thousand(
    app: Flask, client: FlaskClient, sign_in: SignIn, centre: Centre, role: str
) -> None:
    sign_in(client, getattr(centre, role))
    paths = {path_of(centre, page): most for page, most in PAGES[role]}
    few = {path: len(cost(app, client, path)) for path in paths}
    with site(app).transaction() as session:
        centre.grow(session, MANY)
    assert {path: len(cost(app, client, path)) for path in paths} == few
    assert {path: number for path, number in few.items() if number > paths[path]} == {}


def token_in(page: str) -> str:
    """The CSRF token of a page."""
    found = re.search(r'name="csrf" content="([^"]+)"', page)
    assert found
    return found.group(1)


def test_saving_and_submitting_cost_the_same_few_statements_however_long_the_conversation_is(
    app: Flask, client: FlaskClient, sign_in: SignIn, centre: Centre
) -> None:
    sign_in(client, centre.evaluator)
    counts = []
    for rows in (0, MANY):
        with site(app).transaction() as session:
            evaluator, agent = (session.get_one(User, one.id) for one in (centre.evaluator, centre.agent))
            centre.draft = make_draft(session, evaluator, agent)
            if rows:
                centre.grow(session, rows)
        work = f"/evaluations/{centre.draft.id}"
        token = token_in(client.get(f"{work}/work").text)
        answered = [
            {"question": name, "field": "answer", "was": None, "value": value}
            for name, value in (("hello", "y"), ("why", "n"), ("bye", "y"))
        ]
        with statements(site(app)) as saved:
            for one in answered:
                body = {"changes": [one], "worked_seconds": 1}
                answer = client.put(f"{work}/draft", json=body, headers={"X-CSRF": token})
                assert answer.status_code == 200
        with statements(site(app)) as submitted:
            form = {"csrf_token": token, "once": f"k{rows}" * 8}
            assert client.post(f"{work}/submit", data=form).status_code == 303
        counts.append((len(saved) / len(answered), len(submitted)))
    assert counts[0] == counts[1]
    assert counts[0] <= (8, 18)


FACTS = {"answer", "assignment", "audit_entry", "evaluation", "interaction", "job", "participant", "pin"}
FACTS |= {"recording", "revision", "turn", "viewer"}
WALKS = "interaction_started|evaluation_submitted|assignment_assigned|assignment_open|evaluation_unreleased"
IN_ORDER = re.compile(rf"SCAN \w+ USING (COVERING )?INDEX ix_({WALKS})$")
"""A walk along the index that sorts the page, ended by its LIMIT, or along one that holds only what waits."""

OWN = re.compile(
    r"interaction\.id IN \(SELECT (viewer|participant)\.interaction_id"
    r"|coaching_(session_member|todo)\.person_id = "
)
"""What one person took part in or was given: it grows with their own work, not with the site."""


def plan_of(database: Database, asked: Asked) -> list[str]:
    """How SQLite finds the rows of a statement."""
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0]}", asked[1])
        return [row.detail for row in rows]


def faults_in(plan: list[str], *, is_list: bool) -> list[str]:
    """Steps that would take longer the more facts there are."""
    found = []
    for step in plan:
        scanned = re.match(r"SCAN (\w+)", step)
        if scanned and scanned[1] in FACTS and not IN_ORDER.match(step):
            found.append(step)
        if is_list and step == "USE TEMP B-TREE FOR ORDER BY":
            found.append(step)
    return found


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("role", PAGES)
def test_pages_find_their_rows_by_index_in_the_order_they_are_shown(
    app: Flask, client: FlaskClient, sign_in: SignIn, centre: Centre, role: str
) -> None:
    with site(app).transaction() as session:
        centre.grow(session, MANY)
    sign_in(client, getattr(centre, role))
    found = {}
    for page, _ in PAGES[role]:
        for asked in cost(app, client, path_of(centre, page)):
            is_list = "LIMIT" in asked[0] and "FROM user " not in asked[0] and not OWN.search(asked[0])
            faults = faults_in(plan_of(site(app), asked), is_list=is_list)
            if faults:
                found[page, asked[0][-400:].replace("\n", " ")] = faults
    assert found == {}, "\n".join(f"{page} {text}: {faults}" for (page, text), faults in found.items())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_worker_finds_what_is_due_by_index(app: Flask, centre: Centre) -> None:
    database = site(app)
    with database.transaction() as session:
        centre.grow(session, MANY)
    with statements(database) as asked, database.transaction() as session:
        release_due(session, SYSTEM, now=NOW)
        for queue in jobs.QUEUES:
            jobs.take(session, queue, now=NOW)
        jobs.sweep(session, now=NOW)
        outbox.has_waiting(session)
    plans = {one[0]: faults_in(plan_of(database, one), is_list=True) for one in asked}
    assert len(plans) >= 6
    assert {text: faults for text, faults in plans.items() if faults} == {}


def test_the_timing_header_tells_time_and_statements_when_the_site_asks_for_it(
    settings: Any, app: Flask, client: FlaskClient
) -> None:
    from qa.app import create_app
    from qa.config import Settings

    assert "Server-Timing" not in client.get("/sign-in").headers
    measured = create_app(Settings(values={**settings.values, "server_timing": True}))
    with measured.test_client() as browser:
        told = browser.get("/health").headers["Server-Timing"]
    site(measured).dispose()
    assert re.fullmatch(r'app;dur=\d+\.\d\d, db;dur=\d+\.\d\d;desc="\d+"', told)
