"""``qa plugin check --against``: the connector at its real vendor, reading a little and changing nothing."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from qa.plugins import wire
from qa.plugins.api import BadRecord, Connector, Page, PluginError, Record, SourceInfo
from qa.plugins.crossing import crossed
from qa.plugins.ctx import Given, WorkContext
from qa.plugins.masking import Mask
from qa.plugins.page_rules import ContractBroken, checked_cursor, checked_page, sorted_out
from qa.plugins.reach import Network, Reach
from qa.plugins.settings_form import judge
from qa.plugins.sync import Limits

PAGES = 3


@dataclass(slots=True)
class Seen:
    """What a short visit to the real vendor showed."""

    account: str = ""
    pages: int = 0
    records: int = 0
    bad: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    requests: int = 0


def visit(connector: type[Connector], typed: Mapping[str, str], private: tuple[Network, ...] = ()) -> Seen:
    """Call ``check()``, pull a few pages of each stream twice, and return what came; nothing is written."""
    seen, mask = Seen(), Mask()
    judged = judge(connector.Config, {name: [value] for name, value in typed.items()}, frozenset())
    if judged.errors:
        seen.faults += [f"Setting {name}: {said}" for name, said in judged.errors.items()]
        return seen
    with _context(connector, judged.config, judged.secrets, mask, private) as (one, ctx):
        try:
            _look(one, ctx, seen, mask)
        except PluginError as error:
            seen.faults.append(mask.text(f"{type(error).__name__}: {error}"))
        seen.requests = ctx.client.traffic.requests if ctx.client is not None else 0
    return seen


@contextmanager
def _context(
    connector: type[Connector],
    config: Mapping[str, Any],
    secrets: Mapping[str, str],
    mask: Mask,
    private: tuple[Network, ...],
) -> Iterator[tuple[Connector, WorkContext]]:
    one = connector()
    with tempfile.TemporaryDirectory(prefix="qa-live-") as folder:
        ctx = WorkContext(
            one,
            Given(
                config=config,
                secrets=secrets,
                folder=Path(folder),
                log=logging.getLogger("plugin"),
                mask=mask,
                reach=Reach(private=private),
                source=SourceInfo("check", connector.key),
            ),
        )
        try:
            yield one, ctx
        finally:
            ctx.close()


def _look(one: Connector, ctx: WorkContext, seen: Seen, mask: Mask) -> None:
    answer = one.check(ctx)
    seen.account = answer.account
    if not answer.ok:
        seen.faults.append(f"check() says no: {answer.message} {', '.join(answer.missing)}".strip())
    for stream in one.streams:
        pages = [_sound(page, mask, seen) for page in islice(one.pull(ctx, stream, None, None), PAGES)]
        if len(pages) > 1:
            _same_again(one, ctx, stream, pages, seen)


def _sound(page: Page, mask: Mask, seen: Seen) -> Page:
    """Hold a page against the laws and count it."""
    try:
        checked_page(page, Limits().page_records)
        checked_cursor(page.cursor, mask)
        found = sorted_out(crossed(page), mask, Limits().page_bytes)
    except (ContractBroken, wire.NotOfThisShape) as error:
        seen.faults.append(str(error))
        return page
    seen.pages += 1
    seen.records += len(page.records)
    seen.bad += [one.error for one in found.bad]
    return page


def _same_again(one: Connector, ctx: WorkContext, stream: str, pages: list[Page], seen: Seen) -> None:
    """Start again behind the first page: what comes must be the second."""
    cursor = json.loads(json.dumps(dict(pages[0].cursor)))
    again = next(iter(one.pull(ctx, stream, cursor, None)))
    expected = {record.external_id for record in pages[1].records if isinstance(record, Record | BadRecord)}
    missing = expected - {getattr(record, "external_id", "") for record in again.records}
    if missing:
        seen.faults.append(
            f"Started again behind page 1 of {stream}, {len(missing)} records of page 2 did not come."
        )
