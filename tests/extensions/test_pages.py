"""The pages of plugins: what is installed and how it stands, settings without secrets, who may do what."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from qa.app import create_app
from qa.config import Settings
from qa.core import clock
from qa.core.audit import AuditEntry
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.working import Worker
from qa.extensions import jobs, look_service
from qa.extensions import outgoing_service as outgoing
from qa.extensions.models import Outgoing, Plugin, SealedSecret
from qa.extensions.runtime import Runtime
from qa.plugins.calling import PluginFailed, Work
from tests.extensions.test_runtime import CHECK, desk
from tests.factories import make_user, start_session
from tests.plugins import plugs

SETTINGS = """
class Settings(Form):
    url = URLField("Address", [InputRequired()], description="As in the browser.")
    token = SecretField("Token", [InputRequired()])
    pace = IntegerField("Pace", [Optional(), NumberRange(1, 9)], default=3)
    zone = SelectField("Zone", choices=[SelectChoice("utc", "UTC"), SelectChoice("cet", "Berlin")])
    deep = BooleanField("Deep")

    def validate_url(self, field):
        if "slow" in field.data:
            import time
            time.sleep(60)

@hookimpl
def qa_plugin_info():
    return PluginInfo("chat", "1.2", title="Team chat", description="Says what happened.",
                      needs=["The network: chat.example"], settings=Settings)
"""
FINE = {
    "set-url": "https://chat.example",
    "set-token": "marker-4711",
    "set-pace": "4",
    "set-zone": "cet",
    "set-deep": "y",
}


class Site:
    """An app over a folder of plugins, its worker in a thread, and a browser."""

    def __init__(self, settings: Settings) -> None:
        self.app = create_app(settings)
        self.database: Database = self.app.extensions["candor"].database
        self.keys: Keys = self.app.extensions["candor"].keys
        self.client = self.app.test_client()
        self.runtime = Runtime(settings, self.keys)
        kinds = jobs.kinds(self.runtime, self.keys, {})
        self.worker = Worker(self.database, kinds, ring=lambda _queue: None, children=2)
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        while not self.ends.wait(0.05):
            for queue in ("fast", "import"):
                self.worker.drain(queue)

    def close(self) -> None:
        """End it."""
        self.ends.set()
        self.thread.join()
        self.runtime.close()
        self.worker.close()
        self.database.dispose()

    def sign_in(self, *roles: str) -> None:
        """Be somebody with these roles."""
        with self.database.transaction() as session:
            user = make_user(session, *roles, name="Ilse Verhoeven")
        start_session(self.app, self.client, user)

    def get(self, path: str, status: int = 200) -> str:
        """Open a page."""
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text[:2000]
        return answer.text

    def post(self, path: str, status: int = 303, **values: Any) -> str:
        """Send a form."""
        found = re.search(r'name="csrf" content="([^"]+)"', self.get("/account"))
        assert found is not None
        answer = self.client.post(path, data={"csrf_token": found[1], **values})
        assert answer.status_code == status, answer.text[:3000]
        return answer.text

    def row(self, name: str) -> Plugin:
        """A plugin as it is kept."""
        with self.database.reading() as session:
            return session.get_one(Plugin, name)

    def enable(self, name: str) -> None:
        """Enable what is installed now."""
        look_service.look(self.database, self.runtime)
        self.post(f"/plugins/{name}/enable", fingerprint=self.row(name).fingerprint)


@pytest.fixture
def site(plugged: Settings, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site on which an administrator is signed in."""
    made = Site(replace(plugged, **getattr(request, "param", {})))
    made.sign_in("admin")
    yield made
    made.close()


def test_without_plugins_the_page_says_how_one_comes_here(site: Site) -> None:
    page = site.get("/plugins")
    assert "No plugins yet" in page
    assert "nothing of it runs before you enable it" in page


def test_a_plugin_is_looked_at_enabled_and_runs(site: Site, folder: Path) -> None:
    plugs.write(folder, "chat", SETTINGS)
    site.post("/plugins/look")
    look_service.look(site.database, site.runtime)
    listed = site.get("/plugins")
    assert "installed." in listed
    assert "Nothing of it was run." in listed
    before = site.get("/plugins/chat")
    assert "as a program you trust" in before
    site.enable("chat")
    page = site.get("/plugins/chat")
    assert "Team chat" in page
    assert "Running" in page
    assert "Says what happened." in page
    with site.database.reading() as session:
        acts = {row.action: row.after for row in session.scalars(select(AuditEntry))}
    assert acts["plugin:enable"]["version"] == ""


def test_a_version_that_nobody_saw_is_not_enabled(site: Site, folder: Path) -> None:
    plugs.write(folder, "chat", SETTINGS)
    look_service.look(site.database, site.runtime)
    seen = site.row("chat").fingerprint
    plugs.write(folder, "chat", SETTINGS, "# changed in between")
    look_service.look(site.database, site.runtime)
    assert "changed since this page was loaded" in site.post("/plugins/chat/enable", 409, fingerprint=seen)
    assert not site.row("chat").is_enabled


def test_settings_are_judged_by_the_plugin_and_its_secrets_never_shown(site: Site, folder: Path) -> None:
    plugs.write(folder, "chat", SETTINGS)
    site.enable("chat")
    wrong = site.post("/plugins/chat/settings", 422, **{**FINE, "set-pace": "12", "set-url": ""})
    assert "Number must be between 1 and 9." in wrong
    assert 'value="12"' in wrong
    assert "marker-4711" not in wrong
    site.post("/plugins/chat/settings", **FINE)
    page = site.get("/plugins/chat")
    assert "marker-4711" not in page
    assert 'value="https://chat.example"' in page
    assert "set; leave empty to keep it" in page
    row = site.row("chat")
    assert row.settings == {"url": "https://chat.example", "pace": 4, "zone": "cet", "deep": True}
    with site.database.reading() as session:
        assert b"marker" not in session.scalars(select(SealedSecret.sealed)).one()
        audited = [str(entry.after) for entry in session.scalars(select(AuditEntry))]
    assert "marker" not in "".join(audited)
    # a secret left empty is kept; another address asks for it again
    site.post("/plugins/chat/settings", **{**FINE, "set-token": "", "set-pace": "5"})
    assert site.row("chat").settings["pace"] == 5
    elsewhere = {**FINE, "set-token": "", "set-url": "https://evil.example"}
    assert "have to be typed anew" in site.post("/plugins/chat/settings", 422, **elsewhere)
    assert site.row("chat").settings["url"] == "https://chat.example"


@pytest.mark.parametrize("site", [{"plugins": {"chat": {"pace": 7}}}], indirect=True)
def test_what_the_file_says_is_shown_and_cannot_be_changed(site: Site, folder: Path) -> None:
    plugs.write(folder, "chat", SETTINGS)
    site.enable("chat")
    site.post("/plugins/chat/settings", **{**FINE, "set-pace": "4"})
    page = site.get("/plugins/chat")
    field = re.search(r'<input[^>]*id="set-pace"[^>]*>', page)
    assert field is not None
    assert "disabled" in field[0]
    assert 'value="7"' in field[0]
    assert "which wins over this page" in page
    assert "pace" not in site.row("chat").settings


def test_a_form_that_hangs_costs_its_time_limit_and_keeps_nothing(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.plugins.hosting.JUDGE_SECONDS", 1.0)
    plugs.write(folder, "chat", SETTINGS)
    site.enable("chat")
    slow = site.post("/plugins/chat/settings", 422, **{**FINE, "set-url": "https://slow.example"})
    assert "could not judge these settings: Stopped after 1 s" in slow
    assert site.row("chat").settings == {}


def test_what_is_wrong_is_said_with_its_cure_and_what_to_send(site: Site, folder: Path) -> None:
    plugs.write(folder, "broken", "import no_such_package")
    plugs.write(folder, "good", desk("good"))
    site.enable("broken")
    site.enable("good")
    listed = site.get("/plugins")
    assert ", 1 needs you." in listed
    assert "Install what it needs: no_such_package." in listed
    for _ in range(3):
        boom(site)
    page = site.get("/plugins/good")
    assert "rests for five" in page
    assert "What to send to its author" in page
    assert "RuntimeError: boom" in page
    site.post("/plugins/good/wake")
    assert "Running" in site.get("/plugins/good")


def boom(site: Site) -> None:
    """Have the good plugin fail once."""
    work: Work = replace(CHECK, config={"boom": True})
    with pytest.raises(PluginFailed):
        site.runtime.call(site.database, "good", work)


def test_a_plugin_is_turned_off_with_a_reason_for_those_who_come_after(site: Site, folder: Path) -> None:
    plugs.write(folder, "chat", SETTINGS)
    site.enable("chat")
    site.post("/plugins/chat/disable", note="replaced by the <new> one")
    assert "Turned off by <bdi>Ilse Verhoeven</bdi>" in site.get("/plugins")
    assert "replaced by the &lt;new&gt; one" in site.get("/plugins/chat")
    assert "off already" in site.post("/plugins/chat/disable", 409, note="")


def test_a_changed_plugin_is_shown_stopped_and_can_be_allowed(site: Site, folder: Path) -> None:
    plugs.write(folder, "chat", SETTINGS)
    site.enable("chat")
    plugs.write(folder, "chat", SETTINGS, "# changed")
    look_service.look(site.database, site.runtime)
    assert "Its files changed since it was allowed." in site.get("/plugins/chat")
    site.enable("chat")
    assert "Running" in site.get("/plugins/chat")


def test_kinds_narrow_the_list(site: Site, folder: Path) -> None:
    plugs.write(folder, "chat", SETTINGS)
    plugs.write(folder, "good", desk("good"))
    site.enable("chat")
    site.enable("good")
    narrowed = site.get("/plugins?kind=connector")
    assert "/plugins/good" in narrowed
    assert "/plugins/chat" not in narrowed


def test_what_could_not_be_delivered_is_sent_again_or_discarded(site: Site) -> None:
    with site.database.transaction() as session:
        for key in ("1", "2", "3"):
            outgoing.put(
                session,
                site.keys,
                work="notice",
                plugin="chat",
                target="t",
                key=key,
                contents={"words": "marker-4711"},
                now=clock.now(),
            )
        for row in session.scalars(select(Outgoing)):
            row.state, row.error = "dead", "No such room."
        ids = list(session.scalars(select(Outgoing.id)))
    page = site.get("/plugins/undelivered")
    assert "3 things were tried" in page
    assert "No such room." in page
    assert "4711" not in page
    site.post(f"/plugins/undelivered/{ids[0]}/discard")
    site.post(f"/plugins/undelivered/{ids[1]}/send")
    assert "not on the dead list" in site.post(f"/plugins/undelivered/{ids[0]}/send", 409)
    site.post("/plugins/undelivered/send")
    with site.database.reading() as session:
        states = {row.key: row.state for row in session.scalars(select(Outgoing))}
    assert states["1"] == "discarded"
    assert states["2"] in {"pending", "dead"}


@pytest.mark.parametrize(
    ("role", "sees", "acts"), [("admin", 200, True), ("manager", 200, False), ("agent", 403, False)]
)
def test_who_may_see_and_change_plugins(site: Site, folder: Path, role: str, sees: int, acts: bool) -> None:
    plugs.write(folder, "chat", SETTINGS)
    site.enable("chat")
    site.sign_in(role)
    assert site.client.get("/plugins").status_code == sees
    if sees == 200:
        assert ('action="/plugins/chat/disable"' in site.get("/plugins/chat")) is acts
    done = 303 if acts else 403
    site.post("/plugins/chat/settings", done, **FINE)
    site.post("/plugins/chat/disable", done)
    site.post("/plugins/look", done)


@pytest.mark.parametrize("path", ["/plugins/none", "/plugins/%2e%2e", "/plugins/chat"])
def test_a_plugin_that_is_not_there_is_not_found(site: Site, path: str) -> None:
    site.get(path, 404)
