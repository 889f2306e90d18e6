"""Bad connectors, each with one fault that real ones have: the proof that the kit finds it."""

from __future__ import annotations

import itertools
import os
import socket
import time
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from wtforms import Form, StringField, URLField

from qa.plugins.api import (
    AgentRef,
    AuthExpired,
    BadRecord,
    Check,
    Context,
    ExternalRef,
    Hmac,
    Media,
    MediaRef,
    Page,
    PluginError,
    PushItem,
    PushResult,
    Quota,
    Record,
    ResetHeader,
    SecretField,
    Transient,
    Window,
)
from qa.plugins.deprecations import leaving
from qa.plugins.testing import Ask, Reply, Twin
from tests.plugins.kit.good import Desk, DeskTwin

Cursor = dict[str, Any] | None
BERLIN = ZoneInfo("Europe/Berlin")


class FirstPageOnly(Desk):
    """c01: takes the first page for the last."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        page = next(iter(super().pull(ctx, stream, cursor, window)))
        yield replace(page, done=True)


class FromTheStart(Desk):
    """c02: never looks at its cursor."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        return super().pull(ctx, stream, None, window)


class UnstableId(Desk):
    """c03: the id holds the time of change and the moment."""

    def mapped(self, raw: dict[str, Any]) -> Record | BadRecord:
        made = super().mapped(raw)
        return replace(made, external_id=f"{uuid.uuid4()}") if isinstance(made, Record) else made


class CursorAhead(Desk):
    """c04: each page carries the cursor of the page behind it."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        pages = super().pull(ctx, stream, cursor, window)
        page = next(pages)
        for following in pages:
            yield replace(page, cursor=following.cursor)
            page = following
        yield page


class StateOnSelf(Desk):
    """c05: remembers on the class what it has given."""

    given: ClassVar[set[str]] = set()

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        for page in super().pull(ctx, stream, cursor, window):
            fresh = [one for one in page.records if one.external_id not in self.given]
            self.given.update(one.external_id for one in fresh)
            yield replace(page, records=fresh)


class ExclusiveCursor(Desk):
    """c06: asks for what changed after the newest second."""

    def question(self, place: dict[str, Any], window: Window | None) -> dict[str, Any]:
        asked = super().question(place, window)
        if asked["since"] and not asked["after"]:
            asked["since"] = (datetime.fromisoformat(asked["since"]) + timedelta(seconds=1)).isoformat()
        return asked


class OwnSleep(Desk):
    """c07: waits by itself."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        time.sleep(0.01)
        yield from super().pull(ctx, stream, cursor, window)


class ErrorIsTheEnd(Desk):
    """c08: takes a server that is unwell for the end of the list."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        try:
            yield from super().pull(ctx, stream, cursor, window)
        except Transient:
            yield Page([], dict(cursor or {}), done=True)


class LogsHeaders(Desk):
    """c09: logs what it sends."""

    def check(self, ctx: Context) -> Check:
        ctx.log.debug("asking with %s", self.sign_in(ctx))
        return super().check(ctx)


class NaiveTimes(Desk):
    """c10: cuts the zone off."""

    def record(self, raw: dict[str, Any]) -> Record:
        local = datetime.fromisoformat(raw["opened"]).astimezone(BERLIN)
        return replace(super().record(raw), started_at=local.replace(tzinfo=UTC))


class OneBadKillsThePage(Desk):
    """c11: maps without a net."""

    def mapped(self, raw: dict[str, Any]) -> Record | BadRecord:
        return self.record(raw)


class DropsBadRecords(Desk):
    """c11: leaves out what it cannot map."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        for page in super().pull(ctx, stream, cursor, window):
            yield replace(page, records=[one for one in page.records if isinstance(one, Record)])


class NeedsAnAgent(Desk):
    """c11: a conversation without an agent is a fault."""

    def record(self, raw: dict[str, Any]) -> Record:
        return replace(super().record(raw), agent_refs=[self.person(raw["agent"])])


class EagerMedia(Desk):
    """c12: downloads each recording at once."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        for page in super().pull(ctx, stream, cursor, window):
            for one in page.records:
                if isinstance(one, Record):
                    ctx.http.download(one.media[0].ref)
            yield page


class CredentialsForEverybody(Desk):
    """c13: sends the token to the host of the recordings."""

    def fetch_media(self, ctx: Context, ref: MediaRef) -> Media:
        return ctx.http.download(ref.ref, headers=self.sign_in(ctx))


class SwallowsRefusals(Desk):
    """c14: takes refused credentials for an empty list."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        try:
            yield from super().pull(ctx, stream, cursor, window)
        except AuthExpired:
            yield Page([], dict(cursor or {}), done=True)


class AlwaysWell(Desk):
    """c14: says ok whatever comes."""

    def check(self, ctx: Context) -> Check:
        try:
            return super().check(ctx)
        except PluginError:
            return Check(True)


class BuffersEverything(Desk):
    """c15: collects all pages before it gives the first."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        yield from list(super().pull(ctx, stream, cursor, window))


class InnerLoop(Desk):
    """c16: asks on and on without giving a page."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        pages = list(itertools.islice(super().pull(ctx, stream, cursor, window), 10_000))
        yield from pages


class EmptyIsTheEnd(Desk):
    """c17: stops at a page without records."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        for page in super().pull(ctx, stream, cursor, window):
            yield page if page.records else replace(page, done=True)
            if not page.records:
                return


class DoublesNotes(Desk):
    """c18: writes without looking."""

    def push(self, ctx: Context, target: ExternalRef, item: PushItem, key: str) -> PushResult:
        ctx.http.post(f"/api/tickets/{target.external_id}/notes", json={"text": f"{item.text} [qa:{key}]"})
        return PushResult()


class NoTimestampCheck(Desk):
    """c19: verifies the signature and not its age."""

    webhook_auth = Hmac("X-Desk-Signature", over="{id}.{body}", id_header="X-Desk-Time")  # the same bytes


class TrustsTheDelivery(Desk):
    """c19: takes the delivery for data."""

    def pull_one(self, ctx: Context, ref: ExternalRef) -> Page:
        page = super().pull_one(ctx, ref)
        told = [
            replace(one, subject="As the webhook says") for one in page.records if isinstance(one, Record)
        ]
        return replace(page, records=told)


class PagedTwin(DeskTwin):
    """The same vendor with page numbers over a list sorted by the time of change."""

    def handle(self, ask: Ask) -> Reply:
        if ask.path != "/api/tickets":
            return super().handle(ask)
        since = ask.query.get("since")
        things = self.living(datetime.fromisoformat(since) if since else None)
        page, more = self.numbered(things, int(ask.query["page"]))
        return Reply(json={"tickets": page, "more": more})


class OffsetPaging(Desk):
    """c20: counts pages over a list that moves."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        place = dict(cursor or {"since": "", "page": 1})
        newest = place.get("newest", place["since"])
        while True:
            params = {"since": place["since"] or None, "page": place["page"]}
            body = ctx.http.get("/api/tickets", params=params).json()
            newest = max([newest, *(raw["changed"] for raw in body["tickets"])])
            records = [self.mapped(raw) for raw in body["tickets"]]
            if not body["more"]:
                yield Page(records, {"since": newest, "page": 1}, done=True)
                return
            place |= {"page": place["page"] + 1, "newest": newest}
            yield Page(records, dict(place))


class ForgetsDeletions(Desk):
    """c21: maps a deleted conversation like any other."""

    def record(self, raw: dict[str, Any]) -> Record:
        return replace(super().record(raw), deleted=False, merged_into="")


class NeverErases(Desk):
    """c22: promises and does nothing."""

    def erase(self, ctx: Context, ref: ExternalRef) -> None:
        return


class SlowVendorTwin(DeskTwin):
    """A vendor that allows little."""

    limit = "10/min"


class IgnoresQuota(Desk):
    """c23: asks as fast as it can."""

    quota = Quota(headers=Desk.quota.headers, body_codes=Desk.quota.body_codes)


class GrowingCursor(Desk):
    """c24: remembers every id in the cursor."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        seen = list((cursor or {}).get("seen", []))
        for page in super().pull(ctx, stream, cursor, window):
            seen += [one.external_id for one in page.records]
            yield replace(page, cursor={**page.cursor, "seen": sorted(set(seen))})


class NewCursorShape(Desk):
    """c24: another version of the cursor, and no way from the old one."""

    cursor_version = 2


class OldCursorTwin(DeskTwin):
    """Shows what a cursor of version 1 was."""

    old_cursors = {1: {"position": 7}}


class AsciiOnly(Desk):
    """c25: cleans text of what it does not know."""

    def record(self, raw: dict[str, Any]) -> Record:
        plain = raw["subject"].encode("ascii", "ignore").decode()
        return replace(super().record(raw), subject=plain)


class OwnClock(Desk):
    """c26: the host's clock as high-water mark."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        for page in super().pull(ctx, stream, cursor, window):
            done = {"since": ctx.clock.now().isoformat()}
            yield replace(page, cursor=done) if page.done else page


class QuotaWordUnknown(Desk):
    """c27: takes the vendor's “too many” for a missing permission."""

    quota = Quota("60/min", headers=Desk.quota.headers)


class EpochAsDelay(Desk):
    """c28: reads an epoch as a delay."""

    quota = Quota("60/min", headers=(ResetHeader("X-Reset", "delta_s"),), body_codes=("LIMIT_EXCEEDED",))


class StoresTheExcuse(Desk):
    """c29: stores “please wait” as if it were sound."""

    def fetch_media(self, ctx: Context, ref: MediaRef) -> Media:
        answer = ctx.http.get(ref.ref, accept=(202, 404), expect="any")
        ctx.sink.write(answer.content)
        return ctx.sink.done("audio/wav")


class NameIsTheId(Desk):
    """c30: an agent is their name."""

    def person(self, raw: dict[str, Any]) -> AgentRef:
        return AgentRef(raw["name"], name=raw["name"])


class KnowsAllWords(Desk):
    """c31: every channel is known, for ever."""

    def mapped(self, raw: dict[str, Any]) -> Record | BadRecord:
        known = {"phone": "voice", "mail": "email", "chat": "chat"}
        made = super().mapped(raw)
        return replace(made, channel=known[raw["via"]]) if isinstance(made, Record) else made  # type: ignore[arg-type]


class KeepsEverything(Desk):
    """c32: keeps each record it has given."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        kept = []
        for page in super().pull(ctx, stream, cursor, window):
            kept.append(page.records)
            yield page


class AlwaysChanged(Desk):
    """c33: puts the moment into the record."""

    def mapped(self, raw: dict[str, Any]) -> Record | BadRecord:
        made = super().mapped(raw)
        return replace(made, custom={"pulled": time.time_ns()}) if isinstance(made, Record) else made


class CannotBeStopped(Desk):
    """c34: takes a cancelled run for a hiccup."""

    def pull(self, ctx: Context, stream: str, cursor: Cursor, window: Window | None) -> Iterator[Page]:
        try:
            yield from super().pull(ctx, stream, cursor, window)
        except PluginError as error:
            raise Transient("a hiccup") from error


class OpenSecret(Desk):
    """c35: a token in a plain field."""

    class Config(Form):
        url = URLField("Address")
        token = StringField("API token")
        webhook_secret = SecretField("Webhook secret")

    def sign_in(self, ctx: Context) -> dict[str, str]:
        return {"Authorization": f"Bearer {ctx.config['token']}"}


class NothingRequired(Desk):
    """c35: an empty form is fine."""

    class Config(Form):
        url = URLField("Address")
        token = SecretField("API token")
        webhook_secret = SecretField("Webhook secret")


class UsesWhatLeaves(Desk):
    """c36: uses something that leaves the API."""

    def check(self, ctx: Context) -> Check:
        warnings.warn(leaving("Check.ok", since="1.2", removed_in="1.4", instead="Check.state"), stacklevel=2)
        return super().check(ctx)


class IgnoresTheWindow(Desk):
    """c38: pulls everything for each piece of history."""

    def question(self, place: dict[str, Any], window: Window | None) -> dict[str, Any]:
        return {"since": None, "after": place.get("after"), "until": None}


class OpensSockets(Desk):
    """Law 8: goes round ctx.http."""

    def check(self, ctx: Context) -> Check:
        try:
            socket.create_connection(("203.0.113.1", 443), timeout=1).close()
        except Exception:
            return super().check(ctx)
        return super().check(ctx)


class NeverReturns(Desk):
    """Hangs without a request."""

    def check(self, ctx: Context) -> Check:
        while True:
            pass


class Exits(Desk):
    """Ends the process."""

    def check(self, ctx: Context) -> Check:
        os._exit(3)


Killed = tuple[type[Desk], type[Twin], str]

MUTANTS: tuple[Killed, ...] = (
    (FirstPageOnly, DeskTwin, "c01"),
    (FromTheStart, DeskTwin, "c02"),
    (UnstableId, DeskTwin, "c03"),
    (CursorAhead, DeskTwin, "c04"),
    (StateOnSelf, DeskTwin, "c05"),
    (ExclusiveCursor, DeskTwin, "c06"),
    (OwnSleep, DeskTwin, "c07"),
    (ErrorIsTheEnd, DeskTwin, "c08"),
    (LogsHeaders, DeskTwin, "c09"),
    (NaiveTimes, DeskTwin, "c10"),
    (OneBadKillsThePage, DeskTwin, "c11"),
    (DropsBadRecords, DeskTwin, "c11"),
    (NeedsAnAgent, DeskTwin, "c11"),
    (EagerMedia, DeskTwin, "c12"),
    (CredentialsForEverybody, DeskTwin, "c13"),
    (SwallowsRefusals, DeskTwin, "c14"),
    (AlwaysWell, DeskTwin, "c14"),
    (BuffersEverything, DeskTwin, "c15"),
    (InnerLoop, DeskTwin, "c16"),
    (EmptyIsTheEnd, DeskTwin, "c17"),
    (DoublesNotes, DeskTwin, "c18"),
    (NoTimestampCheck, DeskTwin, "c19"),
    (TrustsTheDelivery, DeskTwin, "c19"),
    (OffsetPaging, PagedTwin, "c20"),
    (ForgetsDeletions, DeskTwin, "c21"),
    (NeverErases, DeskTwin, "c22"),
    (IgnoresQuota, SlowVendorTwin, "c23"),
    (GrowingCursor, DeskTwin, "c24"),
    (NewCursorShape, OldCursorTwin, "c24"),
    (AsciiOnly, DeskTwin, "c25"),
    (OwnClock, DeskTwin, "c26"),
    (QuotaWordUnknown, DeskTwin, "c27"),
    (EpochAsDelay, DeskTwin, "c28"),
    (StoresTheExcuse, DeskTwin, "c29"),
    (NameIsTheId, DeskTwin, "c30"),
    (KnowsAllWords, DeskTwin, "c31"),
    (KeepsEverything, DeskTwin, "c32"),
    (AlwaysChanged, DeskTwin, "c33"),
    (CannotBeStopped, DeskTwin, "c34"),
    (OpenSecret, DeskTwin, "c35"),
    (NothingRequired, DeskTwin, "c35"),
    (UsesWhatLeaves, DeskTwin, "c36"),
    (IgnoresTheWindow, DeskTwin, "c38"),
    (OpensSockets, DeskTwin, "c14"),
    (Exits, DeskTwin, "c14"),
)
"""Bad connector, its twin, the check that kills it."""
