"""What a check works with: a connector on the product's own loop and client, its twin, a store, a clock."""

from __future__ import annotations

import base64
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from qa.plugins import crossing, sync
from qa.plugins.api import Cancelled, Capability, Connector, Page, Record, SourceInfo, Window
from qa.plugins.ctx import Flag, Given, WorkContext
from qa.plugins.masking import Mask
from qa.plugins.quota import budget_of
from qa.plugins.settings_form import Judged, judge
from qa.plugins.store import AGENTS, Cursor, Lane, Outcome, Stop
from qa.plugins.testing.clock import VirtualClock
from qa.plugins.testing.laws import Broken, NotNeeded, line_of, place_of
from qa.plugins.testing.memory import MemoryStore
from qa.plugins.testing.twin import Thing, Twin
from qa.plugins.testing.watch import Watch
from qa.plugins.testing.wire import Rule, Wire

SOURCE = "kit"
MOST_RUNS = 40
NO_FAULT: Rule = lambda _number, _ask: None  # noqa: E731


class Told(BaseException):
    """Carries what a check found inside a run past the loop."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(str(broken))
        self.broken = broken


class KitFlag(Flag):
    """Whether the virtual clock has reached the moment at which the work is unwanted."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def is_set(self) -> bool:
        """Tell it."""
        return self._clock.is_cancelled()

    def check(self) -> None:
        """Raise ``Cancelled`` if so."""
        if self.is_set():
            raise Cancelled("The work was stopped.")


class Bench:
    """One check's world. Everything starts empty; time stands still until somebody sleeps."""

    def __init__(self, connector: type[Connector], twin: type[Twin], watch: Watch | None = None) -> None:
        self.kind, self.twin_kind = connector, twin
        self.watch = watch or Watch()
        self.clock = VirtualClock()
        self.twin = twin(self.clock)
        self.wire = Wire(self.twin, self.clock)
        self.store = MemoryStore(self.clock)
        self.store.cancelled = self.clock.is_cancelled
        self.folder = Path(tempfile.mkdtemp(dir=self.watch.folder))
        self.budget = budget_of(connector.quota, self.clock.monotonic)
        self.mask = Mask()
        self.plan = sync.Plan()
        self.reuse: Connector | None = None
        self.errors: list[BaseException] = []
        self.after_page: Callable[[], None] = lambda: None
        self.on_page: Callable[[Lane, Window | None, Page], None] = lambda _lane, _window, _page: None

    # --- asking ----------------------------------------------------------------

    def need(self, *wanted: Capability) -> None:
        """Leave the check unless the connector can do one of these."""
        if not set(wanted) & set(self.kind.capabilities):
            words = " or ".join(one.name for one in wanted)
            raise NotNeeded(f"The connector does not declare {words}.")

    def has(self, capability: Capability) -> bool:
        """Tell whether the connector can do something."""
        return capability in self.kind.capabilities

    @property
    def where(self) -> str:
        """The line where ``pull`` stands."""
        return line_of(self.kind.pull)

    # --- working ----------------------------------------------------------------

    def make(self) -> Connector:
        """Return the object of a new run."""
        return self.reuse if self.reuse is not None else self.kind()

    @contextmanager
    def context(self, *, stream: str = "", lane: Lane = Lane.LIVE) -> Iterator[tuple[Connector, WorkContext]]:
        """Give an object and its ``ctx`` for one piece of work."""
        connector = self.make()
        settings = self.settings()
        given = Given(
            config=settings.config,
            secrets=settings.secrets,
            folder=self.folder,
            log=logging.getLogger("plugin"),
            mask=self.mask,
            flag=KitFlag(self.clock),
            clock=self.clock,
            transport=self.wire,
            budget=self.budget,
            source=SourceInfo(SOURCE, self.kind.key, stream, "live" if lane is Lane.LIVE else "backfill"),
        )
        ctx = WorkContext(connector, given)
        try:
            yield connector, ctx
        finally:
            ctx.close()

    def settings(self) -> Judged:
        """Return the twin's settings as the connector's form judges them; raise ``Broken`` if it refuses."""
        judged = judge(self.kind.Config, typed_settings(self.twin, self.kind), frozenset())
        if judged.errors:
            words = ", ".join(f"{name}: {said}" for name, said in judged.errors.items())
            raise Broken(
                f"The form does not accept what the twin would type: {words}",
                where=line_of(self.kind.Config),
                cure="Give the twin's config and secrets what the form asks for.",
            )
        return judged

    def pages(self, stream: str, lane: Lane) -> sync.Pages:
        """Return ``pull`` as the loop wants it; every page crosses the border to the host as JSON does."""

        def pull(cursor: Cursor | None, window: Window | None) -> Iterator[Page | None]:
            with self.context(stream=stream, lane=lane) as (connector, ctx):
                given = None if cursor is None else dict(cursor)
                try:
                    if stream == AGENTS and stream not in self.kind.streams:
                        answer = connector.agents(ctx, given)
                    else:
                        answer = connector.pull(ctx, stream, given, window)
                    for page in answer:
                        given_on = crossed(page)
                        self.on_page(lane, window, given_on)
                        yield given_on
                        self.after_page()
                except Broken as broken:
                    raise Told(broken) from broken
                except Exception as error:
                    self.errors.append(error)
                    raise

        return pull

    def run_once(self, stream: str | None = None, lane: Lane = Lane.LIVE) -> Outcome:
        """Run one lane once and return how it ended."""
        name = self.kind.streams[0] if stream is None else stream
        pull = sync.Pull(
            SOURCE,
            name,
            lane,
            self.pages(name, lane),
            plan=self.plan,
            cursor_version=self.kind.cursor_version,
            migrate=lambda cursor, version: self.make().migrate_cursor(dict(cursor), version),
            secrets=tuple(self.twin.secrets.values()),
        )
        outcome = sync.run(self.store, pull, clock=self.clock)
        if outcome is None:
            raise Broken("The lane is still held: the kit's own fault.")
        return outcome

    def run(self, lane: Lane = Lane.LIVE) -> list[Outcome]:
        """Run every stream until each is done; wait out what passes; raise ``Broken`` otherwise."""
        return [self._run_until_done(stream, lane) for stream in self.kind.streams]

    def _run_until_done(self, stream: str, lane: Lane) -> Outcome:
        outcome = self.run_once(stream, lane)
        for _ in range(MOST_RUNS):
            if outcome.stop is Stop.DONE:
                return outcome
            if outcome.again_at is None:
                break
            wait = (outcome.again_at - self.clock.now()).total_seconds()
            self.clock.sleep(max(wait, 1.0))
            outcome = self.run_once(stream, lane)
        raise Broken(f"The run never gets done: {told(outcome)}", where=self.blame())

    def blame(self) -> str:
        """Return the author's line behind the last error, or where ``pull`` stands."""
        for error in reversed(self.errors):
            if place := place_of(error.__traceback__):
                return place
        return self.where

    # --- looking ---------------------------------------------------------------

    @property
    def stored(self) -> dict[str, Record]:
        """What is kept, by external id."""
        return {key[1]: record for key, record in self.store.records.items()}

    def missing(self) -> list[Thing]:
        """Return the conversations that should be kept or in quarantine, and are not."""
        seen = set(self.stored)
        rejected = " ".join(f"{one.external_id} {one.raw}" for one in self.store.rejected.values())
        return [
            thing
            for thing in self.twin.living()
            if not (thing.hidden or thing.deleted or thing.merged_into)
            and self.twin.external_id(thing) not in seen
            and not (thing.broken and thing.id in rejected)
        ]

    def expect_all(self, when: str) -> None:
        """Raise ``Broken`` when a conversation is missing."""
        missing = self.missing()
        if missing:
            ids = ", ".join(thing.id for thing in missing[:8])
            total = len(self.twin.things)
            raise Broken(
                f"{when}, {len(missing)} of {total} conversations are missing: {ids}.", where=self.where
            )

    def secrets(self) -> dict[str, str]:
        """Return every form of a secret to look for, and its name."""
        forms: dict[str, str] = {}
        for name, value in self.twin.secrets.items():
            plain = value.encode()
            packed = base64.b64encode(plain).decode().rstrip("=")
            for form in (value, quote(value, safe=""), packed, plain.hex()):
                forms[form] = name
        return forms


def crossed(page: Any) -> Page:
    """Return a page as it comes out of the pipe between child and host; raise what the host would say."""
    if not isinstance(page, Page):
        return page  # type: ignore[no-any-return]  # the loop says what is wrong with it
    return crossing.crossed(page)


def told(outcome: Outcome) -> str:
    """Return how a run ended in words."""
    return f"{outcome.stop} ({outcome.error or outcome.reason or outcome.state})"


def typed_settings(twin: Twin, kind: type[Connector]) -> Mapping[str, list[str]]:
    """Return what a person would type into the settings for this twin, as far as the form has the field."""
    typed = {"url": twin.url, **twin.config, **twin.secrets}
    known = {field.name for field in kind.Config()}
    return {name: [value] for name, value in typed.items() if name in known or name != "url"}
