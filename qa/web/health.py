"""Health for machines: alive, and ready with the name of what is not.

Strangers learn no version and no count.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from qa.core import clock, jobs, revision
from qa.core.errors import DomainError
from qa.web import context
from qa.web.access import public

bp = Blueprint("health", __name__)

DISK_NEEDED_BYTES = 1_000_000_000
HEARTBEAT_SECONDS = 60


@bp.get("/health")
@public
def alive() -> ResponseReturnValue:
    """Answer that the process answers: no database is touched."""
    return jsonify(status="ok")


@bp.get("/health/ready")
@public
def ready() -> ResponseReturnValue:
    """Answer 200 when work can be done, else 503 and what is missing."""
    failing = [name for name, holds in CHECKS.items() if not _holds(holds)]
    if failing:
        return jsonify(status="not ready", failing=failing), 503
    return jsonify(status="ready")


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except (SQLAlchemyError, DomainError, OSError):
        return False


def _database() -> bool:
    with context.reading() as session:
        return session.scalar(select(1)) == 1


def _schema() -> bool:
    with context.reading() as session:
        return revision.is_current(session)


def _disk() -> bool:
    return shutil.disk_usage(context.settings().data_path).free >= DISK_NEEDED_BYTES


def _key() -> bool:
    return context.settings().key_path.read_bytes() != b""


def _worker() -> bool:
    with context.reading() as session:
        return _seconds_since_beat(session) <= HEARTBEAT_SECONDS


def _seconds_since_beat(session: Session) -> float:
    beat = jobs.worker_heartbeat(session)
    return float("inf") if beat is None else (clock.now() - beat).total_seconds()


CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database,
    "schema": _schema,
    "disk": _disk,
    "key": _key,
    "worker": _worker,
}
