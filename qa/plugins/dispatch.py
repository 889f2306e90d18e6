"""Calling hooks in this process: each implementation alone, in a fixed order, watched.

One implementation's fault never touches another's result; that is why pluggy's own call is not used,
which throws everybody's results away with the first exception. Third-party work does not run here but
in child processes; this is what runs inside those, in the conformance kit, and for ``qa x``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from qa.plugins.circuit import Circuit

BUDGET_SECONDS = 1.0

Outcome = tuple[str, Any, BaseException | None, float]
"""Of one implementation: the plugin, its answer, its error or None, the seconds it took."""


class Implementation(NamedTuple):
    """One function of one plugin, with the arguments it names."""

    plugin: str
    call: Callable[..., Any]
    arguments: tuple[str, ...]
    rank: int = 0
    """-1 for ``tryfirst``, 1 for ``trylast``."""


class Resting(Exception):
    """The plugin failed three times in five minutes and rests."""


class Dispatcher:
    """Knows who implements which hook, and keeps a circuit for each plugin."""

    def __init__(
        self,
        implementations: Iterable[tuple[str, Implementation]],
        *,
        order: Sequence[str] = (),
        budget_seconds: float = BUDGET_SECONDS,
    ) -> None:
        """``implementations`` are (hook, implementation) in the order of distributions.

        ``order`` is the administrator's list of plugins; it wins over what plugins wish for.
        """
        place = {plugin: number for number, plugin in enumerate(order)}
        hooks: dict[str, list[Implementation]] = {}
        for hook, one in implementations:
            hooks.setdefault(hook, []).append(one)
        for listed in hooks.values():
            listed.sort(key=lambda one: (place.get(one.plugin, len(place)), one.rank))
        self._hooks = {
            hook: tuple((one.plugin, one.call, _picker(one.arguments)) for one in listed)
            for hook, listed in hooks.items()
        }
        self._circuits: dict[str, Circuit] = {}
        self._budget = budget_seconds

    def plugins_of(self, hook: str) -> list[str]:
        """Return who implements a hook, in the order of the calls."""
        return [plugin for plugin, _, _ in self._hooks.get(hook, ())]

    def call(self, hook: str, **arguments: Any) -> list[Outcome]:
        """Call every implementation and return an outcome for each, faults included."""
        # in each turn of this loop nanoseconds count: a hook is called for every record of an import
        now = time.perf_counter
        outcomes: list[Outcome] = []
        began = now()
        for plugin, function, pick in self._hooks.get(hook, ()):
            if self._circuits and self._circuits.get(plugin, _CLOSED).is_open(began):
                outcomes.append((plugin, None, Resting(f"{plugin} rests after three failures."), 0.0))
                continue
            try:
                value, error = function(*pick(arguments)), None
            except KeyboardInterrupt:
                raise
            except BaseException as raised:  # a border: one plugin's fault is its own
                value, error = None, raised
            ended = now()
            outcomes.append((plugin, value, error, ended - began))
            if error is not None or ended - began > self._budget:
                self._circuits[plugin] = self._circuits.get(plugin, _CLOSED).struck(ended)
            began = ended
        return outcomes

    def is_resting(self, plugin: str) -> bool:
        """Tell whether a plugin's circuit is open."""
        return self._circuits.get(plugin, _CLOSED).is_open(time.perf_counter())


_CLOSED = Circuit()


def _picker(names: tuple[str, ...]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Return what takes these arguments, in this order, out of all there are."""
    if len(names) > 1:
        return itemgetter(*names)
    return (lambda arguments: (arguments[names[0]],)) if names else (lambda _arguments: ())
