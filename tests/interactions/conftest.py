"""What tests of sources may ask for: the twin plugin in a process of its own, a source that reads it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.storage import LocalStorage
from qa.extensions.secrets_service import keep_secrets
from qa.interactions.sources import service
from qa.interactions.sources.connectors import Connectors, owner_of
from qa.interactions.sources.jobs import Runner
from qa.interactions.sources.service import Wanted
from qa.plugins.discovery import Candidate, find
from qa.plugins.hosting import Host
from qa.plugins.report import Report
from tests.factories import NOW
from tests.interactions.sources_site import ABLE, KEYS, HostCalls, Twin, enable

Plugged = tuple[Host, Candidate, Report]


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugged]:
    """The twin plugin, loaded once for all tests of a file."""
    folder = tmp_path_factory.mktemp("plugins")
    shutil.copy(Path(__file__).with_name("twin_plugin.py"), folder / "twin.py")
    (candidate,) = [one for one in find(folder) if one.name == "twin"]
    host = Host(tmp_path_factory.mktemp("work"))
    report = host.load(candidate)
    assert report.is_ok, report
    yield host, candidate, report
    host.close()


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    """What lies upstream."""
    return Twin(tmp_path / "vendor.json")


@pytest.fixture
def runner(plugged: Plugged, database: Database, tmp_path: Path) -> Runner:
    """The jobs of sources."""
    host, candidate, report = plugged
    with database.transaction() as session:
        enable(session, candidate, report)
    return Runner(
        keys=KEYS,
        storage=LocalStorage(tmp_path / "recordings"),
        folder=tmp_path / "fetching",
        connectors=Connectors(HostCalls(host, candidate), database, KEYS),
        stopping=threading.Event(),
    )


@pytest.fixture
def source_id(database: Database, twin: Twin, runner: Runner) -> int:
    """A source that reads the twin."""
    wanted = Wanted("Ticket system", "twin", "twin", {"file": str(twin.file), "size": 2})
    with database.transaction() as session:
        made = service.draft_source(session, SYSTEM, wanted, ABLE, now=clock.now())
        secrets = {"token": "t0ken-marker", "webhook_secret": "h00k-marker"}
        keep_secrets(session, KEYS, owner_of(made.key), secrets, changed_by_id=None, now=NOW)
        return service.start_source(session, SYSTEM, made.id, ABLE, past=None, now=clock.now()).id
