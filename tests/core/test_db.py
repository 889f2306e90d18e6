"""The database: connections end with their owner."""

from __future__ import annotations

import pytest
from sqlalchemy import QueuePool, text

from qa.core.db import Database


@pytest.mark.parametrize("way", ["reading", "transaction"])
def test_a_connection_in_use_while_the_database_is_closed_is_closed_when_it_comes_back(
    database: Database, way: str
) -> None:
    pool = database.engine.pool
    with getattr(database, way)() as session:
        session.execute(text("SELECT 1"))
        database.dispose()
    assert isinstance(pool, QueuePool)
    assert pool.checkedin() == 0
    assert pool is not database.engine.pool
