"""Examples in the documentation do what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from qa.cli import COMMANDS
from qa.interactions.lines import parse

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), DOCS.parent / "README.md"])


def test_the_example_of_an_import_line_is_taken() -> None:
    page = (DOCS / "operate" / "import.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    line = parse(json.dumps(json.loads(example)).encode()).line
    assert (line.external_id, line.agents[0].name, line.turns[0].text) == ("A-1", "Dana Ortiz", "Hello")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere_and_every_command_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), target
    for name in re.findall(r"`qa ([a-z]+)", text):
        assert name in COMMANDS
