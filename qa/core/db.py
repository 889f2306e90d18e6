"""The database: one declarative base, one engine per site, one place that commits.

Only ``Database.transaction`` commits; services receive its session and never end it, so two
of them compose into one atomic action. SQLite and PostgreSQL run the same code.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    TypeDecorator,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from qa.core.errors import Unavailable

Clause = ColumnElement[bool]

LOCK_PATIENCE_SECONDS = 5.0
"""How long a writer waits for its turn before the answer is "try again in a moment"."""

STUCK_PATIENCE_SECONDS = 0.25
"""How long it waits once another has waited in vain: threads that all wait answer nobody."""

SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "foreign_keys=ON",
    "synchronous=FULL",  # NORMAL may take back an acknowledged commit after a power cut
    "temp_store=MEMORY",
    "cache_size=-65536",
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of the product hangs here."""

    metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: aware in Python, refused when naive, comparable on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC; a naive time has no meaning and is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """One site's database: ``transaction()`` to change it, ``reading()`` to look."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = make_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self.after_commit: list[Callable[[Session], None]] = []
        self._open = sessionmaker(self.engine, expire_on_commit=False)
        self._turn = _Turnstile()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session whose work is kept whole at the end of the block, or not at all.

        Raises ``Unavailable`` when no writer's turn comes within five seconds, or at once while
        writers before this one wait in vain.
        """
        with (
            self._turn.wait() if self.is_sqlite else _no_wait() as patience,
            self._closing_late_comers(),
            self._open() as session,
        ):
            try:  # takes the write lock now, so the wait is here and nowhere else
                session.connection(execution_options={"write": True, "patience": patience})
            except OperationalError as error:
                self._turn.stuck = True
                raise Unavailable(BUSY) from error
            self._turn.stuck = False
            yield session
            session.commit()
        for told in self.after_commit:
            told(session)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one consistent state and changes nothing."""
        with self._closing_late_comers(), self._open() as session:
            yield session  # closing ends the transaction; a rollback would empty what was loaded

    @contextmanager
    def _closing_late_comers(self) -> Iterator[None]:
        """Close what comes back to a pool that was disposed meanwhile: nobody else would."""
        pool = self.engine.pool
        try:
            yield
        finally:
            if pool is not self.engine.pool:
                pool.dispose()

    def dispose(self) -> None:
        """Close every connection, those in use when they come back; the next use opens new ones."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """Give the database for a block that closes its connections at the end."""
        return self

    def __exit__(self, *_raised: object) -> None:
        """Close every connection."""
        self.dispose()


BUSY = "The database is busy. Nothing was changed; try again in a moment."


class _Turnstile:
    """First come, first served: SQLite has one writer, and its own queue starves the unlucky."""

    def __init__(self) -> None:
        self.stuck = False
        self._guard = threading.Lock()
        self._waiting: list[threading.Event] = []

    @contextmanager
    def wait(self) -> Iterator[float]:
        """Wait for this writer's turn; give the seconds of patience that are left for the lock itself."""
        ticket = threading.Event()
        until = time.monotonic() + (STUCK_PATIENCE_SECONDS if self.stuck else LOCK_PATIENCE_SECONDS)
        with self._guard:
            self._waiting.append(ticket)
            if self._waiting[0] is ticket:
                ticket.set()
        came = ticket.wait(until - time.monotonic())
        try:
            if not came:
                raise Unavailable(BUSY)
            yield max(until - time.monotonic(), 0.0)
        finally:
            with self._guard:
                first = self._waiting[0] is ticket
                self._waiting.remove(ticket)
                if first and self._waiting:
                    self._waiting[0].set()


@contextmanager
def _no_wait() -> Iterator[float]:
    yield LOCK_PATIENCE_SECONDS


def insert_unless_there(session: Session, table: Any, *, on: Sequence[str], where: Any = None) -> Any:
    """Return an INSERT that leaves a row alone whose ``on`` columns are taken; add values, returning."""
    dialect = import_module(f"sqlalchemy.dialects.{session.get_bind().dialect.name}")
    return dialect.insert(table).on_conflict_do_nothing(index_elements=list(on), index_where=where)


def make_engine(url: str) -> Engine:
    """Return an engine for ``sqlite:///…`` or ``postgresql+psycopg://…`` wired as the product needs it."""
    if make_url(url).get_backend_name() != "sqlite":
        patience = {"options": f"-c lock_timeout={int(LOCK_PATIENCE_SECONDS * 1000)}"}
        return create_engine(
            url, pool_pre_ping=True, pool_timeout=LOCK_PATIENCE_SECONDS, connect_args=patience
        )
    engine = create_engine(url, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connected(dbapi: Any, _record: Any) -> None:
    dbapi.isolation_level = None  # we say BEGIN ourselves
    for pragma in SQLITE_PRAGMAS:
        dbapi.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Any) -> None:
    # deferred transactions fail as "locked" under contention; immediate ones wait their turn
    options = connection.get_execution_options()
    if not options.get("write"):
        connection.exec_driver_sql("BEGIN")
        return
    milliseconds = int(options.get("patience", LOCK_PATIENCE_SECONDS) * 1000)
    connection.connection.driver_connection.execute(f"PRAGMA busy_timeout={milliseconds}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
