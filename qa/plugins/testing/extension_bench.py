"""What a check of an extension other than a connector works with."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qa.plugins import wire
from qa.plugins.api import Extension
from qa.plugins.contract import method_of
from qa.plugins.ctx import Given, WorkContext
from qa.plugins.masking import Mask
from qa.plugins.offers import REGISTRATIONS
from qa.plugins.testing.bench import KitFlag
from qa.plugins.testing.clock import VirtualClock
from qa.plugins.testing.laws import Broken, line_of
from qa.plugins.testing.twin import Ask, Reply, Thing, Twin
from qa.plugins.testing.watch import Watch
from qa.plugins.testing.wire import Wire

KINDS = {base: kind for kind, base in REGISTRATIONS.values()}


class Nobody(Twin):
    """The far side of an extension that needs none: everything is unknown."""

    def show(self, thing: Thing) -> dict[str, Any]:
        """Nothing is shown."""
        return {}

    def handle(self, ask: Ask) -> Reply:
        """Nothing is there."""
        return Reply(404)

    def is_signed_in(self, ask: Ask) -> bool:
        """Let anybody ask."""
        return True


class ExtensionBench:
    """One check's world: the class, what the author's suite says of it, a far side, a clock."""

    def __init__(self, kind: type[Extension], suite: Any, watch: Watch) -> None:
        self.kind, self.suite, self.watch = kind, suite, watch
        self.clock = VirtualClock()
        self.twin: Twin = (suite.twin or Nobody)(self.clock)
        self.wire = Wire(self.twin, self.clock)
        self.folder = Path(tempfile.mkdtemp(dir=watch.folder))
        self.name = next(name for base, name in KINDS.items() if issubclass(kind, base))

    @contextmanager
    def context(self, *, base_url: str = "") -> Iterator[tuple[Any, WorkContext]]:
        """Give a new object and its ``ctx``; raise ``Broken`` when it keeps something on itself."""
        one = self.kind()
        before = dict(vars(one))
        given = Given(
            config=dict(self.suite.config),
            secrets=dict(self.suite.secrets),
            folder=self.folder,
            log=logging.getLogger("plugin"),
            mask=Mask(),
            flag=KitFlag(self.clock),
            clock=self.clock,
            transport=self.wire,
            base_url=base_url or self.twin.url,
        )
        ctx = WorkContext(one, given)
        try:
            yield one, ctx
        finally:
            ctx.close()
        if vars(one) != before:
            kept = sorted(set(vars(one)) - set(before)) or sorted(before)
            raise Broken(f"It keeps {', '.join(kept)} between calls.", where=line_of(self.kind), law=1)

    def ask(self, method: str, *arguments: Any, base_url: str = "") -> Any:
        """Call a method on a new object; give its answer as it comes out of the pipe to the host."""
        with self.context(base_url=base_url) as (one, ctx):
            answer = getattr(one, method)(ctx, *arguments)
            return self.crossed(method, answer)

    def crossed(self, method: str, answer: Any) -> Any:
        """Return an answer after it crossed to the host; raise ``Broken`` when it is of another shape."""
        shape = method_of(self.name, method).answer
        try:
            return wire.decode(wire.encode(answer, shape), shape)
        except wire.NotOfThisShape as error:
            raise Broken(f"{method}() answers wrongly: {error}", where=self.where(method)) from error

    def where(self, method: str) -> str:
        """Return the line of a method."""
        return line_of(getattr(self.kind, method))

    def secrets_in(self, said: str) -> list[str]:
        """Return the names of secrets that stand in a text."""
        secrets: Mapping[str, str] = self.suite.secrets
        return [name for name, value in secrets.items() if value and value in said]


Work = Callable[[ExtensionBench], None]
