"""Random draws and their replacements: anybody with the ids and the seed gets the same sample.

A frame is every conversation of an agent, in some channels, that began in a half-open stretch of time
and was known when the draw was made, without those that could not be given. What is skipped is replaced
by the next hash of the same frame.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import audit
from qa.core.actor import Actor, Scope
from qa.core.errors import Invalid
from qa.evaluations.assign_service import add_assignment, check_evaluator
from qa.evaluations.models import Assignment
from qa.evaluations.selection import draw, frame_hash
from qa.interactions.models import Interaction, Participant
from qa.scorecards.queries import find_active, form_of

MOST_DRAWN = 50


@dataclass(frozen=True, slots=True)
class Frame:
    """What a draw is made from; no channel means every one. ``without`` could not be given then."""

    since: datetime
    until: datetime
    channels: tuple[str, ...] = ()
    without: tuple[int, ...] = ()

    def stored(self) -> dict[str, Any]:
        """Return the frame as it is kept beside each assignment."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "channels": list(self.channels),
            "without": list(self.without),
        }


def frame_of(stored: dict[str, Any]) -> Frame:
    """Return a stored frame."""
    since, until = (datetime.fromisoformat(stored[name]) for name in ("since", "until"))
    return Frame(since, until, tuple(stored["channels"]), tuple(stored["without"]))


def new_seed(since: datetime, agent_id: int) -> str:
    """Return a seed nobody can foresee: the period, the agent, and chance."""
    return f"{since:%Y-%m-%d}:{agent_id}:{secrets.token_hex(8)}"


def frame_ids(session: Session, agent_id: int, frame: Frame, *, as_of: datetime) -> list[int]:
    """Return the ids of the frame as it was known at ``as_of``, also those deleted since."""
    rows = select(Interaction.id).where(
        Interaction.agent_id == agent_id,
        Interaction.started_at >= frame.since,
        Interaction.started_at < frame.until,
        Interaction.imported_at <= as_of,
        or_(Interaction.deleted_at.is_(None), Interaction.deleted_at > as_of),
    )
    if frame.channels:
        rows = rows.where(Interaction.channel.in_(frame.channels))
    without = set(frame.without)
    return [one for one in session.scalars(rows) if one not in without]


def draw_random(
    session: Session,
    actor: Actor,
    *,
    agent_ids: Iterable[int],
    scorecard_id: int,
    evaluator_id: int,
    count: int,
    since: datetime,
    until: datetime,
    due_at: datetime,
    now: datetime,
    seed: str | None = None,
) -> list[Assignment]:
    """Draw ``count`` of each agent's conversations by hash and give them to an evaluator.

    The frame is what the scorecard's channels hold of the stretch of time. An agent without any is
    left out. Raises ``Invalid`` naming the field.
    """
    wanted = sorted(set(agent_ids))
    agents = list(session.scalars(select(User).where(User.id.in_(wanted))))
    if not agents or len(agents) != len(wanted):
        raise Invalid("Choose whose conversations are drawn.", field="agent")
    for agent in agents:
        require(actor, P.ASSIGNMENT_CREATE, _team_scope(agent))
    if not 1 <= count <= MOST_DRAWN:
        raise Invalid(f"Draw between 1 and {MOST_DRAWN} for each agent.", field="count")
    if since >= until:
        raise Invalid("The first day comes after the last one.", field="since")
    version = find_active(session, actor, scorecard_id)
    if version is None:
        raise Invalid("Choose a scorecard with an active version.", field="scorecard_id")
    check_evaluator(session, evaluator_id)
    frame = Frame(since, until, tuple(form_of(version).form.channels))
    made: list[Assignment] = []
    for agent in sorted((one for one in agents if one.id != evaluator_id), key=lambda one: one.id):
        facts = _Draw(agent.id, scorecard_id, evaluator_id, due_at, frame, seed or new_seed(since, agent.id))
        made += _drawn(session, actor, facts, count, now)
    if not made:
        raise Invalid("No conversation of that time fits this scorecard. Choose other days.", field="since")
    ids = ",".join(str(one.id) for one in made)
    audit.record(session, actor, "assignment:draw", "assignment", ids[:80], now=now)
    return made


@dataclass(frozen=True, slots=True)
class _Draw:
    agent_id: int
    scorecard_id: int
    evaluator_id: int
    due_at: datetime
    frame: Frame
    seed: str


def _drawn(session: Session, actor: Actor, facts: _Draw, count: int, now: datetime) -> list[Assignment]:
    barred = _barred(session, facts.agent_id, facts.scorecard_id, facts.evaluator_id, facts.seed)
    every = frame_ids(session, facts.agent_id, facts.frame, as_of=now)
    frame = dataclasses.replace(facts.frame, without=tuple(sorted(barred.intersection(every))))
    ids = [one for one in every if one not in barred]
    chosen = draw(ids, count, seed=facts.seed)
    made = []
    for interaction_id in chosen:
        assignment = Assignment(
            interaction_id=interaction_id,
            agent_id=facts.agent_id,
            scorecard_id=facts.scorecard_id,
            evaluator_id=facts.evaluator_id,
            due_at=facts.due_at,
            assigned_at=now,
            assigned_by_id=actor.id,
            selection_method="random",
            inclusion_probability=str(Fraction(len(chosen), len(ids))),
            frame_size=len(ids),
            seed=facts.seed,
            frame_hash=frame_hash(ids),
            frame=frame.stored(),
            drawn_at=now,
        )
        add_assignment(session, assignment)
        made.append(assignment)
    return made


def replace(session: Session, actor: Actor, skipped: Assignment, *, now: datetime) -> Assignment | None:
    """Give the next hash of the same draw to the same evaluator; it takes the skipped one's chance.

    None when the assignment was not drawn, when nothing of the frame is left, or when the frame
    cannot be drawn again as it was: a draw that nobody can repeat is no draw.
    """
    require(actor, P.ASSIGNMENT_SKIP, skipped.scope)
    if skipped.selection_method != "random" or not (skipped.frame and skipped.seed and skipped.drawn_at):
        return None
    ids = frame_ids(session, skipped.agent_id, frame_of(skipped.frame), as_of=skipped.drawn_at)
    if frame_hash(ids) != skipped.frame_hash:
        return None
    barred = _barred(session, skipped.agent_id, skipped.scorecard_id, skipped.evaluator_id, skipped.seed)
    following = next((one for one in draw(ids, len(ids), seed=skipped.seed) if one not in barred), None)
    if following is None:
        return None
    made = Assignment(
        interaction_id=following,
        agent_id=skipped.agent_id,
        scorecard_id=skipped.scorecard_id,
        evaluator_id=skipped.evaluator_id,
        type=skipped.type,
        due_at=max(skipped.due_at, now),
        assigned_at=now,
        selection_method="random",
        inclusion_probability=skipped.inclusion_probability,
        frame_size=skipped.frame_size,
        seed=skipped.seed,
        frame_hash=skipped.frame_hash,
        frame=skipped.frame,
        drawn_at=skipped.drawn_at,
        replaces_id=skipped.id,
        is_demo=skipped.is_demo,
    )
    add_assignment(session, made)
    audit.record(session, actor, "assignment:replace", "assignment", made.id, now=now)
    return made


def _barred(session: Session, agent_id: int, scorecard_id: int, evaluator_id: int, seed: str) -> set[int]:
    """Return what cannot be given: drawn or given before, deleted, or the evaluator's own conversation."""
    given = select(Assignment.interaction_id).where(
        Assignment.agent_id == agent_id,
        Assignment.scorecard_id == scorecard_id,
        or_(Assignment.seed == seed, Assignment.evaluator_id == evaluator_id),
    )
    deleted = select(Interaction.id).where(
        Interaction.agent_id == agent_id, Interaction.deleted_at.is_not(None)
    )
    own = select(Participant.interaction_id).where(Participant.user_id == evaluator_id)
    return {one for rows in (given, deleted, own) for one in session.scalars(rows)}


def _team_scope(agent: User) -> Scope:
    return Scope(team_ids=frozenset() if agent.team_id is None else frozenset({agent.team_id}))
