"""What a lead and a QA manager read about work given to evaluators: who has what, and what was skipped."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session, contains_eager, joinedload

from qa.accounts.models import User
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import visible
from qa.core.actor import Actor
from qa.core.keyset import key_of, read_key
from qa.evaluations.models import Assignment
from qa.evaluations.queries import IS_OPEN, OPEN

PAGE = 50
STATES = {
    "open": OPEN,
    "done": ("done",),
    "skipped": ("skipped",),
    "withdrawn": ("withdrawn",),
}


@dataclass(frozen=True, slots=True)
class EvaluatorWork:
    """One evaluator's work: open and overdue now, done and skipped since the month began."""

    evaluator_id: int
    name: str
    open: int
    overdue: int
    done: int
    skipped: int
    reasons: tuple[tuple[str, int], ...]

    @property
    def left(self) -> int:
        """How many left the queue this month, done or skipped."""
        return self.done + self.skipped


def list_work(session: Session, actor: Actor, *, month: datetime, now: datetime) -> list[EvaluatorWork]:
    """Return each evaluator's work as far as this actor may see it, by name: two statements.

    One over what is open and one over what ended since then: neither looks at older work.
    """
    seen = visible(actor, P.ASSIGNMENT_LIST, Assignment.scope_columns())
    waiting = session.execute(
        select(User.id, User.name, func.count(), func.count().filter(Assignment.due_at < now))
        .join(User, User.id == Assignment.evaluator_id)
        .where(seen, IS_OPEN)
        .group_by(User.id, User.name)
    ).all()
    ended = session.execute(
        select(User.id, User.name, Assignment.state, Assignment.skip_reason, func.count())
        .join(User, User.id == Assignment.evaluator_id)
        .where(seen, Assignment.ended_at >= month, Assignment.state.in_(("done", "skipped")))
        .group_by(User.id, User.name, Assignment.state, Assignment.skip_reason)
    ).all()
    found: dict[int, _Tally] = {}
    for user_id, name, number, overdue in waiting:
        tally = found.setdefault(user_id, _Tally(name))
        tally.open, tally.overdue = number, overdue
    for user_id, name, state, reason, number in ended:
        tally = found.setdefault(user_id, _Tally(name))
        if state == "done":
            tally.done = number
        else:
            tally.reasons[str(reason)] = number
    by_name = sorted(found.items(), key=lambda pair: (pair[1].name, pair[0]))
    return [tally.whole(user_id) for user_id, tally in by_name]


@dataclass(slots=True)
class _Tally:
    name: str
    open: int = 0
    overdue: int = 0
    done: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def whole(self, evaluator_id: int) -> EvaluatorWork:
        reasons = sorted(self.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
        skipped = sum(self.reasons.values())
        return EvaluatorWork(
            evaluator_id, self.name, self.open, self.overdue, self.done, skipped, tuple(reasons)
        )


@dataclass(frozen=True, slots=True)
class AssignmentFilter:
    """What a list of assignments is narrowed by."""

    state: str = "open"
    evaluator_id: int | None = None


@dataclass(frozen=True, slots=True)
class AssignmentPage:
    """One page of assignments, the newest first, and the key of the next one."""

    assignments: list[Assignment]
    next_key: str | None


def list_assignments(
    session: Session, actor: Actor, wanted: AssignmentFilter, *, after: str | None = None
) -> AssignmentPage:
    """Return assignments, the newest first, fifty a page: one statement."""
    rows = (
        select(Assignment)
        .join(Assignment.agent)
        .where(
            visible(actor, P.ASSIGNMENT_LIST, Assignment.scope_columns()),
            Assignment.state.in_(STATES[wanted.state]),
        )
        .options(
            contains_eager(Assignment.agent).joinedload(User.team),
            joinedload(Assignment.evaluator),
            joinedload(Assignment.interaction),
            joinedload(Assignment.scorecard),
        )
        .order_by(Assignment.assigned_at.desc(), Assignment.id.desc())
        .limit(PAGE + 1)
    )
    if wanted.evaluator_id is not None:
        rows = rows.where(Assignment.evaluator_id == wanted.evaluator_id)
    if after:
        rows = rows.where(tuple_(Assignment.assigned_at, Assignment.id) < read_key(after))
    found = list(session.scalars(rows))
    more = len(found) > PAGE
    found = found[:PAGE]
    next_key = key_of(found[-1].assigned_at, found[-1].id) if more else None
    return AssignmentPage(found, next_key)
