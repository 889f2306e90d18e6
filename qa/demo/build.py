"""Fill an empty site: the same seed and last day make the same centre, in flat memory.

This package writes tables of others in bulk: the one exception to "only the owner writes".
Passwords and keys are random and stand outside what the seed decides.
"""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from qa.accounts.models import Membership, Team, User, UserRole
from qa.accounts.passwords import hash_password
from qa.core import audit, jobs
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.storage import Storage, store_sealed
from qa.core.text import folded, sort_key
from qa.demo import judge
from qa.demo.dialogue import NAMES, TOPICS
from qa.demo.people import DemoPerson, everybody, sites_for
from qa.demo.turns import Scene, turns_of
from qa.evaluations.models import Assignment, CommentTemplate
from qa.interactions.import_lines import RECORDING_KEY
from qa.interactions.models import Interaction, InteractionTag, Participant, Recording, Turn
from qa.interactions.service import MEDIA_JOB
from qa.scorecards import service as scorecards
from qa.scorecards.models import ScorecardVersion

CHUNK = 250
CALLS = ("refund", "cancel", "outage")
CALL_SUBJECTS = {
    "refund": "Charged twice, wants a refund",
    "cancel": "Cancels and moves abroad",
    "outage": "No internet since this morning",
}
LETTERS = ("email", "ticket")
CHANNELS = ("voice", "voice", "voice", "chat", "chat", "email", "ticket")
QUEUE_MIX = {"voice": 3, "chat": 3, "email": 2, "ticket": 1}
FORM_OF = {"voice": "voice-support", "chat": "chat", "email": "email-ticket", "ticket": "email-ticket"}
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


Progress = Callable[[int], None]


def build(
    database: Database,
    storage: Storage,
    keys: Keys,
    *,
    size: Size,
    seed: int,
    until: date,
    progress: Progress,
) -> list[dict[str, str]]:
    """Make the centre and return one sign-in for each role."""
    now = datetime.combine(until, time(7, 30), tzinfo=UTC)
    with database.transaction() as session:
        centre, sign_ins = _organise(session, Random(f"{seed}:people"), size, until, now)
    made = 0
    for chunk in _chunks(centre, size, seed):
        with database.transaction() as session:
            _write(session, chunk)
        made += len(chunk)
        progress(len(chunk))
    calls = _playable(database, storage, keys, centre)
    judge.evaluate(database, centre_facts(centre), count=size.evaluations, seed=seed, progress=progress)
    _fill_queue(database, centre, calls)
    return sign_ins


def centre_facts(centre: Centre) -> judge.Facts:
    """Return what judging needs to know of the centre."""
    return judge.Facts(
        now=centre.now,
        evaluators={i: p.severity for i, p in centre.by_id.items() if "evaluator" in p.roles},
        quality={i: p.quality for i, p in centre.by_id.items() if "agent" in p.roles},
        leads=tuple(i for i, p in centre.by_id.items() if "lead" in p.roles),
        versions=centre.versions,
        form_of=FORM_OF,
    )


def _organise(
    session: Session, random: Random, size: Size, until: date, now: datetime
) -> tuple[Centre, list[dict[str, str]]]:
    joined = until - timedelta(days=400)
    born = datetime.combine(joined, time(8), tzinfo=UTC)
    teams = _teams(session, size, born)
    people, by_id, sign_ins = {}, {}, []
    made: list[tuple[DemoPerson, User]] = []
    for person in everybody(random, size.agents):
        password = "-".join([*(secrets.choice(WORDS) for _ in range(3)), str(secrets.randbelow(90) + 10)])
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


WORDS = [
    "amber",
    "anchor",
    "birch",
    "breeze",
    "cedar",
    "cliff",
    "clover",
    "copper",
    "coral",
    "crane",
    "delta",
    "ember",
    "fern",
    "flint",
    "gable",
    "garnet",
    "harbor",
    "hazel",
    "heron",
    "indigo",
    "juniper",
    "kestrel",
    "lagoon",
    "lantern",
    "larch",
    "linden",
    "maple",
    "marble",
    "meadow",
    "mistral",
    "nectar",
    "oak",
    "ochre",
    "olive",
    "opal",
    "orchid",
    "otter",
    "pebble",
    "pine",
    "plover",
    "poplar",
    "quartz",
    "raven",
    "reed",
    "river",
    "rowan",
    "saffron",
    "sage",
    "sierra",
    "slate",
    "sparrow",
    "spruce",
    "tamarind",
    "tern",
    "thistle",
    "timber",
    "topaz",
    "tulip",
    "umber",
    "velvet",
    "violet",
    "walnut",
    "willow",
    "wren",
    "yarrow",
    "zephyr",
]


@dataclass(frozen=True, slots=True)
class Made:
    """One conversation's rows, without its id."""

    row: dict[str, Any]
    turns: list[dict[str, Any]]
    tag: str


def _chunks(centre: Centre, size: Size, seed: int) -> Iterator[list[Made]]:
    agents = [i for i, person in centre.by_id.items() if "agent" in person.roles]
    chunk: list[Made] = []
    for number in range(size.interactions):
        random = Random(f"{seed}:interaction:{number}")
        chunk.append(_conversation(centre, random, number, random.choice(agents), number < size.transcripts))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _moment(centre: Centre, random: Random) -> datetime:
    """Return a moment of the last three months: fewer on Saturdays, none on Sundays, most in the morning."""
    while True:
        day = centre.until - timedelta(days=1 + int(random.triangular(0, 90, 10)))
        if day.weekday() == 6 or (day.weekday() == 5 and random.random() < 0.6):
            continue
        minute = int(random.triangular(8 * 60, 18 * 60, 10.5 * 60))
        return datetime.combine(day, time(minute // 60, minute % 60, random.randrange(60)), tzinfo=UTC)


def _conversation(centre: Centre, random: Random, number: int, agent_id: int, with_words: bool) -> Made:
    person = centre.by_id[agent_id]
    topic, channel = random.choice(TOPICS), random.choice(CHANNELS)
    started = _moment(centre, random)
    if channel in LETTERS:
        started -= timedelta(days=7)  # they take days, and end before today
    good = random.random() < person.quality
    customer = random.choice(NAMES)
    length_ms = int(min(3 * 3600, math.exp(random.gauss(5.6, 0.55))) * 1000)
    if number % 997 == 500:
        length_ms = 3 * 3600 * 1000
    scene = Scene(channel, topic, person.name, customer, good, started, length_ms)
    turns, end_ms = turns_of(scene, random) if with_words else ([], length_ms)
    happy = min(5, max(1, round(random.gauss(3.4 + (0.7 if good else -0.7) + topic.mood, 0.9))))
    row = {
        "source": SOURCE,
        "external_id": f"HM-{100_000 + number}",
        "channel": channel,
        "queue": topic.queue,
        "direction": "inbound",
        "language": "en",
        "subject": topic.subject,
        "customer_reference": f"C-{random.randrange(10_000, 99_999)}",
        "customer_name": customer,
        "agent_id": agent_id,
        "team_id": centre.teams.get(person.team_on((centre.until - started.date()).days) or ""),
        "started_at": started,
        "ended_at": started + timedelta(milliseconds=end_ms),
        "duration_ms": end_ms,
        "turn_count": len(turns),
        "fields": {"plan": random.choice(("small", "middle", "large")), "topic": topic.ref},
        "is_demo": True,
        "imported_at": min(centre.now, started + timedelta(milliseconds=end_ms, hours=1)),
        "csat": happy if random.random() < 0.4 else None,
        "csat_max": 5,
        "sla_met": random.random() < 0.86,
        "resolved_first_contact": good or random.random() < 0.4,
        "transfer_count": int(random.random() < 0.12),
        **_kpis(random, channel, end_ms),
    }
    return Made(row, turns, topic.ref)


def _kpis(random: Random, channel: str, length_ms: int) -> dict[str, int | None]:
    seconds = length_ms // 1000
    voice = channel == "voice"
    hold = int(seconds * random.uniform(0, 0.15)) if voice else None
    return {
        "talk_seconds": seconds - (hold or 0) if voice else None,
        "hold_seconds": hold,
        "wrap_seconds": random.randrange(20, 160) if voice else None,
        "wait_seconds": int(random.expovariate(1 / 40)) if voice else None,
        "first_reply_seconds": None
        if voice
        else int(random.expovariate(1 / (90 if channel == "chat" else 9_000))),
        "resolution_seconds": None if voice else seconds,
        "reopen_count": None if voice else int(random.random() < 0.1),
    }


def _write(session: Session, chunk: list[Made]) -> None:
    first = (session.scalar(select(func.max(Interaction.id))) or 0) + 1
    numbered = list(enumerate(chunk, start=first))
    _advance(session, "interaction", first + len(chunk))
    session.execute(insert(Interaction), [{"id": i, **made.row} for i, made in numbered])
    people = [
        {"interaction_id": i, "user_id": made.row["agent_id"], "part": "main", "position": 1}
        for i, made in numbered
    ]
    session.execute(insert(Participant), people)
    session.execute(insert(InteractionTag), [{"interaction_id": i, "tag": made.tag} for i, made in numbered])
    turns = [{"interaction_id": i, **turn} for i, made in numbered for turn in made.turns]
    if turns:
        session.execute(insert(Turn), turns)


def _advance(session: Session, table: str, value: int) -> None:
    """Tell PostgreSQL's counter which ids were given by hand."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.setval(f"{table}_id_seq", value)))


def _playable(database: Database, storage: Storage, keys: Keys, centre: Centre) -> list[int]:
    """Add the calls that can be heard: true transcripts, two channels."""
    found = []
    agent = centre.people["Dana Ortiz"]
    for place, name in enumerate(CALLS):
        folder = resources.files("qa.demo") / "calls"
        with (folder / f"{name}.ogg").open("rb") as file:
            stored = store_sealed(storage, file)
        spoken = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        started = datetime.combine(centre.until - timedelta(days=1 + place), time(10, 12 + place), tzinfo=UTC)
        with database.transaction() as session:
            row = Interaction(
                source=SOURCE,
                external_id=f"HM-call-{name}",
                channel="voice",
                queue="Billing",
                language="en",
                subject=CALL_SUBJECTS[name],
                customer_reference=f"C-{20_000 + place}",
                customer_name=("Robert Hale", "Anna Reid", "Tom Baker")[place],
                agent_id=agent,
                team_id=centre.teams["Billing North"],
                started_at=started,
                ended_at=started + timedelta(seconds=spoken["duration"]),
                duration_ms=round(spoken["duration"] * 1000),
                turn_count=len(spoken["segments"]),
                talk_seconds=round(spoken["duration"]),
                hold_seconds=(12, 11, 9)[place],
                wrap_seconds=45,
                wait_seconds=20,
                csat=(2, 1, 4)[place],
                csat_max=5,
                sla_met=True,
                fields={},
                is_demo=True,
                imported_at=started + timedelta(hours=1),
            )
            session.add(row)
            session.flush()
            session.add(Participant(interaction_id=row.id, user_id=agent))
            for number, part in enumerate(spoken["segments"], start=1):
                times = {"start_ms": round(part["start"] * 1000), "end_ms": round(part["end"] * 1000)}
                session.add(
                    Turn(
                        interaction_id=row.id,
                        position=number,
                        speaker=part["speaker"],
                        text=part["text"],
                        **times,
                    )
                )
            recording = Recording(
                interaction_id=row.id,
                storage_key=stored.key,
                sealed_key=keys.seal(stored.content_key, purpose=RECORDING_KEY),
                original_name=f"{name}.ogg",
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                speakers=["agent", "customer"],
                is_demo=True,
                stored_at=centre.now,
            )
            session.add(recording)
            session.flush()
            jobs.enqueue(session, MEDIA_JOB, {"recording_id": recording.id}, now=centre.now, queue="media")
            found.append(row.id)
    return found


def _fill_queue(database: Database, centre: Centre, calls: list[int]) -> None:
    """Give the demo evaluator the playable calls first, then a draw from everybody's conversations."""
    evaluator = centre.people["Mara Lindqvist"]
    with database.transaction() as session:
        open_ones = judge.unjudged(session, wanted=QUEUE_MIX, but=calls)
        today = datetime.combine(centre.until, time(16), tzinfo=UTC)
        for place, interaction_id in enumerate([*calls, *open_ones]):
            interaction = session.get_one(Interaction, interaction_id)
            version = centre.versions[FORM_OF[interaction.channel]]
            is_random = interaction_id in calls or (interaction.csat or 5) > 2
            row = Assignment(
                interaction_id=interaction_id,
                agent_id=interaction.agent_id,
                scorecard_id=version.scorecard_id,
                evaluator_id=evaluator,
                due_at=today + timedelta(days=place // 3, minutes=place),
                assigned_at=centre.now,
                is_demo=True,
                **judge.drawn(session, version, interaction, centre.now, random_draw=is_random),
            )
            session.add(row)
            session.flush()
            judge.let_see(session, interaction_id, evaluator)
        judge.set_aside(session, centre_facts(centre), centre.random)
        judge.leave_to_read(session, centre.people["Dana Ortiz"], count=2)


def is_empty(session: Session) -> bool:
    """Tell whether nobody is there yet."""
    return session.scalar(select(func.count()).select_from(User)) == 0


def keep_sign_ins(folder: Path, users: list[dict[str, str]]) -> None:
    """Keep the demo sign-ins beside the database, for this user's eyes only."""
    file = folder / "demo-users.json"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump({"users": users}, out, indent=1)
