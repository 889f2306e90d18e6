"""Two browsers, one evaluation, the very same moment: nothing is overwritten unseen or done by half."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier, Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import select
from waitress.server import create_server
from waitress.wasyncore import close_all

from qa.accounts.models import User
from qa.core.db import Database
from qa.evaluations.models import Answer, Evaluation, Revision
from qa.scorecards.models import ScorecardVersion
from qa.web.threads import Threads
from tests.factories import make_draft, make_scorecard, make_submitted, make_team, make_user
from tests.reliability.scale import times
from tests.reliability.served import Browser, cookie_of

ROUNDS = times(6, 200)
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(slots=True)
class Sending:
    """One request of which all but the last byte is on its way."""

    browser: Browser
    method: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def end_with(self, others: Barrier) -> tuple[int, dict[str, Any]]:
        """Send the last byte together with the others; return the status and what JSON says."""
        url = self.browser.http.base_url
        wire = http.client.HTTPConnection(url.host, url.port, timeout=30)
        wire.putrequest(self.method, self.path)
        for name, value in {**self.headers, "X-CSRF": self.browser.token}.items():
            wire.putheader(name, value)
        wire.putheader(
            "Cookie", "; ".join(f"{name}={value}" for name, value in self.browser.http.cookies.items())
        )
        wire.putheader("Content-Length", str(len(self.body)))
        wire.endheaders()
        wire.send(self.body[:-1])
        others.wait()
        wire.send(self.body[-1:])
        answer = wire.getresponse()
        text = answer.read()
        wire.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(text) if is_json else {}


def race(*sendings: Sending) -> list[tuple[int, dict[str, Any]]]:
    """Let requests arrive at the same moment; return the answers in the order given."""
    barrier = Barrier(len(sendings))
    with ThreadPoolExecutor(len(sendings)) as pool:
        answers = list(pool.map(lambda one: one.end_with(barrier), sendings))
    assert all(status < 500 for status, _ in answers), answers
    return answers


def save(browser: Browser, evaluation_id: int, question: str, kind: str, was: Any, value: str) -> Sending:
    """A save of one field by somebody who saw ``was`` in it."""
    change = {"question": question, "field": kind, "was": was, "value": value}
    body = json.dumps({"changes": [change], "worked_seconds": 1}).encode()
    return Sending(browser, "PUT", f"/evaluations/{evaluation_id}/draft", body, JSON)


def submit(browser: Browser, evaluation_id: int, key: str) -> Sending:
    """A submit."""
    body = urlencode({"csrf_token": browser.token, "once": key}).encode()
    return Sending(browser, "POST", f"/evaluations/{evaluation_id}/submit", body, FORM)


@pytest.fixture
def version(database: Database) -> ScorecardVersion:
    with database.transaction() as session:
        return make_scorecard(session)


@pytest.fixture
def evaluator(database: Database) -> User:
    with database.transaction() as session:
        return make_user(session, "evaluator")


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    """The site, served as the product serves it, in this process."""
    server = create_server(app, host="127.0.0.1", port=0, _dispatcher=Threads(8))
    serving = Thread(target=server.run, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.task_dispatcher.shutdown(timeout=30)
    server.pull_trigger()
    close_all(server._map)  # with nothing left to watch, the loop ends
    serving.join(30)
    assert not serving.is_alive()


@pytest.fixture
def two(app: Flask, url: str, evaluator: User) -> Iterator[tuple[Browser, Browser]]:
    """Two browsers of the evaluator."""
    browsers = Browser(url, cookie_of(app, evaluator)), Browser(url, cookie_of(app, evaluator))
    for browser in browsers:
        browser.look("/queue")
    yield browsers
    for browser in browsers:
        browser.close()


def draft(database: Database, evaluator: User, version: ScorecardVersion) -> int:
    """A begun evaluation."""
    with database.transaction() as session:
        agent = make_user(session, "agent", team=make_team(session))
        return make_draft(session, session.get_one(User, evaluator.id), agent, version).id


def answer_to(database: Database, evaluation_id: int, question: str) -> Answer | None:
    """What the database holds."""
    with database.reading() as session:
        return session.scalar(
            select(Answer).where(Answer.evaluation_id == evaluation_id, Answer.question == question)
        )


def test_of_two_who_write_the_same_comment_one_wins_and_the_other_is_shown_both(
    two: tuple[Browser, Browser], database: Database, evaluator: User, version: ScorecardVersion
) -> None:
    evaluation_id, stands = draft(database, evaluator, version), ""
    for round_ in range(ROUNDS):
        texts = [f"{name} in round {round_}" for name in ("first", "second")]
        answers = race(
            *(
                save(browser, evaluation_id, "hello", "comment", stands, text)
                for browser, text in zip(two, texts, strict=True)
            )
        )
        assert sorted(status for status, _ in answers) == [200, 409]
        winner = [status for status, _ in answers].index(200)
        [conflict] = answers[1 - winner][1]["conflicts"]
        assert (conflict["theirs"], conflict["yours"]) == (texts[winner], texts[1 - winner])
        row = answer_to(database, evaluation_id, "hello")
        stands = texts[winner]
        assert row is not None
        assert row.comment == stands


def test_two_who_answer_different_questions_both_stand(
    two: tuple[Browser, Browser], database: Database, evaluator: User, version: ScorecardVersion
) -> None:
    for _ in range(ROUNDS):
        evaluation_id = draft(database, evaluator, version)
        answers = race(
            save(two[0], evaluation_id, "hello", "answer", None, "y"),
            save(two[1], evaluation_id, "bye", "answer", None, "n"),
        )
        assert [status for status, _ in answers] == [200, 200]
        for question, value in (("hello", "y"), ("bye", "n")):
            row = answer_to(database, evaluation_id, question)
            assert row is not None
            assert row.value == value


def test_a_save_that_meets_a_submit_is_in_it_or_refused(
    two: tuple[Browser, Browser], database: Database, evaluator: User, version: ScorecardVersion
) -> None:
    for round_ in range(ROUNDS):
        evaluation_id = draft(database, evaluator, version)
        for question, value in (("hello", "y"), ("why", "n"), ("bye", "y")):
            race(save(two[0], evaluation_id, question, "answer", None, value))
        (saved, _), (submitted, _) = race(
            save(two[0], evaluation_id, "bye", "answer", "y", "n"),
            submit(two[1], evaluation_id, f"round-{round_}-{evaluation_id}"),
        )
        assert submitted == 303
        row = answer_to(database, evaluation_id, "bye")
        assert row is not None
        assert (saved, row.value) in {(200, "n"), (403, "y")}
        with database.reading() as session:
            evaluation = session.get_one(Evaluation, evaluation_id)
            assert evaluation.submitted_at is not None
            assert evaluation.score == {"y": "100", "n": "200/3"}[str(row.value)]


def test_of_two_who_submit_one_does_and_both_go_on(
    two: tuple[Browser, Browser], database: Database, evaluator: User, version: ScorecardVersion
) -> None:
    for round_ in range(ROUNDS):
        evaluation_id = draft(database, evaluator, version)
        for question, value in (("hello", "y"), ("why", "n"), ("bye", "y")):
            race(save(two[0], evaluation_id, question, "answer", None, value))
        answers = race(
            *(submit(browser, evaluation_id, f"{place}-{round_}-x") for place, browser in enumerate(two))
        )
        assert sorted(status for status, _ in answers) in ([303, 303], [303, 404], [303, 409])
        with database.reading() as session:
            evaluation = session.get_one(Evaluation, evaluation_id)
            assert evaluation.score == "100"


def test_of_two_who_revise_one_does_and_the_other_is_asked_to_read_again(
    app: Flask, url: str, database: Database, evaluator: User
) -> None:
    with database.transaction() as session:
        agent = make_user(session, "agent", team=make_team(session))
        leads = [make_user(session, "manager"), make_user(session, "manager")]
        evaluation_id = make_submitted(session, session.get_one(User, evaluator.id), agent).id
    browsers = [Browser(url, cookie_of(app, lead)) for lead in leads]
    for round_ in range(1, ROUNDS + 1):
        sendings = []
        for place, browser in enumerate(browsers):
            page = browser.look(f"/evaluations/{evaluation_id}/revise").text
            form = {
                "csrf_token": browser.token,
                "once": f"{place}-{round_}-{evaluation_id}",
                "revision": re.findall(r'name="revision"[^>]* value="(\d+)"', page)[0],
                "reason": f"Heard again, {place} in round {round_}",
                "q-1": "y",
                "q-2": "n",
                "q-4": "y",
                "q-5": "",
                "q-1-comment": f"{place} in round {round_}",
            }
            path = f"/evaluations/{evaluation_id}/revise"
            sendings.append(Sending(browser, "POST", path, urlencode(form).encode(), FORM))
        answers = race(*sendings)
        assert sorted(status for status, _ in answers) == [303, 409]
        winner = [status for status, _ in answers].index(303)
        row = answer_to(database, evaluation_id, "hello")
        assert row is not None
        assert row.comment == f"{winner} in round {round_}"
    with database.reading() as session:
        numbers = list(
            session.scalars(select(Revision.number).where(Revision.evaluation_id == evaluation_id))
        )
    assert sorted(numbers) == list(range(1, ROUNDS + 1))
    for browser in browsers:
        browser.close()
