"""A site with plugins in a folder, and what calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qa.config import Settings
from qa.core import clock, crypto
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.extensions import look_service, service
from qa.extensions.runtime import Runtime
from tests.plugins import plugs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where plugins lie."""
    made = tmp_path / "plugins"
    made.mkdir()
    return made


@pytest.fixture
def plugged(settings: Settings, folder: Path) -> Settings:
    """Settings of a site whose plugins are single files."""
    values = {**settings.values, "plugins_dir": str(folder), "private_networks": ("127.0.0.0/8",)}
    return replace(settings, values=values)


@pytest.fixture
def keys(settings: Settings) -> Keys:
    """The site's keys."""
    return crypto.load_keys(settings.key_path)


@pytest.fixture
def runtime(plugged: Settings, keys: Keys) -> Iterator[Runtime]:
    """The site's plugins."""
    made = Runtime(plugged, keys)
    yield made
    made.close()


@pytest.fixture
def add(folder: Path, database: Database, runtime: Runtime) -> Callable[..., Any]:
    """Write a plugin, enable it and load it; return the report."""

    def added(name: str, *parts: str) -> Any:
        plugs.write(folder, name, *parts)
        look_service.look(database, runtime)
        with database.transaction() as session:
            service.enable_plugin(session, SYSTEM, name, now=clock.now())
        return look_service.load_one(database, runtime, name)

    return added
