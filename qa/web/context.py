"""What a view may ask of the running request: the actor, a session, the settings.

The composition root puts these things on the app; nothing here knows a domain package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from flask import current_app, g, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import Unauthorized

from qa.config import Settings
from qa.core.actor import Actor
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.storage import Storage

if TYPE_CHECKING:
    from flask import Flask

EXTENSION = "candor"


class Site:
    """What one app was made with: settings, database, keys and the storage of recordings."""

    def __init__(self, *, settings: Settings, database: Database, keys: Keys, storage: Storage) -> None:
        self.settings = settings
        self.database = database
        self.keys = keys
        self.storage = storage


def install(app: Flask, site: Site) -> None:
    """Put the site on the app."""
    app.extensions[EXTENSION] = site


def site() -> Site:
    """Return the site this request belongs to."""
    return cast("Site", current_app.extensions[EXTENSION])


def settings() -> Settings:
    """Return the settings."""
    return site().settings


def database() -> Database:
    """Return the database."""
    return site().database


def site_zone() -> ZoneInfo:
    """Return the time zone people read."""
    return settings().zone


def find_actor() -> Actor | None:
    """Return who is signed in, or None."""
    return cast("Actor | None", g.get("actor"))


def current_actor() -> Actor:
    """Return who is signed in; a page for nobody answers with the sign-in page."""
    actor = find_actor()
    if actor is None:
        raise Unauthorized
    return actor


@contextmanager
def reading() -> Iterator[Session]:
    """Give a session that sees one consistent state."""
    with database().reading() as session:
        yield session


@contextmanager
def transaction() -> Iterator[Session]:
    """Give a session whose work is kept whole, together with the form's once-key if it has one."""
    with database().transaction() as session:
        take = g.get("take_once_key")
        if take is not None:
            take(session)
        yield session


def wants_json() -> bool:
    """Tell whether the asker is a script that reads JSON."""
    return request.is_json or request.accept_mimetypes.best == "application/json"
