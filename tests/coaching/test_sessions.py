"""Sessions: planned on one's own clock, prepared, held, confirmed; what is private stays private."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from qa.accounts.models import Notice, User
from qa.coaching import plugin_view, queries, session_service
from qa.coaching.calendar import Meeting, calendar_file
from qa.coaching.models import CoachingSession, DayOff, PrivateNote, SessionClip
from qa.coaching.session_service import Appointment, Moment, Said
from qa.coaching.times import moment_of, remind_at, whole_months_until, working_day_before
from qa.core import clock
from qa.core.audit import AuditEntry
from qa.core.db import Database
from qa.core.errors import Conflict, Forbidden, Invalid, NotFound
from qa.core.outbox import OutboxEvent
from tests.coaching.conftest import NOW, ZONE, Browser, Team1, at, make_plan, make_session, token
from tests.factories import actor_of

SECRET = "confidence is better than in october"


def as_person(database: Database, person: User, act: Any, *arguments: Any, **more: Any) -> Any:
    """Do something as somebody, in a transaction of its own."""
    with database.transaction() as session:
        actor = actor_of(session.get_one(User, person.id))
        return act(session, actor, *arguments, now=NOW, **more)


def test_a_session_is_told_to_both_on_their_own_clocks_with_a_calendar_file(
    database: Database, people: Team1
) -> None:
    with database.transaction() as session:
        session.get_one(User, people.agent.id).preferences = {"time_zone": "America/New_York"}
    make_session(database, people)
    with database.reading() as session:
        found = {one.person_id: one for one in session.scalars(select(Notice))}
    assert found[people.agent.id].words == "First talk, Wednesday 18 March, 09:00 (EDT)."
    assert found[people.coach.id].words == "First talk, Wednesday 18 March, 14:00 (CET)."
    assert "DTSTART:20260318T130000Z" in found[people.agent.id].calendar


@pytest.mark.parametrize(
    ("appointment", "field"),
    [
        (at(days=-1), "day"),
        (at(zone="Mars/Olympus"), "zone"),
        (at(minutes=1), "minutes"),
        (at(days=5), "anyway"),
        (Appointment(date(2026, 3, 29), time(2, 30), "Europe/Berlin", anyway=True), "at"),
    ],
)
def test_times_that_make_no_appointment_are_refused(
    database: Database, people: Team1, appointment: Appointment, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        make_session(database, people, appointment=appointment)
    assert list(refused.value.errors) == [field]


def test_a_day_off_is_taken_only_on_purpose(database: Database, people: Team1) -> None:
    with database.transaction() as session:
        session.add(DayOff(day=(NOW + timedelta(days=2)).date(), name="Founders' day"))
    with pytest.raises(Invalid):
        make_session(database, people)
    assert make_session(database, people, appointment=at(anyway=True)).state == "planned"


def test_a_clip_is_pulled_in_for_those_it_is_about_only(database: Database, people: Team1) -> None:
    own = make_session(database, people)
    with database.transaction() as session:
        session.get_one(User, people.other.id).coach_id = people.coach.id
    others = make_session(database, people, agent_ids=(people.other.id,), title="Other")
    add = session_service.add_clip
    moment = Moment(3_000, 5_000, kind="opportunity", words="Hear the start")
    as_person(database, people.coach, add, own.id, evaluation_id=people.evaluation.id, moment=moment)
    with pytest.raises(Invalid):
        as_person(database, people.coach, add, others.id, evaluation_id=people.evaluation.id, moment=moment)
    with pytest.raises(Forbidden):
        as_person(database, people.agent, add, own.id, evaluation_id=people.evaluation.id, moment=moment)
    with database.reading() as session:
        assert session.scalars(select(SessionClip.words)).one() == "Hear the start"


def test_notes_of_two_people_never_overwrite_each_other(database: Database, people: Team1) -> None:
    found = make_session(database, people)
    save = session_service.save_shared
    as_person(database, people.coach, save, found.id, Said("first", "", "", "", 0))
    with pytest.raises(Conflict):
        as_person(database, people.coach, save, found.id, Said("second", "", "", "", 0))
    with database.reading() as session:
        assert session.get_one(CoachingSession, found.id).shared_note == "first"


def test_both_confirm_after_the_end_and_nobody_else_does(database: Database, people: Team1) -> None:
    found = make_session(database, people, make_plan(database, people))
    confirm = session_service.confirm
    with pytest.raises(Conflict):
        as_person(database, people.agent, confirm, found.id, words="")
    as_person(database, people.coach, session_service.end_session, found.id)
    with pytest.raises(Conflict):
        as_person(database, people.coach, session_service.end_session, found.id)
    for person in (people.lead, people.manager):
        with pytest.raises(Forbidden):
            as_person(database, person, confirm, found.id, words="")
    with pytest.raises(NotFound):
        as_person(database, people.other, confirm, found.id, words="")
    with database.reading() as session:
        waiting = queries.list_to_confirm(session, actor_of(session.get_one(User, people.agent.id)))
        assert [one.id for one in waiting] == [found.id]
    as_person(database, people.agent, confirm, found.id, words="It was good to hear it.")
    as_person(database, people.coach, confirm, found.id, words="")
    with database.reading() as session:
        changes = [
            row.payload for row in session.scalars(select(OutboxEvent)) if row.name == "CoachingChanged"
        ]
    assert changes[-1] == {"kind": "session", "subject_id": found.id, "change": "confirmed"}


def test_a_moved_session_replaces_the_old_one_in_calendars_and_a_missed_one_can_be_moved(
    database: Database, people: Team1
) -> None:
    found = make_session(database, people)
    move = session_service.move_session
    moved = as_person(database, people.coach, move, found.id, appointment=at(days=3), url="")
    assert (moved.sequence, moved.starts_at) == (1, datetime(2026, 3, 19, 13, tzinfo=UTC))
    with pytest.raises(Conflict):
        as_person(database, people.coach, session_service.mark_no_show, found.id)
    with database.transaction() as session:
        coach = actor_of(session.get_one(User, people.coach.id))
        session_service.mark_no_show(session, coach, found.id, now=NOW + timedelta(days=4))
    again = as_person(database, people.coach, move, found.id, appointment=at(days=7), url="")
    assert (again.state, again.sequence) == ("planned", 2)
    as_person(database, people.coach, session_service.cancel_session, found.id, url="")
    with database.reading() as session:
        last = session.scalars(
            select(Notice).where(Notice.person_id == people.agent.id).order_by(Notice.id.desc()).limit(1)
        ).one()
    assert last.words.startswith("Called off: First talk")
    assert "METHOD:CANCEL" in last.calendar


def test_a_private_note_is_its_authors_alone_through_every_door(
    database: Database, people: Team1, browser_of: Browser
) -> None:
    plan = make_plan(database, people)
    found = make_session(database, people, plan)
    as_person(database, people.coach, session_service.save_private, found.id, text=SECRET)
    as_person(database, people.coach, session_service.save_shared, found.id, Said("shared", "", "", "", 0))
    as_person(database, people.coach, session_service.end_session, found.id)
    for person in (people.agent, people.lead, people.manager):
        with pytest.raises(Forbidden):
            as_person(database, person, session_service.save_private, found.id, text="mine")
    pages = (
        f"/coaching/sessions/{found.id}",
        f"/coaching/sessions/{found.id}/session.ics",
        f"/coaching/plans/{plan.id}",
        "/coaching",
        "/coaching/past",
        "/notices",
        "/",
        f"/interactions?q={SECRET.split()[0]}",
    )
    for person in (people.agent, people.lead, people.manager):
        browser = browser_of(person)
        for path in pages:
            page = browser.get(path, follow_redirects=True)
            assert SECRET not in page.text, (person.name, path)
    assert "A private note exists." in browser_of(people.agent).get(pages[0]).text
    assert SECRET in browser_of(people.coach).get(pages[0]).text
    with database.reading() as session:
        for person in (people.agent, people.lead, people.manager):
            actor = actor_of(session.get_one(User, person.id))
            assert queries.find_private_note(session, actor, found.id) is None
        told = [(row.words, row.calendar) for row in session.scalars(select(Notice))]
        events = [row.payload for row in session.scalars(select(OutboxEvent))]
        log = [(row.before, row.after, row.reason) for row in session.scalars(select(AuditEntry))]
    view = plugin_view.arguments("", database, next(iter(plugin_view.happenings(events[-1]))).ids[0])
    for door in (told, events, log, view):
        assert SECRET not in repr(door)
        assert "shared" not in repr(view)


def test_a_private_note_goes_when_it_is_emptied(database: Database, people: Team1) -> None:
    found = make_session(database, people)
    save = session_service.save_private
    as_person(database, people.coach, save, found.id, text=SECRET)
    as_person(database, people.coach, save, found.id, text="  ")
    with database.reading() as session:
        assert session.scalars(select(PrivateNote)).all() == []


def test_the_day_of_a_session_in_the_browser(database: Database, people: Team1, browser_of: Browser) -> None:
    plan, coach, agent = make_plan(database, people), browser_of(people.coach), browser_of(people.agent)
    with clock.moved_to(NOW):
        path = f"/coaching/plans/{plan.id}/sessions/new"
        typed = {
            "title": "First talk",
            "day": "2026-03-18",
            "at": "14:00",
            "zone": "Europe/Berlin",
            "minutes": "30",
            "kind": "coach",
        }
        made = coach.post(path, data={"csrf_token": token(coach, path), **typed})
        session_path = made.headers["Location"]
        clip = f"/coaching/clips/new/{people.evaluation.id}"
        number = session_path.rpartition("/")[2]
        pulled = coach.post(
            clip,
            data={"csrf_token": token(coach, clip), "session": number, "moment": "0", "kind": "strength"},
        )
        assert pulled.headers["Location"] == session_path
        csrf = token(coach, session_path)
        for act, fields in (
            ("notes", {"shared_note": "She heard it herself.", "revision": "0"}),
            ("private", {"private_note": SECRET}),
            ("todos", {"person_id": people.agent.id, "todo": "Use the sentence", "due_on": "2026-03-25"}),
            ("end", {}),
        ):
            answer = coach.post(f"{session_path}/{act}", data={"csrf_token": csrf, **fields})
            assert answer.status_code == 303, answer.text
        stale = coach.post(f"{session_path}/notes", data={"csrf_token": csrf, "shared_note": "x"})
        assert stale.status_code == 409
        assert "To confirm" in agent.get("/coaching").text
        page = agent.get(session_path).text
        assert "She heard it herself." in page
        assert "Use the sentence" in page
        said = agent.post(f"{session_path}/confirm", data={"csrf_token": token(agent, session_path)})
        assert said.status_code == 303
        assert "To confirm" not in agent.get("/coaching").text
        assert browser_of(people.other).get(session_path).status_code == 404
        file = agent.get(f"{session_path}/session.ics")
    assert file.mimetype == "text/calendar"


def test_calendar_files_are_as_the_standard_says() -> None:
    long = "Words, before; a hold: ümlauts " * 5
    meeting = Meeting(
        uid="session-1@qa.example.org",
        title=long,
        starts_at=datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
        minutes=45,
        place="Room 1\nfirst floor",
        url="https://qa.example.org/coaching/sessions/1",
        organiser=('Owen "O" Price', "owen@example.org"),
        people=(("Dana Ortiz", "dana@example.org"),),
        sequence=2,
        is_cancelled=False,
    )
    text = calendar_file(meeting, now=NOW)
    lines = text.split("\r\n")
    assert lines[-1] == ""
    assert all(len(line.encode()) <= 75 for line in lines)
    unfolded = text.replace("\r\n ", "").split("\r\n")
    found = dict(re.fullmatch(r"([A-Z-]+)(?:;[^:]*)?:(.*)", line).groups() for line in unfolded if line)  # type: ignore[union-attr]
    assert found["DTSTART"] == "20260329T003000Z"
    assert found["DTEND"] == "20260329T011500Z"
    assert found["SUMMARY"].replace("\\,", ",").replace("\\;", ";") == long
    assert found["LOCATION"] == "Room 1\\nfirst floor"
    assert found["SEQUENCE"] == "2"
    assert 'ORGANIZER;CN="Owen  O  Price":mailto:owen@example.org' in unfolded


def test_wall_clocks_survive_the_change_of_clocks() -> None:
    sunday = moment_of(date(2026, 10, 25), time(2, 30), ZONE, field="at")
    assert sunday == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    monday = moment_of(date(2026, 3, 30), time(9), ZONE, field="at")
    assert remind_at(monday, ZONE, frozenset()).astimezone(ZONE) == datetime(2026, 3, 27, 9, tzinfo=ZONE)
    off = frozenset({date(2026, 3, 27)})
    assert remind_at(monday, ZONE, off).astimezone(ZONE) == datetime(2026, 3, 26, 9, tzinfo=ZONE)
    assert working_day_before(date(2026, 3, 16), frozenset()) == date(2026, 3, 13)
    months = [whole_months_until(date(2026, 3, 1), day) for day in (date(2026, 4, 30), date(2026, 5, 1))]
    assert months == [0, 1]
    assert json.dumps(months)
