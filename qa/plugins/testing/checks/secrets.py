"""Checks of secrets: told to nobody, not even to the log."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlsplit

from qa.plugins.api import Capability, MediaRef, PluginError, Record
from qa.plugins.testing.bench import Bench
from qa.plugins.testing.laws import Broken, Check, line_of
from qa.plugins.testing.wire import always, from_, later, says


def _no_secret_told(bench: Bench) -> None:
    things = bench.twin.seed(12)
    bench.twin.corrupt(things[3], "malformed")
    objects = []
    with bench.context() as (connector, ctx):
        objects += [
            repr(connector),
            repr(vars(connector)),
            repr(ctx),
            repr(dict(ctx.config)),
            repr(ctx.secrets),
        ]
        objects.append(json.dumps(connector.diagnostics(ctx), default=repr))
        connector.check(ctx)
    bench.run()
    for rule in (always(says(401)), from_(2, says(400)), from_(1, says(500))):
        bench.clock.sleep(timedelta(hours=2).total_seconds())
        bench.wire.rule = later(bench.wire.count(), rule)
        bench.run_once()
    places = {
        "the log": "\n".join(bench.watch.lines),
        "standard output": bench.watch.read(),
        "a repr or diagnostics()": "\n".join(objects),
        "the cursor": repr([dict(one.cursor or {}) for one in bench.store.progress.values()]),
        "quarantine": repr(bench.store.rejected),
        "a record": repr(bench.store.records),
        "an error": "\n".join(f"{error!r}" for error in bench.errors),
        "the source's state": repr(bench.store.outcomes),
    }
    for place, text in places.items():
        for form, name in bench.secrets().items():
            if form in text:
                raise Broken(f"The secret {name!r} stands in {place}.", where=_line_with(bench, form))


def _line_with(bench: Bench, form: str) -> str:
    """Return the author's line that logged a secret, when it can be told."""
    for line, place in zip(bench.watch.lines, bench.watch.places, strict=True):
        if form in line and place:
            return place
    return bench.where


c09 = Check(
    "c09_secrets",
    8,
    "No secret is told to the log, an error, the cursor or quarantine",
    "Secrets of the settings are looked for, plain and encoded, in every log line, all output, reprs, "
    "cursor, "
    "quarantine, records, errors and diagnostics, in good runs and in failing ones.",
    "Headers or settings are logged; an error is raised with the address that holds a key.",
    "Never log headers, settings or whole addresses. ctx.http logs method, path and status by itself.",
    "ctx.log.info('headers %s', headers)",
    "ctx.log.info('%s tickets', len(tickets))",
    _no_secret_told,
)


def _credentials_stay(bench: Bench) -> None:
    bench.need(Capability.MEDIA)
    bench.twin.seed(6)
    bench.run()
    where = line_of(bench.kind.fetch_media)
    for record, ref in media_of(bench)[:3]:
        thing = next(
            one for one in bench.twin.things.values() if bench.twin.external_id(one) == record.external_id
        )
        wanted = bench.twin.sound(thing).body
        with bench.context() as (connector, ctx):
            try:
                media = connector.fetch_media(ctx, ref)
            except PluginError as error:
                raise Broken(f"fetch_media() fails: {error}", where=where) from error
        got = (bench.folder / "media").read_bytes()
        if got != wanted or media.size_bytes != len(wanted):
            raise Broken(
                f"fetch_media() wrote {len(got)} bytes, the recording has {len(wanted)}.", where=where
            )
    home = urlsplit(bench.twin.url).hostname
    for one in bench.wire.asked:
        if one.ask.host == home:
            continue
        said = f"{one.ask.url} {dict(one.ask.headers)} {one.ask.body!r}"
        for form, name in bench.secrets().items():
            if form in said:
                raise Broken(f"The secret {name!r} was sent to {one.ask.host}.", where=where)


def media_of(bench: Bench) -> list[tuple[Record, MediaRef]]:
    """Return the recordings that records name; raise ``Broken`` when there are none."""
    found = [(record, ref) for record in bench.stored.values() for ref in record.media]
    if not found:
        raise Broken(
            "MEDIA is declared, and no record names a recording.",
            where=bench.where,
            cure="Put a MediaRef into Record.media, and let the twin's show() name a recording.",
        )
    return found


c13 = Check(
    "c13_credentials_stay",
    8,
    "Credentials go to the vendor's own host and nowhere else",
    "Recordings lie on another host; they arrive whole, and no request to that host holds a secret.",
    "The Authorization header is set by hand for every address.",
    "Give credentials in sign_in() only. Name other hosts in media_hosts; ctx.http.download() does the rest.",
    'ctx.http.download(ref.ref, headers={"Authorization": …})',
    "ctx.http.download(ref.ref)",
    _credentials_stay,
)
