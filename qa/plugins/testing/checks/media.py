"""Checks of recordings: fetched when asked for, not ready yet, gone."""

from __future__ import annotations

from qa.plugins.api import Capability, Gone, NotReady, PluginError
from qa.plugins.testing.bench import Bench
from qa.plugins.testing.checks.secrets import media_of
from qa.plugins.testing.laws import Broken, Check, line_of


def _lazy(bench: Bench) -> None:
    bench.need(Capability.MEDIA)
    bench.twin.seed(12)
    bench.run()
    fetched = [one.ask.path for one in bench.wire.asked if bench.twin.is_media(one.ask)]
    if fetched:
        raise Broken(f"pull() fetched {len(fetched)} recordings, such as {fetched[0]}.", where=bench.where)
    media_of(bench)


c12 = Check(
    "c12_lazy_media",
    10,
    "Recordings are fetched when somebody asks",
    "A whole run names recordings and fetches none.",
    "pull() downloads each recording while it maps the record.",
    "Put a MediaRef into Record.media, and fetch in fetch_media().",
    "media = ctx.http.download(call['recording'])",
    "media=(MediaRef(call['recording']),)",
    _lazy,
)


def _not_there(bench: Bench) -> None:
    bench.need(Capability.MEDIA)
    bench.twin.seed(6)
    bench.run()
    where = line_of(bench.kind.fetch_media)
    for state, wanted in (("not_ready", NotReady), ("gone", Gone)):
        record, ref = media_of(bench)[0]
        thing = next(
            one for one in bench.twin.things.values() if bench.twin.external_id(one) == record.external_id
        )
        thing.media = state
        with bench.context() as (connector, ctx):
            try:
                media = connector.fetch_media(ctx, ref)
            except PluginError as error:
                if isinstance(error, wanted):
                    continue
                raise Broken(
                    f"A recording is {state}, and fetch_media() raises {error!r}.", where=where
                ) from error
        raise Broken(
            f"A recording is {state}, and fetch_media() returns {media.size_bytes} bytes.", where=where
        )


c29 = Check(
    "c29_media_not_there",
    10,
    "A recording that is not ready is asked for later, one that is gone never again",
    "The vendor is still making a recording, and has deleted another; fetch_media() raises NotReady and "
    "Gone.",
    "The answer that says “wait” is stored as if it were sound, or a missing one fails as a fault that may "
    "pass.",
    "ctx.http.download() raises both for 202, 404 and 410. Where the vendor says it otherwise, raise them "
    "yourself.",
    'ctx.http.get(url, accept=(202, 404), expect="any").content',
    "ctx.http.download(ref.ref)",
    _not_there,
)
