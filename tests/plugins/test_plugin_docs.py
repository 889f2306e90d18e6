"""The pages for plugin authors: made of the code where they can be, executed where they tell what to do.

``QA_WRITE_PAGES=1 pytest tests/plugins/test_plugin_docs.py`` writes the made ones anew.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qa.plugins import hookspecs
from qa.plugins.api import Quota, ResetHeader
from qa.plugins.quota import rate_of
from qa.plugins.testing.registry import CHECKS
from tests.plugins import doc_pages

DOCS = Path(__file__).parents[2] / "docs" / "plugins"
MADE = {
    "hooks.md": doc_pages.hooks_page,
    "cookbook.md": doc_pages.cookbook_page,
    "checks/README.md": doc_pages.check_index,
    "extensions.md": doc_pages.extensions_page,
    **{f"checks/{check.number}.md": (lambda check=check: doc_pages.check_page(check)) for check in CHECKS},
}


@pytest.mark.parametrize("name", MADE)
def test_a_made_page_is_what_the_code_says(name: str) -> None:
    file, text = DOCS / name, MADE[name]()
    if os.environ.get("QA_WRITE_PAGES"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text, "QA_WRITE_PAGES=1 writes it anew"


def test_no_page_of_a_check_is_left_over() -> None:
    pages = {file.stem for file in (DOCS / "checks").glob("c*.md")}
    assert pages == {check.number for check in CHECKS}


def test_every_hook_and_every_argument_is_in_the_reference() -> None:
    page = (DOCS / "hooks.md").read_text(encoding="utf-8")
    for name, hook in vars(hookspecs).items():
        if name.startswith("qa_"):
            (part,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
            for argument in inspect.signature(hook).parameters:
                assert f"{argument}: " in part, (name, argument)


def test_the_laws_are_the_kits_laws_and_each_names_its_checks() -> None:
    page = (DOCS / "laws.md").read_text(encoding="utf-8")
    for number, line in enumerate(doc_pages.laws_table().splitlines(), start=1):
        start = page.index(line)
        end = page.find(f"\n{number + 1}. **", start)
        named = set(re.findall(r"c\d\d", page[start : end if end > 0 else None]))
        assert named == {check.number for check in CHECKS if check.law == number}, number


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.number)
def test_a_check_says_everything_in_whole_sentences(check: doc_pages.Check) -> None:
    for words in (check.means, check.cause, check.cure):
        assert len(words) > 30
        assert words.rstrip().endswith((".", "”", ")"))
    assert check.wrong != check.right


@pytest.mark.parametrize(("words", "code", "remark"), doc_pages.QUOTAS)
def test_the_quotas_of_the_cookbook_can_be_declared(words: str, code: str, remark: str) -> None:
    quota = eval(code, {"Quota": Quota, "ResetHeader": ResetHeader})
    assert rate_of(quota.rate).count > 0


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_python_on_a_page_is_python(page: Path) -> None:
    for code in re.findall(
        r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        if page.parent.name != "checks":  # those are pieces, with … where yours would stand
            ast.parse(code)


class Walk:
    """Somebody who does what a page says, in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin_folder = str(Path(sys.executable).parent)
        self.environment = os.environ | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}

    def do(self, kind: str, block: str) -> None:
        if kind == "console":
            self.type_in(block)
        elif kind == "diff":
            self.change(block)

    def type_in(self, block: str) -> None:
        for command, wanted in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            if command.startswith("cd "):
                self.folder /= command[3:]
                continue
            said = subprocess.run(
                command, shell=True, cwd=self.folder, env=self.environment, capture_output=True, text=True
            )
            pattern = "".join(
                ".*?" if line == "…" else re.escape(line + "\n") for line in wanted.splitlines()
            )
            assert re.fullmatch(pattern, said.stdout, re.DOTALL), f"$ {command}\n{said.stdout}{said.stderr}"

    def change(self, block: str) -> None:
        first, *lines = block.splitlines()
        file = self.folder / first.removeprefix("--- ")
        before = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
        after = "".join(line[1:] + "\n" for line in lines if line[0] in " +")
        text = file.read_text(encoding="utf-8")
        assert text.count(before) == 1, before
        file.write_text(text.replace(before, after), encoding="utf-8")


def test_your_first_connector_in_five_minutes_word_for_word(tmp_path: Path) -> None:
    page = (DOCS / "first_connector.md").read_text(encoding="utf-8")
    walk = Walk(tmp_path)
    blocks = re.findall(r"^```(console|diff)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 9
    for kind, block in blocks:
        walk.do(kind, block)
