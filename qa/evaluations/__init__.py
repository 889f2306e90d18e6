"""Judging conversations: assignments, drafts, submitted evaluations, revisions, acknowledgement."""
