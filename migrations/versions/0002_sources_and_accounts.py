"""Sources with their lanes, runs, quarantine and webhook inbox; accounts of other systems."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('source',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('plugin', sa.String(length=120), nullable=False),
    sa.Column('connector', sa.String(length=60), nullable=False),
    sa.Column('config', sa.JSON(), nullable=False),
    sa.Column('every_seconds', sa.Integer(), nullable=False),
    sa.Column('fetches_media', sa.Boolean(), nullable=False),
    sa.Column('writes_back', sa.Boolean(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.String(length=500), nullable=False),
    sa.Column('cure', sa.String(length=500), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('state_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('is_paused', sa.Boolean(), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('good_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('checked', sa.JSON(), nullable=True),
    sa.Column('hook_token', sa.String(length=64), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('new', 'ok', 'limited', 'degraded', 'needs_reauth', 'paused')", name=op.f('ck_source_known_state')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_source')),
    sa.UniqueConstraint('hook_token', name=op.f('uq_source_hook_token')),
    sa.UniqueConstraint('key', name=op.f('uq_source_key'))
    )
    with op.batch_alter_table('source', schema=None) as batch_op:
        batch_op.create_index('ix_source_next', ['next_at'], unique=False)

    op.create_table('delivery',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('source_id', sa.Integer(), nullable=False),
    sa.Column('delivery_id', sa.String(length=200), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('error', sa.String(length=500), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('waiting', 'done', 'failed')", name=op.f('ck_delivery_known_state')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_delivery_source_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery')),
    sa.UniqueConstraint('source_id', 'delivery_id', name=op.f('uq_delivery_source_id_delivery_id'))
    )
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.create_index('ix_delivery_waiting', ['source_id', 'id'], unique=False, sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))

    op.create_table('quarantined',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('source_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('stream', sa.String(length=80), nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=True),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('error', sa.String(length=500), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('plugin_version', sa.String(length=60), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('first_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('waiting', 'left_out')", name=op.f('ck_quarantined_known_state')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_quarantined_source_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quarantined')),
    sa.UniqueConstraint('source_id', 'key', name=op.f('uq_quarantined_source_id_key'))
    )
    with op.batch_alter_table('quarantined', schema=None) as batch_op:
        batch_op.create_index('ix_quarantined_external', ['source_id', 'external_id'], unique=False)

    op.create_table('repull',
    sa.Column('source_id', sa.Integer(), nullable=False),
    sa.Column('stream', sa.String(length=80), nullable=False),
    sa.Column('external_id', sa.String(length=200), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_repull_source_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('source_id', 'stream', 'external_id', name=op.f('pk_repull'))
    )
    with op.batch_alter_table('repull', schema=None) as batch_op:
        batch_op.create_index('ix_repull_due', ['source_id', 'due_at'], unique=False)

    op.create_table('sync_lane',
    sa.Column('source_id', sa.Integer(), nullable=False),
    sa.Column('stream', sa.String(length=80), nullable=False),
    sa.Column('lane', sa.String(length=10), nullable=False),
    sa.Column('cursor', sa.JSON(), nullable=True),
    sa.Column('cursor_version', sa.Integer(), nullable=False),
    sa.Column('window_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('window_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('is_finished', sa.Boolean(), nullable=False),
    sa.Column('is_paused', sa.Boolean(), nullable=False),
    sa.Column('is_held', sa.Boolean(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('token', sa.String(length=32), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('run_id', sa.Integer(), nullable=True),
    sa.Column('record_count', sa.Integer(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("lane IN ('live', 'backfill')", name=op.f('ck_sync_lane_known_lane')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_sync_lane_source_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('source_id', 'stream', 'lane', name=op.f('pk_sync_lane'))
    )
    op.create_table('sync_run',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('source_id', sa.Integer(), nullable=False),
    sa.Column('stream', sa.String(length=80), nullable=False),
    sa.Column('lane', sa.String(length=10), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended', sa.String(length=20), nullable=False),
    sa.Column('words', sa.String(length=500), nullable=False),
    sa.Column('error', sa.String(length=500), nullable=False),
    sa.Column('page_count', sa.Integer(), nullable=False),
    sa.Column('new_count', sa.Integer(), nullable=False),
    sa.Column('changed_count', sa.Integer(), nullable=False),
    sa.Column('same_count', sa.Integer(), nullable=False),
    sa.Column('deleted_count', sa.Integer(), nullable=False),
    sa.Column('refused_count', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_sync_run_source_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_run'))
    )
    with op.batch_alter_table('sync_run', schema=None) as batch_op:
        batch_op.create_index('ix_sync_run_source', ['source_id', 'id'], unique=False)

    op.create_table('alias',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=80), nullable=False),
    sa.Column('account', sa.String(length=254), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('extension', sa.String(length=80), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('rule', sa.String(length=20), nullable=False),
    sa.Column('decided_by_id', sa.Integer(), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('first_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('auto', 'suggested', 'confirmed', 'ignored', 'nobody')", name=op.f('ck_alias_known_state')),
    sa.ForeignKeyConstraint(['decided_by_id'], ['user.id'], name=op.f('fk_alias_decided_by_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['user.id'], name=op.f('fk_alias_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alias')),
    sa.UniqueConstraint('source', 'account', name=op.f('uq_alias_source_account'))
    )
    with op.batch_alter_table('alias', schema=None) as batch_op:
        batch_op.create_index('ix_alias_state', ['state', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_alias_user_id'), ['user_id'], unique=False)

    op.create_table('alias_part',
    sa.Column('interaction_id', sa.Integer(), nullable=False),
    sa.Column('alias_id', sa.Integer(), nullable=False),
    sa.Column('part', sa.String(length=20), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['alias_id'], ['alias.id'], name=op.f('fk_alias_part_alias_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['interaction_id'], ['interaction.id'], name=op.f('fk_alias_part_interaction_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('interaction_id', 'alias_id', name=op.f('pk_alias_part'))
    )
    with op.batch_alter_table('alias_part', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alias_part_alias_id'), ['alias_id'], unique=False)

    op.create_table('media_reference',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('source_id', sa.Integer(), nullable=False),
    sa.Column('interaction_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('reference', sa.JSON(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('next_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=500), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=True),
    sa.Column('noted_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('waiting', 'kept', 'gone', 'failed')", name=op.f('ck_media_reference_known_state')),
    sa.ForeignKeyConstraint(['interaction_id'], ['interaction.id'], name=op.f('fk_media_reference_interaction_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['recording_id'], ['recording.id'], name=op.f('fk_media_reference_recording_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_media_reference_source_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_media_reference')),
    sa.UniqueConstraint('interaction_id', 'key', name=op.f('uq_media_reference_interaction_id_key'))
    )
    with op.batch_alter_table('media_reference', schema=None) as batch_op:
        batch_op.create_index('ix_media_reference_waiting', ['source_id', 'next_at'], unique=False, sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))

    with op.batch_alter_table('interaction', schema=None) as batch_op:
        batch_op.add_column(sa.Column('source_updated_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('merged_into', sa.String(length=200), server_default='', nullable=False))



def downgrade() -> None:
    with op.batch_alter_table('interaction', schema=None) as batch_op:
        batch_op.drop_column('merged_into')
        batch_op.drop_column('source_updated_at')

    with op.batch_alter_table('media_reference', schema=None) as batch_op:
        batch_op.drop_index('ix_media_reference_waiting', sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))

    op.drop_table('media_reference')
    with op.batch_alter_table('alias_part', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_alias_part_alias_id'))

    op.drop_table('alias_part')
    with op.batch_alter_table('alias', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_alias_user_id'))
        batch_op.drop_index('ix_alias_state')

    op.drop_table('alias')
    with op.batch_alter_table('sync_run', schema=None) as batch_op:
        batch_op.drop_index('ix_sync_run_source')

    op.drop_table('sync_run')
    op.drop_table('sync_lane')
    with op.batch_alter_table('repull', schema=None) as batch_op:
        batch_op.drop_index('ix_repull_due')

    op.drop_table('repull')
    with op.batch_alter_table('quarantined', schema=None) as batch_op:
        batch_op.drop_index('ix_quarantined_external')

    op.drop_table('quarantined')
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_index('ix_delivery_waiting', sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))

    op.drop_table('delivery')
    with op.batch_alter_table('source', schema=None) as batch_op:
        batch_op.drop_index('ix_source_next')

    op.drop_table('source')
