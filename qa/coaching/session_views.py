"""Pages of sessions: planned and prepared, held with live notes, confirmed by both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms.fields import SelectChoice

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import allowed
from qa.coaching import queries
from qa.coaching import session_service as service
from qa.coaching.blueprint import bp
from qa.coaching.forms import (
    AppointmentForm,
    ClipForm,
    NotesForm,
    PrivateForm,
    SessionForm,
    TodoForm,
    WordsForm,
)
from qa.coaching.models import CoachingSession
from qa.coaching.plan_page import clip_views, pins_of
from qa.coaching.session_service import SessionChoice
from qa.core import clock
from qa.core.actor import by
from qa.core.errors import DomainError, Invalid
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.context import current_actor, reading, settings, site_zone, transaction


def _url() -> str:
    return str(settings().public_url).rstrip("/")


@bp.route("/coaching/plans/<int:plan_id>/sessions/new", methods=["GET", "POST"])
@claims(P.COACHING_PLAN_EDIT)
def new_session(plan_id: int) -> ResponseReturnValue:
    """Plan a session of a plan."""
    with reading() as opened:
        plan = queries.get_plan(opened, current_actor(), plan_id)
    first = {"title": plan.title, "zone": str(site_zone()), "coach_id": plan.coach_id}
    form = SessionForm(request.form, data=first)
    return _planned(form, plan_id, plan)


@bp.route("/coaching/sessions/new", methods=["GET", "POST"])
@claims(P.COACHING_PLAN_CREATE)
def new_group() -> ResponseReturnValue:
    """Plan a session for a group, or for one without a plan."""
    actor = current_actor()
    with reading() as opened:
        agents, coaches = queries.list_coachees(opened, actor), queries.list_coaches(opened, actor)
    first = {"zone": str(site_zone()), "kind": "group", "coach_id": actor.id}
    form = SessionForm(request.form, data=first)
    form.agent_ids.choices = [SelectChoice(str(one.id), one.name) for one in agents]
    form.peer_ids.choices = form.agent_ids.choices
    form.coach_id.choices = [SelectChoice(str(one.id), one.name) for one in coaches]
    return _planned(form, None, None)


def _planned(form: SessionForm, plan_id: int | None, plan: Any) -> ResponseReturnValue:
    if request.method == "POST" and form.validate():
        choice = SessionChoice(
            title=form.title.data or "",
            agenda=form.agenda.data or "",
            kind=form.kind.data or "coach",
            agent_ids=form.agent_ids.data or (),
            peer_ids=form.peer_ids.data or (),
            follows_id=asked_id(request.args, "follows"),
        )
        try:
            with transaction() as opened:
                made = service.plan_session(
                    opened,
                    current_actor(),
                    plan_id=plan_id,
                    coach_id=form.coach_id.data or 0,
                    choice=choice,
                    appointment=form.appointment(),
                    url=_url(),
                    now=clock.now(),
                )
        except DomainError as error:
            form.take(error if isinstance(error, Invalid) else Invalid(error.message))
        else:
            flash("The session is planned. Everybody in it has a notice with a calendar file.", "success")
            return redirect(url_for("coaching.session", session_id=made.id), 303)
    status = 422 if request.method == "POST" else 200
    zones = sorted(available_timezones())
    return render_template("coaching/new_session.html", form=form, plan=plan, zones=zones), status


@bp.get("/coaching/sessions/<int:session_id>")
@claims(P.COACHING_PLAN_READ, P.COACHING_SESSION_CONFIRM)
def session(session_id: int) -> ResponseReturnValue:
    """Show one session."""
    return _page(session_id)


def _page(session_id: int, **forms: Any) -> str:
    actor, now = current_actor(), clock.now()
    with reading() as opened:
        found = queries.get_session(opened, actor, session_id)
        own = queries.find_private_note(opened, actor, session_id)
        noted = queries.has_private_note(opened, actor, session_id)
        clips = clip_views(opened, actor, found)
        todos = queries.list_todos(opened, actor) if found.plan_id else []
    todo = forms.get("todo") or TodoForm()
    todo.person_id.choices = [SelectChoice(str(one.person_id), one.person.name) for one in found.members]
    local = found.starts_at.astimezone(site_zone())
    return render_template(
        "coaching/session.html",
        session=found,
        clips=clips,
        own_note=own,
        noted=noted,
        earlier=[one for one in todos if one.plan_id == found.plan_id and one.session_id != found.id],
        me=next((one for one in found.members if one.person_id == actor.id), None),
        may=_may(found),
        notes=forms.get("notes") or NotesForm(obj=found),
        private=forms.get("private") or PrivateForm(data={"private_note": own.text if own else ""}),
        todo_form=todo,
        words_form=forms.get("words_form") or WordsForm(),
        when=service.when_words,
        local=local,
        now=now,
        refused=forms.get("refused", ""),
    )


def _may(found: CoachingSession) -> dict[str, bool]:
    actor = current_actor()
    return {
        "edit": allowed(actor, P.COACHING_SESSION_EDIT, found.scope),
        "confirm": allowed(actor, P.COACHING_SESSION_CONFIRM, found.scope),
        "private": found.coach_id == actor.id and allowed(actor, P.COACHING_NOTE_READ_PRIVATE, by(actor.id)),
    }


def _acted(
    session_id: int, act: Callable[[Session], object], words: str, **forms: Any
) -> ResponseReturnValue:
    """Do one thing to a session, or show it again with what is wrong."""
    try:
        with transaction() as opened:
            act(opened)
    except DomainError as error:
        for form in forms.values():
            form.take(error if isinstance(error, Invalid) else Invalid(error.message))
        return _page(session_id, refused=error.message, **forms), error.status
    flash(words, "success")
    return redirect(url_for("coaching.session", session_id=session_id), 303)


@bp.post("/coaching/sessions/<int:session_id>/notes")
@claims(P.COACHING_SESSION_EDIT)
def save_notes(session_id: int) -> ResponseReturnValue:
    """Keep what is shared."""
    actor, now, form = current_actor(), clock.now(), NotesForm(request.form)
    return _acted(
        session_id,
        lambda opened: service.save_shared(opened, actor, session_id, form.said(), now=now),
        "Saved, for everybody in the session.",
        notes=form,
    )


@bp.post("/coaching/sessions/<int:session_id>/private")
@claims(P.COACHING_NOTE_READ_PRIVATE)
def save_private(session_id: int) -> ResponseReturnValue:
    """Keep one's own private note."""
    actor, now, form = current_actor(), clock.now(), PrivateForm(request.form)
    text = form.private_note.data or ""
    return _acted(
        session_id,
        lambda opened: service.save_private(opened, actor, session_id, text=text, now=now),
        "Saved, for you alone.",
        private=form,
    )


@bp.post("/coaching/sessions/<int:session_id>/todos")
@claims(P.COACHING_SESSION_EDIT)
def add_session_todo(session_id: int) -> ResponseReturnValue:
    """Add a to-do."""
    actor, now, form = current_actor(), clock.now(), TodoForm(request.form)
    return _acted(
        session_id,
        lambda opened: service.add_session_todo(
            opened,
            actor,
            session_id,
            person_id=form.person_id.data,
            words=form.todo.data or "",
            due_on=form.due_on.data,
            now=now,
        ),
        "Added.",
        todo=form,
    )


@bp.post("/coaching/sessions/<int:session_id>/end")
@claims(P.COACHING_SESSION_EDIT)
def end_session(session_id: int) -> ResponseReturnValue:
    """Close a session that was held."""
    actor, now = current_actor(), clock.now()
    return _acted(
        session_id,
        lambda opened: service.end_session(opened, actor, session_id, now=now),
        "Closed. Everybody in it is asked to confirm.",
    )


@bp.post("/coaching/sessions/<int:session_id>/no-show")
@claims(P.COACHING_SESSION_EDIT)
def no_show(session_id: int) -> ResponseReturnValue:
    """Say that nobody came."""
    actor, now = current_actor(), clock.now()
    return _acted(
        session_id,
        lambda opened: service.mark_no_show(opened, actor, session_id, now=now),
        "Noted. Move it to another time when you have one.",
    )


@bp.post("/coaching/sessions/<int:session_id>/cancel")
@claims(P.COACHING_SESSION_EDIT)
def cancel_session(session_id: int) -> ResponseReturnValue:
    """Call a session off."""
    actor, now = current_actor(), clock.now()
    return _acted(
        session_id,
        lambda opened: service.cancel_session(opened, actor, session_id, url=_url(), now=now),
        "Called off. Everybody in it is told.",
    )


@bp.post("/coaching/sessions/<int:session_id>/confirm")
@claims(P.COACHING_SESSION_CONFIRM)
def confirm(session_id: int) -> ResponseReturnValue:
    """Confirm for oneself."""
    actor, now, form = current_actor(), clock.now(), WordsForm(request.form)
    return _acted(
        session_id,
        lambda opened: service.confirm(opened, actor, session_id, words=form.words.data or "", now=now),
        "Confirmed.",
        words_form=form,
    )


@bp.route("/coaching/sessions/<int:session_id>/move", methods=["GET", "POST"])
@claims(P.COACHING_SESSION_EDIT)
def move_session(session_id: int) -> ResponseReturnValue:
    """Put a session to another time."""
    with reading() as opened:
        found = queries.get_session(opened, current_actor(), session_id)
    local = found.starts_at.astimezone(site_zone())
    first = {"day": local.date(), "at": local.time(), "zone": str(site_zone())}
    form = AppointmentForm(request.form, data={**first, "minutes": found.minutes, "place": found.place})
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                service.move_session(
                    opened,
                    current_actor(),
                    session_id,
                    appointment=form.appointment(),
                    url=_url(),
                    now=clock.now(),
                )
        except DomainError as error:
            form.take(error if isinstance(error, Invalid) else Invalid(error.message))
        else:
            flash("Moved. Everybody in it has the new time.", "success")
            return redirect(url_for("coaching.session", session_id=session_id), 303)
    status = 422 if request.method == "POST" else 200
    zones = sorted(available_timezones())
    return render_template("coaching/move.html", form=form, session=found, zones=zones), status


@bp.get("/coaching/sessions/<int:session_id>/session.ics")
@claims(P.COACHING_PLAN_READ, P.COACHING_SESSION_CONFIRM)
def calendar(session_id: int) -> ResponseReturnValue:
    """Give the session as a calendar file."""
    with reading() as opened:
        found = queries.get_session(opened, current_actor(), session_id)
    text = service.calendar_of(found, url=_url(), now=clock.now())
    answer = Response(text, mimetype="text/calendar")
    answer.headers["Content-Disposition"] = 'attachment; filename="session.ics"'
    return answer


@bp.route("/coaching/clips/new/<int:evaluation_id>", methods=["GET", "POST"])
@claims(P.COACHING_SESSION_EDIT)
def new_clip(evaluation_id: int) -> ResponseReturnValue:
    """Pull a moment of an evaluation into a session."""
    actor, now = current_actor(), clock.now()
    with reading() as opened:
        found, pins = pins_of(opened, actor, evaluation_id)
        sessions = queries.list_open_sessions_of(opened, actor, found.agent_id)
    form = ClipForm(request.form)
    form.session.choices = [SelectChoice(str(one.id), one.title) for one in sessions]
    if request.method == "POST":
        try:
            with transaction() as opened:
                clip = service.add_clip(
                    opened,
                    actor,
                    form.session.data,
                    evaluation_id=evaluation_id,
                    moment=form.moment_of({one.id: one.place for one in pins}),
                    now=now,
                )
        except DomainError as error:
            form.take(error if isinstance(error, Invalid) else Invalid(error.message))
        else:
            flash("The clip is in the session.", "success")
            return redirect(url_for("coaching.session", session_id=clip.session_id), 303)
    status = 422 if request.method == "POST" else 200
    page = render_template(
        "coaching/new_clip.html", form=form, evaluation=found, pins=pins, sessions=sessions
    )
    return page, status


@bp.post("/coaching/sessions/<int:session_id>/clips/<int:clip_id>/remove")
@claims(P.COACHING_SESSION_EDIT)
def remove_clip(session_id: int, clip_id: int) -> ResponseReturnValue:
    """Take a clip out again."""
    actor, now = current_actor(), clock.now()
    return _acted(
        session_id,
        lambda opened: service.remove_clip(opened, actor, session_id, clip_id, now=now),
        "Taken out.",
    )
