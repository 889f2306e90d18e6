"""Templates of plans, and the days on which nobody works: what a centre sets up once."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import may_somewhere, require
from qa.coaching.goals import GoalChoice
from qa.coaching.models import NOTE_MAX, TITLE_MAX, CoachingPlan, DayOff, PlanTemplate
from qa.coaching.queries import get_plan
from qa.core import audit
from qa.core.actor import Actor, Scope
from qa.core.db import insert_unless_there
from qa.core.errors import Forbidden, Invalid, NotFound
from qa.core.text import checked, checked_name
from qa.scorecards.models import Scorecard

DAYS_MAX = 366


def keep_as_template(
    session: Session, actor: Actor, plan_id: int, *, title: str, agenda: str, now: datetime
) -> PlanTemplate:
    """Make a template of a plan's goals and to-dos, for everybody who coaches."""
    plan = get_plan(session, actor, plan_id)
    require(actor, P.COACHING_PLAN_EDIT, plan.scope)
    refs = {one.id: one.ref for one in session.scalars(select(Scorecard))}
    made = PlanTemplate(
        title=checked_name(title, field="title", label="The title", limit=TITLE_MAX),
        goals=[
            {
                "kind": goal.kind,
                "scorecard": refs.get(goal.scorecard_id or 0, ""),
                "ref": goal.ref,
                "label": goal.label,
                "target": goal.target,
            }
            for goal in plan.goals
        ],
        agenda=checked(agenda.strip(), field="agenda", label="The agenda", limit=NOTE_MAX),
        todos=_todos(session, plan),
        months=plan.months,
        made_by_id=actor.id,
        made_at=now,
    )
    session.add(made)
    session.flush()
    audit.record(session, actor, "coaching_template:create", "coaching_template", made.id, now=now)
    return made


def _todos(session: Session, plan: CoachingPlan) -> list[dict[str, object]]:
    session.refresh(plan, ["todos"])
    begun = (plan.started_at or plan.made_at).date()
    return [
        {"words": todo.words, "days": min(DAYS_MAX, max(0, ((todo.due_on or begun) - begun).days))}
        for todo in plan.todos
        if todo.person_id == plan.agent_id
    ]


def remove_template(session: Session, actor: Actor, template_id: int, *, now: datetime) -> None:
    """Take a template away: one's own, or for a QA manager any. Plans made of it stay."""
    if not may_somewhere(actor, P.COACHING_PLAN_EDIT):
        raise Forbidden("Only those who coach change templates.")
    found = session.get(PlanTemplate, template_id)
    if found is None:
        raise NotFound("There is no such template.")
    if found.made_by_id != actor.id and "manager" not in actor.roles:
        raise Forbidden("Only who made this template, or a QA manager, takes it away.")
    session.delete(found)
    audit.record(session, actor, "coaching_template:remove", "coaching_template", template_id, now=now)


def goals_of(session: Session, template: PlanTemplate) -> list[GoalChoice]:
    """Return a template's goals; those of scorecards that are gone are left out."""
    ids = {one.ref: one.id for one in session.scalars(select(Scorecard))}
    found = []
    for goal in template.goals:
        scorecard_id = ids.get(goal.get("scorecard", ""))
        if goal["kind"] in {"question", "section"} and scorecard_id is None:
            continue
        found.append(
            GoalChoice(goal["kind"], goal["label"], scorecard_id, goal.get("ref", ""), goal.get("target"))
        )
    return found


def todos_of(template: PlanTemplate, today: date) -> list[tuple[str, date]]:
    """Return a template's to-dos with the days they would be due."""
    return [(str(one["words"]), today + timedelta(days=int(one["days"]))) for one in template.todos]


def add_day_off(session: Session, actor: Actor, *, day: date, name: str, now: datetime) -> None:
    """Say that the centre does not work on a day; a second time for the same day changes nothing."""
    require(actor, P.USER_SET_TEAM, Scope(team_ids=actor.team_ids))
    words = checked_name(name, field="name", label="The name", limit=TITLE_MAX)
    if abs(day.year - now.year) > 5:
        raise Invalid("Choose a day of the next years.", field="day")
    session.execute(insert_unless_there(session, DayOff, on=["day"]).values(day=day, name=words))
    audit.record(session, actor, "coaching_day_off:add", "coaching_day_off", day.isoformat(), now=now)


def remove_day_off(session: Session, actor: Actor, day_off_id: int, *, now: datetime) -> None:
    """Say that the centre works on this day after all."""
    require(actor, P.USER_SET_TEAM, Scope(team_ids=actor.team_ids))
    session.execute(delete(DayOff).where(DayOff.id == day_off_id))
    audit.record(session, actor, "coaching_day_off:remove", "coaching_day_off", day_off_id, now=now)
