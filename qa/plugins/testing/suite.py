"""``ConnectorSuite``: one line in your tests, and every check of the kit is a test of its own.

class TestConnector(ConnectorSuite, connector=Desk, twin=DeskTwin): ...
"""

from __future__ import annotations

import unittest
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, ClassVar

from qa.plugins.api import Connector, Page
from qa.plugins.testing.bench import Bench, crossed
from qa.plugins.testing.child import BROKEN, NOT_NEEDED, Result, run_check
from qa.plugins.testing.laws import Broken, Check, line_of
from qa.plugins.testing.registry import CHECKS
from qa.plugins.testing.twin import Twin
from qa.plugins.testing.watch import Watch


def run_checks(
    connector: type[Connector],
    twin: type[Twin],
    *,
    only: Sequence[str] = (),
    exempt: Mapping[str, str] | None = None,
) -> Iterator[Result]:
    """Run the checks on a connector and yield what came of each; ``only`` names some, such as ``c06``.

    ``exempt`` maps a check's number to the reason why it does not concern this connector.
    """
    warm_up()
    for check in CHECKS:
        if only and check.number not in only and check.name not in only:
            continue
        reason = (exempt or {}).get(check.number, "")
        if reason:
            yield Result(check.name, NOT_NEEDED, f"exempt: {reason}", 0.0)
        else:
            yield run_check(check, partial(_work, check, connector, twin))


@cache
def warm_up() -> None:
    """Do once, before processes are forked, what each would do again: get ready to carry pages."""
    crossed(Page([], {}, done=True))


def _work(check: Check, connector: type[Connector], twin: type[Twin], watch: Watch) -> None:
    try:
        check.run(Bench(connector, twin, watch))
    except Broken as broken:
        broken.where = broken.where or line_of(connector.pull)
        raise


class ConnectorSuite:
    """Extend it with your connector and its twin; pytest then runs every check, each in a process of its own.

    ``exempt`` maps a check's number to the reason why it does not concern your connector.
    """

    connector: ClassVar[type[Connector]]
    twin: ClassVar[type[Twin]]
    exempt: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(
        cls, *, connector: type[Connector] | None = None, twin: type[Twin] | None = None, **others: Any
    ) -> None:
        super().__init_subclass__(**others)
        if connector is not None:
            cls.connector = connector
        if twin is not None:
            cls.twin = twin

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make a test of each check."""
        if "check" in metafunc.fixturenames:
            metafunc.parametrize("check", CHECKS, ids=lambda check: check.name)

    def test_check(self, check: Check) -> None:
        """Run one check; the failure names the law, the line and the cure."""
        __tracebackhide__ = True
        (result,) = run_checks(self.connector, self.twin, only=(check.name,), exempt=self.exempt)
        if result.verdict == NOT_NEEDED:
            raise unittest.SkipTest(result.message)
        if result.verdict == BROKEN:
            raise AssertionError(result.message)
