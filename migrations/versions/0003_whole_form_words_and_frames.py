"""What concerns the whole form, coaching points, and the frame a draw came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignment", sa.Column("frame", sa.JSON(), nullable=True))
    op.add_column(
        "evaluation", sa.Column("root_cause", sa.String(length=120), server_default="", nullable=False)
    )
    op.add_column("evaluation", sa.Column("coaching_note", sa.Text(), server_default="", nullable=False))
    op.add_column("answer", sa.Column("coaching", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("answer", "coaching")
    op.drop_column("evaluation", "coaching_note")
    op.drop_column("evaluation", "root_cause")
    op.drop_column("assignment", "frame")
