"""The floor's own tables: what the physical work needs and nothing else."""

from __future__ import annotations

from sqlalchemy import JSON, Column, DateTime, ForeignKey, Index, Integer, MetaData, String, Table

meta = MetaData()
person = Table(
    "person",
    meta,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("team_id", Integer),
)
call = Table(
    "call",
    meta,
    Column("id", Integer, primary_key=True),
    Column("agent_id", ForeignKey("person.id")),
    Column("team_id", Integer),
    Column("channel", String),
    Column("subject", String),
    Column("started_at", DateTime),
    Column("duration_ms", Integer),
    Column("turn_count", Integer),
    Column("fields", JSON),
    Index("call_started", "started_at", "id"),
    Index("call_team", "team_id", "started_at", "id"),
)
turn = Table(
    "turn",
    meta,
    Column("id", Integer, primary_key=True),
    Column("call_id", ForeignKey("call.id")),
    Column("position", Integer),
    Column("speaker", String),
    Column("start_ms", Integer),
    Column("end_ms", Integer),
    Column("text", String),
    Index("turn_call", "call_id", "position"),
)
draft = Table(
    "draft",
    meta,
    Column("id", Integer, primary_key=True),
    Column("call_id", ForeignKey("call.id")),
    Column("revision", Integer),
    Column("state", String),
    Column("score", String),
    Column("breakdown", JSON),
    Column("saved_at", DateTime),
)
answer = Table(
    "answer",
    meta,
    Column("draft_id", ForeignKey("draft.id"), primary_key=True),
    Column("question", Integer, primary_key=True),
    Column("value", String),
    Column("state", String),
)
work = Table(
    "work",
    meta,
    Column("id", Integer, primary_key=True),
    Column("draft_id", Integer),
    Column("state", String),
    Index("work_draft", "draft_id"),
)
audit = Table(
    "audit",
    meta,
    Column("id", Integer, primary_key=True),
    Column("at", DateTime),
    Column("action", String),
    Column("object_id", Integer),
)
outbox = Table(
    "outbox",
    meta,
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("payload", JSON),
    Column("at", DateTime),
)
