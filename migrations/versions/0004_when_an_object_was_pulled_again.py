"""When an object that webhooks speak of was pulled again last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("repull", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column("due_at", existing_type=sa.DateTime(timezone=True), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM repull WHERE due_at IS NULL")
    with op.batch_alter_table("repull", schema=None) as batch_op:
        batch_op.alter_column("due_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.drop_column("pulled_at")
