"""Floor of background work: claim a row, mark it done, a commit each, plain ``sqlite3``."""

from __future__ import annotations

import secrets
import sqlite3
import sys
import time


def main() -> None:
    """Make a table of jobs in FILE, then claim and finish COUNT of them, as safely as the product."""
    file, count = sys.argv[1], int(sys.argv[2])
    database = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(
        "CREATE TABLE job (id INTEGER PRIMARY KEY, kind, payload, state, token, run_after, done_at)"
    )
    database.execute("CREATE INDEX due ON job (run_after, id) WHERE state = 'queued'")
    rows = [("noop", "{}", "queued", 0.0)] * count
    database.execute("BEGIN")
    database.executemany("INSERT INTO job (kind, payload, state, run_after) VALUES (?, ?, ?, ?)", rows)
    database.execute("COMMIT")
    done = 0
    while True:
        token = secrets.token_hex(16)
        database.execute("BEGIN IMMEDIATE")
        following = database.execute(
            "SELECT id FROM job WHERE state = 'queued' AND run_after <= ? ORDER BY run_after, id LIMIT 1",
            (time.time(),),
        ).fetchone()
        if following is not None:
            database.execute(
                "UPDATE job SET state = 'running', token = ? WHERE id = ?", (token, following[0])
            )
        database.execute("COMMIT")
        if following is None:
            break
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "UPDATE job SET state = 'done', done_at = ? WHERE id = ? AND token = ?",
            (time.time(), following[0], token),
        )
        database.execute("COMMIT")
        done += 1
    print(done)


if __name__ == "__main__":
    main()
