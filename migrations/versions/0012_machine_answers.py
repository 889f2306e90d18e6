"""Machine answers beside those of people, their modes, and what people made of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scorer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scorecard_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(length=120), nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("is_stopped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("of", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("changed_by_id", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode IN ('off', 'shadow', 'suggest')", name=op.f("ck_scorer_known_mode")),
        sa.ForeignKeyConstraint(["changed_by_id"], ["user.id"], name=op.f("fk_scorer_changed_by_id_user")),
        sa.ForeignKeyConstraint(
            ["scorecard_id"], ["scorecard.id"], name=op.f("fk_scorer_scorecard_id_scorecard")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scorer")),
        sa.UniqueConstraint("scorecard_id", "question", name=op.f("uq_scorer_scorecard_id_question")),
    )
    op.create_table(
        "machine_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("interaction_id", sa.Integer(), nullable=False),
        sa.Column("scorecard_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(length=120), nullable=False),
        sa.Column("scorer", sa.String(length=120), nullable=False),
        sa.Column("scorer_version", sa.String(length=40), nullable=False),
        sa.Column("of", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("answer", sa.String(length=120), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("input_hash", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('suggested', 'abstained', 'refused')", name=op.f("ck_machine_answer_known_state")
        ),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interaction.id"],
            name=op.f("fk_machine_answer_interaction_id_interaction"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["scorecard_id"], ["scorecard.id"], name=op.f("fk_machine_answer_scorecard_id_scorecard")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["scorecard_version.id"],
            name=op.f("fk_machine_answer_version_id_scorecard_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machine_answer")),
        sa.UniqueConstraint(
            "interaction_id",
            "version_id",
            "question",
            name=op.f("uq_machine_answer_interaction_id_version_id_question"),
        ),
    )
    op.create_index("ix_machine_answer_scorecard_id", "machine_answer", ["scorecard_id"])
    op.create_table(
        "machine_answer_decision",
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("machine_answer_id", sa.Integer(), nullable=False),
        sa.Column("is_accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("decided_by_id", sa.Integer(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["user.id"], name=op.f("fk_machine_answer_decision_decided_by_id_user")
        ),
        sa.ForeignKeyConstraint(
            ["evaluation_id"],
            ["evaluation.id"],
            name=op.f("fk_machine_answer_decision_evaluation_id_evaluation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["machine_answer_id"],
            ["machine_answer.id"],
            name=op.f("fk_machine_answer_decision_machine_answer_id_machine_answer"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "evaluation_id", "machine_answer_id", name=op.f("pk_machine_answer_decision")
        ),
    )


def downgrade() -> None:
    op.drop_table("machine_answer_decision")
    op.drop_index("ix_machine_answer_scorecard_id", table_name="machine_answer")
    op.drop_table("machine_answer")
    op.drop_table("scorer")
