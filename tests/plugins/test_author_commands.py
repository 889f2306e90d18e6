"""`qa plugin new`, `check`, `check --against`: from nothing to a connector that holds, in one folder."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pluggy
import pytest
from click.testing import CliRunner, Result

from qa.plugins import hookspecs
from qa.plugins.commands import group, summary_of
from qa.plugins.deprecations import leaving
from qa.plugins.scaffolding import AUTHS, PAGINGS, make_connector
from qa.plugins.testing import run_checks
from qa.plugins.testing.child import NOT_NEEDED, PASSED
from qa.plugins.testing.child import Result as CheckResult
from qa.plugins.testing.quality import Evidence, standings, tier_of
from qa.plugins.testing.serving import served, started
from qa.plugins.testing.whole import Verdict, check_plugin

# one part of the code is written for each, so that a few pairs show all; the torture tries every pair
PAIRS = list(itertools.product(AUTHS, PAGINGS))
WAYS = PAIRS if os.environ.get("QA_TORTURE") else PAIRS[:: len(PAGINGS) + 1]
HARD = ("c01", "c06", "c08", "c14", "c16", "c20", "c38")


@pytest.fixture(autouse=True)
def forgotten_modules() -> Iterator[None]:
    """Forget the made plugins' modules after each test: all are called the same."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.startswith("candor_")]:
        del sys.modules[name]


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(group, [str(one) for one in arguments], env=environment)


def made(folder: Path, auth: str = "token", paging: str = "cursor") -> Path:
    make_connector("my-desk", folder, auth=auth, paging=paging)
    sys.path.insert(0, str(folder))
    return folder


@pytest.mark.parametrize(("auth", "paging"), WAYS)
def test_whatever_the_vendors_ways_the_new_plugin_holds(tmp_path: Path, auth: str, paging: str) -> None:
    made(tmp_path, auth, paging)
    connector = importlib.import_module("candor_my_desk.connector").MyDesk
    twin = importlib.import_module("candor_my_desk.twin").MyDeskTwin
    results = list(run_checks(connector, twin, only=HARD))
    assert [one.message for one in results if one.verdict != PASSED] == []
    assert len((tmp_path / "candor_my_desk" / "connector.py").read_text().splitlines()) < 90


def test_a_new_plugin_is_green_at_once_and_tells_so_in_three_ways(tmp_path: Path) -> None:
    folder = tmp_path / "candor-my-desk"
    assert run("new", "my-desk", "--into", folder).exit_code == 0
    few = [part for number in ("c01", "c11", "c12", "c18") for part in ("--only", number)]
    said = run("check", folder, *few, "--junit", tmp_path / "a.xml", "--html", tmp_path / "a.html")
    assert said.exit_code == 0, said.output
    assert "✓ c01_all_pages" in said.output
    assert "2 checks passed, 0 broken, 2 not needed." in said.output
    suite = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert (suite.get("failures"), len(suite.findall("testcase/skipped"))) == ("0", 2)
    assert "<h1>my-desk: good</h1>" in (tmp_path / "a.html").read_text("utf-8")


def test_a_fault_is_shown_with_its_line_and_ends_with_code_1(tmp_path: Path) -> None:
    folder = made(tmp_path)
    source = folder / "candor_my_desk" / "connector.py"
    lines = source.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("        try:"))
    lines[start : start + 4] = ["        print(raw)", "        return self.record(raw)"]
    text = "\n".join(lines)
    source.write_text(text)
    said = run("check", folder, "--only", "c11", "--junit", tmp_path / "a.xml", "--html", tmp_path / "a.html")
    assert said.exit_code == 1
    assert "c11_bad_records: One bad record spoils neither its page nor itself" in said.output
    assert "Cure:     Map each record in a try of its own" in said.output
    assert "It prints. Use ctx.log. (output)" in said.output
    assert ElementTree.parse(tmp_path / "a.xml").getroot().get("failures") == "2"
    assert "something is broken" in (tmp_path / "a.html").read_text("utf-8")


def test_a_claim_that_is_not_so_is_broken(tmp_path: Path) -> None:
    folder = made(tmp_path)
    quality = folder / "quality.toml"
    quality.write_text(quality.read_text().replace('write_back = "open"', 'write_back = "done"'))
    results = [CheckResult(f"c{number:02}_x", PASSED, "", 0.0) for number in range(1, 39) if number != 18]
    results.append(CheckResult("c18_push_twice", NOT_NEEDED, "", 0.0))
    sources = list((folder / "candor_my_desk").glob("c*.py"))
    verdict = Verdict("my-desk", folder, results=results)
    verdict.standings = standings(Evidence(folder, sources, results, lag_seconds=600))
    assert not verdict.is_good
    assert verdict.tier == "bronze"
    words = "quality.toml claims “writes back, once” (write_back), which is not so."
    assert words in " ".join(summary_of(verdict))


def test_a_tier_is_reached_when_all_its_rules_and_those_below_are_done_or_exempt(tmp_path: Path) -> None:
    folder = made(tmp_path)
    quality = folder / "quality.toml"
    claimed = quality.read_text()
    for rule, claim in {
        "owner": "done",
        "diagnostics": "done",
        "counterpart": "the vendor has no description",
        "write_back": "read-only by design",
        "webhook": "done",
    }.items():
        claimed = claimed.replace(f'{rule} = "open"', f'{rule} = "{claim}"')
    quality.write_text(claimed)
    source = folder / "candor_my_desk" / "connector.py"
    source.write_text(source.read_text() + "\n\ndef diagnostics() -> None:\n    return None\n")
    results = [CheckResult(f"c{number:02}_x", PASSED, "", 0.0) for number in range(1, 39)]
    sources = [source, folder / "candor_my_desk" / "__init__.py"]
    assert tier_of(standings(Evidence(folder, sources, results, lag_seconds=600))) == "gold"


def test_what_leaves_the_api_is_a_note_and_with_next_a_fault(tmp_path: Path) -> None:
    folder = made(tmp_path)
    specs = ModuleType("specs")

    def qa_old_ones() -> list[type]:
        """Register what once was."""
        return []

    warning = leaving("qa_old_ones", since="1.4", removed_in="2.0", instead="qa_connectors")
    vars(specs).update({name: hook for name, hook in vars(hookspecs).items() if name.startswith("qa_")})
    vars(specs)["qa_old_ones"] = pluggy.HookspecMarker("qa")(warn_on_impl=warning)(qa_old_ones)
    with (folder / "candor_my_desk" / "__init__.py").open("a") as file:
        file.write("\n\n@hookimpl\ndef qa_old_ones() -> list[type]:\n    return []\n")
    for is_next in (False, True):
        *_, verdict = check_plugin(folder, only=("c01",), is_next=is_next, specs=specs)
        assert isinstance(verdict, Verdict)
        assert verdict.is_good is not is_next
        (line,) = [line for line in summary_of(verdict) if "qa_old_ones is deprecated" in line]
        assert line.startswith("✗" if is_next else "!")
        assert "gone in 2.0. Use qa_connectors." in line


def test_with_next_a_plugin_that_uses_nothing_old_is_good(tmp_path: Path) -> None:
    assert run("check", made(tmp_path), "--only", "c01", "--next").exit_code == 0


def test_a_rule_nobody_knows_is_named(tmp_path: Path) -> None:
    folder = made(tmp_path)
    (folder / "quality.toml").write_text('[bronze]\nkitt = "done"\n')
    said = run("check", folder)
    assert said.exit_code == 1
    assert "there is no rule 'kitt' in 'bronze'" in said.output


def test_an_exempt_check_is_not_run(tmp_path: Path) -> None:
    folder = made(tmp_path)
    with (folder / "quality.toml").open("a") as file:
        file.write('c01 = "the vendor has one page"\n')
    assert "– c01_all_pages" in run("check", folder, "--only", "c01").output


def test_a_plugin_that_does_not_load_says_which_line(tmp_path: Path) -> None:
    folder = made(tmp_path)
    (folder / "candor_my_desk" / "connector.py").write_text("import nothing_like_this\n")
    said = run("check", folder)
    assert said.exit_code == 1
    assert "✗ It does not load: Importing it failed: ModuleNotFoundError" in said.output
    assert "connector.py, line 1" in said.output


def test_a_connector_without_a_twin_is_told_how_to_get_one(tmp_path: Path) -> None:
    folder = made(tmp_path)
    (folder / "candor_my_desk" / "twin.py").unlink()
    assert "MyDesk has no twin: write candor_my_desk/twin.py" in run("check", folder).output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new", "My_Desk"], "cannot be a plugin's name"),
        (["new", "candor-desk"], "Leave “candor-” out"),
        (["check", "."], "holds no plugin"),
        (["twin", "."], "holds no plugin"),
        (["check", "nowhere"], "does not exist"),
    ],
)
def test_wrong_use_is_a_sentence_and_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = run(*arguments)
    assert said.exit_code == 2
    assert words in said.output


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert run("new", "my-desk", "--into", tmp_path).exit_code == 2
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


def test_a_visit_to_the_real_vendor_reads_a_little_over_a_real_connection(tmp_path: Path) -> None:
    folder = made(tmp_path)
    twin = started(importlib.import_module("candor_my_desk.twin").MyDeskTwin, count=30)
    secret = dict(twin.secrets)["token"]
    with served(twin) as address:
        said = run("check", folder, "--against", address, "--private", "127.0.0.0/8", QA_CHECK_TOKEN=secret)
        wrong = run(
            "check", folder, "--against", address, "--private", "127.0.0.0/8", QA_CHECK_TOKEN="wrong-token"
        )
        guarded = run("check", folder, "--against", address, QA_CHECK_TOKEN=secret)
        shown = run(
            "check",
            folder,
            "--against",
            address,
            "--private",
            "127.0.0.0/8",
            "--show-requests",
            QA_CHECK_TOKEN=secret,
        )
    assert shown.output.count(" answered 200 in ") == 5
    assert "  GET /api/me answered 200 in " in shown.output
    assert " answered " not in said.output
    assert said.exit_code == 0, said.output
    assert "My Desk: signed in as quality@example.com, 5 requests." in said.output
    assert "3 pages, 15 records, 0 of them bad." in said.output
    assert wrong.exit_code == 1
    assert "AuthExpired" in wrong.output
    assert guarded.exit_code == 1
    assert "private_networks" in guarded.output
    assert secret not in said.output + guarded.output + shown.output
