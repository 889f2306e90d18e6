"""Recordings to transcripts with Whisper, offline: one transcriber, two engines, models fetched by hand."""
