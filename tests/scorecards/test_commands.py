"""``qa scorecards`` as other people run it: exact JSON out, one sentence for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from qa.scorecards.commands import group
from tests.scorecards.test_lint import FAULTS, GOOD


@pytest.fixture
def form(tmp_path: Path) -> str:
    """A good form on the disk."""
    file = tmp_path / "form.yaml"
    file.write_text(GOOD, encoding="utf-8")
    return str(file)


def test_score_prints_one_object_with_exact_numbers(form: str) -> None:
    done = CliRunner().invoke(
        group, ["score", form, "--answers", "-"], input='{"fields": {}, "answers": {"a": "y"}}'
    )
    told = json.loads(done.output)
    assert (done.exit_code, told["score"], told["raw"], told["outcome"]) == (0, "100", "100", "pass")
    assert told["questions"][0] == {
        "ref": "a",
        "state": "value",
        "earned": "1",
        "max": "1",
        "weight_applied": "100",
        "ratio": "1",
    }
    assert set(told) == {
        *(
            "score",
            "raw",
            "score_display",
            "outcome",
            "band",
            "fail_causes",
            "missing",
            "sections",
            "questions",
        )
    }


def test_lines_keep_their_order_and_go_on_after_a_broken_one(form: str) -> None:
    lines = '{"answers": {"a": "y"}}\n{broken\n{"answers": {"a": "zzz"}}\n{"answers": {}}\n'
    done = CliRunner().invoke(group, ["score", form, "--answers", "-", "--lines"], input=lines)
    told = [json.loads(line) for line in done.output.splitlines()]
    assert done.exit_code == 1
    assert told[0]["score"] == "100"
    assert "Line 2" in told[1]["error"]
    assert told[2]["answers"][0]["ref"] == "a"
    assert told[3]["outcome"] == "incomplete"


@pytest.mark.parametrize(
    "given",
    ["", "[]", '{"a": 1}', '{"answers": 3}', '{"answers": {"a": NaN}}', '{"answers": {"a": "y", "a": "n"}}'],
)
def test_answers_that_cannot_be_read_are_one_sentence_and_no_trace(form: str, given: str) -> None:
    done = CliRunner().invoke(group, ["score", form, "--answers", "-"], input=given)
    assert done.exit_code == 1
    assert "error" in json.loads(done.output)


def test_lint_and_test_exit_with_one_on_a_fault(tmp_path: Path, form: str) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(FAULTS["failing-test"], encoding="utf-8")
    runner = CliRunner()
    assert runner.invoke(group, ["lint", form]).exit_code == 0
    assert runner.invoke(group, ["lint", str(bad)]).exit_code == 1
    assert runner.invoke(group, ["test", str(bad)]).exit_code == 1
    assert f"{bad}:12:" in runner.invoke(group, ["lint", str(bad)]).output


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (("title: F", "title: G"), "cosmetic"),
        (("text: A", "text: A\n        help: Listen."), "guidance"),
        (("points: 1", "points: 2"), "scoring"),
        (("{ref: n, points: 0}", "{ref: m, points: 0}"), "structural"),
    ],
)
def test_diff_names_the_class_of_each_change(
    tmp_path: Path, form: str, change: tuple[str, str], kind: str
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(GOOD.replace(*change), encoding="utf-8")
    done = CliRunner().invoke(group, ["diff", form, str(other), "--json"])
    assert kind in {one["kind"] for one in json.loads(done.output)}


def test_the_command_works_in_a_process_of_its_own_and_refuses_a_missing_file() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qa.cli", "scorecards", "lint", "/nowhere.yaml"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "there is no such file" in done.stderr
    assert "Traceback" not in done.stderr
