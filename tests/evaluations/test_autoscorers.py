"""Machine answers: evidence or refusal, after the own answer, past a gate, demoted by drift, stopped."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.core.actor import SYSTEM, Actor
from qa.core.audit import AuditEntry
from qa.core.db import Database
from qa.core.errors import Conflict, Forbidden, Invalid, NotFound
from qa.evaluations import autoscorer_service as service
from qa.evaluations import draft_service
from qa.evaluations.autoscorer_jobs import judged
from qa.evaluations.autoscorer_models import Decision, MachineAnswer, Scorer
from qa.evaluations.autoscoring import Check, has_drifted, standing_of
from qa.evaluations.models import Answer, Evaluation
from qa.evaluations.result import answers_of
from qa.interactions.transcript import Segment, Transcript
from qa.plugins.api import Abstain, Searched, Span, Suggestion
from qa.scorecards import service as scorecards
from qa.scorecards.lint import lint
from qa.scorecards.models import ScorecardVersion
from qa.scorecards.queries import form_of
from tests.factories import NOW, actor_of, answers, make_draft, make_interaction, make_team, make_user

SignIn = Callable[[FlaskClient, User], None]
FORM = """
form: {ref}
title: Recorded lines
mode: weighted_questions
sections:
  - ref: all
    title: All
    questions:
      - ref: hello
        text: Said that the call is recorded
        type: single
        {more}
        options: [{{ref: y, points: 1}}, {{ref: n, points: 0}}]
        auto: {{say: ["call is recorded"], who: agent, answer: {answer}}}
"""
CALL = Transcript(
    9_000, (Segment(0, 2_000, "agent", "This call is recorded."), Segment(3_000, 5_000, "customer", "Fine."))
)


def form(ref: str = "recorded", answer: str = "{met: y, not_met: n}", more: str = "weight: 100") -> str:
    return FORM.format(ref=ref, answer=answer, more=more)


def make_version(session: Session, ref: str = "recorded") -> ScorecardVersion:
    """An active scorecard whose one question a machine may answer."""
    draft = scorecards.draft_version(session, SYSTEM, text=form(ref), now=NOW)
    return scorecards.activate_version(session, SYSTEM, draft.id, now=NOW)


def question_of(version: ScorecardVersion) -> Any:
    return service.machine_questions(form_of(version))[0]


def machine_says(
    session: Session, version: ScorecardVersion, interaction_id: int, answer: str, **over: Any
) -> MachineAnswer:
    """What a machine said about one conversation."""
    values: dict[str, Any] = {
        "interaction_id": interaction_id,
        "scorecard_id": version.scorecard_id,
        "version_id": version.id,
        "question": "hello",
        "scorer": "test.scorer",
        "scorer_version": "1",
        "of": "rule-1",
        "state": "suggested",
        "answer": answer,
        "confidence": 0.9,
        "evidence": {"quotes": [{"position": 1, "start": 0, "end": 5, "quote": "Hello", "at_ms": 3_000}]},
        "input_hash": "h",
        "made_at": NOW,
    }
    row = MachineAnswer(**(values | over))
    service.keep_answers(session, SYSTEM, interaction_id=interaction_id, version_id=version.id, answers=[row])
    session.flush()
    return row


def judge(
    session: Session, version: ScorecardVersion, people: tuple[User, User], number: int, said: str, found: str
) -> None:
    """A conversation drawn at random that a machine and then a person judged."""
    agent, evaluator = people
    interaction = make_interaction(session, agent)
    machine_says(session, version, interaction.id, said)
    at = NOW + timedelta(minutes=number)
    row = Evaluation(
        interaction_id=interaction.id, agent_id=agent.id, scorecard_id=version.scorecard_id,
        version_id=version.id, evaluator_id=evaluator.id, selection_method="random", type="standard",
        state="released", started_at=at, saved_at=at, submitted_at=at, released_at=at,
        answers=[Answer(question="hello", state="value", value=found)],
    )  # fmt: skip
    session.add(row)
    session.flush()


@pytest.fixture
def people(session: Session) -> tuple[User, User]:
    """An agent and an evaluator."""
    team = make_team(session)
    return make_user(session, "agent", team=team), make_user(session, "evaluator", team=team)


@pytest.fixture
def manager(session: Session) -> Actor:
    """A QA manager."""
    return actor_of(make_user(session, "manager"))


def put(session: Session, actor: Actor, version: ScorecardVersion, mode: str) -> None:
    service.set_mode(session, actor, scorecard_id=version.scorecard_id, question="hello", mode=mode, now=NOW)


def mode_of(session: Session, version: ScorecardVersion) -> str:
    row = service.find_scorer(session, SYSTEM, version.scorecard_id, "hello")
    return "off" if row is None else row.mode


# --- the gate --------------------------------------------------------------------


def checks(said: Callable[[bool], bool], count: int, share: float = 0.3) -> list[Check]:
    """Checks of a machine that answers by what a person found."""
    rng = random.Random(7)
    found = [rng.random() < share for _ in range(count)]
    return [Check(said(person), person) for person in found]


def test_a_machine_that_always_says_yes_never_passes_the_gate() -> None:
    for share in (0.02, 0.1, 0.3):
        assert not standing_of(checks(lambda _person: False, 2_000, share)).may_suggest
    assert not standing_of(checks(lambda _person: True, 2_000, 0.9)).may_suggest


def test_a_good_machine_passes_the_gate_and_one_that_guesses_does_not() -> None:
    rng = random.Random(3)
    good = standing_of(checks(lambda person: person if rng.random() < 0.93 else not person, 120))
    assert good.may_suggest, good.missing
    assert not standing_of(checks(lambda _person: rng.random() < 0.3, 400)).may_suggest


def test_too_few_checks_or_too_few_fails_say_what_is_missing() -> None:
    few = standing_of(checks(lambda person: person, 12))
    assert few.missing[0] == "People checked 12 of at least 30 conversations."
    assert "too few to know what it overlooks" in standing_of([Check(False, False)] * 60).missing[0]


def test_drift_is_seen_only_when_even_a_kind_reading_speaks_against_the_machine() -> None:
    assert not has_drifted([Check(True, False)] * 10)
    assert not has_drifted([Check(False, False)] * 40 + [Check(True, False)] * 10)
    assert has_drifted([Check(False, False)] * 20 + [Check(True, False)] * 30)


# --- evidence ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "state", "reason"),
    [
        ([Span(0, 5, 9, "call")], "suggested", ""),
        ([Span(0, 5, 9, "cake")], "refused", "Its quotation is not in the text."),
        ([Span(4, 0, 4, "This")], "refused", "Its quotation points at words that are not there."),
        ([Span(0, 0, 0, "")], "refused", "Its quotation is not in the text."),
        ([], "refused", "It gave no evidence."),
        (Searched([0], ["recorded"]), "suggested", ""),
        (Searched([9], ["recorded"]), "refused", "It names parts of the conversation that are not there."),
    ],
)
def test_an_invented_quotation_is_refused_and_kept_as_refused(
    session: Session, evidence: Any, state: str, reason: str
) -> None:
    found = judged(Suggestion("y", 0.9, evidence), question_of(make_version(session)), CALL)
    assert (found.state, found.reason) == (state, reason)


def test_an_answer_that_is_no_option_is_refused_and_an_abstention_kept(session: Session) -> None:
    question = question_of(make_version(session))
    found = judged(Suggestion("maybe", 0.9, [Span(0, 5, 9, "call")]), question, CALL)
    assert (found.state, found.reason) == ("refused", "Its answer is no option of the question.")
    assert judged(Abstain("near_miss"), question, CALL).state == "abstained"


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        (form(), False),
        (form(answer="{met: y, not_met: maybe}"), True),
        (form(answer="{perhaps: y}"), True),
        (form(more="about: manner"), True),
    ],
)
def test_a_rule_names_options_and_never_stands_at_a_question_about_manner(text: str, finds: bool) -> None:
    assert any(one.rule == "auto" for one in lint(text)) == finds


# --- modes ------------------------------------------------------------------------


def test_a_good_machine_is_promoted_past_the_gate_and_each_change_is_audited(
    session: Session, manager: Actor, people: tuple[User, User]
) -> None:
    version = make_version(session)
    with pytest.raises(Conflict, match="0 of at least 30"):
        put(session, manager, version, "suggest")
    put(session, manager, version, "shadow")
    for number in range(12):
        judge(session, version, people, number, "n", "n")
    with pytest.raises(Conflict, match="12 of at least 30"):
        put(session, manager, version, "suggest")
    for number in range(12, 45):
        judge(session, version, people, number, "y", "y")
    put(session, manager, version, "suggest")
    assert mode_of(session, version) == "suggest"
    told = session.scalars(select(AuditEntry.after).where(AuditEntry.action == "autoscorer:promote")).all()
    assert [one and one["mode"] for one in told] == ["shadow", "suggest"]


def test_no_machine_answers_without_a_person_and_only_the_manager_changes_modes(
    session: Session, manager: Actor, people: tuple[User, User]
) -> None:
    version = make_version(session)
    with pytest.raises(Conflict, match="a person decides"):
        put(session, manager, version, "auto")
    for who in (people[0], people[1], make_user(session, "admin"), make_user(session, "privacy")):
        with pytest.raises(Forbidden):
            put(session, actor_of(who), version, "shadow")


def test_a_drifting_machine_goes_back_into_shadow_by_itself(
    session: Session, manager: Actor, people: tuple[User, User]
) -> None:
    version = make_version(session)
    put(session, manager, version, "shadow")
    for number in range(45):
        judge(session, version, people, number, "n" if number < 12 else "y", "n" if number < 12 else "y")
    put(session, manager, version, "suggest")
    assert service.demote_drifting(session, SYSTEM, scorecard_id=version.scorecard_id, now=NOW) == []
    for number in range(45, 95):
        judge(session, version, people, number, "n", "n" if number % 2 else "y")
    assert service.demote_drifting(session, SYSTEM, scorecard_id=version.scorecard_id, now=NOW) == ["hello"]
    row = session.scalars(select(Scorer)).one()
    assert (row.mode, row.changed_by_id) == ("shadow", None)
    assert "people agreed with 25 of its latest 50 answers" in row.reason


def test_another_rule_begins_the_checks_anew(
    session: Session, manager: Actor, people: tuple[User, User]
) -> None:
    version = make_version(session)
    put(session, manager, version, "shadow")
    for number in range(45):
        judge(session, version, people, number, "n" if number < 12 else "y", "n" if number < 12 else "y")
    put(session, manager, version, "suggest")
    machine_says(session, version, make_interaction(session, people[0]).id, "y", of="rule-2")
    assert mode_of(session, version) == "shadow"
    assert service.list_checks(session, SYSTEM, version.scorecard_id, "hello") == []


# --- in the workspace ----------------------------------------------------------------


@pytest.fixture
def draft(session: Session, people: tuple[User, User]) -> Evaluation:
    """A draft on a conversation about which a machine has said no, in suggest mode."""
    version = make_version(session)
    session.add(
        Scorer(
            scorecard_id=version.scorecard_id, question="hello", mode="suggest", of="rule-1", changed_at=NOW
        )
    )
    session.flush()
    made = make_draft(session, people[1], people[0], version)
    machine_says(session, version, made.interaction_id, "n")
    return made


def test_a_suggestion_is_hidden_until_the_own_answer_and_never_written_over_it(
    session: Session, draft: Evaluation, people: tuple[User, User]
) -> None:
    evaluator = actor_of(people[1])
    assert service.list_suggestions(session, evaluator, draft.id) == []
    draft_service.save_draft(session, evaluator, draft.id, answers(hello="y"), now=NOW)
    (shown,) = service.list_suggestions(session, evaluator, draft.id)
    assert (shown.row.answer, shown.own) == ("n", "y")
    assert answers_of(draft.answers) == {"hello": "y"}


def test_only_its_evaluator_decides_accepting_makes_it_the_own_answer_rejecting_needs_a_reason(
    session: Session, draft: Evaluation, people: tuple[User, User]
) -> None:
    evaluator = actor_of(people[1])
    draft_service.save_draft(session, evaluator, draft.id, answers(hello="y"), now=NOW)
    said = session.scalars(select(MachineAnswer)).one()

    def decide(actor: Actor, *, accepts: bool, reason: str = "") -> None:
        service.decide(session, actor, draft.id, said.id, accepts=accepts, reason=reason, now=NOW)

    for nobody in (people[0], make_user(session, "evaluator"), make_user(session, "manager")):
        with pytest.raises((NotFound, Forbidden)):
            decide(actor_of(nobody), accepts=True)
    with pytest.raises(Invalid):
        decide(evaluator, accepts=False, reason=" ")
    decide(evaluator, accepts=False, reason="It was said by the customer.")
    assert answers_of(draft.answers) == {"hello": "y"}
    decide(evaluator, accepts=True)
    assert answers_of(draft.answers) == {"hello": "n"}
    kept = session.scalars(select(Decision)).one()
    assert (kept.is_accepted, kept.decided_by_id) == (True, people[1].id)
    assert (said.answer, said.state) == ("n", "suggested"), "the machine's answer stays beside it"


def test_what_a_person_took_over_is_no_check_of_the_machine(
    session: Session, draft: Evaluation, people: tuple[User, User]
) -> None:
    evaluator = actor_of(people[1])
    draft_service.save_draft(session, evaluator, draft.id, answers(hello="y"), now=NOW)
    said = session.scalars(select(MachineAnswer)).one()
    service.decide(session, evaluator, draft.id, said.id, accepts=True, reason="", now=NOW)
    draft.selection_method, draft.submitted_at = "random", NOW
    session.flush()
    assert service.list_checks(session, SYSTEM, draft.scorecard_id, "hello") == []


def test_stopped_machines_show_nothing_at_once_one_or_all(
    session: Session, draft: Evaluation, people: tuple[User, User], manager: Actor
) -> None:
    evaluator = actor_of(people[1])
    draft_service.save_draft(session, evaluator, draft.id, answers(hello="y"), now=NOW)
    assert service.stop(session, manager, scorecard_id=None, question="", is_stopped=True, now=NOW) == 1
    assert service.list_suggestions(session, evaluator, draft.id) == []
    service.stop(
        session, manager, scorecard_id=draft.scorecard_id, question="hello", is_stopped=False, now=NOW
    )
    assert len(service.list_suggestions(session, evaluator, draft.id)) == 1


def test_in_shadow_nobody_sees_what_the_machine_says(
    session: Session, draft: Evaluation, people: tuple[User, User]
) -> None:
    session.scalars(select(Scorer)).one().mode = "shadow"
    evaluator = actor_of(people[1])
    draft_service.save_draft(session, evaluator, draft.id, answers(hello="y"), now=NOW)
    assert service.list_suggestions(session, evaluator, draft.id) == []


def test_the_pages_show_figures_in_words_and_a_suggestion_that_can_be_played(
    app: Flask, client: FlaskClient, sign_in: SignIn
) -> None:
    database: Database = app.extensions["candor"].database
    with database.transaction() as session:
        team = make_team(session)
        agent, evaluator = make_user(session, "agent", team=team), make_user(session, "evaluator", team=team)
        manager = make_user(session, "manager", name="Ilse")
        version = make_version(session)
        session.add(
            Scorer(
                scorecard_id=version.scorecard_id,
                question="hello",
                mode="suggest",
                of="rule-1",
                changed_at=NOW,
            )
        )
        session.flush()
        for number in range(3):
            judge(session, version, (agent, evaluator), number, "n", "n")
        draft = make_draft(session, evaluator, agent, version)
        machine_says(session, version, draft.interaction_id, "n")
        draft_service.save_draft(session, actor_of(evaluator), draft.id, answers(hello="y"), now=NOW)
    sign_in(client, evaluator)
    assert client.get("/autoscorers").status_code == 403
    page = client.get(f"/evaluations/{draft.id}/suggestions").get_data(as_text=True)
    assert "It suggests" in page
    assert 'data-seek-to="3000"' in page
    assert "<bdi>Hello</bdi>" in page
    part = client.get(f"/evaluations/{draft.id}/suggestions", headers={"HX-Request": "true"})
    assert "Take its answer" in part.get_data(as_text=True)
    work = client.get(f"/evaluations/{draft.id}/work").get_data(as_text=True)
    assert f'hx-get="/evaluations/{draft.id}/suggestions"' in work
    sign_in(client, manager)
    page = client.get("/autoscorers").get_data(as_text=True)
    assert "random conversations and agreed with" in page
    assert "Stop all" in page
