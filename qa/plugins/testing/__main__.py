"""``python -m qa.plugins.testing dispatch-bench``: what calling a hook costs beside calling the function."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from qa.plugins.dispatch import Dispatcher, Implementation

CALLS = 20_000
ROUNDS = 9
PLUGINS = 5


def react(interaction: object, change: object) -> None:
    """What a plugin's hook is here: nothing, so that only the way to it is measured."""


def measured(rounds: int = ROUNDS, calls: int = CALLS) -> dict[str, float]:
    """Return the seconds one call of a hook takes that five plugins implement: direct and dispatched.

    Both collect the answers, are timed in turns in one process, and the least of the rounds counts.
    """
    one = Implementation("bench", react, ("interaction", "change"))
    hooks = [("qa_interaction_changed", one._replace(plugin=f"bench-{n}")) for n in range(PLUGINS)]
    dispatcher = Dispatcher(hooks)
    functions = [react] * PLUGINS

    def direct() -> None:
        for _ in range(calls):
            [function(interaction=1, change="created") for function in functions]

    def dispatched() -> None:
        for _ in range(calls):
            dispatcher.call("qa_interaction_changed", interaction=1, change="created")

    pairs = [(_timed(direct), _timed(dispatched)) for _ in range(rounds)]
    floor, job = (min(times) / calls for times in zip(*pairs, strict=True))
    return {"direct": floor, "dispatched": job, "ratio": job / floor, "hooks": PLUGINS}


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(arguments: list[str] | None = None) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m qa.plugins.testing")
    parser.add_argument("what", choices=["dispatch-bench"], help="seconds per call, direct and dispatched")
    parser.parse_args(arguments)
    sys.stdout.write(json.dumps(measured()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
