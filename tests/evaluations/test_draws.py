"""Random draws: the same again for anybody, the next hash for what is skipped, and nothing made up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.core.db import Database
from qa.core.errors import Forbidden, Invalid
from qa.evaluations import assignment_queries, draw_service, skip_service
from qa.evaluations.models import Assignment
from qa.evaluations.selection import draw, frame_hash
from qa.interactions.models import Interaction, Viewer
from tests.accounts.conftest import post
from tests.evaluations.test_life import people
from tests.factories import (
    NOW,
    actor_of,
    make_assignment,
    make_interaction,
    make_scorecard,
    make_team,
    make_user,
    start_session,
)

SINCE, UNTIL = NOW - timedelta(days=3), NOW


def drawn(session: Session, who: dict[str, Any], count: int = 3, **over: Any) -> list[Assignment]:
    """A draw by the manager from the agent's conversations of the last three days."""
    version = over.pop("version", None) or make_scorecard(session)
    facts = {
        "agent_ids": [who["agent"].id],
        "scorecard_id": version.scorecard_id,
        "evaluator_id": who["evaluator"].id,
        "count": count,
        "since": SINCE,
        "until": UNTIL,
        "due_at": NOW,
        "now": NOW,
        "seed": "2026-03",
    }
    return draw_service.draw_random(session, who["actors"]["manager"], **(facts | over))


def with_conversations(session: Session, number: int = 9) -> tuple[dict[str, Any], list[int]]:
    """People, and an agent with this many conversations in the frame and two outside."""
    who = people(session)
    ids = [make_interaction(session, who["agent"]).id for _ in range(number)]
    make_interaction(session, who["agent"], started_at=UNTIL)
    make_interaction(session, who["agent"], started_at=SINCE - timedelta(seconds=1))
    return who, ids


def skipped(session: Session, who: dict[str, Any], one: Assignment, reason: str = "no_sound") -> Any:
    """The evaluator puts one aside; what took its place, if anything did."""
    session.flush()
    session.expire(one, ["evaluation"])
    me = actor_of(who["evaluator"])
    return skip_service.skip(session, me, one.id, reason=reason, note="", now=NOW + timedelta(hours=1))


def test_anybody_with_the_ids_and_the_seed_draws_the_same(session: Session) -> None:
    who, ids = with_conversations(session)
    made = drawn(session, who)
    assert [one.interaction_id for one in made] == draw(ids, 3, seed="2026-03")
    assert {(one.inclusion_probability, one.frame_size, one.seed, one.frame_hash) for one in made} == {
        ("1/3", 9, "2026-03", frame_hash(ids))
    }
    assert {(one.selection_method, one.drawn_at) for one in made} == {("random", NOW)}


def test_a_skipped_one_is_replaced_by_the_next_hash_and_stays_with_its_reason(session: Session) -> None:
    who, ids = with_conversations(session)
    made = drawn(session, who)
    order = draw(ids, len(ids), seed="2026-03")
    second = skipped(session, who, made[0])
    third = skipped(session, who, made[1])
    assert [second.interaction_id, third.interaction_id] == order[3:5]
    assert (second.replaces_id, second.inclusion_probability, second.frame_hash) == (
        made[0].id,
        "1/3",
        made[0].frame_hash,
    )
    assert (made[0].state, made[0].skip_reason) == ("skipped", "no_sound")
    sees = select(Viewer.interaction_id).where(Viewer.user_id == who["evaluator"].id)
    assert made[0].interaction_id not in session.scalars(sees).all()
    assert second.interaction_id in session.scalars(sees).all()
    again = skipped(session, who, second)
    assert again.interaction_id == order[5]


def test_what_came_in_after_the_draw_does_not_take_a_place(session: Session) -> None:
    who, ids = with_conversations(session)
    made = drawn(session, who)
    for _ in range(20):
        make_interaction(session, who["agent"], imported_at=NOW + timedelta(minutes=5))
    assert skipped(session, who, made[0]).interaction_id == draw(ids, len(ids), seed="2026-03")[3]


def test_a_deleted_conversation_stays_in_the_frame_and_is_passed_over(session: Session) -> None:
    who, ids = with_conversations(session)
    made = drawn(session, who)
    order = draw(ids, len(ids), seed="2026-03")
    gone = NOW + timedelta(minutes=1)
    session.execute(update(Interaction).where(Interaction.id == order[3]).values(deleted_at=gone))
    assert skipped(session, who, made[0]).interaction_id == order[4]


def test_a_frame_that_cannot_be_drawn_again_gives_no_replacement(session: Session) -> None:
    who, ids = with_conversations(session)
    made = drawn(session, who)
    session.execute(update(Interaction).where(Interaction.id == ids[0]).values(started_at=UNTIL))
    assert skipped(session, who, made[0]) is None


def test_nothing_takes_the_place_when_the_frame_is_used_up_or_a_person_picked(session: Session) -> None:
    who, _ids = with_conversations(session, 2)
    made = drawn(session, who, count=5)
    assert {(one.inclusion_probability, one.frame_size) for one in made} == {("1", 2)}
    assert skipped(session, who, made[0]) is None
    extra = make_interaction(session, who["agent"])
    assert (
        skipped(session, who, make_assignment(session, who["evaluator"], extra, make_scorecard(session)))
        is None
    )


def test_what_the_evaluator_has_already_is_left_out_of_the_frame(session: Session) -> None:
    who, ids = with_conversations(session)
    version = make_scorecard(session)
    first = session.get_one(Interaction, draw(ids, 1, seed="2026-03")[0])
    make_assignment(session, who["evaluator"], first, version)
    made = drawn(session, who, version=version)
    rest = [one for one in ids if one != first.id]
    assert [one.interaction_id for one in made] == draw(rest, 3, seed="2026-03")
    assert made[0].frame_hash == frame_hash(rest)
    assert skipped(session, who, made[0]).interaction_id == draw(rest, 8, seed="2026-03")[3]


def test_only_the_channels_of_the_scorecard_are_drawn(session: Session) -> None:
    who, _ids = with_conversations(session)
    chat = make_interaction(session, who["agent"], channel="chat")
    version = make_scorecard(session, channels="[chat]")
    made = drawn(session, who, version=version)
    assert [one.interaction_id for one in made] == [chat.id]


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"count": 0}, "count"),
        ({"count": 51}, "count"),
        ({"agent_ids": []}, "agent"),
        ({"agent_ids": [987_654]}, "agent"),
        ({"since": UNTIL, "until": SINCE}, "since"),
        ({"since": SINCE - timedelta(days=9), "until": SINCE - timedelta(days=8)}, "since"),
        ({"scorecard_id": 987_654}, "scorecard_id"),
        ({"evaluator_id": 987_654}, "evaluator_id"),
    ],
)
def test_a_draw_that_makes_no_sense_names_its_field(
    session: Session, over: dict[str, Any], field: str
) -> None:
    who, _ids = with_conversations(session)
    with pytest.raises(Invalid) as refused:
        drawn(session, who, **over)
    assert list(refused.value.errors) == [field]
    assert session.scalars(select(Assignment)).all() == []


def test_a_lead_draws_only_from_the_teams_they_lead(session: Session) -> None:
    who, _ids = with_conversations(session)
    stranger = make_user(session, "lead", team=make_team(session, "Elsewhere"))
    who["actors"]["manager"] = actor_of(stranger)
    with pytest.raises(Forbidden):
        drawn(session, who)


def test_a_lead_reads_who_has_what_and_what_was_skipped_why(session: Session) -> None:
    who, _ids = with_conversations(session)
    made = drawn(session, who, due_at=NOW - timedelta(hours=1))
    skipped(session, who, made[0], reason="too_short")
    month = NOW - timedelta(days=15)
    work = assignment_queries.list_work(session, who["actors"]["lead"], month=month, now=NOW)
    assert [(one.name, one.open, one.overdue, one.done, one.skipped, one.reasons) for one in work] == [
        (who["evaluator"].name, 3, 2, 0, 1, (("too_short", 1),))
    ]
    assert assignment_queries.list_work(session, who["actors"]["stranger"], month=month, now=NOW) == []
    wanted = assignment_queries.AssignmentFilter(state="skipped")
    page = assignment_queries.list_assignments(session, who["actors"]["lead"], wanted)
    assert [one.id for one in page.assignments] == [made[0].id]


def test_a_lead_draws_and_takes_back_on_the_pages(client: FlaskClient, app: Any, database: Database) -> None:
    with database.transaction() as session:
        who, _ids = with_conversations(session)
        version = make_scorecard(session)
        team = who["agent"].team_id
        facts = {
            "agent": f"team:{team}",
            "scorecard_id": version.scorecard_id,
            "evaluator_id": who["evaluator"].id,
            "count": "2",
            "since": f"{SINCE:%Y-%m-%d}",
            "until": f"{UNTIL:%Y-%m-%d}",
            "due": f"{NOW:%Y-%m-%d}",
        }
        lead_id = who["lead"].id
    with database.reading() as session:
        lead = session.get_one(User, lead_id)
    start_session(app, client, lead)
    refused = post(client, "/assignments/draw", "/assignments/draw", **(facts | {"count": "900"}))
    assert refused.status_code == 422
    assert "Draw between 1 and 50" in refused.text
    assert post(client, "/assignments/draw", "/assignments/draw", **facts).status_code == 303
    page = client.get("/assignments").text
    assert page.count("random draw") == 2
    with database.reading() as session:
        first = session.scalars(select(Assignment.id).order_by(Assignment.id)).first()
    assert post(client, f"/assignments/{first}/withdraw", "/assignments").status_code == 303
    assert client.get("/assignments").text.count("random draw") == 1
    assert client.get("/assignments?state=withdrawn").text.count("random draw") == 1
