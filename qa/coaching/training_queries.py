"""What can be read of trainings: the library by everybody, who has what only by those who may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload

from qa.accounts.models import User, UserRole
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import allowed, require, visible
from qa.coaching.training_models import (
    DONE,
    FAILED,
    OPEN,
    WITHDRAWN,
    TrainingAttempt,
    TrainingFile,
    TrainingModule,
    TrainingNeed,
    TrainingRule,
    TrainingTag,
    TrainingTask,
    TrainingVersion,
)
from qa.core.actor import Actor
from qa.core.errors import NotFound

GONE = "There is no such training, or it is not yours to see."
PAGE = 100


def get_module(session: Session, actor: Actor, module_id: int, *, lock: bool = False) -> TrainingModule:
    """Return a module with versions, tags and what it needs; a retired one too. Raises ``NotFound``."""
    require(actor, P.TRAINING_READ)
    rows = (
        select(TrainingModule)
        .where(TrainingModule.id == module_id)
        .options(
            selectinload(TrainingModule.versions).selectinload(TrainingVersion.file)
            if lock
            else selectinload(TrainingModule.versions),
            selectinload(TrainingModule.tags).joinedload(TrainingTag.scorecard),
            selectinload(TrainingModule.needs).joinedload(TrainingNeed.needed),
            selectinload(TrainingModule.owner),
        )
    )
    if lock:
        rows = rows.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(rows)
    if found is None:
        raise NotFound(GONE)
    return found


def list_modules(
    session: Session, actor: Actor, *, retired: bool = False, card_id: int | None = None
) -> list[TrainingModule]:
    """Return the library by title, or what was retired from it; ``card_id``: what helps with a scorecard."""
    require(actor, P.TRAINING_READ)
    gone = TrainingModule.retired_at.is_not(None) if retired else TrainingModule.retired_at.is_(None)
    rows = select(TrainingModule).where(gone)
    if card_id is not None:
        rows = rows.where(
            TrainingModule.id.in_(select(TrainingTag.module_id).where(TrainingTag.scorecard_id == card_id))
        )
    return list(
        session.scalars(
            rows.options(
                selectinload(TrainingModule.versions),
                selectinload(TrainingModule.tags).joinedload(TrainingTag.scorecard),
                selectinload(TrainingModule.needs).joinedload(TrainingNeed.needed),
            ).order_by(TrainingModule.title, TrainingModule.id)
        )
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How many people have a module, as far as one may see: open, done, late, failed."""

    open: int = 0
    done: int = 0
    late: int = 0
    failed: int = 0

    @property
    def all(self) -> int:
        """Return how many have it or had it."""
        return self.open + self.done + self.failed


def find_progress(session: Session, actor: Actor, *, now: datetime) -> dict[int, Progress]:
    """Return by module how far those people are whom this actor may give trainings to: one statement."""
    is_open = TrainingTask.state == OPEN
    rows = session.execute(
        select(
            TrainingTask.module_id,
            func.count().filter(is_open),
            func.count().filter(TrainingTask.state == DONE),
            func.count().filter(is_open, TrainingTask.due_at < now),
            func.count().filter(TrainingTask.state == FAILED),
        )
        .where(visible(actor, P.TRAINING_ASSIGN, TrainingTask.scope_columns()))
        .group_by(TrainingTask.module_id)
    )
    return {module_id: Progress(*counts) for module_id, *counts in rows}


def list_of_module(session: Session, actor: Actor, module_id: int) -> list[TrainingTask]:
    """Return who has a module, of those this actor may give trainings to; the newest hundred."""
    return list(
        session.scalars(
            select(TrainingTask)
            .join(TrainingTask.person)
            .where(
                TrainingTask.module_id == module_id,
                TrainingTask.state != WITHDRAWN,
                visible(actor, P.TRAINING_ASSIGN, TrainingTask.scope_columns()),
            )
            .options(
                contains_eager(TrainingTask.person).joinedload(User.team),
                joinedload(TrainingTask.version),
                selectinload(TrainingTask.attempts),
            )
            .order_by(TrainingTask.id.desc())
            .limit(PAGE)
        )
    )


def list_own(session: Session, actor: Actor) -> list[TrainingTask]:
    """Return one's own trainings: what is open first by its due day, then what ended, the newest first."""
    rows = session.scalars(
        select(TrainingTask)
        .where(
            TrainingTask.state != WITHDRAWN,
            visible(actor, P.TRAINING_COMPLETE, TrainingTask.scope_columns()),
        )
        .options(
            joinedload(TrainingTask.module),
            joinedload(TrainingTask.version),
            selectinload(TrainingTask.attempts),
        )
    )
    return sorted(rows, key=_by_due)


def _by_due(task: TrainingTask) -> tuple[bool, bool, float, int]:
    due = task.due_at.timestamp() if task.due_at is not None and task.state == OPEN else 0.0
    return task.state != OPEN, task.due_at is None, due, -task.id


def get_task(session: Session, actor: Actor, task_id: int) -> TrainingTask:
    """Return a training that one has oneself or may give, with everything its page shows."""
    found = session.scalar(
        select(TrainingTask)
        .where(TrainingTask.id == task_id)
        .options(
            joinedload(TrainingTask.person).joinedload(User.team),
            joinedload(TrainingTask.assigned_by),
            joinedload(TrainingTask.version),
            joinedload(TrainingTask.module)
            .selectinload(TrainingModule.tags)
            .joinedload(TrainingTag.scorecard),
            joinedload(TrainingTask.module)
            .selectinload(TrainingModule.needs)
            .joinedload(TrainingNeed.needed),
            selectinload(TrainingTask.attempts),
        )
        .execution_options(populate_existing=True)
    )
    if found is None or not (
        allowed(actor, P.TRAINING_COMPLETE, found.scope) or allowed(actor, P.TRAINING_ASSIGN, found.scope)
    ):
        raise NotFound(GONE)
    return found


def find_missing(session: Session, actor: Actor, task: TrainingTask) -> list[TrainingModule]:
    """Return what somebody has to finish before this training."""
    require(actor, P.TRAINING_READ)
    wanted = [need.needs_id for need in task.module.needs]
    if not wanted:
        return []
    done = set(
        session.scalars(
            select(TrainingTask.module_id).where(
                TrainingTask.person_id == task.person_id,
                TrainingTask.state == DONE,
                TrainingTask.module_id.in_(wanted),
            )
        )
    )
    return [need.needed for need in task.module.needs if need.needs_id not in done]


def list_to_mark(session: Session, actor: Actor) -> list[TrainingAttempt]:
    """Return tries with free text that wait for this actor's marks, the oldest first."""
    return list(
        session.scalars(
            select(TrainingAttempt)
            .join(TrainingAttempt.task)
            .where(
                TrainingAttempt.handed_in_at.is_not(None),
                TrainingAttempt.passed.is_(None),
                visible(actor, P.TRAINING_ASSIGN, TrainingTask.scope_columns()),
            )
            .options(
                contains_eager(TrainingAttempt.task).joinedload(TrainingTask.person),
                contains_eager(TrainingAttempt.task).joinedload(TrainingTask.module),
            )
            .order_by(TrainingAttempt.handed_in_at)
            .limit(PAGE)
        )
    )


def list_running_out(session: Session, actor: Actor, *, until: datetime) -> list[TrainingTask]:
    """Return certificates that end before then and have no newer one, the first to end first."""
    newer = aliased(TrainingTask)
    replaced = (
        select(newer.id)
        .where(
            newer.person_id == TrainingTask.person_id,
            newer.module_id == TrainingTask.module_id,
            newer.certified_until > TrainingTask.certified_until,
        )
        .correlate(TrainingTask)
        .exists()
    )
    return list(
        session.scalars(
            select(TrainingTask)
            .join(TrainingTask.person)
            .where(
                TrainingTask.state == DONE,
                TrainingTask.certified_until < until,
                User.deactivated_at.is_(None),
                ~replaced,
                visible(actor, P.TRAINING_ASSIGN, TrainingTask.scope_columns()),
            )
            .options(contains_eager(TrainingTask.person), joinedload(TrainingTask.module))
            .order_by(TrainingTask.certified_until)
            .limit(PAGE)
        )
    )


def list_rules(session: Session, actor: Actor) -> list[TrainingRule]:
    """Return the rules in force, for whoever may give trainings."""
    require(actor, P.TRAINING_READ)
    return list(
        session.scalars(
            select(TrainingRule)
            .where(TrainingRule.ended_at.is_(None))
            .options(joinedload(TrainingRule.module), joinedload(TrainingRule.team))
            .order_by(TrainingRule.id)
        )
    )


def list_learners(
    session: Session, actor: Actor, team_ids: Sequence[int] | frozenset[int] | None = None
) -> list[User]:
    """Return the agents at work whom this actor may give trainings to, by name, with their teams."""
    rows = (
        select(User)
        .where(
            User.deactivated_at.is_(None),
            User.id.in_(select(UserRole.user_id).where(UserRole.role == "agent")),
            visible(actor, P.TRAINING_ASSIGN, User.scope_columns()),
        )
        .options(joinedload(User.team))
        .order_by(User.name_key, User.id)
    )
    return list(session.scalars(rows if team_ids is None else rows.where(User.team_id.in_(team_ids))))


def find_file(session: Session, actor: Actor, version_id: int) -> bytes | None:
    """Return the file of a version, None when it has none."""
    require(actor, P.TRAINING_READ)
    return session.scalar(select(TrainingFile.content).where(TrainingFile.version_id == version_id))
