"""Trainings that come by themselves: rules, reminders of what is due, certificates that run out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from qa.accounts.models import Membership, Team, User, UserRole
from qa.accounts.notices_service import notify
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.coaching.training_models import (
    AUTO_FAIL,
    DONE,
    JOINED,
    OPEN,
    TrainingModule,
    TrainingRule,
    TrainingTask,
)
from qa.coaching.training_task_service import TASK_PAGE, assign
from qa.core import audit
from qa.core.actor import SYSTEM, Actor, Scope
from qa.core.db import Database
from qa.core.errors import Invalid, NotFound
from qa.evaluations.models import Evaluation

SOON = timedelta(days=2)
ENDS_SOON = timedelta(days=30)


def add_rule(
    session: Session,
    actor: Actor,
    *,
    module_id: int,
    kind: str,
    team_id: int | None,
    times: int,
    days: int,
    due_days: int,
    now: datetime,
) -> TrainingRule:
    """Give a module by rule from now on, in a team with all below it, or everywhere."""
    require(
        actor, P.TRAINING_ASSIGN, Scope(team_ids=frozenset() if team_id is None else frozenset({team_id}))
    )
    module = session.get(TrainingModule, module_id)
    if module is None or module.retired_at is not None:
        raise Invalid("Choose a module of the library.", field="module")
    rule = TrainingRule(
        module_id=module_id,
        kind=kind,
        team_id=team_id,
        times=times,
        days=days,
        due_days=due_days,
        made_by_id=actor.id,
        made_at=now,
    )
    session.add(rule)
    session.flush()
    audit.record(session, actor, "training_rule:add", "training_rule", rule.id, now=now)
    return rule


def end_rule(session: Session, actor: Actor, rule_id: int, *, now: datetime) -> None:
    """Stop giving a module by this rule; who has it keeps it."""
    rule = session.get(TrainingRule, rule_id)
    if rule is None:
        raise NotFound("There is no such rule.")
    teams = frozenset() if rule.team_id is None else frozenset({rule.team_id})
    require(actor, P.TRAINING_ASSIGN, Scope(team_ids=teams))
    if rule.ended_at is None:
        rule.ended_at = now
        audit.record(session, actor, "training_rule:end", "training_rule", rule.id, now=now)


def run_due(database: Database, now: datetime) -> None:
    """Give what rules give and remind of what is due; each once, however often this runs."""
    with database.transaction() as session:
        rules = list(
            session.scalars(
                select(TrainingRule)
                .where(TrainingRule.ended_at.is_(None))
                .options(joinedload(TrainingRule.module))
            )
        )
        for rule in rules:
            if rule.module.retired_at is None:
                _apply(session, rule, now)
    with database.transaction() as session:
        remind(session, now=now)


def _apply(session: Session, rule: TrainingRule, now: datetime) -> None:
    found = _auto_failed(session, rule, now) if rule.kind == AUTO_FAIL else _joined(session, rule, now)
    given_since = select(TrainingTask.person_id).where(
        TrainingTask.module_id == rule.module_id,
        or_(TrainingTask.state == OPEN, TrainingTask.assigned_at >= now - timedelta(days=rule.days)),
    )
    rows = select(User).where(
        User.id.in_(found),
        User.deactivated_at.is_(None),
        User.id.in_(select(UserRole.user_id).where(UserRole.role == "agent")),
        User.id.not_in(given_since),
    )
    if rule.team_id is not None:
        rows = rows.where(User.team_id.in_(_below(session, rule.team_id)))
    assign(
        session,
        SYSTEM,
        module_id=rule.module_id,
        people=list(session.scalars(rows)),
        due_at=now + timedelta(days=rule.due_days),
        now=now,
        rule_id=rule.id,
    )


def _auto_failed(session: Session, rule: TrainingRule, now: datetime) -> list[int]:
    """Return who had so many auto-fails in what they may read of these days."""
    rows = session.execute(
        select(Evaluation.agent_id, Evaluation.fail_causes).where(
            Evaluation.type == "standard",
            Evaluation.submitted_at >= now - timedelta(days=rule.days),
            Evaluation.released_at.is_not(None),
            Evaluation.voided_at.is_(None),
            Evaluation.outcome == "fail",
        )
    )
    failed = Counter(
        agent_id for agent_id, causes in rows if any(cause["scope"] == "form" for cause in causes or ())
    )
    return [agent_id for agent_id, times in failed.items() if times >= rule.times]


def _joined(session: Session, rule: TrainingRule, now: datetime) -> list[int]:
    """Return who came into a team since the rule was made, at most so many days ago."""
    since = max(rule.made_at.date(), (now - timedelta(days=rule.days)).date())
    rows = select(Membership.user_id).where(Membership.since >= since, Membership.since <= now.date())
    if rule.team_id is not None:
        rows = rows.where(Membership.team_id.in_(_below(session, rule.team_id)))
    return list(session.scalars(rows))


def _below(session: Session, team_id: int) -> set[int]:
    inside: dict[int | None, list[int]] = {}
    for one, parent in session.execute(select(Team.id, Team.parent_id)):
        inside.setdefault(parent, []).append(one)
    found, waiting = {team_id}, [team_id]
    while waiting:
        fresh = [one for one in inside.get(waiting.pop(), ()) if one not in found]
        found.update(fresh)
        waiting += fresh
    return found


def remind(session: Session, *, now: datetime) -> None:
    """Tell people once what is due soon, what is late, and which certificate ends soon."""
    due = session.scalars(
        select(TrainingTask)
        .where(TrainingTask.state == OPEN, TrainingTask.due_at < now + SOON)
        .options(joinedload(TrainingTask.module))
    )
    for task in due:
        if task.due_at is not None and task.due_at < now:
            _remind(session, task, f"late:{task.due_at.date()}", "is late", now)
        elif task.due_at is not None:
            _remind(session, task, f"due:{task.due_at.date()}", "is due in two days", now)
    _running_out(session, now)


def _running_out(session: Session, now: datetime) -> None:
    ending = session.scalars(
        select(TrainingTask)
        .where(
            TrainingTask.state == DONE,
            TrainingTask.certified_until >= now,
            TrainingTask.certified_until < now + ENDS_SOON,
        )
        .options(joinedload(TrainingTask.module))
    )
    for task in ending:
        _remind(session, task, "ends", "has a certificate of yours that ends within 30 days", now)


def _remind(session: Session, task: TrainingTask, what: str, words: str, now: datetime) -> None:
    notify(
        session,
        person_id=task.person_id,
        kind="training",
        words=f"“{task.module.title}” {words}.",
        endpoint=TASK_PAGE,
        values={"task_id": task.id},
        key=f"training:{task.id}:{what}",
        now=now,
    )


def words_of(rules: Iterable[TrainingRule]) -> list[tuple[TrainingRule, str]]:
    """Return each rule with its condition in words."""
    found = []
    for rule in rules:
        place = "" if rule.team is None else f" in {rule.team.name}"
        if rule.kind == JOINED:
            found.append((rule, f"New{place or ' in any team'}"))
        else:
            found.append((rule, f"{rule.times} auto-fails in {rule.days} days{place}"))
    return found
