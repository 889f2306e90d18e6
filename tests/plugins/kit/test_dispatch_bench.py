"""The bench of the dispatcher measures both ways in one process and answers in JSON."""

from __future__ import annotations

import json

import pytest

from qa.plugins.testing.__main__ import main, measured


def test_the_figures_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dispatch-bench"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"direct", "dispatched", "ratio", "hooks"}
    assert 0 < figures["direct"] < 0.001


def test_the_dispatcher_does_what_is_measured() -> None:
    figures = measured(rounds=2, calls=20)
    assert figures["ratio"] == figures["dispatched"] / figures["direct"]
