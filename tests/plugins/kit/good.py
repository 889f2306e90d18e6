"""A connector that keeps every law, and its vendor: what the bad ones are made from."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from wtforms import Form, URLField
from wtforms.validators import URL, InputRequired

from qa.plugins.api import (
    AgentRef,
    BadRecord,
    Capability,
    Check,
    Connector,
    Context,
    ExternalRef,
    Hmac,
    Media,
    MediaRef,
    Page,
    PushItem,
    PushResult,
    Quota,
    RawRequest,
    Record,
    ResetHeader,
    SecretField,
    WebhookResult,
    Window,
)
from qa.plugins.testing import Ask, Reply, Thing, Twin
from qa.plugins.testing.twin import SECRET, WEBHOOK_SECRET

CHANNELS = {"phone": "voice", "mail": "email", "chat": "chat"}


class DeskTwin(Twin):
    """A help desk with a cursor, notes, recordings on another host, and signed webhooks."""

    secrets = {"token": SECRET, "webhook_secret": WEBHOOK_SECRET}
    limit = "60/min"
    time_field, agent_field, enum_fields = "opened", "agent", ("via",)
    tells_deletions = signs_time = True

    def show(self, thing: Thing) -> dict[str, Any]:
        return {
            "id": thing.number,
            "opened": thing.created_at.isoformat(),
            "changed": thing.updated_at.isoformat(),
            "subject": thing.text,
            "via": "phone" if thing.number % 2 else "mail",
            "agent": thing.agent and {"id": thing.agent, "name": self.agents[thing.agent]},
            "recording": f"https://media.vendor.example/media/{thing.number}.wav",
            "state": "deleted" if thing.deleted else "open",
            "merged_into": thing.merged_into,
        }

    def handle(self, ask: Ask) -> Reply:
        if ask.path == "/api/me":
            return Reply(json={"name": "desk@example.com", "scopes": ["read", "write"]})
        if ask.path == "/api/agents":
            return Reply(json=[{"id": key, "name": name} for key, name in self.agents.items()])
        if ask.path == "/api/tickets":
            since, until = ask.query.get("since"), ask.query.get("until")
            things = self.living(
                datetime.fromisoformat(since) if since else None,
                until=datetime.fromisoformat(until) if until else None,
            )
            page, after = self.after(things, ask.query.get("after", ""))
            return Reply(json={"tickets": page, "after": after})
        found = re.fullmatch(r"/api/tickets/(\d+)(/notes)?(?:/(\d+))?", ask.path)
        thing = self.find(found[1]) if found else None
        if found is None or thing is None:
            return Reply(404)
        if not found[2]:
            return Reply(json=self.shown([thing])[0])
        if ask.method == "POST":
            self.note(thing.id, ask.json()["text"])
        elif ask.method == "DELETE":
            thing.notes.pop(int(found[3]))
        return Reply(json=[{"text": text} for text in thing.notes])

    def deliver(self, thing: Thing, at: datetime) -> Ask:
        body = json.dumps({"event": "changed", "ticket": thing.number}).encode()
        stamp = str(int(at.timestamp()))
        signed = hmac.new(WEBHOOK_SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"x-desk-signature": signed, "x-desk-time": stamp, "x-desk-delivery": f"d-{thing.number}"}
        return Ask("POST", "https://qa.example/hooks/desk", headers, body)

    def too_many(self, until: datetime) -> Reply:
        headers = {"X-Reset": str(int(until.timestamp()))}
        return Reply(403, {"code": "LIMIT_EXCEEDED"}, headers)


class Desk(Connector):
    """Keeps every law."""

    key = "desk"
    title = "Desk"
    capabilities = frozenset(Capability) - {Capability.MESSAGES, Capability.PUSH_FIELD}
    quota = Quota("60/min", headers=(ResetHeader("X-Reset", "epoch_s"),), body_codes=("LIMIT_EXCEEDED",))
    media_hosts = ("media.vendor.example",)
    webhook_auth = Hmac(
        "X-Desk-Signature",
        over="{timestamp}.{body}",
        timestamp_header="X-Desk-Time",
        id_header="X-Desk-Delivery",
    )

    class Config(Form):
        url = URLField("Address", validators=[InputRequired(), URL(require_tld=False)])
        token = SecretField("API token", validators=[InputRequired()])
        webhook_secret = SecretField("Webhook secret")

    def sign_in(self, ctx: Context) -> dict[str, str]:
        return {"Authorization": f"Bearer {ctx.secrets['token']}"}

    def check(self, ctx: Context) -> Check:
        me = ctx.http.get("/api/me").json()
        missing = [scope for scope in ("read", "write") if scope not in me["scopes"]]
        return Check(not missing, account=me["name"], missing=missing)

    def pull(
        self, ctx: Context, stream: str, cursor: dict[str, Any] | None, window: Window | None
    ) -> Iterator[Page]:
        place = dict(cursor or {})
        if window is not None and cursor is None:
            place["since"] = window.start.isoformat()
        newest = place.get("newest", place.get("since", ""))
        while True:
            body = ctx.http.get("/api/tickets", params=self.question(place, window)).json()
            records = [self.mapped(raw) for raw in body["tickets"]]
            newest = max([newest, *(raw["changed"] for raw in body["tickets"])])
            if not body["after"]:
                yield Page(records, {"since": newest}, done=True)
                return
            place |= {"after": body["after"], "newest": newest}
            yield Page(records, dict(place))

    def question(self, place: dict[str, Any], window: Window | None) -> dict[str, Any]:
        until = None if window is None else window.end.isoformat()
        return {"since": place.get("since") or None, "after": place.get("after"), "until": until}

    def mapped(self, raw: dict[str, Any]) -> Record | BadRecord:
        try:
            return self.record(raw)
        except (KeyError, TypeError, ValueError) as error:
            return BadRecord(raw, str(error), external_id=str(raw.get("id", "")))

    def record(self, raw: dict[str, Any]) -> Record:
        return Record(
            str(raw["id"]),
            CHANNELS.get(raw["via"], "ticket"),  # type: ignore[arg-type]
            datetime.fromisoformat(raw["opened"]),
            updated_at=datetime.fromisoformat(raw["changed"]),
            subject=raw["subject"],
            agent_refs=[self.person(raw["agent"])] if raw["agent"] else [],
            media=[MediaRef(raw["recording"])],
            deleted=raw["state"] == "deleted" or raw["merged_into"] is not None,
            merged_into=str(raw["merged_into"] or ""),
        )

    def person(self, raw: dict[str, Any]) -> AgentRef:
        return AgentRef(raw["id"], name=raw["name"])

    def agents(self, ctx: Context, cursor: dict[str, Any] | None) -> Iterator[Page]:
        yield Page([self.person(raw) for raw in ctx.http.get("/api/agents").json()], {}, done=True)

    def fetch_media(self, ctx: Context, ref: MediaRef) -> Media:
        return ctx.http.download(ref.ref)

    def push(self, ctx: Context, target: ExternalRef, item: PushItem, key: str) -> PushResult:
        notes = f"/api/tickets/{target.external_id}/notes"
        if any(f"[qa:{key}]" in note["text"] for note in ctx.http.get(notes).json()):
            return PushResult(repeated=True)
        ctx.http.post(notes, json={"text": f"{item.text} {item.url} [qa:{key}]"})
        return PushResult()

    def erase(self, ctx: Context, ref: ExternalRef) -> None:
        notes = f"/api/tickets/{ref.external_id}/notes"
        texts = [note["text"] for note in ctx.http.get(notes).json()]
        for place in reversed(range(len(texts))):
            if "[qa:" in texts[place]:
                ctx.http.request("DELETE", f"{notes}/{place}")

    def webhook(self, ctx: Context, request: RawRequest) -> WebhookResult:
        return WebhookResult([ExternalRef(str(json.loads(request.body)["ticket"]), stream="main")])

    def pull_one(self, ctx: Context, ref: ExternalRef) -> Page:
        return Page([self.mapped(ctx.http.get(f"/api/tickets/{ref.external_id}").json())], {}, done=True)
