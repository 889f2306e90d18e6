"""Did it help? Frozen before, mirrored after, drawn by hash for who is not told why, judged in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from qa.accounts.models import Notice, User
from qa.coaching import effect_service, jobs
from qa.coaching.effect_queries import windows_of
from qa.coaching.measure import change_of_one, programme, summary
from qa.coaching.models import CoachingGoal, CoachingPlan, FollowUpDraw
from qa.coaching.session_service import Appointment
from qa.core import clock
from qa.core.db import Database
from qa.core.jobs import Job
from qa.evaluations import draft_service
from qa.evaluations.models import Assignment, Evaluation
from qa.stats.effect import did
from qa.stats.small_samples import wilson
from tests.coaching.conftest import NOW, REVIEW, ZONE, Browser, Team1, make_plan, make_session
from tests.factories import actor_of, answers, make_interaction, make_team, make_user


def score(
    database: Database, people: Team1, agent: User, at: datetime, *, met: bool, method: str = "random"
) -> int:
    """A scored conversation, as the submit leaves it."""
    with database.transaction() as session:
        heard = make_interaction(session, session.get_one(User, agent.id), started_at=at, imported_at=at)
        like = session.get_one(Evaluation, people.evaluation.id)
        row = Evaluation(
            interaction_id=heard.id,
            agent_id=agent.id,
            team_id=agent.team_id,
            scorecard_id=like.scorecard_id,
            version_id=like.version_id,
            evaluator_id=like.evaluator_id,
            state="released",
            selection_method=method,
            breakdown={
                "questions": [{"ref": "hello", "ratio": "1" if met else "0"}],
                "sections": [{"ref": "all", "ratio": "1/2"}],
            },
            started_at=at,
            saved_at=at,
            submitted_at=at + timedelta(days=1),
        )
        session.add(row)
        session.flush()
        return row.id


def days(month: int, count: int) -> list[datetime]:
    """So many moments of a month."""
    return [datetime(2026, month, 2, 10, tzinfo=UTC) + timedelta(days=day) for day in range(count)]


def measured(database: Database, plan: CoachingPlan, now: datetime) -> CoachingGoal:
    """The plan's goal after the worker has computed it."""
    with database.transaction() as session:
        effect_service.measure_plan(session, plan.id, zone=ZONE, now=now)
    with database.reading() as session:
        return session.scalars(select(CoachingGoal).where(CoachingGoal.plan_id == plan.id)).one()


def test_the_windows_mirror_each_other_around_a_month_that_is_in_neither() -> None:
    found = windows_of(NOW, 2, ZONE)
    assert found.before.since == datetime(2026, 1, 1, tzinfo=ZONE)
    assert found.before.until == datetime(2026, 3, 1, tzinfo=ZONE)
    assert found.after.since == datetime(2026, 4, 1, tzinfo=ZONE)
    assert found.after.until == datetime(2026, 6, 1, tzinfo=ZONE)


def test_the_numbers_from_before_are_frozen_and_only_random_ones_count(
    database: Database, people: Team1
) -> None:
    for moment in days(1, 4):
        score(database, people, people.agent, moment, met=False)
    first = score(database, people, people.agent, days(2, 1)[0], met=True)
    score(database, people, people.agent, days(2, 1)[0], met=True, method="targeted")
    score(database, people, people.agent, days(3, 1)[0], met=True)
    plan = make_plan(database, people)
    goal = measured(database, plan, NOW)
    assert goal.baseline is not None
    assert (goal.baseline["k"], goal.baseline["n"]) == (1, 5)
    assert goal.baseline["lo"] == wilson(1, 5)["lo"]
    with database.transaction() as session:
        session.execute(update(Evaluation).where(Evaluation.id == first).values(voided_at=NOW))
    score(database, people, people.agent, days(1, 9)[8], met=True)
    again = measured(database, plan, NOW + timedelta(days=90))
    assert again.baseline == goal.baseline
    assert again.frozen_at == goal.frozen_at


def test_another_version_without_the_question_counts_nowhere_and_is_said(
    database: Database, people: Team1, browser_of: Browser
) -> None:
    for moment in days(2, 3):
        score(database, people, people.agent, moment, met=True)
    gone = score(database, people, people.agent, days(2, 5)[4], met=True)
    with database.transaction() as session:
        other = {"questions": [{"ref": "hi", "ratio": "1"}], "sections": []}
        session.execute(update(Evaluation).where(Evaluation.id == gone).values(breakdown=other))
    plan = make_plan(database, people)
    goal = measured(database, plan, NOW)
    assert goal.baseline is not None
    assert (goal.baseline["n"], goal.baseline["without"]) == (3, 1)
    page = browser_of(people.coach).get(f"/coaching/plans/{plan.id}").text
    assert "1 scored conversation had no such question" in page


def test_follow_ups_are_drawn_once_for_somebody_who_is_not_told_why_and_the_review_speaks(
    database: Database, people: Team1, browser_of: Browser
) -> None:
    for month in (1, 2):
        for moment in days(month, 6):
            score(database, people, people.agent, moment, met=False)
            score(database, people, people.other, moment, met=True)
    with database.transaction() as session:
        session.execute(
            update(User).where(User.id == people.evaluation.evaluator_id).values(deactivated_at=NOW)
        )
    plan = make_plan(database, people)
    measured(database, plan, NOW)
    for month in (4, 5):
        with database.transaction() as session:
            for moment in days(month, 8):
                for one in (people.agent, people.other):
                    make_interaction(
                        session, session.get_one(User, one.id), started_at=moment, imported_at=moment
                    )
        over = datetime(2026, month + 1, 1, 6, tzinfo=UTC)
        for _ in range(2):
            jobs.tick(database, ZONE, over)
        work(database, people, over)
    with database.reading() as session:
        drawn = list(session.scalars(select(Assignment).where(Assignment.selection_method == "random")))
        months = list(session.scalars(select(FollowUpDraw.month)))
    assert months == [date(2026, 4, 1), date(2026, 5, 1)]
    assert {one.agent_id for one in drawn} == {people.agent.id, people.other.id}
    assert [one.selection_method for one in drawn] == ["random"] * 20
    assert {(one.inclusion_probability, one.selection_note) for one in drawn} == {("5/8", "")}
    assert people.coach.id not in {one.evaluator_id for one in drawn}
    queue = browser_of(people.evaluator).get("/queue").text
    assert "coach" not in queue.lower()
    review = datetime.combine(REVIEW, datetime.min.time(), tzinfo=UTC) + timedelta(hours=8)
    with clock.moved_to(review):
        for _ in range(2):
            jobs.tick(database, ZONE, review)
        with database.reading() as session:
            told = select(Notice.words).where(Notice.words.startswith("The day of review"))
            assert len(list(session.scalars(told))) == 2
            kinds = select(Job.payload).where(Job.kind == jobs.MEASURE_JOB, Job.state == "queued")
            assert {"plan_id": plan.id} in list(session.scalars(kinds))
        jobs.measure(ZONE, database, {"plan_id": plan.id})
        page = browser_of(people.agent).get(f"/coaching/plans/{plan.id}").text
    assert "Has it helped?" in page
    assert "Improved. The share changed by +100 points" in page
    assert "10 of 10" in page
    assert "Two agents are needed on each side." in page


def work(database: Database, people: Team1, now: datetime) -> None:
    """Let the evaluator score everything in the queue; the greeting is always there."""
    with database.transaction() as session:
        evaluator = actor_of(session.get_one(User, people.evaluator.id))
        waiting = list(session.scalars(select(Assignment.id).where(Assignment.state == "open")))
        for assignment_id in waiting:
            draft = draft_service.start_evaluation(session, evaluator, assignment_id, now=now)
            given = answers(hello="y", why="n", bye="y")
            draft_service.save_draft(session, evaluator, draft.id, given, now=now)
            session.flush()
            draft_service.submit_evaluation(session, evaluator, draft.id, now=now)


def test_nothing_is_said_about_one_person_before_it_can_be_seen() -> None:
    few = change_of_one([0.0, 0.0, 100.0], [100.0] * 9, {}, share=True, target=60)
    assert few["needed"] == 53
    assert few["too_early"]
    enough = change_of_one([0.0] * 7, [100.0] * 7, {}, share=True, target=80)
    assert (enough["too_early"], enough["verdict"]) == (False, "improved")
    none = change_of_one([], [100.0] * 9, {}, share=True, target=80)
    assert (none["verdict"], none["reason"]) == ("cannot_be_measured", "no_baseline")


def test_points_take_the_spread_of_all_and_say_nothing_below_three() -> None:
    spread = {1: [50.0, 60.0, 70.0], 2: [80.0, 90.0, 85.0]}
    assert summary([50.0, 60.0], spread, share=False)["mean"] is None
    found = summary([50.0, 60.0, 70.0], spread, share=False)
    assert (found["n"], found["mean"]) == (3, 60.0)
    assert found["lo"] < 60 < found["hi"]
    change = change_of_one([50.0, 60.0, 70.0], [60.0, 70.0, 80.0], spread, share=False, target=None)
    assert change["change"] == pytest.approx(10)
    assert change["lo"] < 10 < change["hi"]


BEFORE = {1: [40.0, 60.0, 45.0], 2: [80.0, 90.0, 70.0], 3: [55.0, 50.0, 75.0]}


def test_a_programme_is_the_difference_of_differences_with_what_rises_by_itself() -> None:
    coached = [(40.0, 60.0), (50.0, 65.0), (45.0, 70.0)]
    others = [(70.0, 71.0), (80.0, 79.0), (75.0, 76.0)]
    found = programme(coached, others, 15, BEFORE)
    expected = did([list(one) for one in coached], [list(one) for one in others])
    assert found["effect"]["effect"] == expected["effect"]
    assert found["verdict"] == "improved"
    assert found["rise"] > 0
    alone = programme([(40.0, 60.0)], [], 5, {})
    assert (alone["verdict"], alone["rise"]) == ("cannot_be_measured", None)


def test_reminders_come_once_though_the_worker_begins_again_and_clocks_change(
    database: Database, people: Team1
) -> None:
    monday = Appointment(date(2026, 3, 30), datetime(2026, 3, 30, 9).time(), "Europe/Berlin")
    make_session(database, people, appointment=monday)
    moment = datetime(2026, 3, 26, tzinfo=UTC)
    while moment < datetime(2026, 3, 31, tzinfo=UTC):
        jobs.tick(database, ZONE, moment)
        moment += timedelta(minutes=55)
    with database.reading() as session:
        rows = select(Notice).where(Notice.person_id == people.agent.id).order_by(Notice.id)
        words = [(one.words.split(":")[0], one.made_at) for one in session.scalars(rows)]
    assert [one for one, _ in words] == ["First talk, Monday 30 March, 09", "Next", "Soon"]
    assert timedelta(0) <= words[1][1] - datetime(2026, 3, 27, 8, tzinfo=UTC) < timedelta(hours=1)
    assert timedelta(0) <= words[2][1] - datetime(2026, 3, 30, 6, tzinfo=UTC) < timedelta(hours=1)


def test_two_critical_fails_in_a_month_suggest_a_plan_once(database: Database, people: Team1) -> None:
    def fail(at: datetime) -> None:
        evaluation_id = score(database, people, people.agent, at, met=False)
        with database.transaction() as session:
            causes = [{"ref": "hello", "scope": "form"}]
            wanted = update(Evaluation).where(Evaluation.id == evaluation_id)
            session.execute(wanted.values(fail_causes=causes, outcome="fail"))

    event = {"agent_id": people.agent.id, "evaluation_id": 1}
    fail(NOW - timedelta(days=40))
    fail(NOW - timedelta(days=9))
    jobs.suggest_plan(ZONE, database, event, NOW)
    with database.reading() as session:
        assert session.scalars(select(CoachingPlan)).all() == []
    fail(NOW - timedelta(days=3))
    for _ in range(2):
        jobs.suggest_plan(ZONE, database, event, NOW)
    with database.reading() as session:
        plan = session.scalars(select(CoachingPlan)).one()
        told = list(session.scalars(select(Notice.words)))
    assert (plan.state, plan.origin, plan.title) == ("draft", "rule", "Greeted")
    assert told == ["A plan is suggested for Dana Ortiz: Greeted."]


def test_without_a_coach_the_lead_is_asked_and_leavers_end_their_plans(
    database: Database, people: Team1
) -> None:
    plan = make_plan(database, people)
    with database.transaction() as session:
        session.execute(update(User).where(User.id == people.agent.id).values(deactivated_at=NOW))
    for _ in range(2):
        jobs.tick(database, ZONE, NOW)
    with database.reading() as session:
        row = session.get_one(CoachingPlan, plan.id)
    assert (row.state, row.end_words) == ("cancelled", "The agent has left.")


def test_what_is_late_goes_to_coach_and_lead_once(database: Database, people: Team1) -> None:
    make_plan(database, people, todos=[("Write it down", date(2026, 3, 18))])
    for day in range(8):
        jobs.tick(database, ZONE, NOW + timedelta(days=day))
    with database.reading() as session:
        rows = session.execute(select(Notice.person_id, Notice.words).where(Notice.kind == "coaching_todo"))
        told = sorted((person_id, words) for person_id, words in rows)
    late = "3 days late, Dana Ortiz: Write it down"
    assert told == sorted(
        [
            (people.agent.id, "Due today: Write it down"),
            (people.coach.id, late),
            (people.lead.id, late),
        ]
    )


def test_evaluations_of_others_are_none_of_a_coachs_business(
    database: Database, people: Team1, browser_of: Browser
) -> None:
    with database.transaction() as session:
        other = make_user(session, "coach", team=make_team(session), name="Another Coach")
    path = f"/evaluations/{people.evaluation.id}"
    assert browser_of(people.coach).get(path).status_code == 200
    assert browser_of(other).get(path).status_code == 404
