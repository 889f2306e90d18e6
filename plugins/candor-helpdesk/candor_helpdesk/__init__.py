"""Tickets of a django-helpdesk, with replies and internal notes; scores go back as internal notes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from wtforms import Form, IntegerField, SelectMultipleField, StringField
from wtforms.validators import URL, DataRequired, NumberRange, Optional

from qa.plugins.api import (
    AgentRef,
    AuthExpired,
    BadRecord,
    Capability,
    Check,
    Connector,
    Context,
    ExternalRef,
    Gone,
    Kpi,
    Message,
    Page,
    PermissionMissing,
    PluginInfo,
    PushItem,
    PushResult,
    Quota,
    RawRequest,
    Record,
    Response,
    SecretField,
    SharedSecret,
    VendorBug,
    WebhookResult,
    Window,
    hookimpl,
)

STATUSES = {1: "open", 2: "reopened", 3: "resolved", 4: "closed", 5: "duplicate", 6: "new"}
NOT_SIGNED_IN = ("invalid username", "not provided", "invalid token", "inactive")


class Config(Form):
    """Where the helpdesk is and who asks."""

    url = StringField(
        "Address", [DataRequired(), URL(require_tld=False)], description="The folder above /api/."
    )
    user = StringField("User", [DataRequired()], description="A staff account that may see the queues.")
    password = SecretField("Password", [DataRequired()])
    page_size = IntegerField(
        "Tickets a page",
        [Optional(), NumberRange(1, 500)],
        default=500,
        description="Its list takes as long for one ticket as for many, so large pages are quicker.",
    )
    leave_out = SelectMultipleField("Leave out", choices=[(str(k), word) for k, word in STATUSES.items()])


class Helpdesk(Connector):
    """django-helpdesk 2: its list has no filter by time, so each run reads all of it, page by page."""

    key = "helpdesk"
    title = "django-helpdesk"
    streams = ("tickets",)
    channels = frozenset({"ticket"})
    capabilities = frozenset({Capability.LIVE, Capability.PUSH_NOTE, Capability.WEBHOOK})
    Config = Config
    quota = Quota("600/min")
    webhook_auth = SharedSecret("", "path")  # it cannot sign: the address is the secret

    def sign_in(self, ctx: Context) -> Mapping[str, str]:
        """Return HTTP Basic."""
        pair = f"{ctx.config['user']}:{ctx.secrets.get('password', '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def check(self, ctx: Context) -> Check:
        """Ask for one ticket and one follow-up."""
        missing = []
        for right, path in (("tickets", "api/tickets/"), ("follow-ups", "api/followups/")):
            try:
                self.get(ctx, path, params={"page_size": 1})
            except PermissionMissing:
                missing.append(right)
        account = str(ctx.config["user"])
        return Check(
            not missing, "" if missing else f"Signed in as {account}.", account=account, missing=missing
        )

    def get(self, ctx: Context, path: str, params: dict[str, int] | None = None) -> Response:
        """Return an answer; it says 403 to a wrong password, too."""
        answer = ctx.http.get(path, params=params, accept=(403,))
        if answer.status == 403:
            detail = str(answer.json().get("detail", ""))
            if any(words in detail.lower() for words in NOT_SIGNED_IN):
                raise AuthExpired(detail)
            raise PermissionMissing("staff", detail)
        return answer

    def pull(
        self, ctx: Context, stream: str, cursor: dict[str, Any] | None, window: Window | None
    ) -> Iterator[Page]:
        """Yield all tickets by id, from the page after ``cursor`` to the last; the next run starts anew."""
        size = int(ctx.config.get("page_size") or 500)
        number = int(cursor["page"]) if cursor and cursor.get("size") == size else 1
        while True:
            try:
                found = self.get(ctx, "api/tickets/", {"page": number, "page_size": size}).json()
            except Gone:  # tickets were deleted, there are fewer pages now
                found = {}
            tickets = found.get("results", [])
            left_out = set(ctx.config.get("leave_out") or ())
            records = [self.record(ctx, one) for one in tickets if str(one.get("status")) not in left_out]
            number = number + 1 if found.get("next") else 1
            yield Page(records, {"page": number, "size": size}, done=number == 1)
            if number == 1:
                return

    def record(self, ctx: Context, ticket: dict[str, Any]) -> Record | BadRecord:
        """Return one ticket; it begins with its first follow-up, because its own date is not shown."""
        try:
            return self._record(ctx, ticket)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            reason = f"{type(error).__name__}: {error}"
            return BadRecord(ticket, reason, str(ticket.get("id") or ""))

    def _record(self, ctx: Context, ticket: dict[str, Any]) -> Record:
        followups = ticket["followup_set"]
        if not followups:
            raise ValueError("The ticket has no follow-up, so nobody knows when it began.")
        times = [datetime.fromisoformat(one["date"]) for one in followups]
        people = [one["user"] for one in reversed(followups) if one["user"] and one["public"]]
        agents = dict.fromkeys(str(one) for one in [ticket["assigned_to"], *people] if one)
        status = STATUSES.get(ticket["status"], str(ticket["status"]))
        reopened = sum(one["new_status"] == 2 for one in followups)
        return Record(
            str(ticket["id"]),
            "ticket",
            min(times),
            kind=status,
            ended_at=max(times) if status in {"resolved", "closed"} else None,
            updated_at=max(times),
            queue=str(ticket["queue"]),
            subject=ticket["title"] or "",
            url=f"{str(ctx.config['url']).rstrip('/')}/tickets/{ticket['id']}/",
            agent_refs=[AgentRef(one) for one in agents],
            customer_ref=ticket["submitter_email"] or "",
            messages=[self._message(ticket, one) for one in followups],
            kpi=Kpi(reopens=reopened, first_reply_s=_first_reply(followups)),
            custom={name[7:]: value for name, value in ticket.items() if name.startswith("custom_")},
            merged_into=str(ticket["merged_to"] or ""),
        )

    def _message(self, ticket: dict[str, Any], one: dict[str, Any]) -> Message:
        author = AgentRef(str(one["user"])) if one["user"] else None
        is_opening = one is ticket["followup_set"][0]
        speaker = "customer" if is_opening or author is None else "agent"
        kind = "note" if not one["public"] else "message" if one["comment"] else "event"
        text = one["comment"] or one["title"] or ""
        moment = datetime.fromisoformat(one["date"])
        return Message(str(one["id"]), moment, text, speaker=speaker, kind=kind, author=author)  # type: ignore[arg-type]

    def webhook(self, ctx: Context, request: RawRequest) -> WebhookResult:
        """Tell which ticket a delivery is about."""
        try:
            ticket = json.loads(request.body)["ticket"]
        except (ValueError, KeyError, TypeError) as error:
            raise VendorBug(f"The delivery names no ticket: {error}") from error
        return WebhookResult([ExternalRef(str(ticket["id"]), "tickets")])

    def pull_one(self, ctx: Context, ref: ExternalRef) -> Page:
        """Return one ticket, a tombstone when it is gone."""
        try:
            ticket = self.get(ctx, f"api/tickets/{ref.external_id}/").json()
        except Gone:
            return Page([Record(ref.external_id, "ticket", ctx.clock.now(), deleted=True)], {}, done=True)
        return Page([self.record(ctx, ticket)], {}, done=True)

    def push(self, ctx: Context, target: ExternalRef, item: PushItem, key: str) -> PushResult:
        """Add an internal follow-up that ends with the key, unless one is there; nothing else changes."""
        mark = f"[qa:{key}]"
        ticket = self.get(ctx, f"api/tickets/{target.external_id}/").json()
        for one in ticket["followup_set"]:
            if mark in (one["comment"] or ""):
                return PushResult(str(one["id"]), repeated=True)
        note = {
            "ticket": ticket["id"],
            "title": ticket["title"],  # it would overwrite the ticket's own with any other
            "comment": f"{item.text}\n{item.url}\n{mark}",
            "public": False,
        }
        return PushResult(str(ctx.http.post("api/followups/", json=note).json()["id"]))


def _first_reply(followups: list[dict[str, Any]]) -> int | None:
    began = datetime.fromisoformat(followups[0]["date"])
    replies = [one for one in followups[1:] if one["user"] and one["public"] and one["comment"]]
    if not replies:
        return None
    return round((datetime.fromisoformat(replies[0]["date"]) - began).total_seconds())


@hookimpl
def qa_plugin_info() -> PluginInfo:
    """Say who this is."""
    return PluginInfo(
        "helpdesk", "0.1.0", title="django-helpdesk", needs=("Reaches the helpdesk's address over HTTP.",)
    )


@hookimpl
def qa_connectors() -> list[type[Connector]]:
    """Register the connector."""
    return [Helpdesk]
