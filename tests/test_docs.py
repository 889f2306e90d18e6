"""Examples in the documentation do what the page says."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from qa.cli import COMMANDS
from qa.interactions.lines import parse
from qa.stats.commands import answer
from qa.stats.reasons import Reason

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), DOCS.parent / "README.md"])


def test_the_example_of_an_import_line_is_taken() -> None:
    page = (DOCS / "operate" / "import.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    line = parse(json.dumps(json.loads(example)).encode()).line
    assert (line.external_id, line.agents[0].name, line.turns[0].text) == ("A-1", "Dana Ortiz", "Hello")


CONSOLE = re.compile(r"^\$ echo '(.*)' \| qa stats (\w+)\n(.*)$", re.MULTILINE)
STATISTICS = [
    pytest.param(name, given, shown, id=f"{page.name}:{name}")
    for page in PAGES
    for given, name, shown in CONSOLE.findall(page.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("name", "given", "shown"), STATISTICS)
def test_a_statistic_on_a_page_comes_out_as_shown(name: str, given: str, shown: str) -> None:
    assert_shown(json.loads(shown, parse_float=Decimal), answer(name, given.encode()))


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_for_a_missing_number_is_explained(reason: str) -> None:
    assert f"`{reason}`" in (DOCS / "manage" / "numbers.md").read_text(encoding="utf-8")


def assert_shown(shown: Any, found: Any) -> None:
    """What a page shows is there, to the decimals shown; what it leaves out may be more."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            assert_shown(value, found[key])
    elif isinstance(shown, Decimal):
        assert round(Decimal(found), -shown.as_tuple().exponent) == shown
    else:
        assert found == shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere_and_every_command_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), target
    for name in re.findall(r"`qa ([a-z]+)", text):
        assert name in {*COMMANDS, "x"}  # `qa x` runs what plugins bring
