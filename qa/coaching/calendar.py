"""A session as an iCalendar file (RFC 5545): one event, in UTC, so that no zone has to be described.

It holds who meets when and where, never an agenda or a note.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LINE_OCTETS = 75


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a calendar is told."""

    uid: str
    title: str
    starts_at: datetime
    minutes: int
    place: str
    url: str
    organiser: tuple[str, str]
    people: tuple[tuple[str, str], ...]
    sequence: int
    is_cancelled: bool


def calendar_file(meeting: Meeting, *, now: datetime) -> str:
    """Return the file's text. The same ``uid`` with a higher ``sequence`` replaces the earlier event."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Candor//Coaching//EN",
        f"METHOD:{'CANCEL' if meeting.is_cancelled else 'PUBLISH'}",
        "BEGIN:VEVENT",
        f"UID:{_text(meeting.uid)}",
        f"DTSTAMP:{_moment(now)}",
        f"DTSTART:{_moment(meeting.starts_at)}",
        f"DTEND:{_moment(meeting.starts_at + timedelta(minutes=meeting.minutes))}",
        f"SEQUENCE:{meeting.sequence}",
        f"STATUS:{'CANCELLED' if meeting.is_cancelled else 'CONFIRMED'}",
        f"SUMMARY:{_text(meeting.title)}",
        *([f"LOCATION:{_text(meeting.place)}"] if meeting.place else []),
        *([f"URL:{meeting.url}"] if meeting.url else []),
        f"ORGANIZER;CN={_parameter(meeting.organiser[0])}:mailto:{meeting.organiser[1]}",
        *(f"ATTENDEE;CN={_parameter(name)}:mailto:{mail}" for name, mail in meeting.people),
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\\n".join(escaped.splitlines())


def _parameter(value: str) -> str:
    """Return a parameter's value in quotes, which none may hold itself."""
    return '"' + "".join(" " if one in '"\r\n' or ord(one) < 32 else one for one in value) + '"'


def _folded(line: str) -> Iterable[str]:
    """Cut a line so that no part is longer than 75 octets and no character is cut in two."""
    part, room = "", LINE_OCTETS
    for one in line:
        size = len(one.encode())
        if size > room:
            yield part
            part, room = " ", LINE_OCTETS - 1
        part, room = part + one, room - size
    yield part
