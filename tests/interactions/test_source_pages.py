"""Pages of sources: set up, test, dry run, start, watch, repair; who may do which."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select, update

from qa.accounts.models import User
from qa.core import clock
from qa.core.audit import AuditEntry
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.jobs import Job
from qa.core.storage import LocalStorage
from qa.core.working import Kind, Worker
from qa.extensions.models import SealedSecret
from qa.interactions.models import Interaction
from qa.interactions.sources import blueprint
from qa.interactions.sources.connectors import Connectors
from qa.interactions.sources.jobs import Runner
from qa.interactions.sources.models import Quarantined, Source, SyncLane, SyncRun
from tests.factories import make_user
from tests.interactions.conftest import Plugged
from tests.interactions.sources_site import HostCalls, Twin, enable

SignIn = Callable[[FlaskClient, User], None]


class Site:
    """An app with the twin plugin, a worker in a thread, and a signed-in browser."""

    def __init__(self, app: Flask, client: FlaskClient, plugged: Plugged, folder: Path) -> None:
        self.client = client
        self.database: Database = app.extensions["candor"].database
        self.keys: Keys = app.extensions["candor"].keys
        host, candidate, report = plugged
        self.connectors = Connectors(HostCalls(host, candidate), self.database, self.keys)
        blueprint.install(app, self.connectors)
        with self.database.transaction() as session:
            enable(session, candidate, report)
        self.runner = Runner(
            keys=self.keys,
            storage=LocalStorage(folder / "recordings"),
            folder=folder / "fetching",
            connectors=self.connectors,
            stopping=threading.Event(),
        )
        kinds = {
            "sources.try_out": Kind(self.runner.try_out),
            "sources.pull": Kind(self.runner.pull),
            "sources.retry": Kind(self.runner.retry),
            "sources.repull": Kind(self.runner.repull),
        }
        self.worker = Worker(self.database, kinds, ring=lambda _queue: None, children=2)
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self.ends.wait(0.05):
            for queue in ("fast", "import"):
                self.worker.drain(queue)

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.get_data(as_text=True)[:2000]
        return answer.get_data(as_text=True)

    def post(self, path: str, status: int = 303, **values: Any) -> Any:
        found = re.search(r'name="csrf" content="([^"]+)"', self.get("/account"))
        assert found is not None
        answer = self.client.post(path, data={"csrf_token": found[1], **values})
        assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
        return answer

    def source(self) -> Source:
        with self.database.reading() as session:
            return session.scalars(select(Source)).one()

    def eventually(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.fixture
def site(app: Flask, client: FlaskClient, plugged: Plugged, tmp_path: Path) -> Iterator[Site]:
    made = Site(app, client, plugged, tmp_path)
    made.thread.start()
    yield made
    made.ends.set()
    made.thread.join()


@pytest.fixture
def admin(site: Site, sign_in: SignIn) -> User:
    """An administrator, signed in."""
    return person(site, sign_in, "admin")


def person(site: Site, sign_in: SignIn, *roles: str) -> User:
    with site.database.transaction() as session:
        user = make_user(session, *roles)
    sign_in(site.client, user)
    return user


def settings(twin: Twin, **over: str) -> dict[str, str]:
    return {
        "name": "Ticket system",
        "every_seconds": "300",
        "set-file": str(twin.file),
        "set-size": "2",
        "set-token": "t0ken-marker",
        "set-webhook_secret": "h00k-marker",
        **over,
    }


def set_up(site: Site, twin: Twin, **over: str) -> int:
    site.post("/sources/new/twin/twin", **settings(twin, **over))
    return site.source().id


def test_an_empty_page_says_what_will_be_here(site: Site, admin: User) -> None:
    page = site.get("/sources")
    assert "No sources yet" in page
    assert "Twin desk" in site.get("/sources/new")


def test_a_source_is_set_up_tested_tried_and_started(site: Site, admin: User, twin: Twin) -> None:
    twin.says(
        tickets=[
            {"id": 1, "subject": "Marker subject", "agent": "4711"},
            {"id": 2},
            {"id": 3, "at": "nonsense"},
        ],
        missing=["satisfaction:read", "users:read"],
    )
    form = site.get("/sources/new/twin/twin")
    assert "Where the vendor lies." in form
    assert "Nobody can read it here again" in form
    source_id = set_up(site, twin)
    begun = site.get(f"/sources/{source_id}/begin")
    assert "2 permissions are missing" in begun
    assert "satisfaction:read" in begun
    site.post(f"/sources/{source_id}/try/dry_run")
    tried = site.get(f"/sources/{source_id}/begin")
    assert "Of 3 records read, 2 would come in, 1 would wait in quarantine. Nothing was stored." in tried
    assert "unknown account 4711" in tried
    assert "Marker subject" not in tried
    with site.database.reading() as session:
        assert session.scalars(select(Interaction)).all() == []
    site.post(f"/sources/{source_id}/start", past="30")
    site.eventually(lambda: has_run(site))
    site.eventually(lambda: "Up to date" in site.get(f"/sources/{source_id}"))
    assert "ValueError" in site.get(f"/sources/{source_id}")
    listed = site.get("/sources")
    assert "1 record waits" in listed
    with site.database.reading() as session:
        acts = set(session.scalars(select(AuditEntry.action)))
    assert {"connector:edit", "connector:run"} <= acts


def test_settings_that_cannot_be_are_refused_beside_their_fields(site: Site, admin: User, twin: Twin) -> None:
    answer = site.post(
        "/sources/new/twin/twin", 422, **settings(twin, name=" ", **{"set-file": "", "set-size": "many"})
    )
    page = answer.get_data(as_text=True)
    assert 'id="name-error"' in page
    assert 'id="set-file-error"' in page
    assert 'id="set-size-error"' in page
    assert "t0ken-marker" not in page
    with site.database.reading() as session:
        assert session.scalars(select(Source)).all() == []


def test_two_sources_never_share_a_name(site: Site, admin: User, twin: Twin) -> None:
    set_up(site, twin)
    answer = site.post("/sources/new/twin/twin", 422, **settings(twin, name="ticket SYSTEM"))
    assert "There is a source called" in answer.get_data(as_text=True)


def test_secrets_are_written_and_never_shown(site: Site, admin: User, twin: Twin) -> None:
    source_id = set_up(site, twin)
    with site.database.reading() as session:
        rows = session.scalars(select(SealedSecret)).all()
        source = session.scalars(select(Source)).one()
        jobs = session.scalars(select(Job.payload)).all()
    assert {row.name for row in rows} == {"token", "webhook_secret"}
    everything = [
        site.get(path)
        for path in ("/sources", f"/sources/{source_id}/begin", f"/sources/{source_id}/settings")
    ]
    for words in (
        *everything,
        json.dumps(source.config),
        json.dumps(jobs),
        *(str(row.sealed) for row in rows),
    ):
        assert "en-marker" not in words
        assert "k-marker" not in words


def test_an_empty_secret_keeps_the_one_there_is(site: Site, admin: User, twin: Twin) -> None:
    twin.says(tickets=[], token="t0ken-marker")
    source_id = set_up(site, twin)
    site.post(
        f"/sources/{source_id}/settings",
        **settings(twin, name="Renamed", **{"set-token": "", "set-webhook_secret": ""}),
    )
    assert site.source().name == "Renamed"
    assert "It works." in site.get(f"/sources/{source_id}/begin")


def started(site: Site, twin: Twin) -> int:
    source_id = set_up(site, twin)
    site.post(f"/sources/{source_id}/start", past="all")
    site.eventually(lambda: has_run(site))
    return source_id


def has_run(site: Site) -> bool:
    with site.database.reading() as session:
        done = select(SyncRun.id).where(SyncRun.stream == "tickets", SyncRun.ended == "done")
        return session.scalar(done.limit(1)) is not None


def test_pause_resume_pull_and_remove(site: Site, admin: User, twin: Twin) -> None:
    twin.says(tickets=[{"id": 1}])
    source_id = started(site, twin)
    site.post(f"/sources/{source_id}/pause")
    assert "A person paused it" in site.get(f"/sources/{source_id}")
    site.post(f"/sources/{source_id}/pull", 409)
    twin.says(tickets=[{"id": 1}, {"id": 2}])
    site.post(f"/sources/{source_id}/resume")
    site.eventually(lambda: len(kept(site)) == 2)
    twin.says(tickets=[{"id": 1, "subject": "changed"}, {"id": 2}, {"id": 3}])
    site.post(f"/sources/{source_id}/read-again")
    site.eventually(lambda: len(kept(site)) == 3)
    wrong = site.post(f"/sources/{source_id}/remove", 422, name="Ticket")
    assert "Nothing was removed" in wrong.get_data(as_text=True)
    site.post(f"/sources/{source_id}/remove", name="Ticket system")
    with site.database.reading() as session:
        assert session.scalars(select(Source)).all() == []
        assert session.scalars(select(SealedSecret)).all() == []
        assert session.scalars(select(SyncLane)).all() == []
    assert len(kept(site)) == 3


def kept(site: Site) -> list[str]:
    with site.database.reading() as session:
        return sorted(session.scalars(select(Interaction.external_id)))


def test_filling_in_the_past_shows_how_far_it_is_and_can_pause(site: Site, admin: User, twin: Twin) -> None:
    source_id = started(site, twin)
    refused = site.post(f"/sources/{source_id}/backfill", 422, since="soon")
    assert "Choose the day" in refused.get_data(as_text=True)
    with site.database.transaction() as session:
        session.execute(update(Source).values(is_paused=True))
    site.post(f"/sources/{source_id}/backfill", since="2026-01-01")
    assert "Filling in the past" in site.get(f"/sources/{source_id}")
    site.post(f"/sources/{source_id}/backfill", act="pause")
    with site.database.reading() as session:
        lane = session.scalars(select(SyncLane).where(SyncLane.lane == "backfill")).one()
    assert lane.is_paused


def test_a_token_that_ended_says_what_to_do(site: Site, admin: User, twin: Twin) -> None:
    source_id = started(site, twin)
    twin.says(tickets=[], token="another")
    site.post(f"/sources/{source_id}/pull")
    site.eventually(lambda: site.source().state == "needs_reauth")
    page = site.get("/sources")
    assert "Needs new credentials" in page
    assert "1 needs you" in page
    site.post(f"/sources/{source_id}/settings", **settings(twin, **{"set-token": "another"}))
    site.eventually(lambda: site.source().state == "ok")


# --- quarantine ------------------------------------------------------------------


def rejected_one(site: Site) -> int:
    with site.database.reading() as session:
        return session.scalars(select(Quarantined.id).where(Quarantined.state == "waiting")).one()


def test_a_vendors_record_is_repaired_by_hand(site: Site, admin: User, twin: Twin) -> None:
    twin.says(tickets=[{"id": 1, "at": "nonsense", "subject": "Marker person"}])
    started(site, twin)
    one = rejected_one(site)
    page = site.get(f"/quarantine/{one}")
    assert "Marker" not in page
    assert "The connector could not read this record" in page
    refused = site.post(
        f"/quarantine/{one}",
        422,
        external_id="1",
        channel="ticket",
        started_at="x",
        ended_at="",
        agent_email="",
    )
    assert "Write the moment like" in refused.get_data(as_text=True)
    values = {"external_id": "1", "channel": "ticket", "ended_at": "", "agent_email": "dana@example.org"}
    refused = site.post(f"/quarantine/{one}", 422, started_at="", **values)
    assert "Say when it began." in refused.get_data(as_text=True)
    site.post(f"/quarantine/{one}", started_at="2026-03-14T09:30:00", **values)
    assert kept(site) == ["1"]
    assert "Nothing waits" in site.get("/quarantine")


def test_a_record_with_characters_that_cannot_be_kept_is_cleaned_on_request(
    site: Site, admin: User, twin: Twin
) -> None:
    twin.says(tickets=[{"id": 1, "subject": "bell\x07"}])
    started(site, twin)
    one = rejected_one(site)
    values = {"external_id": "1", "channel": "ticket", "started_at": "", "ended_at": "", "agent_email": ""}
    refused = site.post(f"/quarantine/{one}", 422, **values)
    assert "control character" in refused.get_data(as_text=True)
    site.post(f"/quarantine/{one}", cleans="on", **values)
    with site.database.reading() as session:
        assert session.scalars(select(Interaction.subject)).one() == "bell\ufffd"


def test_all_are_retried_after_an_upgrade_and_one_is_left_out(site: Site, admin: User, twin: Twin) -> None:
    twin.says(tickets=[{"id": 1, "at": "nonsense"}])
    started(site, twin)
    twin.says(tickets=[{"id": 1}])
    site.post("/quarantine/retry")
    site.eventually(lambda: kept(site) == ["1"])
    assert "Nothing waits" in site.get("/quarantine")
    twin.says(tickets=[{"id": 1}, {"id": 2, "at": "nonsense"}])
    site.post(f"/sources/{site.source().id}/pull")
    site.eventually(lambda: "record waits" in site.get("/quarantine"))
    site.post(f"/quarantine/{rejected_one(site)}/leave-out")
    assert "Nothing waits" in site.get("/quarantine")


# --- who may ---------------------------------------------------------------------

MAY = {
    "admin": {"list", "run", "edit"},
    "manager": {"list", "run"},
    "privacy": {"list"},
    "auditor": {"list"},
    "lead": set(),
    "agent": set(),
}


@pytest.mark.parametrize("role", MAY)
def test_each_role_may_what_the_table_says(site: Site, sign_in: SignIn, twin: Twin, role: str) -> None:
    person(site, sign_in, "admin")
    twin.says(tickets=[{"id": 1, "at": "nonsense"}])
    source_id = started(site, twin)
    one = rejected_one(site)
    person(site, sign_in, role)
    may = MAY[role]

    def status(needed: str, good: int) -> int:
        return good if needed in may else 403

    for path in ("/sources", f"/sources/{source_id}", "/quarantine"):
        site.get(path, status("list", 200))
    site.get(f"/quarantine/{one}", status("run", 200))
    for path in ("/sources/new", "/sources/new/twin/twin", f"/sources/{source_id}/settings"):
        site.get(path, status("edit", 200))
    site.post(f"/sources/{source_id}/pause", status("run", 303))
    site.post(f"/sources/{source_id}/resume", status("run", 303))
    site.post(f"/sources/{source_id}/try/check", status("run", 303))
    site.post("/quarantine/retry", status("run", 303))
    site.post(f"/sources/{source_id}/read-again", status("edit", 303))
    site.post("/sources/new/twin/twin", status("edit", 303), **settings(twin, name="Another"))
    site.post(f"/sources/{source_id}/remove", status("edit", 303), name="Ticket system")
    if "list" in may:
        page = site.get("/sources")
        assert ("New source" in page) is ("edit" in may)


def test_the_list_costs_the_same_however_many_sources(site: Site, admin: User, twin: Twin) -> None:
    def statements() -> int:
        seen: list[str] = []
        note = lambda _c, _cur, words, *_rest: seen.append(words)  # noqa: E731
        site.ends.set()
        site.thread.join()
        event.listen(site.database.engine, "before_cursor_execute", note)
        site.get("/sources")
        event.remove(site.database.engine, "before_cursor_execute", note)
        return len(seen)

    set_up(site, twin)
    with site.database.transaction() as session:
        for number in range(12):
            session.add(
                Source(
                    key=f"s{number}",
                    name=f"S {number}",
                    plugin="twin",
                    connector="twin",
                    created_at=clock.now(),
                )
            )
    assert statements() <= 12
