"""The demo centre: the same seed makes the same, every score recomputes, and it can be taken away."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select

from qa.accounts.models import User, UserRole
from qa.coaching import training_service
from qa.coaching.training_models import TrainingModule, TrainingTask
from qa.core import crypto
from qa.core.db import Base, Database
from qa.core.storage import LocalStorage
from qa.demo.build import build
from qa.demo.centre import Size
from qa.demo.remove import real_work, remove
from qa.evaluations.commands import problem_of, submitted
from qa.evaluations.models import Evaluation
from qa.interactions.models import Interaction, Turn
from qa.interactions.redaction import redact
from qa.interactions.transcript import Segment, Transcript
from tests.factories import NOW, actor_of, make_interaction, make_scorecard, make_submitted, make_user

SMALL = Size(interactions=90, evaluations=30, transcripts=90, agents=8)
RANDOM = {"password_hash", "sealed_key", "storage_key"}


def fill(database: Database, folder: Path, seed: int = 1) -> LocalStorage:
    """Make a small centre."""
    key = folder / "data.key"
    crypto.ensure_key(key)
    storage = LocalStorage(folder / "recordings")
    build(
        database,
        storage,
        crypto.load_keys(key),
        size=SMALL,
        seed=seed,
        until=date(2026, 3, 16),
        progress=lambda _: None,
    )
    return storage


def fingerprint(database: Database) -> str:
    """A hash over every row, but for what is random by design."""
    digest = hashlib.sha256()
    with database.reading() as session:
        for table in Base.metadata.sorted_tables:
            columns = [column for column in table.columns if column.name not in RANDOM]
            for row in session.execute(select(*columns).order_by(*table.primary_key.columns)):
                digest.update(repr((table.name, tuple(row))).encode())
    return digest.hexdigest()


def is_clean(text: str) -> bool:
    """Whether redaction finds nothing in a text that the demo stores as redacted."""
    return redact(Transcript(0, (Segment(0, 0, "agent", text),))).texts == (text,)


def test_the_same_seed_makes_the_same_centre_and_every_score_recomputes(
    database: Database, tmp_path: Path, sqlite_template: Path
) -> None:
    fill(database, tmp_path)
    other_file = tmp_path / "other.db"
    other_file.write_bytes(sqlite_template.read_bytes())
    other = Database(f"sqlite:///{other_file}")
    fill(other, tmp_path / "other")
    if database.is_sqlite:
        assert fingerprint(database) == fingerprint(other)
    other.dispose()
    assert [problem for one in submitted(database) if (problem := problem_of(one))] == []
    with database.reading() as session:
        assert session.scalar(select(func.count()).where(Turn.stored.contains("{"))) == 0
        assert all(is_clean(text) for text in session.scalars(select(Turn.stored).distinct()))
        states = set(session.scalars(select(Evaluation.state)))
    assert states == {"draft", "submitted", "released", "acknowledged", "voided"}


def test_it_goes_away_whole_and_leaves_what_is_real(database: Database, tmp_path: Path) -> None:
    with database.transaction() as session:
        agent, evaluator = make_user(session, "agent"), make_user(session, "evaluator")
        kept = make_submitted(session, evaluator, agent).id
    storage = fill(database, tmp_path)
    with database.reading() as session:
        assert real_work(session) == []
        states = set(session.scalars(select(TrainingTask.state)))
    assert {"open", "done"} <= states
    with database.transaction() as session:
        boss = session.scalars(select(User).join(UserRole).where(UserRole.role == "manager")).first()
        assert boss is not None
        real = training_service.Content(title="A real one", text="Stays.")
        training_service.add_module(session, actor_of(boss), real, now=NOW)
    with database.transaction() as session:
        remove(session, storage, now=NOW)
    with database.reading() as session:
        assert list(session.scalars(select(Evaluation.id))) == [kept]
        assert session.scalar(select(func.count()).where(Interaction.is_demo)) == 0
        assert session.scalar(select(func.count()).select_from(TrainingTask)) == 0
        assert list(session.scalars(select(TrainingModule.title))) == ["A real one"]
    assert [path for path in storage.folder.rglob("*") if path.is_file()] == []


def test_work_of_real_people_on_it_is_listed_first(database: Database, tmp_path: Path) -> None:
    fill(database, tmp_path)
    with database.transaction() as session:
        from qa.evaluations import assign_service

        evaluator = make_user(session, "evaluator")
        found = session.scalars(select(Interaction).where(Interaction.is_demo).limit(1)).one()
        assign_service.assign(
            session,
            actor_of(make_user(session, "manager")),
            interaction_id=found.id,
            agent_id=found.agent_id or 0,
            scorecard_id=make_scorecard(session).scorecard_id,
            evaluator_id=evaluator.id,
            due_at=NOW,
            now=NOW,
        )
        make_interaction(session, evaluator)
    with database.reading() as session:
        assert [(work.count, "assignments" in work.words) for work in real_work(session)] == [(1, True)]


@pytest.mark.parametrize("name", ["refund", "cancel", "outage"])
def test_the_playable_calls_are_small_and_have_true_transcripts(name: str) -> None:
    import json

    folder = Path(__file__).parents[2] / "qa" / "demo" / "calls"
    assert (folder / f"{name}.ogg").stat().st_size < 300_000
    spoken = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    ends = [part["end"] for part in spoken["segments"]]
    assert max(ends) <= spoken["duration"] + 0.05
