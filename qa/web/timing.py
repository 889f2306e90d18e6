"""``Server-Timing``: what one request cost, for measuring. Off unless the site asks for it."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Response, g, has_app_context
from sqlalchemy import Engine, event

NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
"""Begin and end of transactions: one database is told by us, the other by its driver."""


def install(app: Flask, engine: Engine) -> None:
    """Add the header to every answer: milliseconds, those in the database, and its statements."""
    event.listen(engine, "before_cursor_execute", _before)
    event.listen(engine, "after_cursor_execute", _after)
    app.before_request(_begin)
    app.after_request(_tell)


def _begin() -> None:
    g.began, g.in_database, g.statements = time.perf_counter(), 0.0, 0


def _before(connection: Any, *_: Any) -> None:
    connection.info["asked_at"] = time.perf_counter()


def _after(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    if has_app_context() and "began" in g and not statement.startswith(NOT_COUNTED):
        g.in_database += time.perf_counter() - connection.info["asked_at"]
        g.statements += 1


def _tell(response: Response) -> Response:
    whole = (time.perf_counter() - g.began) * 1000
    response.headers["Server-Timing"] = (
        f'app;dur={whole:.2f}, db;dur={g.in_database * 1000:.2f};desc="{g.statements}"'
    )
    return response
