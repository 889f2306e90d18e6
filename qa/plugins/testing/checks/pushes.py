"""Checks of what goes back to the vendor, and of webhooks that come from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from qa.plugins.api import (
    Capability,
    ExternalRef,
    Gone,
    Hmac,
    PluginError,
    PushItem,
    RawRequest,
    SharedSecret,
)
from qa.plugins.signatures import Forged, Received, verified
from qa.plugins.testing import wire
from qa.plugins.testing.bench import Bench
from qa.plugins.testing.laws import Broken, Check, NotNeeded, line_of
from qa.plugins.testing.twin import Ask, Thing

ITEMS = {
    Capability.PUSH_NOTE: PushItem("note", text="Quality score 83.3 of 100", url="https://qa.example/e/1"),
    Capability.PUSH_FIELD: PushItem("field", fields={"quality_score": "83.3"}),
}
KEY = "evaluation-1-revision-1"


def _push(bench: Bench, thing: Thing, item: PushItem) -> PluginError | None:
    ref = ExternalRef(bench.twin.external_id(thing), stream=bench.kind.streams[0])
    with bench.context() as (connector, ctx):
        try:
            connector.push(ctx, ref, item, KEY)
        except PluginError as error:
            return error
    return None


def _pushed_once(bench: Bench) -> None:
    bench.need(Capability.PUSH_NOTE, Capability.PUSH_FIELD)
    thing = bench.twin.seed(3)[1]
    where = line_of(bench.kind.push)
    before = (thing.text, thing.agent, thing.deleted)
    for capability, item in ITEMS.items():
        if not bench.has(capability):
            continue
        bench.wire.rule = wire.writes(wire.answer_lost)
        _push(bench, thing, item)
        bench.wire.rule = lambda _number, _ask: None
        for _ in range(2):
            if (error := _push(bench, thing, item)) is not None:
                raise Broken(f"push() of a {item.kind} fails: {error}", where=where) from error
        if capability is Capability.PUSH_NOTE and len(thing.notes) != 1:
            raise Broken(
                f"The answer to a note was lost, the host tried again, and the vendor has "
                f"{len(thing.notes)} notes.",
                where=where,
            )
        if before != (thing.text, thing.agent, thing.deleted):
            raise Broken("A note changed the conversation itself.", where=where)


c18 = Check(
    "c18_push_twice",
    3,
    "What is pushed again after a lost answer is there once",
    "The vendor takes a note, its answer is lost, and the host pushes the same key again; there is one "
    "note, and "
    "nothing else of the conversation changed.",
    "push() writes without looking whether the key is there already.",
    "Write the key into the note, or into the vendor's external id, and look for it first.",
    "ctx.http.post(f'/tickets/{id}/notes', json=note)",
    "if key not in notes: ctx.http.post(…, json={'text': f'{item.text} [qa:{key}]'})",
    _pushed_once,
)


def _erased(bench: Bench) -> None:
    bench.need(Capability.ERASE)
    bench.need(Capability.PUSH_NOTE)
    thing = bench.twin.seed(3)[1]
    where = line_of(bench.kind.erase)
    _push(bench, thing, ITEMS[Capability.PUSH_NOTE])
    if not thing.notes:
        raise Broken("push() left no note at the twin.", where=line_of(bench.kind.push))
    ref = ExternalRef(bench.twin.external_id(thing), stream=bench.kind.streams[0])
    for _ in range(2):
        with bench.context() as (connector, ctx):
            try:
                connector.erase(ctx, ref)
            except Gone:
                pass
            except PluginError as error:
                raise Broken(f"erase() fails: {error}", where=where) from error
    if thing.notes:
        raise Broken(f"After erase() the vendor still has {len(thing.notes)} of our notes.", where=where)


c22 = Check(
    "c22_erasure",
    0,
    "What was left at the vendor can be taken back",
    "A note is pushed, then everything about the conversation is erased, twice; nothing of ours is left.",
    "erase() does nothing, or fails when there is nothing left to delete.",
    "Find your own notes by their key and delete them; let “not there” be success.",
    "def erase(self, ctx, ref): pass",
    "for note in self.notes(ctx, ref): if '[qa:' in note['text']: ctx.http.request('DELETE', …)",
    _erased,
)


def _received(ask: Ask, at: datetime) -> Received:
    return Received(ask.method, ask.url, ask.body, at, dict(ask.headers), ask.query)


def _forgeries(auth: Hmac | SharedSecret, ask: Ask) -> Iterator[tuple[str, Ask]]:
    """Yield deliveries that are not the vendor's."""
    if isinstance(auth, Hmac):
        yield "with another body", Ask(ask.method, ask.url, ask.headers, ask.body.replace(b"1", b"2") + b" ")
        bare = {name: value for name, value in ask.headers.items() if name != auth.header.lower()}
        yield "without its signature", Ask(ask.method, ask.url, bare, ask.body)
        flipped = dict(ask.headers)
        flipped[auth.header.lower()] = flipped.get(auth.header.lower(), "x").swapcase() + "0"
        yield "with a changed signature", Ask(ask.method, ask.url, flipped, ask.body)
    elif auth.place == "header":
        bare = {name: value for name, value in ask.headers.items() if name != auth.name.lower()}
        yield "without its secret", Ask(ask.method, ask.url, bare, ask.body)


def _webhook(bench: Bench) -> None:
    bench.need(Capability.WEBHOOK)
    auth = bench.kind.webhook_auth
    where = line_of(bench.kind)
    if auth is None:
        raise Broken(
            "WEBHOOK is declared without webhook_auth.", where=where, cure="Declare Hmac or SharedSecret."
        )
    thing = bench.twin.seed(4)[2]
    bench.run()
    now = bench.clock.true_now()
    try:
        ask = bench.twin.deliver(bench.twin.touch(thing, "As the webhook says"), now)
    except NotImplementedError:
        raise NotNeeded("The twin does not deliver() webhooks.") from None
    secrets = [bench.twin.secrets.get(auth.secret_field, "")]
    delivery = _genuine(bench, auth, ask, secrets, where)
    for words, forged in _forgeries(auth, ask):
        _refused(auth, forged, now, secrets, words, where)
    _refused(auth, ask, now, ["another secret of somebody"], "signed with another secret", where)
    if bench.twin_kind.signs_time:
        late = now + timedelta(minutes=10)
        _refused(auth, ask, late, secrets, "ten minutes old, though the vendor signs the time", where)
    _read_again(bench, thing, ask, delivery)


def _genuine(bench: Bench, auth: Hmac | SharedSecret, ask: Ask, secrets: list[str], where: str) -> str:
    try:
        first = verified(auth, _received(ask, bench.clock.true_now()), secrets)
        again = verified(auth, _received(ask, bench.clock.true_now()), secrets)
    except Forged as error:
        raise Broken(f"A genuine delivery is refused: {error}.", where=where) from error
    if first != again:
        raise Broken("A delivery that comes twice counts as two.", where=where)
    return first


def _refused(
    auth: Hmac | SharedSecret, ask: Ask, at: datetime, secrets: list[str], words: str, where: str
) -> None:
    try:
        verified(auth, _received(ask, at), secrets)
    except Forged:
        return
    raise Broken(f"A delivery {words} is taken for genuine.", where=where)


def _read_again(bench: Bench, thing: Thing, ask: Ask, delivery: str) -> None:
    where = line_of(bench.kind.webhook)
    at = bench.clock.true_now()
    request = RawRequest(
        ask.method, ask.path, ask.headers, ask.body, at, query=ask.query, delivery_id=delivery
    )
    bench.twin.touch(thing, "Newer than the webhook")
    wanted = bench.twin.external_id(thing)
    with bench.context() as (connector, ctx):
        refs = connector.webhook(ctx, request).refs
        if wanted not in [ref.external_id for ref in refs]:
            raise Broken(
                f"webhook() names {[ref.external_id for ref in refs]}, not conversation {wanted}.",
                where=where,
            )
        ref = next(one for one in refs if one.external_id == wanted)
        page = connector.pull_one(ctx, ref)
    if "Newer than the webhook" not in repr(page.records):
        raise Broken("pull_one() gives what the delivery said, not what the vendor says now.", where=where)


c19 = Check(
    "c19_webhook",
    8,
    "A forged, old or repeated webhook is refused, a genuine one is read again",
    "A delivery signed as the vendor signs is taken; tampered, unsigned, wrongly signed and old ones are "
    "refused; "
    "the same one twice counts once; and the conversation is read anew, not taken from the delivery.",
    "The timestamp header is not declared; the signature covers less than the vendor signs; the body is "
    "used as data.",
    "Declare Hmac exactly as the vendor's page says, with timestamp_header where it signs a time.",
    'Hmac("X-Signature")',
    'Hmac("X-Signature", over="{timestamp}.{body}", timestamp_header="X-Timestamp")',
    _webhook,
)
