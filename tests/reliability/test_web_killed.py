"""The web process killed under load: what was acknowledged is there, whole, once, and as it was sent."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections import Counter
from typing import Any

import httpx
from flask import Flask
from sqlalchemy import func, select, text

from qa.accounts.models import User
from qa.core.audit import AuditEntry
from qa.core.db import Database
from qa.core.outbox import OutboxEvent
from qa.evaluations.commands import problem_of, submitted
from qa.evaluations.models import Answer, Assignment, Evaluation
from qa.scorecards.models import ScorecardVersion
from qa.web.gate import KEPT_ALREADY
from tests.factories import make_assignment, make_interaction, make_scorecard, make_team, make_user
from tests.reliability.scale import TORTURE, times
from tests.reliability.served import Browser, Served, cookie_of

KILLS = times(3, 200)
PEOPLE = times(4, 8)
KEPT_OPEN = 25
READY_SECONDS = 3.0
PATIENCE_SECONDS = 60.0


class Scorer(threading.Thread):
    """Somebody who scores one conversation after the other and repeats what got no answer."""

    def __init__(self, url: str, cookie: tuple[str, str], seed: int) -> None:
        super().__init__(daemon=True)
        self.browser = Browser(url, cookie)
        self.chance = random.Random(seed)
        self.ending = threading.Event()
        self.saved: dict[int, dict[str, Any]] = {}
        self.submitted: set[int] = set()
        self.faults: list[str] = []

    def run(self) -> None:
        """Score until told to end; the work in hand is brought to its end."""
        try:
            self.again(lambda: self.browser.look("/queue"), {200})
            place = ""
            while not self.ending.is_set():
                place = self.score(place or self.next())
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}")
        finally:
            self.browser.close()

    def again(self, ask: Any, wanted: set[int]) -> httpx.Response:
        """Ask until there is an answer: after a killed server the very same request is sent once more."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert time.monotonic() < until, "no answer"
            try:
                answer: httpx.Response = ask()
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == 503:
                continue
            told = f"{answer.request.method} {answer.request.url} answers {answer.status_code}"
            assert answer.status_code in wanted, told
            return answer

    def post(self, path: str) -> str:
        """Post a form under a key of its own; return where its answer leads, "" when that is not known."""
        form = {"once": secrets.token_urlsafe(18)}
        answer = self.again(lambda: self.browser.send(path, form), {303, 409})
        if answer.status_code == 409:
            assert KEPT_ALREADY in answer.text
            return ""
        return answer.headers["location"]

    def next(self) -> str:
        """Return the address of the next draft, "" when the queue is empty."""
        place = self.post("/queue/next")
        if place == "/queue":
            self.ending.wait(0.05)
        return place

    def score(self, place: str) -> str:
        """Score one draft in two saves and submit it; return the address of the following one."""
        if not place.endswith("/work"):
            return ""
        evaluation_id = int(place.split("/")[2])
        said = f"Sent by {self.name} {secrets.token_hex(8)}: ümläut 日本語 שלום\nsecond line"
        for given in (
            {"hello": self.chance.choice("yn"), "why": "n"},
            {"bye": self.chance.choice(["y", "n", "na"]), "note": said},
        ):
            self.save(evaluation_id, given)
        following = self.post(f"/evaluations/{evaluation_id}/submit")
        self.submitted.add(evaluation_id)
        return following

    def save(self, evaluation_id: int, given: dict[str, str]) -> None:
        """Save answers; remember them once they are acknowledged."""
        known = self.saved.get(evaluation_id, {})
        changes = [
            {"question": name, "field": "answer", "was": known.get(name), "value": value}
            for name, value in given.items()
        ]
        path = f"/evaluations/{evaluation_id}/draft"
        self.again(lambda: self.browser.save(path, {"changes": changes, "worked_seconds": 2}), {200})
        self.saved[evaluation_id] = {**known, **given}


class Centre:
    """The people and their queues, which never run dry."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.transaction() as session:
            team = make_team(session)
            self.agent = make_user(session, "agent", team=team)
            self.people = [make_user(session, "evaluator") for _ in range(PEOPLE)]
            self.version: ScorecardVersion = make_scorecard(session)

    def fill(self) -> None:
        """Give everybody enough to do."""
        with self.database.transaction() as session:
            open_of = select(Assignment.evaluator_id, func.count()).where(Assignment.state == "open")
            waiting = {one: n for one, n in session.execute(open_of.group_by(Assignment.evaluator_id))}
            agent = session.get_one(User, self.agent.id)
            for person in self.people:
                for _ in range(KEPT_OPEN - waiting.get(person.id, 0)):
                    make_assignment(session, person, make_interaction(session, agent), self.version)


def test_a_web_process_killed_at_any_moment_under_load_loses_halves_and_doubles_nothing(
    app: Flask, database: Database, served: Served
) -> None:
    centre = Centre(database)
    scorers = [Scorer(served.url, cookie_of(app, one), number) for number, one in enumerate(centre.people)]
    starts = kill_while_they_score(served, centre, scorers)
    assert sum(len(scorer.submitted) for scorer in scorers) >= PEOPLE
    if TORTURE:
        assert max(starts) <= READY_SECONDS, sorted(starts)[-5:]
    for scorer in scorers:
        assert lost_of(database, scorer) == []
    assert halves_and_doubles(database) == []


def kill_while_they_score(served: Served, centre: Centre, scorers: list[Scorer]) -> list[float]:
    """Kill the server at random moments; let everybody end well; return how long each start took."""
    chance = random.Random(11)
    starts = []
    for round_ in range(KILLS + 1):
        centre.fill()
        starts.append(served.start())
        if round_ == 0:
            for scorer in scorers:
                scorer.start()
        if round_ < KILLS:
            time.sleep(chance.uniform(0.05, 1.5))
            served.kill()
    for scorer in scorers:
        scorer.ending.set()
    for scorer in scorers:
        scorer.join(2 * PATIENCE_SECONDS)
        assert not scorer.is_alive()
        assert scorer.faults == []
    return starts


def lost_of(database: Database, scorer: Scorer) -> list[str]:
    """Name every acknowledged thing that the database does not hold as it was sent."""
    faults = []
    with database.reading() as session:
        rows = session.execute(
            select(Answer.evaluation_id, Answer.question, Answer.state, Answer.value).where(
                Answer.evaluation_id.in_(scorer.saved)
            )
        )
        kept: dict[int, dict[str, Any]] = {}
        for evaluation_id, question, state, value in rows:
            kept.setdefault(evaluation_id, {})[question] = "na" if state == "na" else value
        ended = set(session.scalars(select(Evaluation.id).where(Evaluation.submitted_at.is_not(None))))
    for evaluation_id, sent in scorer.saved.items():
        for name, value in sent.items():
            if kept.get(evaluation_id, {}).get(name) != value:
                faults.append(f"{evaluation_id} {name}: sent {value!r}, kept {kept.get(evaluation_id)!r}")
    faults += [f"{one} was submitted and is not" for one in scorer.submitted - ended]
    return faults


def halves_and_doubles(database: Database) -> list[str]:
    """Name every evaluation that is not whole, every row that is there twice, every wrong score."""
    with database.reading() as session:
        ended = list(session.scalars(select(Evaluation.id).where(Evaluation.submitted_at.is_not(None))))
        everything = list(session.scalars(select(Evaluation.id)))
        per_assignment = Counter(session.scalars(select(Evaluation.assignment_id)))
        closed = set(session.scalars(select(Assignment.id).where(Assignment.state == "done")))
        done = set(session.scalars(select(Evaluation.assignment_id).where(Evaluation.id.in_(ended))))
        acts = Counter(
            (action, one) for action, one in session.execute(select(AuditEntry.action, AuditEntry.object_id))
        )
        told = Counter(
            (name, payload["evaluation_id"])
            for name, payload in session.execute(select(OutboxEvent.name, OutboxEvent.payload))
        )
        scoreless = select(func.count()).where(
            Evaluation.submitted_at.is_not(None), Evaluation.score.is_(None)
        )
        faults = [f"{session.scalar(scoreless)} without a score"] if session.scalar(scoreless) else []
        if database.is_sqlite:
            faults += [row for row in session.scalars(text("PRAGMA integrity_check")) if row != "ok"]
            faults += [str(row) for row in session.execute(text("PRAGMA foreign_key_check"))]
    faults += [f"assignment {one} was evaluated {n} times" for one, n in per_assignment.items() if n > 1]
    faults += [f"assignment {one} is closed or open by half" for one in closed ^ done]
    wanted = Counter({("evaluation:create", str(one)): 1 for one in everything})
    wanted += Counter({("evaluation:submit", str(one)): 1 for one in ended})
    mine = Counter({act: n for act, n in acts.items() if act[0].startswith("evaluation:")})
    faults += [f"audit: {act}" for act in (wanted - mine) + (mine - wanted)]
    events = Counter(
        {(name, one): 1 for name in ("EvaluationSubmitted", "EvaluationReleased") for one in ended}
    )
    faults += [f"outbox: {event}" for event in (events - told) + (told - events)]
    return faults + [f"{one.id}: {problem}" for one in submitted(database) if (problem := problem_of(one))]
