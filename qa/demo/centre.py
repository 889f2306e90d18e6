"""The centre before anybody has called: teams, people, scorecards, comment templates."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from random import Random

from sqlalchemy.orm import Session

from qa.accounts.models import Membership, Team, User, UserRole
from qa.accounts.passwords import hash_password
from qa.core import audit
from qa.core.actor import SYSTEM
from qa.core.text import folded, sort_key
from qa.demo.people import DemoPerson, everybody, sites_for
from qa.evaluations.models import CommentTemplate
from qa.scorecards import service as scorecards
from qa.scorecards.models import ScorecardVersion

SOURCE = "demo"
TEMPLATES = (
    (
        "Identity, two facts",
        "Two of name, postcode, date of birth or account number, before anything from the account is said.",
    ),
    ("Date instead of soon", "Name a day or a number of days. “Soon” leaves the customer waiting."),
    ("Well done", "This is how it should sound. Keep it."),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is made."""

    interactions: int = 1_500
    evaluations: int = 420
    transcripts: int = 1_500
    agents: int = 36


@dataclass(slots=True)
class Centre:
    """What is known while building."""

    random: Random
    until: date
    now: datetime
    people: dict[str, int]
    by_id: dict[int, DemoPerson]
    teams: dict[str, int]
    versions: dict[str, ScorecardVersion]


def organise(
    session: Session, random: Random, size: Size, until: date, now: datetime
) -> tuple[Centre, list[dict[str, str]]]:
    """Make the people and what they work with; return the centre and one sign-in for each role."""
    joined = until - timedelta(days=400)
    born = datetime.combine(joined, time(8), tzinfo=UTC)
    words = (resources.files("qa.demo") / "texts" / "password_words.txt").read_text(encoding="utf-8").split()
    teams = _teams(session, size, born)
    people, by_id, sign_ins = {}, {}, []
    made: list[tuple[DemoPerson, User]] = []
    for person in everybody(random, size.agents):
        password = "-".join([*(secrets.choice(words) for _ in range(3)), str(secrets.randbelow(90) + 10)])
        team_id = teams.get(person.team) if person.team else None
        user = User(
            name=person.name,
            name_key=sort_key(person.name),
            email=person.email,
            email_folded=folded(person.email),
            password_hash=hash_password(password) if person.signs_in else None,
            can_sign_in=person.signs_in,
            team_id=team_id,
            preferences={},
            is_demo=True,
            created_at=born,
        )
        made.append((person, user))
        if person.signs_in:
            sign_ins.append({"role": person.roles[0], "email": person.email, "password": password})
    session.add_all(user for _, user in made)
    session.flush()
    for person, user in made:
        people[person.name], by_id[user.id] = user.id, person
        session.add_all(UserRole(user_id=user.id, role=role) for role in person.roles)
        session.add_all(_memberships(person, user.id, teams, joined, until))
    versions = {}
    for name in ("voice-support", "sales-compliance", "chat", "email-ticket"):
        text = (resources.files("qa.scorecards") / "ready" / f"{name}.yaml").read_text(encoding="utf-8")
        draft = scorecards.draft_version(session, SYSTEM, text=text, now=born, is_demo=True)
        versions[name] = scorecards.activate_version(session, SYSTEM, draft.id, now=born)
    session.add_all(CommentTemplate(title=t, text=w, is_demo=True, created_at=born) for t, w in TEMPLATES)
    audit.record(session, SYSTEM, "demo:build", "site", "demo", now=now)
    return Centre(random, until, now, people, by_id, teams, versions), sign_ins


def _teams(session: Session, size: Size, born: datetime) -> dict[str, int]:
    teams: dict[str, int] = {}
    for site, names in (("Harbor Mobile", ()), *sites_for(size.agents)):
        parent = teams.get("Harbor Mobile")
        for name in (site, *names):
            above = parent if name == site else teams[site]
            team = Team(name=name, parent_id=above, created_at=born, is_demo=True)
            session.add(team)
            session.flush()
            teams[name] = team.id
    return teams


def _memberships(
    person: DemoPerson, user_id: int, teams: dict[str, int], joined: date, until: date
) -> list[Membership]:
    """Return where somebody works, and where they worked before a move."""
    if person.team is None:
        return []
    if person.former_team is None:
        return [Membership(user_id=user_id, team_id=teams[person.team], since=joined)]
    moved = until - timedelta(days=person.moved_days_ago)
    return [
        Membership(user_id=user_id, team_id=teams[person.former_team], since=joined, until=moved),
        Membership(user_id=user_id, team_id=teams[person.team], since=moved),
    ]
