"""Fill an empty site: the same seed and last day make the same centre, in flat memory.

This package writes tables of others in bulk: the one exception to "only the owner writes".
Passwords and keys are random and stand outside what the seed decides.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.storage import Storage
from qa.demo import judge
from qa.demo.centre import SOURCE, Centre, Size, organise
from qa.demo.coached import add_coaching
from qa.demo.dialogue import NAMES, TOPICS
from qa.demo.recorded import add_recorded
from qa.demo.train import add_trainings
from qa.demo.turns import Scene, turns_of
from qa.evaluations.models import Assignment
from qa.interactions.models import Interaction, InteractionTag, Participant, Turn

CHUNK = 250
LETTERS = ("email", "ticket")
CHANNELS = ("voice", "voice", "voice", "chat", "chat", "email", "ticket")
QUEUE_MIX = {"voice": 3, "chat": 3, "email": 2, "ticket": 1}
FORM_OF = {"voice": "voice-support", "chat": "chat", "email": "email-ticket", "ticket": "email-ticket"}
TRAINERS = ("lead", "coach", "manager")
TRAINED = 200
"""However large a demo is, so many agents have trainings: the pages show what more would show."""

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
        centre, sign_ins = organise(session, Random(f"{seed}:people"), size, until, now)
    made = 0
    for chunk in _chunks(centre, size, seed):
        with database.transaction() as session:
            _write(session, chunk)
        made += len(chunk)
        progress(len(chunk))
    calls = add_recorded(database, storage, keys, centre)
    judge.evaluate(database, centre_facts(centre), count=size.evaluations, seed=seed, progress=progress)
    _fill_queue(database, centre, calls)
    with database.transaction() as session:
        _add_trainings(session, centre, seed)
    add_coaching(database, centre)
    return sign_ins


def _add_trainings(session: Session, centre: Centre, seed: int) -> None:
    """Give the agents of the first site trainings, by its lead and coach."""
    facts = centre_facts(centre)
    first = {role: next(i for i, p in centre.by_id.items() if role in p.roles) for role in TRAINERS}
    team = centre.by_id[first["lead"]].team or ""
    add_trainings(
        session,
        Random(f"{seed}:training"),
        agents=sorted(facts.quality)[:TRAINED],
        shown=facts.shown,
        coach=first["coach"],
        lead=first["lead"],
        manager=first["manager"],
        team=centre.teams[team],
        cards={name: version.scorecard_id for name, version in centre.versions.items()},
        now=centre.now,
    )


def centre_facts(centre: Centre) -> judge.Facts:
    """Return what judging needs to know of the centre."""
    return judge.Facts(
        now=centre.now,
        shown=next(i for i, p in centre.by_id.items() if p.signs_in and "agent" in p.roles),
        evaluators={i: p.severity for i, p in centre.by_id.items() if "evaluator" in p.roles},
        quality={i: p.quality for i, p in centre.by_id.items() if "agent" in p.roles},
        leads=tuple(i for i, p in centre.by_id.items() if "lead" in p.roles),
        versions=centre.versions,
        form_of=FORM_OF,
    )


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
        "redaction": "done",
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
