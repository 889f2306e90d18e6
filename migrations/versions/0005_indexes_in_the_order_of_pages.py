"""Indexes in the order in which pages show work, and over the few rows that wait for somebody."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WHOLE = {
    "ix_assignment_assigned": ("assignment", ["assigned_at", "id"]),
    "ix_assignment_evaluator_assigned": ("assignment", ["evaluator_id", "assigned_at", "id"]),
    "ix_assignment_ended": ("assignment", ["ended_at", "id"]),
    "ix_evaluation_evaluator_submitted": ("evaluation", ["evaluator_id", "submitted_at", "id"]),
}
WAITING = {
    "ix_assignment_open": ("assignment", ["evaluator_id", "due_at", "id"], "state IN ('open', 'started')"),
    "ix_evaluation_unread": ("evaluation", ["agent_id", "released_at", "id"], "state = 'released'"),
    "ix_evaluation_unreleased": ("evaluation", ["release_at", "id"], "state = 'submitted'"),
}


def upgrade() -> None:
    for name, (table, columns) in WHOLE.items():
        op.create_index(name, table, columns)
    for name, (table, columns, state) in WAITING.items():
        op.create_index(name, table, columns, sqlite_where=sa.text(state), postgresql_where=sa.text(state))


def downgrade() -> None:
    for name, (table, *_) in (WHOLE | WAITING).items():
        op.drop_index(name, table)
