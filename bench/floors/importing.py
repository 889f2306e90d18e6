"""Floor of importing: parse each line, upsert in batches, plain ``sqlite3``, a commit each 500."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from itertools import islice

BATCH = 500
TABLES = (
    "CREATE TABLE interaction (id INTEGER PRIMARY KEY, source, external_id, channel, subject, agent, "
    "started_at, duration_ms, turn_count, fields, content_hash, UNIQUE (source, external_id))",
    "CREATE INDEX by_time ON interaction (started_at, id)",
    "CREATE INDEX by_agent ON interaction (agent, started_at, id)",
    "CREATE TABLE turn (id INTEGER PRIMARY KEY, interaction_id, position, speaker, start_ms, end_ms, text, "
    "UNIQUE (interaction_id, position))",
)
UPSERT = (
    "INSERT INTO interaction (source, external_id, channel, subject, agent, started_at, duration_ms, "
    "turn_count, fields, content_hash) VALUES ('file', ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (source, external_id) DO UPDATE SET subject = excluded.subject, "
    "content_hash = excluded.content_hash WHERE content_hash != excluded.content_hash RETURNING id"
)
TURNS = (
    "INSERT INTO turn (interaction_id, position, speaker, start_ms, end_ms, text) VALUES (?, ?, ?, ?, ?, ?)"
)


def main() -> None:
    """Bring FILE into DATABASE."""
    file, target = sys.argv[1:]
    database = sqlite3.connect(target, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        database.execute(f"PRAGMA {pragma}")
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'turn'").fetchone():
        for table in TABLES:
            database.execute(table)
    with open(file, "rb") as lines:
        while batch := list(islice(lines, BATCH)):
            database.execute("BEGIN IMMEDIATE")
            turns: list[tuple[object, ...]] = []
            for raw in batch:
                one = json.loads(raw)
                row = (
                    one["external_id"],
                    one["channel"],
                    one["subject"],
                    one["agents"][0]["email"],
                    one["started_at"],
                    int(one["turns"][-1]["end"] * 1000),
                    len(one["turns"]),
                    json.dumps(one["fields"]),
                    hashlib.sha256(raw).hexdigest(),
                )
                kept = database.execute(UPSERT, row).fetchone()
                if kept is not None:
                    turns += [
                        (
                            kept[0],
                            place,
                            turn["speaker"],
                            turn["start"] * 1000,
                            turn["end"] * 1000,
                            turn["text"],
                        )
                        for place, turn in enumerate(one["turns"], start=1)
                    ]
            database.executemany(TURNS, turns)
            database.execute("COMMIT")
    print(database.execute("SELECT count(*) FROM turn").fetchone()[0])


if __name__ == "__main__":
    main()
