"""Training: modules with versions, who has which, tries at quizzes, rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "training_module",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("newest", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_training_module_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_module")),
    )
    op.create_table(
        "training_need",
        sa.Column("module_id", sa.Integer(), nullable=False),
        sa.Column("needs_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["module_id"], ["training_module.id"], name=op.f("fk_training_need_module_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["needs_id"], ["training_module.id"], name=op.f("fk_training_need_needs_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("module_id", "needs_id", name=op.f("pk_training_need")),
    )
    op.create_table(
        "training_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("module_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("due_days", sa.Integer(), nullable=False),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('auto_fail', 'joined')", name=op.f("ck_training_rule_known_kind")),
        sa.ForeignKeyConstraint(["made_by_id"], ["user.id"], name=op.f("fk_training_rule_made_by_id")),
        sa.ForeignKeyConstraint(
            ["module_id"], ["training_module.id"], name=op.f("fk_training_rule_module_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_training_rule_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_rule")),
    )
    op.create_table(
        "training_tag",
        sa.Column("module_id", sa.Integer(), nullable=False),
        sa.Column("scorecard_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(
            ["module_id"], ["training_module.id"], name=op.f("fk_training_tag_module_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["scorecard_id"], ["scorecard.id"], name=op.f("fk_training_tag_scorecard_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("module_id", "scorecard_id", "question", name=op.f("pk_training_tag")),
    )
    op.create_table(
        "training_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("module_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("summary", sa.String(length=500), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("video_url", sa.String(length=1000), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("quiz", sa.Text(), nullable=False),
        sa.Column("pass_percent", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("certificate_months", sa.Integer(), nullable=True),
        sa.Column("made_by_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["made_by_id"], ["user.id"], name=op.f("fk_training_version_made_by_id")),
        sa.ForeignKeyConstraint(
            ["module_id"],
            ["training_module.id"],
            name=op.f("fk_training_version_module_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_version")),
        sa.UniqueConstraint("module_id", "number", name=op.f("uq_training_version_module_id_number")),
    )
    op.create_table(
        "training_file",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["training_version.id"],
            name=op.f("fk_training_file_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_training_file")),
    )
    op.create_table(
        "training_task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("module_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("assigned_by_id", sa.Integer(), nullable=True),
        sa.Column("rule_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("certified_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_demo", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'done', 'failed', 'withdrawn')", name=op.f("ck_training_task_known_state")
        ),
        sa.ForeignKeyConstraint(
            ["assigned_by_id"], ["user.id"], name=op.f("fk_training_task_assigned_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["module_id"], ["training_module.id"], name=op.f("fk_training_task_module_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["user.id"], name=op.f("fk_training_task_person_id")),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["training_rule.id"], name=op.f("fk_training_task_rule_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["training_version.id"], name=op.f("fk_training_task_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_task")),
    )
    with op.batch_alter_table("training_task", schema=None) as batch_op:
        batch_op.create_index("ix_training_task_module", ["module_id", "state", "id"], unique=False)
        batch_op.create_index("ix_training_task_person", ["person_id", "state", "id"], unique=False)
        batch_op.create_index(
            "uq_training_task_open",
            ["module_id", "person_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "training_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("marked_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["marked_by_id"], ["user.id"], name=op.f("fk_training_attempt_marked_by_id")),
        sa.ForeignKeyConstraint(
            ["task_id"], ["training_task.id"], name=op.f("fk_training_attempt_task_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_attempt")),
        sa.UniqueConstraint("task_id", "number", name=op.f("uq_training_attempt_task_id_number")),
    )


def downgrade() -> None:
    op.drop_table("training_attempt")
    with op.batch_alter_table("training_task", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_training_task_open",
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index("ix_training_task_person")
        batch_op.drop_index("ix_training_task_module")

    op.drop_table("training_task")
    op.drop_table("training_file")
    op.drop_table("training_version")
    op.drop_table("training_tag")
    op.drop_table("training_rule")
    op.drop_table("training_need")
    op.drop_table("training_module")
