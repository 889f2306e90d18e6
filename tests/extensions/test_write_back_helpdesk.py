"""Write-back to a real django-helpdesk: one internal follow-up, and nothing else of the ticket changes."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from qa.core import clock, outbox
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.evaluations import life_service
from qa.extensions import look_service, service
from qa.extensions.runtime import Runtime
from qa.extensions.secrets_service import keep_secrets
from qa.interactions.models import Interaction
from qa.interactions.sources import push_service
from qa.interactions.sources import service as sources
from qa.interactions.sources.connectors import owner_of
from qa.interactions.sources.service import Able, Wanted
from qa.worker import make_carriers, make_reactions
from tests.e2e.site import free_port
from tests.extensions.test_outgoing import deliver_all
from tests.factories import NOW, make_submitted, make_team, make_user

SERVER = Path(__file__).parents[2] / "plugins" / "candor-helpdesk" / "tests" / "helpdesk_server.py"
PASSWORD = "t1cket-marker"
NUMBERS = itertools.count(2)
"""A ticket for each test."""


@pytest.fixture(scope="module")
def helpdesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real helpdesk with three tickets; its address."""
    folder, port = tmp_path_factory.mktemp("helpdesk"), free_port()
    server = subprocess.Popen(
        [sys.executable, str(SERVER), str(folder), str(port), "-"],
        env={**os.environ, "TICKETS": "3"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdout.readline().strip() == "ready"
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.communicate(timeout=10)


def ticket(url: str, number: int) -> dict[str, Any]:
    """A ticket as the helpdesk shows it."""
    request = urllib.request.Request(f"{url}/api/tickets/{number}/")
    pair = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
    request.add_header("Authorization", f"Basic {pair}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        shown: dict[str, Any] = json.load(answer)
    return shown


def test_a_released_score_becomes_one_internal_follow_up(
    helpdesk: str, database: Database, runtime: Runtime, keys: Keys
) -> None:
    number = next(NUMBERS)
    look_service.look(database, runtime)
    with database.transaction() as session:
        service.enable_plugin(session, SYSTEM, "helpdesk", now=clock.now())
    look_service.load_one(database, runtime, "helpdesk")
    config = {"url": helpdesk, "user": "reader"}
    with database.transaction() as session:
        wanted = Wanted("Helpdesk", "helpdesk", "helpdesk", config, writes_back=True)
        source = sources.draft_source(session, SYSTEM, wanted, Able(("tickets",)), now=NOW)
        sources.start_source(session, SYSTEM, source.id, Able(("tickets",)), past=None, now=NOW)
        secrets = {"password": PASSWORD}
        keep_secrets(session, keys, owner_of(source.key), secrets, changed_by_id=None, now=NOW)
        agent = make_user(session, "agent")
        made = make_submitted(session, make_user(session, "evaluator", team=make_team(session)), agent)
        row = session.get_one(Interaction, made.interaction_id)
        row.source, row.external_id = source.key, str(number)
        life_service.release_due(session, SYSTEM, now=clock.now())
        source_id = source.id
    before = ticket(helpdesk, number)
    for _ in range(2):
        outbox.deliver(database, make_reactions(keys, runtime, ZoneInfo("UTC")))
        deliver_all(database, runtime, keys, make_carriers(runtime.settings, keys))
    with database.reading() as session:
        pushed = push_service.look_pushed(session, SYSTEM, source_id)
    assert (pushed.sent, [row.error for row in pushed.rows]) == (1, [])
    after = ticket(helpdesk, number)
    (note,) = after["followup_set"][len(before["followup_set"]) :]
    assert note["public"] is False
    assert note["comment"].startswith("Quality review: 100.0 of 100")
    assert "[qa:" in note["comment"]
    assert after["title"] == before["title"] == f"Ticket {number - 1}"
    assert {key: value for key, value in after.items() if key not in {"followup_set", "modified"}} == {
        key: value for key, value in before.items() if key not in {"followup_set", "modified"}
    }
