"""A plugin for tests of sources: its vendor is a JSON file, so what lies upstream is what the test wrote."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from wtforms import Form, IntegerField, StringField
from wtforms.validators import InputRequired, Optional

from qa.plugins.api import (
    AgentRef,
    AuthExpired,
    BadRecord,
    Capability,
    Check,
    Connector,
    ExternalRef,
    Gone,
    Hmac,
    MediaRef,
    NotReady,
    Page,
    PluginInfo,
    PushResult,
    Record,
    SecretField,
    Transient,
    VendorBug,
    WebhookResult,
    hookimpl,
)


class Config(Form):
    file = StringField("File", [InputRequired()], description="Where the vendor lies.")
    size = IntegerField("Page size", [Optional()], default=2)
    token = SecretField("Token", [InputRequired()])
    webhook_secret = SecretField("Webhook secret")


class Twin(Connector):
    """A ticket system in a file."""

    key = "twin"
    title = "Twin desk"
    streams = ("tickets",)
    capabilities = {
        Capability.LIVE,
        Capability.BACKFILL,
        Capability.MEDIA,
        Capability.WEBHOOK,
        Capability.AGENTS,
        Capability.PUSH_NOTE,
    }
    Config = Config
    webhook_auth = Hmac(
        "X-Twin-Signature",
        id_header="X-Twin-Id",
        timestamp_header="X-Twin-Time",
        over="{timestamp}.{id}.{body}",
    )

    def vendor(self, ctx):
        told = json.loads(Path(ctx.config["file"]).read_text())
        if told.get("token") not in (None, ctx.secrets.get("token")):
            raise AuthExpired("The token ended.")
        return told

    def check(self, ctx):
        told = self.vendor(ctx)
        if told.get("leaks"):
            ctx.log.warning("signed in with %s", ctx.secrets["token"])
            return Check(True, "Signed in with " + ctx.secrets["token"], account=ctx.secrets["token"])
        return Check(
            not told.get("missing"),
            "Signed in as twin-reader.",
            account="twin-reader",
            missing=told.get("missing", ()),
        )

    def pull(self, ctx, stream, cursor, window):
        at = 0 if cursor is None else cursor["at"]
        size = ctx.config.get("size") or 2
        told = self.vendor(ctx)
        if told.get("dies_at") is not None and at >= told["dies_at"]:
            os._exit(9)
        while True:
            some = told["tickets"][at : at + size]
            at += len(some)
            done = at >= len(told["tickets"])
            yield Page([self.record(one) for one in some], {"at": at}, done=done)
            if done:
                return

    def record(self, one):
        try:
            return Record(
                str(one["id"]),
                "ticket",
                datetime.fromisoformat(one.get("at", "2026-03-14T09:30:00+00:00")),
                subject=one.get("subject", ""),
                agent_refs=[AgentRef(one["agent"])] if one.get("agent") else [],
                media=[MediaRef(name) for name in one.get("media", ())],
                deleted=bool(one.get("deleted")),
                updated_at=datetime.fromisoformat(one["updated"]) if one.get("updated") else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            return BadRecord(one, f"{type(error).__name__}: {error}", str(one.get("id", "")))

    def agents(self, ctx, cursor):
        yield Page([AgentRef(**one) for one in self.vendor(ctx).get("agents", ())], {}, done=True)

    def fetch_media(self, ctx, ref):
        if ref.ref == "late.wav":
            raise NotReady(timedelta(minutes=7))
        if ref.ref == "gone.wav":
            raise Gone("No longer there.")
        if ref.ref == "bug.wav":
            raise VendorBug("It answered nonsense.")
        ctx.sink.write(b"RIFF sound of " + ref.ref.encode())
        return ctx.sink.done("audio/wav", ref.ref)

    def webhook(self, ctx, request):
        told = json.loads(request.body)
        with Path(ctx.config["file"] + ".hooks").open("a") as out:
            out.write(request.delivery_id + "\n")
        return WebhookResult([ExternalRef(str(one), "tickets") for one in told["ids"]])

    def pull_one(self, ctx, ref):
        with Path(ctx.config["file"] + ".pulls").open("a") as out:
            out.write(ref.external_id + "\n")
        for one in self.vendor(ctx)["tickets"]:
            if str(one.get("id")) == ref.external_id:
                return Page([self.record(one)], {}, done=True)
        return Page([Record(ref.external_id, "ticket", ctx.clock.now(), deleted=True)], {}, done=True)

    def push(self, ctx, target, item, key):
        told = self.vendor(ctx)
        if told.get("leaks"):
            raise Gone("No ticket for " + ctx.secrets["token"])
        kept = Path(ctx.config["file"] + ".notes")
        notes = kept.read_text().splitlines() if kept.exists() else []
        if any(key in note for note in notes):
            return PushResult(key, repeated=True)
        with kept.open("a") as out:
            out.write(json.dumps([target.external_id, item.kind, item.text, key]) + "\n")
        if told.get("loses_answers"):
            raise Transient("The answer was cut.")
        return PushResult(key)


@hookimpl
def qa_plugin_info():
    return PluginInfo("twin", "1.2.0", title="Twin")


@hookimpl
def qa_connectors():
    return [Twin]
