"""Tables taken out through the exporters that plugins offer: at least once, resumed at the last watermark."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from qa.core.db import Database
from qa.extensions.runtime import Runtime
from qa.plugins.api import Batch, Schema
from qa.plugins.calling import IsWanted, Work, always

WRITE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Exported:
    """What a run of an export took out, and how far it came."""

    rows: int
    batches: int
    watermark: str


Batches = Callable[[str], Iterable[tuple[Batch, str]]]
"""Gives the batches behind a watermark (empty: from the beginning), each with the watermark it reaches."""


def run_export(
    database: Database,
    runtime: Runtime,
    *,
    plugin: str,
    exporter: str,
    schema: Schema,
    batches: Batches,
    is_wanted: IsWanted = always,
) -> Exported:
    """Take a table out; raises what the plugin raises, and then nothing was committed."""
    with runtime.holding(plugin) as hold:

        def call(method: str, **arguments: object) -> object:
            work = Work("exporter", exporter, method, arguments, deadline_seconds=WRITE_SECONDS, hold=hold)
            return runtime.call(database, plugin, work, is_wanted).value

        watermark = str(call("open", schema=schema))
        rows = count = 0
        for batch, reached in batches(watermark):
            call("write", batch=batch, watermark=reached)
            watermark, rows, count = reached, rows + len(batch.rows), count + 1
        call("commit")
    return Exported(rows, count, watermark)
