"""A plugin that gives its own secret away in every way it can: it reaches no file, log or page."""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import select

from qa.core import clock
from qa.core.db import Database
from qa.extensions import look_service
from qa.extensions import outgoing_service as outgoing
from qa.extensions.exports import run_export
from qa.extensions.models import Outgoing
from qa.extensions.notices import NOTICE, carry, send_notice
from qa.plugins.api import Column, Gone, Notice, PluginError, Schema
from qa.plugins.calling import PluginFailed, Work
from tests.extensions.test_pages import FINE, SETTINGS, Site, site
from tests.plugins import plugs

__all__ = ["site"]
MARKER = "marker/47 11+é"
LEAKY = """
import logging, os, base64

class Leaky(Connector):
    key, title = "leaky", "Leaky"

    def check(self, ctx):
        secret = ctx.secrets["token"]
        way = ctx.config["way"]
        if way == "answers":
            return Check(False, "refused " + secret, missing=[secret])
        if way == "logs":
            ctx.log.warning("with %s", secret)
            logging.getLogger("lib").error("Basic %s", base64.b64encode(secret.encode()).decode())
            ctx.progress(1, 2, secret)
            return Check(True)
        if way == "raises":
            raise RuntimeError(secret)
        if way == "means":
            raise ConfigError("no " + secret, secret)
        if way == "prints":
            print(secret, flush=True)
            os._exit(1)
        if way == "asks":
            ctx.http.get("/x?token=" + secret)

    def diagnostics(self, ctx):
        return {"secret": ctx.secrets["token"], "all": repr(ctx.secrets)}

    def pull(self, ctx, stream, cursor, window):
        yield Page([], {})

class Chat(Notifier):
    key, title = "chat", "Chat"

    def send(self, ctx, message, target, key):
        raise Gone("no room for " + ctx.secrets["token"])

class Warehouse(Exporter):
    key, title = "warehouse", "Warehouse"

    def open(self, ctx, schema):
        return "behind " + ctx.secrets["token"]

    def write(self, ctx, batch, watermark):
        pass

    def commit(self, ctx):
        raise Gone("no room for " + ctx.secrets["token"])

@hookimpl
def qa_connectors():
    return [Leaky]

@hookimpl
def qa_exporters():
    return [Warehouse]

@hookimpl
def qa_notifiers():
    return [Chat]
"""
WAYS = ["answers", "logs", "raises", "means", "prints", "asks"]


def forms() -> list[bytes]:
    """The ways in which the secret may be written."""
    raw = MARKER.encode()
    plain = [MARKER, quote(MARKER, safe=""), base64.b64encode(raw).decode().rstrip("="), raw.hex()]
    return [*(one.encode() for one in plain), b"marker/47"]


def test_no_secret_reaches_a_file_a_log_or_a_page(
    site: Site, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plugs.write(folder, "chat", SETTINGS, LEAKY)
    site.enable("chat")
    site.post("/plugins/chat/settings", **{**FINE, "set-token": MARKER})
    look_service.load_one(site.database, site.runtime, "chat")
    told = [misbehave(site, way) for way in WAYS]
    site.post("/plugins/chat/wake")
    told.append(
        str(site.runtime.call(site.database, "chat", Work("connector", "leaky", "diagnostics")).value)
    )
    told.append(exported(site))
    deliver(site)
    site.runtime.flush(site.database)
    pages = [site.get(path) for path in ("/plugins", "/plugins/chat", "/plugins/undelivered")]
    seen = {
        "answers and errors": "".join(told).encode(),
        "log": caplog.text.encode() + str([vars(record) for record in caplog.records]).encode(),
        "pages": "".join(pages).encode(),
        **{str(file): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()},
    }
    assert any(str(file).endswith("candor.db") for file in seen) or not site.database.is_sqlite
    found = {place: form for place, held in seen.items() for form in forms() if form in held}
    assert found == {}
    assert "•••" in seen["answers and errors"].decode()
    assert "with •••" in caplog.text
    assert dead_reasons(site.database) == ["no room for •••"]


def misbehave(site: Site, way: str) -> str:
    """Leak in one way; return all that the host was told."""
    work = Work("connector", "leaky", "check", config={"way": way}, deadline_seconds=20.0)
    try:
        return str(site.runtime.call(site.database, "chat", work).value)
    except PluginFailed as failed:
        return f"{failed} {failed.detail}"
    except PluginError as error:
        return f"{error} {vars(error)}"


def exported(site: Site) -> str:
    """Take an empty table out; return where the plugin says it stood, and why it fails."""
    marks: list[str] = []
    with pytest.raises(Gone) as raised:
        run_export(
            site.database,
            site.runtime,
            plugin="chat",
            exporter="warehouse",
            schema=Schema("evaluations", 1, [Column("id", "integer")]),
            batches=lambda mark: marks.append(mark) or (),
        )
    assert marks == ["behind •••"]
    return f"{marks} {raised.value}"


def deliver(site: Site) -> None:
    """Send a message that is refused with the secret in the reason."""
    with site.database.transaction() as session:
        send_notice(
            session,
            site.keys,
            plugin="chat",
            notifier="chat",
            target="room",
            notice=Notice("Hello", "Body"),
            key="1",
            now=clock.now(),
        )
        (target,) = session.scalars(select(Outgoing.target))
    outgoing.deliver(site.database, site.runtime, site.keys, {NOTICE: carry}, target)


def dead_reasons(database: Database) -> list[str]:
    """Why things were given up."""
    with database.reading() as session:
        return list(session.scalars(select(Outgoing.error).where(Outgoing.state == "dead")))
