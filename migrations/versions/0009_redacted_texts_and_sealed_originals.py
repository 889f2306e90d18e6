"""Texts that redaction passed over, and what it took out, sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UNREDACTED = sa.text("redaction != 'done'")


def upgrade() -> None:
    op.create_table(
        "sealed_original",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("interaction_id", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("hidden", sa.JSON(), nullable=False),
        sa.Column("tones", sa.JSON(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interaction.id"],
            name=op.f("fk_sealed_original_interaction_id_interaction"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_original")),
        sa.UniqueConstraint("interaction_id", name=op.f("uq_sealed_original_interaction_id")),
    )
    op.add_column(
        "interaction", sa.Column("redaction", sa.String(length=10), server_default="waiting", nullable=False)
    )
    op.add_column(
        "interaction", sa.Column("withheld_reason", sa.String(length=300), server_default="", nullable=False)
    )
    op.create_index(
        "ix_interaction_unredacted",
        "interaction",
        ["id"],
        sqlite_where=UNREDACTED,
        postgresql_where=UNREDACTED,
    )
    op.add_column("turn", sa.Column("is_redacted", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("turn", sa.Column("channel", sa.Integer(), nullable=True))
    op.add_column("turn", sa.Column("conf", sa.Float(), nullable=True))
    op.add_column("turn", sa.Column("words", sa.JSON(), nullable=True))
    op.add_column("recording", sa.Column("covered", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("recording", "covered")
    for column in ("words", "conf", "channel", "is_redacted"):
        op.drop_column("turn", column)
    op.drop_index("ix_interaction_unredacted", table_name="interaction")
    op.drop_column("interaction", "withheld_reason")
    op.drop_column("interaction", "redaction")
    op.drop_table("sealed_original")
