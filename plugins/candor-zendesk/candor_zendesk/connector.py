"""Zendesk Support as a source: the incremental export by cursor, comments where there are any, notes back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from candor_zendesk.mapping import OUR_MARK, Raw, moment, person_of, record_of
from candor_zendesk.settings import Settings, headers_for
from qa.plugins.api import (
    BadRecord,
    Capability,
    Check,
    Connector,
    Context,
    ExternalRef,
    Gone,
    Hmac,
    Media,
    MediaRef,
    Page,
    PermissionMissing,
    PushItem,
    PushResult,
    Quota,
    RawRequest,
    Record,
    ResetHeader,
    WebhookResult,
    Window,
)

EXPORT = "/api/v2/incremental/tickets/cursor"
SIDELOADS = "users,groups,metric_sets,comment_count"
EXPORT_PAUSE_SECONDS = 6.0
CHUNK = 100


class Zendesk(Connector):
    """Tickets and calls of a Zendesk account."""

    key = "zendesk"
    title = "Zendesk"
    streams = ("tickets",)
    channels = frozenset({"email", "chat", "voice", "ticket"})
    capabilities = frozenset(
        {
            Capability.LIVE,
            Capability.BACKFILL,
            Capability.MEDIA,
            Capability.PUSH_NOTE,
            Capability.WEBHOOK,
            Capability.AGENTS,
        }
    )
    Config = Settings
    quota = Quota("200/min", headers=(ResetHeader("ratelimit-reset", "delta_s"),))
    media_hosts = ("*.zdusercontent.com",)
    webhook_auth = Hmac(
        "X-Zendesk-Webhook-Signature",
        encoding="base64",
        over="{timestamp}{body}",
        timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
        timestamp_unit="iso",
        id_header="X-Zendesk-Webhook-Invocation-Id",
    )

    def sign_in(self, ctx: Context) -> Mapping[str, str]:
        """Return the headers with the credentials."""
        return headers_for(ctx)

    def check(self, ctx: Context) -> Check:
        """Ask who we are and for the newest hour of the export, which only admins may read."""
        me = ctx.http.get("/api/v2/users/me").json().get("user") or {}
        if not me.get("id"):  # Zendesk answers a stranger with an anonymous user, not with 401
            return Check(False, "Zendesk does not know these credentials.")
        missing = []
        hour_ago = int((ctx.clock.now() - timedelta(hours=1)).timestamp())
        try:
            ctx.http.get(EXPORT, params={"start_time": hour_ago})
        except PermissionMissing:
            missing.append("incremental export (the account must be an admin)")
        return Check(not missing, account=str(me.get("email") or me["id"]), missing=missing)

    def pull(
        self, ctx: Context, stream: str, cursor: dict[str, Any] | None, window: Window | None
    ) -> Iterator[Page]:
        """Yield what changed, in the order in which Zendesk noticed it."""
        start = int(window.start.timestamp()) if window else 0
        place = dict(cursor or {"start_time": start})
        while True:
            params = {"include": SIDELOADS, **place}
            body = ctx.http.get(EXPORT, params=params).json()
            tickets = [one for one in body.get("tickets") or () if _is_wanted(one, window)]
            after = {"cursor": body["after_cursor"]} if body.get("after_cursor") else place
            is_last = bool(body.get("end_of_stream")) or _is_past(body.get("tickets") or (), window)
            chunks = [tickets[at : at + CHUNK] for at in range(0, len(tickets), CHUNK)] or [[]]
            for chunk in chunks[:-1]:
                # not yet the whole page: the cursor stays where it was
                yield Page(self._records(ctx, chunk, body), dict(place))
            yield Page(self._records(ctx, chunks[-1], body), after, done=is_last)
            if is_last:
                return
            place = after
            ctx.clock.sleep(EXPORT_PAUSE_SECONDS)  # ten exports a minute are allowed

    def _records(self, ctx: Context, tickets: Sequence[Raw], body: Raw) -> list[Record | BadRecord]:
        users = {one["id"]: one for one in body.get("users") or () if one.get("id")}
        groups = {one["id"]: str(one.get("name") or "") for one in body.get("groups") or () if one.get("id")}
        metrics = {one.get("ticket_id"): one for one in body.get("metric_sets") or ()}
        records = []
        for ticket in tickets:
            comments, authors = self._comments(ctx, ticket)
            raw = {"metric_set": metrics.get(ticket.get("id"))} | dict(ticket)
            records.append(
                record_of(
                    raw,
                    users=users | authors,
                    groups=groups,
                    comments=comments,
                    base_url=str(ctx.config["url"]).rstrip("/"),
                    tag=str(ctx.config.get("tag") or ""),
                )
            )
        return records

    def _comments(self, ctx: Context, ticket: Raw) -> tuple[list[Raw], dict[int, Raw]]:
        """Return the comments of a ticket and who wrote them; none where the description says it all."""
        is_call = str((ticket.get("via") or {}).get("channel") or "").startswith(("voice", "phone"))
        is_short = ticket.get("comment_count") in (0, 1) and not is_call
        if is_short or ticket.get("status") == "deleted" or not ticket.get("id"):
            return [], {}
        comments: list[Raw] = []
        users: dict[int, Raw] = {}
        url: str | None = f"/api/v2/tickets/{ticket['id']}/comments?include=users&page[size]=100"
        try:
            while url:
                body = ctx.http.get(url).json()
                comments += body.get("comments") or []
                users |= {one["id"]: one for one in body.get("users") or () if one.get("id")}
                url = (
                    (body.get("links") or {}).get("next")
                    if (body.get("meta") or {}).get("has_more")
                    else None
                )
        except Gone:  # deleted meanwhile: the export will tell
            return comments, users
        return comments, users

    def agents(self, ctx: Context, cursor: dict[str, Any] | None) -> Iterator[Page]:
        """Yield agents and admins."""
        url = str((cursor or {}).get("next") or "/api/v2/users?role[]=agent&role[]=admin&page[size]=100")
        while True:
            body = ctx.http.get(url).json()
            people = [person_of(one) for one in body.get("users") or () if one.get("id")]
            following = (
                (body.get("links") or {}).get("next") if (body.get("meta") or {}).get("has_more") else None
            )
            yield Page(people, {"next": following}, done=following is None)
            if following is None:
                return
            url = following

    def fetch_media(self, ctx: Context, ref: MediaRef) -> Media:
        """Stream a recording; on another host it is fetched without credentials."""
        return ctx.http.download(ref.ref, name=ref.name)

    def push(self, ctx: Context, target: ExternalRef, item: PushItem, key: str) -> PushResult:
        """Leave a private comment and the tag, once per key; nothing else of the ticket is touched."""
        ticket = f"/api/v2/tickets/{target.external_id}"
        tags = [*item.tags, *([str(ctx.config["tag"])] if ctx.config.get("tag") else [])]
        if tags:  # adding a tag twice adds it once
            ctx.http.request("PUT", f"{ticket}/tags", json={"tags": tags}, key=f"{key}-tags")
        if item.kind == "tag":
            return PushResult(target.external_id)
        mark = f"{OUR_MARK}{key}]"
        comments, _ = self._comments(ctx, {"id": target.external_id})
        if any(mark in str(one.get("body") or "") for one in comments):
            return PushResult(target.external_id, repeated=True)
        lines = [line for line in (item.text, item.url, mark) if line]
        comment = {"body": "\n".join(lines), "public": False}
        ctx.http.request("PUT", ticket, json={"ticket": {"comment": comment}})
        return PushResult(target.external_id)

    def webhook(self, ctx: Context, request: RawRequest) -> WebhookResult:
        """Name the ticket of an event, or of a trigger's own JSON."""
        told = json.loads(request.body or b"{}")
        detail = told.get("detail") or told.get("ticket") or {}
        number = detail.get("id") or told.get("ticket_id")
        return WebhookResult([ExternalRef(str(number), stream="tickets")] if number else [])

    def pull_one(self, ctx: Context, ref: ExternalRef) -> Page:
        """Return one ticket as it is now, a tombstone when it is gone."""
        try:
            url = f"/api/v2/tickets/{ref.external_id}"
            body = ctx.http.get(url, params={"include": SIDELOADS}).json()
        except Gone:
            gone = Record(ref.external_id, "ticket", ctx.clock.now(), deleted=True)
            return Page([gone], {}, done=True)
        return Page(self._records(ctx, [body["ticket"]], body), {}, done=True)

    def diagnostics(self, ctx: Context) -> dict[str, Any]:
        """Return how this source signs in and what it is allowed."""
        return {"way": ctx.config.get("way"), "quota": self.quota.rate, "export": "cursor"}


def _next_of(body: Raw) -> str | None:
    """Return the address of the next page, None after the last."""
    has_more = (body.get("meta") or {}).get("has_more")
    return str(body["links"]["next"]) if has_more else None


def _seen_at(ticket: Raw) -> float | None:
    """Return when Zendesk noticed a change: the order of the export, not ``updated_at``."""
    stamp = ticket.get("generated_timestamp")
    if isinstance(stamp, int | float):
        return float(stamp)
    try:
        return moment(str(ticket["updated_at"])).timestamp()
    except (KeyError, ValueError):
        return None


def _is_wanted(ticket: Raw, window: Window | None) -> bool:
    seen = _seen_at(ticket)
    return window is None or seen is None or seen <= window.end.timestamp()


def _is_past(tickets: Sequence[Raw], window: Window | None) -> bool:
    """Tell whether a page lies behind the window, so that all after it does."""
    return window is not None and bool(tickets) and not any(_is_wanted(one, window) for one in tickets)
