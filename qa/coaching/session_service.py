"""Coaching sessions: planned, moved, prepared with clips, held with notes, confirmed by both.

What is shared and what is private are kept in different rows, written by different acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.accounts.notices_service import notify
from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.coaching import queries
from qa.coaching.calendar import Meeting, calendar_file
from qa.coaching.events import tell
from qa.coaching.models import (
    CLIP_KINDS,
    NOTE_MAX,
    SESSION_KINDS,
    TITLE_MAX,
    WORDS_MAX,
    CoachingSession,
    CoachingTodo,
    PlanEvent,
    PrivateNote,
    SessionClip,
    SessionMember,
)
from qa.coaching.plan_service import get_coachee
from qa.coaching.times import is_day_off, moment_of, zone_of
from qa.core import audit
from qa.core.actor import Actor, by
from qa.core.errors import Conflict, Forbidden, Invalid
from qa.core.text import checked
from qa.interactions.service import give_viewer

BECAUSE = "session"
MOST_CLIPS = 20
MOST_MEMBERS = 30
MINUTES = (5, 480)


@dataclass(frozen=True, slots=True)
class Appointment:
    """When and where: a wall clock in a zone. ``anyway`` takes a day on which nobody works."""

    day: date
    at: time
    zone: str
    minutes: int = 30
    place: str = ""
    anyway: bool = False


@dataclass(frozen=True, slots=True)
class SessionChoice:
    """What a new session is about, and who comes beside the coach."""

    title: str
    agenda: str = ""
    kind: str = "coach"
    agent_ids: Sequence[int] = ()
    peer_ids: Sequence[int] = ()
    follows_id: int | None = None


def plan_session(
    session: Session,
    actor: Actor,
    *,
    plan_id: int | None,
    coach_id: int,
    choice: SessionChoice,
    appointment: Appointment,
    url: str,
    now: datetime,
) -> CoachingSession:
    """Plan a session of a plan, or of a group without one; everybody gets a notice with a calendar file.

    ``url`` is the site's address, for the calendar. Raises ``Invalid`` naming the field.
    """
    coach_id, agents = _people(session, actor, plan_id, coach_id, choice)
    if choice.kind not in SESSION_KINDS:
        raise Invalid("Choose what kind of session it is.", field="kind")
    starts_at = _starts_at(session, appointment, now)
    peers = _peers(session, choice.peer_ids, {coach_id, *agents})
    made = CoachingSession(
        plan_id=plan_id,
        coach_id=coach_id,
        kind=choice.kind,
        title=_words(choice.title, "title", "The title", TITLE_MAX, needed="Give the session a title."),
        agenda=_words(choice.agenda, "agenda", "The agenda", NOTE_MAX),
        starts_at=starts_at,
        minutes=appointment.minutes,
        zone=appointment.zone,
        place=_words(appointment.place, "place", "The place", TITLE_MAX),
        follows_id=choice.follows_id,
        made_at=now,
        timed_at=now,
        members=[
            *(SessionMember(person_id=one, part="agent") for one in agents),
            *(SessionMember(person_id=one, part="peer") for one in peers),
            SessionMember(person_id=coach_id, part="coach"),
        ],
        clips=[],
        todos=[],
    )
    session.add(made)
    session.flush()
    found = queries.get_session(session, actor, made.id)
    _history(session, actor, found, f"Session planned: {found.title}.", now)
    _invite(session, actor, found, "planned", url, now)
    audit.record(session, actor, "coaching_session:plan", "coaching_session", found.id, now=now)
    tell(session, "session", found.id, "planned", now=now)
    return found


def _people(
    session: Session, actor: Actor, plan_id: int | None, coach_id: int, choice: SessionChoice
) -> tuple[int, list[int]]:
    if plan_id is not None:
        plan = queries.get_plan(session, actor, plan_id)
        require(actor, P.COACHING_PLAN_EDIT, plan.scope)
        if plan.state not in {"draft", "active"}:
            raise Conflict("This plan has ended.")
        return plan.coach_id, [plan.agent_id]
    chosen = sorted(set(choice.agent_ids))
    if not 1 <= len(chosen) <= MOST_MEMBERS:
        raise Invalid(f"Choose between 1 and {MOST_MEMBERS} people.", field="agent_ids")
    agents = [get_coachee(session, actor, one).id for one in chosen]
    if coach_id not in {one.id for one in queries.list_coaches(session, actor)} or coach_id in agents:
        raise Invalid("Choose somebody with the role of coach, other than those who come.", field="coach_id")
    return coach_id, agents


def _peers(session: Session, peer_ids: Sequence[int], taken: set[int]) -> list[int]:
    wanted = sorted(set(peer_ids) - taken)
    there = select(User.id).where(User.id.in_(wanted), User.deactivated_at.is_(None))
    if len(list(session.scalars(there))) != len(wanted):
        raise Invalid("Choose colleagues who work here.", field="peer_ids")
    return wanted


def _starts_at(session: Session, appointment: Appointment, now: datetime) -> datetime:
    if appointment.zone not in available_timezones():
        raise Invalid("Choose a time zone such as Europe/Berlin.", field="zone")
    if not MINUTES[0] <= appointment.minutes <= MINUTES[1]:
        raise Invalid(f"A session lasts between {MINUTES[0]} and {MINUTES[1]} minutes.", field="minutes")
    starts_at = moment_of(appointment.day, appointment.at, ZoneInfo(appointment.zone), field="at")
    if starts_at <= now:
        raise Invalid("This moment is over. Choose a later one.", field="day")
    off = queries.days_off(session, appointment.day)
    if is_day_off(appointment.day, off) and not appointment.anyway:
        raise Invalid("Nobody works on this day. Choose another, or tick that you mean it.", field="anyway")
    return starts_at


def move_session(
    session: Session, actor: Actor, session_id: int, *, appointment: Appointment, url: str, now: datetime
) -> CoachingSession:
    """Put a planned session to another time; everybody gets the new one, and reminders follow it."""
    found = get_editable_session(session, actor, session_id, "planned", "no_show")
    found.starts_at = _starts_at(session, appointment, now)
    found.minutes, found.zone = appointment.minutes, appointment.zone
    found.place = _words(appointment.place, "place", "The place", TITLE_MAX)
    found.state, found.ended_at = "planned", None
    found.sequence, found.timed_at = found.sequence + 1, now
    _history(session, actor, found, f"Session moved: {found.title}.", now)
    _invite(session, actor, found, "moved", url, now)
    audit.record(session, actor, "coaching_session:move", "coaching_session", found.id, now=now)
    tell(session, "session", found.id, "moved", now=now)
    return found


def cancel_session(session: Session, actor: Actor, session_id: int, *, url: str, now: datetime) -> None:
    """Call a planned session off."""
    found = get_editable_session(session, actor, session_id, "planned")
    found.state, found.ended_at, found.sequence = "cancelled", now, found.sequence + 1
    _history(session, actor, found, f"Session called off: {found.title}.", now)
    _invite(session, actor, found, "cancelled", url, now)
    audit.record(session, actor, "coaching_session:cancel", "coaching_session", found.id, now=now)
    tell(session, "session", found.id, "cancelled", now=now)


def mark_no_show(session: Session, actor: Actor, session_id: int, *, now: datetime) -> None:
    """Say that nobody came. It can be moved to another time."""
    found = get_editable_session(session, actor, session_id, "planned")
    if found.starts_at > now:
        raise Conflict("This session has not begun yet.")
    found.state, found.ended_at = "no_show", now
    _history(session, actor, found, f"Nobody came: {found.title}.", now)
    audit.record(session, actor, "coaching_session:no_show", "coaching_session", found.id, now=now)
    tell(session, "session", found.id, "no_show", now=now)


@dataclass(frozen=True, slots=True)
class Said:
    """What is shared with everybody in the session; ``revision`` is the one that was on the page."""

    shared_note: str
    strengths: str
    opportunities: str
    agenda: str
    revision: int


def save_shared(session: Session, actor: Actor, session_id: int, said: Said, *, now: datetime) -> None:
    """Keep what is shared. ``Conflict`` when somebody else saved meanwhile: nothing is overwritten."""
    found = get_editable_session(session, actor, session_id, "planned")
    if found.revision != said.revision:
        raise Conflict(
            "Somebody saved these notes while you were writing. What you typed stands below; keep it by hand."
        )
    found.shared_note = _words(said.shared_note, "shared_note", "The note", NOTE_MAX)
    found.strengths = _words(said.strengths, "strengths", "What went well", NOTE_MAX)
    found.opportunities = _words(said.opportunities, "opportunities", "What to work on", NOTE_MAX)
    found.agenda = _words(said.agenda, "agenda", "The agenda", NOTE_MAX)
    found.revision += 1
    audit.record(session, actor, "coaching_session:notes", "coaching_session", found.id, now=now)


def save_private(session: Session, actor: Actor, session_id: int, *, text: str, now: datetime) -> None:
    """Keep one's own private note; an empty one goes. Only the session's coach keeps one."""
    found = queries.get_session(session, actor, session_id)
    require(actor, P.COACHING_NOTE_READ_PRIVATE, by(actor.id))
    if found.coach_id != actor.id or actor.id is None:
        raise Forbidden("Only the coach of this session keeps a private note.")
    words = _words(text, "private_note", "The note", NOTE_MAX)
    if words:
        session.merge(PrivateNote(session_id=found.id, author_id=actor.id, text=words, changed_at=now))
    else:
        own = (PrivateNote.session_id == found.id, PrivateNote.author_id == actor.id)
        session.execute(delete(PrivateNote).where(*own))
    # the log says that there was a note, never what it says
    audit.record(session, actor, "coaching_note:write", "coaching_session", found.id, now=now)


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of a recording or a turn to listen to; nothing of both means the whole conversation."""

    start_ms: int | None = None
    end_ms: int | None = None
    turn_id: int | None = None
    kind: str = ""
    words: str = ""


def add_clip(
    session: Session, actor: Actor, session_id: int, *, evaluation_id: int, moment: Moment, now: datetime
) -> SessionClip:
    """Pull a moment of an evaluated conversation into a planned session.

    Only of people who are in it: what a colleague said is played to others when they agree, which is theirs
    to say. Raises ``Invalid`` or ``Conflict``.
    """
    found = get_editable_session(session, actor, session_id, "planned")
    evaluation = queries.find_evaluation_for_clip(session, actor, evaluation_id)
    if evaluation is None:
        raise Invalid("There is no such evaluation, or you may not see it.", field="evaluation")
    if evaluation.agent_id not in {one.person_id for one in found.members if one.part == "agent"}:
        raise Invalid("This conversation is of somebody who is not in the session.", field="session")
    if len(found.clips) >= MOST_CLIPS:
        raise Invalid(f"{MOST_CLIPS} clips are more than a session can hear.", field="session")
    if moment.kind not in CLIP_KINDS:
        raise Invalid("Choose why it is heard.", field="kind")
    clip = SessionClip(
        session_id=found.id,
        interaction_id=evaluation.interaction_id,
        evaluation_id=evaluation.id,
        start_ms=moment.start_ms,
        end_ms=moment.end_ms,
        turn_id=moment.turn_id,
        kind=moment.kind,
        words=_words(moment.words, "words", "The words", WORDS_MAX),
        added_at=now,
    )
    session.add(clip)
    session.flush()
    give_viewer(session, evaluation.interaction_id, found.coach_id, BECAUSE)
    audit.record(session, actor, "coaching_session:add_clip", "coaching_session", found.id, now=now)
    return clip


def remove_clip(session: Session, actor: Actor, session_id: int, clip_id: int, *, now: datetime) -> None:
    """Take a clip out of a planned session again."""
    found = get_editable_session(session, actor, session_id, "planned")
    mine = (SessionClip.id == clip_id, SessionClip.session_id == found.id)
    session.execute(delete(SessionClip).where(*mine))
    audit.record(session, actor, "coaching_session:remove_clip", "coaching_session", found.id, now=now)


def add_session_todo(
    session: Session,
    actor: Actor,
    session_id: int,
    *,
    person_id: int,
    words: str,
    due_on: date | None,
    now: datetime,
) -> CoachingTodo:
    """Add something that somebody in the session does by a day."""
    found = get_editable_session(session, actor, session_id, "planned", "held")
    if person_id not in {one.person_id for one in found.members}:
        raise Invalid("Choose somebody in this session.", field="person_id")
    todo = CoachingTodo(
        plan_id=found.plan_id,
        session_id=found.id,
        person_id=person_id,
        words=_words(words, "todo", "A to-do", WORDS_MAX, needed="Say what is to be done."),
        due_on=due_on,
        made_by_id=actor.id,
        made_at=now,
    )
    session.add(todo)
    session.flush()
    return todo


def end_session(session: Session, actor: Actor, session_id: int, *, now: datetime) -> CoachingSession:
    """Close a session that was held: notes stay as they are, everybody is asked to confirm."""
    found = get_editable_session(session, actor, session_id, "planned")
    found.state, found.ended_at = "held", now
    _history(session, actor, found, f"Session held: {found.title}.", now)
    for member in found.members:
        if member.person_id != actor.id:
            words = f"Read and confirm your session with {found.coach.name}: {found.title}."
            _tell(session, found, member.person_id, "confirm", words, now)
    for todo in found.todos:
        if todo.person_id != actor.id:
            words = f"To do after your session: {todo.words}"
            _tell(session, found, todo.person_id, f"todo:{todo.id}", words, now)
    audit.record(session, actor, "coaching_session:end", "coaching_session", found.id, now=now)
    tell(session, "session", found.id, "held", now=now)
    return found


def confirm(session: Session, actor: Actor, session_id: int, *, words: str, now: datetime) -> None:
    """Say for oneself that a held session is noted rightly, with a word if one likes."""
    found = queries.get_session(session, actor, session_id)
    require(actor, P.COACHING_SESSION_CONFIRM, found.scope)
    member = next((one for one in found.members if one.person_id == actor.id), None)
    if member is None:
        raise Forbidden("Only those who were in the session confirm it.")
    if found.state != "held":
        raise Conflict("A session is confirmed after it was held.")
    if member.confirmed_at is None:
        member.confirmed_at = now
        member.words = _words(words, "words", "The words", WORDS_MAX)
        audit.record(session, actor, "coaching_session:confirm", "coaching_session", found.id, now=now)
    if all(one.confirmed_at for one in found.members):
        _history(session, actor, found, f"Confirmed by all: {found.title}.", now)
        tell(session, "session", found.id, "confirmed", now=now)


def calendar_of(found: CoachingSession, *, url: str, now: datetime) -> str:
    """Return the iCalendar file of a session; needs coach and members with their people loaded."""
    return calendar_file(
        Meeting(
            uid=f"session-{found.id}@{url.partition('://')[2] or 'candor'}",
            title=found.title,
            starts_at=found.starts_at,
            minutes=found.minutes,
            place=found.place,
            url=f"{url}/coaching/sessions/{found.id}" if url else "",
            organiser=(found.coach.name, found.coach.email),
            people=tuple((one.person.name, one.person.email) for one in found.members),
            sequence=found.sequence,
            is_cancelled=found.state == "cancelled",
        ),
        now=now,
    )


def when_words(found: CoachingSession, person: User) -> str:
    """Return a session's day and hour on this person's clock."""
    local = found.starts_at.astimezone(zone_of(person.preferences.get("time_zone", ""), ZoneInfo(found.zone)))
    return f"{local:%A} {local.day} {local:%B, %H:%M} ({local.tzname()})"


def _invite(
    session: Session, actor: Actor, found: CoachingSession, change: str, url: str, now: datetime
) -> None:
    calendar = calendar_of(found, url=url, now=now)
    said = {"planned": "", "moved": "Moved: ", "cancelled": "Called off: "}[change]
    for member in found.members:
        if member.person_id != actor.id or change == "planned":
            words = f"{said}{found.title}, {when_words(found, member.person)}."
            key = f"{change}:{found.sequence}"
            _tell(session, found, member.person_id, key, words, now, calendar=calendar)


def _tell(
    session: Session,
    found: CoachingSession,
    person_id: int,
    key: str,
    words: str,
    now: datetime,
    *,
    calendar: str = "",
) -> None:
    notify(
        session,
        person_id=person_id,
        kind="coaching_session",
        words=words,
        endpoint="coaching.session",
        values={"session_id": found.id},
        key=f"session:{found.id}:{key}",
        now=now,
        calendar=calendar,
    )


def get_editable_session(session: Session, actor: Actor, session_id: int, *states: str) -> CoachingSession:
    found = queries.get_session(session, actor, session_id)
    require(actor, P.COACHING_SESSION_EDIT, found.scope)
    if found.state not in states:
        raise Conflict("This session was held, moved or called off meanwhile. Load the page again.")
    return found


def _history(session: Session, actor: Actor, found: CoachingSession, words: str, now: datetime) -> None:
    if found.plan_id is not None:
        session.add(PlanEvent(plan_id=found.plan_id, at=now, actor_id=actor.id, words=words[:WORDS_MAX]))


def _words(text: str, field: str, label: str, limit: int, *, needed: str = "") -> str:
    found = checked(text.strip(), field=field, label=label, limit=limit)
    if not found and needed:
        raise Invalid(needed, field=field)
    return found
