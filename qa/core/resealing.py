"""After the data key was changed: what an older key sealed is sealed again by the newest one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from qa.core.crypto import Keys
from qa.core.db import Base, Database

BATCH = 200


def reseal_column(
    database: Database, keys: Keys, table: type[Base], column: str, *, purpose: str
) -> tuple[int, int]:
    """Seal a column again where an older key sealed it; return how many, and of how many.

    ``table`` has a whole-numbered ``id``. In small transactions: safe to stop and to repeat.
    """
    row_id, sealed = table.id, getattr(table, column)  # type: ignore[attr-defined]
    reached: Any = 0
    resealed = seen = 0
    while True:
        page = select(row_id, sealed).where(row_id > reached).order_by(row_id).limit(BATCH)
        with database.transaction() as session:
            rows = session.execute(page).all()
            for found_id, old in rows:
                if old and not keys.is_current(old):
                    fresh = keys.reseal(old, purpose=purpose)
                    # unless somebody else wrote it meanwhile
                    again = update(table).where(row_id == found_id, sealed == old)
                    session.execute(again.values({column: fresh}))
                    resealed += 1
        seen += len(rows)
        if len(rows) < BATCH:
            return resealed, seen
        reached = rows[-1][0]
