"""What tests of the core ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from qa.core.db import Database


@pytest.fixture
def statements() -> Callable[[Database], AbstractContextManager[list[str]]]:
    """Collect the statements a database is sent inside a block, without begin and commit."""

    @contextmanager
    def watching(database: Database) -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith("BEGIN"):
                seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        yield seen
        event.remove(database.engine, "before_cursor_execute", note)

    return watching
