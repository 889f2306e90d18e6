"""The kit finds every seeded fault, says where it is and how to mend it, and leaves the good alone."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from qa.plugins.api import Check, Context
from qa.plugins.testing import ConnectorSuite, Twin, run_checks, suite
from qa.plugins.testing.child import BROKEN, NOT_NEEDED, PASSED, run_check
from qa.plugins.testing.laws import LAWS, Broken, message_of
from qa.plugins.testing.registry import CHECKS
from tests.plugins.kit.good import Desk, DeskTwin
from tests.plugins.kit.mutants import MUTANTS


class TestGoodConnector(ConnectorSuite, connector=Desk, twin=DeskTwin):
    """A connector that keeps the laws passes every check."""


@pytest.mark.parametrize(
    ("mutant", "twin", "number"),
    MUTANTS,
    ids=[f"{number}-{mutant.__name__}" for mutant, _, number in MUTANTS],
)
def test_a_bad_connector_is_caught_in_words(mutant: type[Desk], twin: type[Twin], number: str) -> None:
    (result,) = run_checks(mutant, twin, only=[number])
    assert result.verdict == BROKEN
    assert re.search(r"Broken: +(law \d+ \(|a rule of the kit)", result.message)
    assert re.search(r"Cure: +\w.{15}", result.message)
    assert f"docs/plugins/checks/{number}.md" in result.message


def test_there_is_a_bad_connector_for_every_check_but_the_one_about_files() -> None:
    caught = {number for _, _, number in MUTANTS}
    assert {check.number for check in CHECKS} - caught == {"c37"}


def test_the_checks_are_numbered_without_a_gap_and_told_apart() -> None:
    assert [check.number for check in CHECKS] == [f"c{n:02}" for n in range(1, len(CHECKS) + 1)]
    assert len({check.title for check in CHECKS}) == len(CHECKS)
    assert {check.law for check in CHECKS} >= set(LAWS)


@pytest.mark.parametrize(
    ("mutant", "number", "line"),
    [
        ("OwnSleep", "c07", "time.sleep(0.01)"),
        ("OneBadKillsThePage", "c11", 'datetime.fromisoformat(raw["opened"]),'),
        ("LogsHeaders", "c09", 'ctx.log.debug("asking with %s", self.sign_in(ctx))'),
        ("OpensSockets", "c14", 'socket.create_connection(("203.0.113.1", 443), timeout=1).close()'),
    ],
)
def test_a_failure_points_at_the_line(mutant: str, number: str, line: str) -> None:
    kind, twin = next((one, its) for one, its, _ in MUTANTS if one.__name__ == mutant)
    (result,) = run_checks(kind, twin, only=[number])
    file, place = re.search(r"Where: +(\w+)\.py:(\d+)", result.message).groups()  # type: ignore[union-attr]
    source = (Path(__file__).parent / f"{file}.py").read_text(encoding="utf-8").splitlines()
    assert line in source[int(place) - 1]


class NeverReturns(Desk):
    """Hangs without a request."""

    def check(self, ctx: Context) -> Check:
        while True:
            pass


def test_a_check_that_never_ends_is_killed_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "run_check", partial(run_check, deadline=2))
    (result,) = run_checks(NeverReturns, DeskTwin, only=["c14"])
    assert result.verdict == BROKEN
    assert "did not end within 2 s" in result.message
    assert "test_kit.py" in result.message


def test_an_exempt_check_is_not_run_and_says_why() -> None:
    (result,) = run_checks(Desk, DeskTwin, only=["c18"], exempt={"c18": "the vendor takes no notes"})
    assert (result.verdict, result.message) == (NOT_NEEDED, "exempt: the vendor takes no notes")


def test_a_check_of_something_not_declared_is_not_needed() -> None:
    class Bare(Desk):
        capabilities = frozenset()

    verdicts = {
        one.name[:3]: one.verdict for one in run_checks(Bare, DeskTwin, only=["c01", "c12", "c18", "c19"])
    }
    assert verdicts == {"c01": PASSED, "c12": NOT_NEEDED, "c18": NOT_NEEDED, "c19": NOT_NEEDED}


def test_the_secrets_of_the_twin_stand_in_no_message() -> None:
    for kind, twin, number in MUTANTS[8:9]:
        (result,) = run_checks(kind, twin, only=[number])
        assert not [value for value in twin.secrets.values() if value in result.message]


def test_a_message_has_everything_an_author_needs() -> None:
    words = message_of(CHECKS[5], Broken("One is lost.", where="desk.py:12 (pull)"))
    assert words.splitlines() == [
        "c06_same_second: A change in the second of the cursor is not lost",
        f"  Broken:   law 3 ({LAWS[3]})",
        "  Where:    desk.py:12 (pull)",
        "  Happened: One is lost.",
        f"  Cure:     {CHECKS[5].cure}",
        "  Read on:  docs/plugins/checks/c06.md",
    ]
