"""Coaching: plans, goals, sessions, notes, to-dos, templates, days off, and who coaches whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "coaching_day_off",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_day_off")),
        sa.UniqueConstraint("day", name=op.f("uq_coaching_day_off_day")),
    )
    op.create_table(
        "coaching_template",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("goals", sa.JSON(), nullable=False),
        sa.Column("agenda", sa.Text(), nullable=False),
        sa.Column("todos", sa.JSON(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["made_by_id"], ["user.id"], name=op.f("fk_coaching_template_made_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_template")),
    )
    op.create_table(
        "coaching_plan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("coach_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("origin", sa.String(length=12), nullable=False),
        sa.Column("rule", sa.String(length=120), nullable=False),
        sa.Column("evaluation_id", sa.Integer(), nullable=True),
        sa.Column("trigger_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("review_on", sa.Date(), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_words", sa.String(length=500), nullable=False),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "origin IN ('agent', 'evaluation', 'rule', 'template')",
            name=op.f("ck_coaching_plan_known_origin"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'active', 'completed', 'cancelled')",
            name=op.f("ck_coaching_plan_known_state"),
        ),
        sa.CheckConstraint("months BETWEEN 1 AND 3", name=op.f("ck_coaching_plan_some_months")),
        sa.ForeignKeyConstraint(["agent_id"], ["user.id"], name=op.f("fk_coaching_plan_agent_id")),
        sa.ForeignKeyConstraint(["coach_id"], ["user.id"], name=op.f("fk_coaching_plan_coach_id")),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_coaching_plan_evaluation_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["made_by_id"], ["user.id"], name=op.f("fk_coaching_plan_made_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_plan")),
    )
    with op.batch_alter_table("coaching_plan", schema=None) as batch_op:
        batch_op.create_index("ix_coaching_plan_agent", ["agent_id", "id"], unique=False)
        batch_op.create_index("ix_coaching_plan_coach", ["coach_id", "state", "id"], unique=False)
        batch_op.create_index("ix_coaching_plan_review", ["state", "review_on", "id"], unique=False)

    op.create_table(
        "coaching_follow_up",
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["coaching_plan.id"], name=op.f("fk_coaching_follow_up_plan_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("plan_id", "month", name=op.f("pk_coaching_follow_up")),
    )
    op.create_table(
        "coaching_goal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("scorecard_id", sa.Integer(), nullable=True),
        sa.Column("ref", sa.String(length=120), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("target", sa.Integer(), nullable=True),
        sa.Column("baseline", sa.JSON(), nullable=True),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("measured", sa.JSON(), nullable=True),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('question', 'section', 'kpi', 'behaviour')", name=op.f("ck_coaching_goal_known_kind")
        ),
        sa.CheckConstraint(
            "target IS NULL OR target BETWEEN 1 AND 100", name=op.f("ck_coaching_goal_target_is_a_share")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["coaching_plan.id"], name=op.f("fk_coaching_goal_plan_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scorecard_id"], ["scorecard.id"], name=op.f("fk_coaching_goal_scorecard_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_goal")),
    )
    with op.batch_alter_table("coaching_goal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_coaching_goal_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index("ix_coaching_goal_ref", ["scorecard_id", "ref"], unique=False)

    op.create_table(
        "coaching_plan_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["user.id"], name=op.f("fk_coaching_plan_event_actor_id")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["coaching_plan.id"], name=op.f("fk_coaching_plan_event_plan_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_plan_event")),
    )
    with op.batch_alter_table("coaching_plan_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_coaching_plan_event_plan_id"), ["plan_id"], unique=False)

    op.create_table(
        "coaching_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=True),
        sa.Column("coach_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("agenda", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("shared_note", sa.Text(), nullable=False),
        sa.Column("strengths", sa.Text(), nullable=False),
        sa.Column("opportunities", sa.Text(), nullable=False),
        sa.Column("follows_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("timed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('coach', 'group', 'peer', 'self')", name=op.f("ck_coaching_session_known_kind")
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'held', 'no_show', 'cancelled')",
            name=op.f("ck_coaching_session_known_state"),
        ),
        sa.CheckConstraint("minutes BETWEEN 5 AND 480", name=op.f("ck_coaching_session_some_minutes")),
        sa.ForeignKeyConstraint(["coach_id"], ["user.id"], name=op.f("fk_coaching_session_coach_id")),
        sa.ForeignKeyConstraint(
            ["follows_id"],
            ["coaching_session.id"],
            name=op.f("fk_coaching_session_follows_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["coaching_plan.id"], name=op.f("fk_coaching_session_plan_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_session")),
    )
    with op.batch_alter_table("coaching_session", schema=None) as batch_op:
        batch_op.create_index("ix_coaching_session_coach", ["coach_id", "starts_at", "id"], unique=False)
        batch_op.create_index("ix_coaching_session_plan", ["plan_id", "starts_at"], unique=False)
        batch_op.create_index(
            "ix_coaching_session_planned",
            ["starts_at", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'planned'"),
            postgresql_where=sa.text("state = 'planned'"),
        )

    op.create_table(
        "coaching_private_note",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_coaching_private_note_author_id")),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["coaching_session.id"],
            name=op.f("fk_coaching_private_note_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "author_id", name=op.f("pk_coaching_private_note")),
    )
    with op.batch_alter_table("coaching_private_note", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_coaching_private_note_author_id"), ["author_id"], unique=False)

    op.create_table(
        "coaching_session_clip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("interaction_id", sa.Integer(), nullable=False),
        sa.Column("evaluation_id", sa.Integer(), nullable=True),
        sa.Column("start_ms", sa.Integer(), nullable=True),
        sa.Column("end_ms", sa.Integer(), nullable=True),
        sa.Column("turn_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_coaching_session_clip_evaluation_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interaction.id"],
            name=op.f("fk_coaching_session_clip_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["coaching_session.id"],
            name=op.f("fk_coaching_session_clip_session_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["turn_id"], ["turn.id"], name=op.f("fk_coaching_session_clip_turn_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_session_clip")),
    )
    with op.batch_alter_table("coaching_session_clip", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_coaching_session_clip_evaluation_id"), ["evaluation_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_coaching_session_clip_interaction_id"), ["interaction_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_coaching_session_clip_session_id"), ["session_id"], unique=False)

    op.create_table(
        "coaching_session_member",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(length=10), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["user.id"], name=op.f("fk_coaching_session_member_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["coaching_session.id"],
            name=op.f("fk_coaching_session_member_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "person_id", name=op.f("pk_coaching_session_member")),
    )
    with op.batch_alter_table("coaching_session_member", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_coaching_session_member_person_id"), ["person_id"], unique=False)

    op.create_table(
        "coaching_todo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=True),
        sa.Column("session_id", sa.Integer(), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dropped_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["made_by_id"], ["user.id"], name=op.f("fk_coaching_todo_made_by_id")),
        sa.ForeignKeyConstraint(["person_id"], ["user.id"], name=op.f("fk_coaching_todo_person_id")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["coaching_plan.id"], name=op.f("fk_coaching_todo_plan_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["coaching_session.id"],
            name=op.f("fk_coaching_todo_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coaching_todo")),
    )
    with op.batch_alter_table("coaching_todo", schema=None) as batch_op:
        batch_op.create_index(
            "ix_coaching_todo_open",
            ["person_id", "due_on", "id"],
            unique=False,
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_coaching_todo_plan_id"), ["plan_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_coaching_todo_session_id"), ["session_id"], unique=False)

    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.add_column(sa.Column("coach_id", sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f("ix_user_coach_id"), ["coach_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_user_coach_id"), "user", ["coach_id"], ["id"])


def downgrade() -> None:
    op.drop_table("coaching_todo")
    op.drop_table("coaching_session_member")
    op.drop_table("coaching_session_clip")
    op.drop_table("coaching_private_note")
    op.drop_table("coaching_session")
    op.drop_table("coaching_plan_event")
    op.drop_table("coaching_goal")
    op.drop_table("coaching_follow_up")
    op.drop_table("coaching_plan")
    op.drop_table("coaching_template")
    op.drop_table("coaching_day_off")
    with op.batch_alter_table("user", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_user_coach_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_user_coach_id"))
        batch_op.drop_column("coach_id")
