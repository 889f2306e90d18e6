"""What is read off a plugin's source: each rule on a line that breaks it and on one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa.plugins.testing.static_rules import findings_in, findings_of
from tests.plugins.kit import good


def rules_in(tmp_path: Path, source: str, name: str = "connector.py") -> list[str]:
    file = tmp_path / name
    file.write_text(source, encoding="utf-8")
    return [one.rule for one in findings_of(file, name)]


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("from qa.core import db", "public"),
        ("import qa.plugins.http", "public"),
        ("from qa.plugins.testing import Twin", "public"),
        ("import requests", "network"),
        ("from urllib.request import urlopen", "network"),
        ("import http.client", "network"),
        ("import threading", "processes"),
        ("from concurrent.futures import ThreadPoolExecutor", "processes"),
        ("x = datetime.now(UTC)", "clock"),
        ("x = datetime.datetime.utcnow()", "clock"),
        ("time.sleep(3)", "clock"),
        ("x = datetime.fromtimestamp(3)", "zones"),
        ("x = datetime.utcfromtimestamp(3)", "zones"),
        ("print('x')", "output"),
        ("sys.exit(1)", "output"),
        ("ctx.log.info('%s', headers)", "secrets"),
        ("ctx.log.info(ctx.secrets['token'])", "secrets"),
        ("try:\n    f()\nexcept Exception:\n    pass", "swallows"),
        ("for x in y:\n    try:\n        f()\n    except PluginError:\n        continue", "swallows"),
        ("class A(Connector):\n    seen = []", "stateless"),
        ("class A(Connector):\n    def pull(self):\n        self.page = 1", "stateless"),
        ("class A(Connector):\n    def pull(self):\n        self.page += 1", "stateless"),
        ("x = raw['agent_sentiment_score']", "feelings"),
        ("def f(:", "syntax"),
    ],
)
def test_a_line_that_breaks_a_rule_is_found(tmp_path: Path, source: str, rule: str) -> None:
    assert rules_in(tmp_path, source) == [rule]


@pytest.mark.parametrize(
    "source",
    [
        "from qa.plugins.api import Connector",
        "from urllib.parse import quote",
        "x = datetime.fromtimestamp(3, UTC)",
        "x = datetime.fromisoformat('2026-01-01T00:00:00Z')",
        "now = ctx.clock.now()",
        "try:\n    f()\nexcept Gone:\n    pass",
        "class A(Connector):\n    streams = ('a',)\n    Config = Form",
        "class A:\n    def f(self):\n        self.page = 1",
        "'Never import sentiment of agents'",
        "ctx.log.info('%s tickets', 3)",
    ],
)
def test_a_sound_line_is_left_alone(tmp_path: Path, source: str) -> None:
    assert rules_in(tmp_path, source) == []


def test_the_twin_may_do_what_a_vendor_does(tmp_path: Path) -> None:
    source = "from qa.plugins.testing import Twin\nimport ssl\nx = datetime.now(UTC)\n"
    assert rules_in(tmp_path, source, "twin.py") == []
    assert rules_in(tmp_path, "from qa.core import db\n", "twin.py") == ["public"]


def test_a_finding_names_file_line_and_cure(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "connector.py").write_text("x = 1\nprint(x)\n")
    (finding,) = findings_in(tmp_path)
    assert finding.words == "package/connector.py:2: It prints. Use ctx.log. (output)"


def test_a_good_connector_has_no_findings() -> None:
    file = Path(good.__file__)
    assert [one.words for one in findings_of(file, file.name) if "kit" not in one.happened] == []
