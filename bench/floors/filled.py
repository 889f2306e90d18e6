"""The floor's database: an engine as safe as the product's, and rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, insert

from bench.floors.tables import answer, call, draft, meta, person, turn, work

QUESTIONS, TURNS, LONG = 20, 60, 2_160
TEAMS, AGENTS = 40, 600
DRAFTS = 4_000
WHEN = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def make_engine(file: Path) -> Any:
    """Return an engine as safe as the product's."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"check_same_thread": False})

    def connected(raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=5000", "synchronous=FULL"):
            raw.execute(f"PRAGMA {pragma}")
        raw.execute("PRAGMA cache_size=-65536")

    event.listen(engine, "connect", connected)
    event.listen(
        engine,
        "begin",
        lambda one: one.exec_driver_sql(
            "BEGIN IMMEDIATE" if one.get_execution_options().get("write") else "BEGIN"
        ),
    )
    return engine


def fill(engine: Any, rows: int) -> None:
    """Make the tables and their rows."""
    meta.create_all(engine)
    people = [{"id": i, "name": f"Person {i}", "team_id": i % TEAMS} for i in range(1, AGENTS + 1)]
    with engine.execution_options(write=True).begin() as opened:
        opened.execute(insert(person), people)
        for start in range(1, rows + 1, 10_000):
            opened.execute(insert(call), [_call(i) for i in range(start, min(start + 10_000, rows + 1))])
        for of, length in ((1, TURNS), (2, LONG)):
            opened.execute(insert(turn), [_turn(of, place) for place in range(length)])
        drafts = [{"id": i, "call_id": 1, "revision": 0, "state": "draft"} for i in range(1, DRAFTS + 1)]
        opened.execute(insert(draft), drafts)
        opened.execute(
            insert(work), [{"id": i, "draft_id": i, "state": "started"} for i in range(1, DRAFTS + 1)]
        )
        for i in range(1, DRAFTS + 1):
            opened.execute(
                insert(answer),
                [
                    {"draft_id": i, "question": q, "value": "1", "state": "value"}
                    for q in range(1, QUESTIONS + 1)
                ],
            )


def _call(i: int) -> dict[str, Any]:
    return {
        "id": i,
        "agent_id": i % AGENTS + 1,
        "team_id": (i % AGENTS + 1) % TEAMS,
        "channel": "voice",
        "subject": f"Charged twice, wants a refund {i}",
        "started_at": WHEN + timedelta(seconds=77 * i),
        "duration_ms": 360_000,
        "turn_count": 12,
        "fields": {"plan": "large", "topic": "refund"},
    }


def _turn(of: int, place: int) -> dict[str, Any]:
    return {
        "call_id": of,
        "position": place,
        "speaker": ("agent", "customer")[place % 2],
        "start_ms": place * 5_000,
        "end_ms": place * 5_000 + 4_200,
        "text": "I was charged twice this month and nobody has called me back about it so far.",
    }
