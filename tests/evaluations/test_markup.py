"""The form's markup is compiled once for a version: what people typed into either is only ever text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from qa.accounts.models import User
from qa.core.db import Database
from qa.evaluations import draft_service
from qa.evaluations.forms import evaluation_form
from qa.evaluations.merge import Change
from qa.evaluations.models import Evaluation
from qa.scorecards import service as scorecards
from qa.scorecards.queries import form_of
from tests.factories import NOW, SYSTEM, actor_of, make_draft, make_user

SignIn = Callable[[FlaskClient, User], None]

ODD = "{{ 7 * 7 }} {% if x %} {# gone #} <i>&\"' << 1 >> <% if %>"
FORM = f"""
form: odd
title: Odd
mode: weighted_questions
pass: 80
channels: [voice]
root_causes: [{{ref: odd, text: {json.dumps(ODD)}}}]
sections:
  - ref: all
    title: {json.dumps(ODD)}
    questions:
      - {{ref: one, text: {json.dumps(ODD)}, type: single, help: {json.dumps(ODD)}, na: allowed,
         options: [{{ref: y, text: {json.dumps(ODD)}, points: 1}}, {{ref: n, points: 0}}]}}
      - {{ref: some, text: Some, type: multi, scored: false, options: [{{ref: a}}, {{ref: b}}]}}
      - {{ref: none, text: None, type: multi, scored: false, options: [{{ref: a}}, {{ref: b}}]}}
      - {{ref: often, text: How often, type: number, scored: false, na: allowed}}
      - {{ref: never, text: How often not, type: number, scored: false, na: allowed}}
      - {{ref: day, text: Which day, type: date, scored: false}}
      - {{ref: word, text: A word, type: text}}
"""
GIVEN = {
    "one": "y",
    "some": ["a"],
    "none": [],
    "often": "12",
    "never": "na",
    "day": "2026-03-01",
    "word": ODD,
}


@pytest.fixture
def draft(app: Flask, client: FlaskClient, sign_in: SignIn) -> Evaluation:
    """A draft with an answer of every kind, a comment, a cause, a star and a piece of evidence."""
    database: Database = app.extensions["candor"].database
    with database.transaction() as session:
        version = scorecards.draft_version(session, SYSTEM, text=FORM, now=NOW)
        scorecards.activate_version(session, SYSTEM, version.id, now=NOW)
        evaluator, agent = make_user(session, "evaluator"), make_user(session, "agent")
        made = make_draft(session, evaluator, agent, version)
        own = [("comment", ODD), ("root_cause", "odd"), ("coaching", True)]
        changes = [Change(ref, "answer", None, value) for ref, value in GIVEN.items()]
        changes += [Change("one", name, None, value) for name, value in own]
        pin = {"client_id": "p1", "question": "one", "kind": "audio", "start_ms": 0, "end_ms": 500}
        draft_service.save_draft(
            session, actor_of(evaluator), made.id, draft_service.Changes(changes, [pin]), now=NOW
        )
    sign_in(client, evaluator)
    return made


def checked(page: str) -> set[tuple[str, str]]:
    """What is ticked or chosen in the questions."""
    return set(re.findall(r'<input type="\w+" name="(q-[^"]+)" value="([^"]*)"[^>]* checked', page))


def field(page: str, name: str) -> str:
    """What a field of a question says."""
    tag = re.search(rf'<(textarea|input|select)[^>]* name="{name}"[^>]*>', page)
    assert tag, name
    if tag[1] == "input":
        return unescape(re.search(r' value="([^"]*)"', tag[0])[1])  # type: ignore[index]
    inside = page[tag.end() : page.index(f"</{tag[1]}>", tag.end())]
    if tag[1] == "textarea":
        return unescape(inside)
    return ",".join(re.findall(r'<option value="([^"]*)" selected>', inside))


def test_every_kind_of_answer_stands_in_its_field_and_nothing_typed_is_a_command(
    client: FlaskClient, draft: Evaluation
) -> None:
    page = client.get(f"/evaluations/{draft.id}/work").text
    assert checked(page) == {
        ("q-1", "y"),
        ("q-1-coaching", "on"),
        ("q-2", "a"),
        ("q-3", "__none"),
        ("q-5-na", "na"),
    }
    assert [field(page, f"q-{number}") for number in (4, 5, 6, 7)] == ["12", "", "2026-03-01", ODD]
    assert (field(page, "q-1-comment"), field(page, "q-1-cause")) == (ODD, "odd")
    assert 'data-pin-id="p1"' in page
    shown = [unescape(text) for text in re.findall(r">([^<>]+)<", page)]
    assert sum(ODD in text for text in shown) == SHOWN
    assert "49" not in shown


SHOWN = 1 + 4 + 8 + 2
"""Section; text twice, help and option; a root cause for each question and the whole; comment and word."""


def test_what_was_sent_stands_in_the_fields_again_beside_a_refusal(
    client: FlaskClient, draft: Evaluation
) -> None:
    path = f"/evaluations/{draft.id}/work"
    token = re.search(r'name="csrf" content="([^"]+)"', client.get(path).text)
    assert token
    given = {
        "q-1": "n",
        "q-1-comment": "Another <comment>",
        "q-1-evidence": "3",
        "q-2": "b",
        "q-7": "{{ word }}",
    }
    answer = client.post(path, data={"csrf_token": token[1], "revision": "0", **given})
    page = answer.text
    assert answer.status_code == 409
    assert checked(page) == {("q-1", "n"), ("q-2", "b"), ("q-5-na", "na")}
    assert {name: field(page, name) for name in given if name not in {"q-1", "q-2"}} == {
        name: value for name, value in given.items() if name not in {"q-1", "q-2"}
    }


def test_form_class_and_markup_are_made_once_for_a_version(app: Flask, draft: Evaluation) -> None:
    database: Database = app.extensions["candor"].database
    with database.reading() as session:
        version = session.get_one(type(draft.version), draft.version_id)
        ready, again = form_of(version), form_of(version)
    questions_of = app.jinja_env.globals["questions_of"]
    assert evaluation_form(ready) is evaluation_form(again)
    assert questions_of(ready) is questions_of(again)
    assert questions_of(ready) is not questions_of(ready, reads=True)
