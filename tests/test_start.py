"""What a process loads: commands start at once, and a web process carries nothing heavy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

WATCHED = """
import sys
from qa.cli import main
try:
    main({arguments!r})
finally:
    print(*sys.modules, file=sys.stderr)
"""


def loaded_by(*arguments: str, given: str = "") -> set[str]:
    """The top-level packages a ``qa`` command has loaded when it ends."""
    program = WATCHED.format(arguments=list(arguments))
    done = subprocess.run(
        [sys.executable, "-c", program], input=given, capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_and_version_load_the_command_line_and_nothing_else(arguments: tuple[str, ...]) -> None:
    loaded = loaded_by(*arguments)
    assert {"click", "qa"} <= loaded
    assert not loaded & {"flask", "sqlalchemy", "pydantic", "ruamel", "numpy", "jinja2", "cryptography"}


def test_scoring_on_the_command_line_loads_no_database_no_web_and_no_validation_library() -> None:
    form = str(resources.files("qa.scorecards") / "ready" / "chat.yaml")
    loaded = loaded_by("scorecards", "score", form, "--answers", "-", given='{"answers": {}}')
    assert "ruamel" in loaded
    assert not loaded & {"flask", "sqlalchemy", "pydantic", "pydantic_core", "typing_extensions", "numpy"}


HEAVY = {"numpy", "scipy", "pandas", "spacy", "torch", "transformers", "duckdb", "httpx", "av", "xlsxwriter"}
"""What costs a second or a hundred megabytes: it is loaded by the worker, never on somebody's request."""

BROWSED = """
import sys
from tests.factories import make_draft, make_submitted, make_team, make_user, start_session
from qa import config
from qa.app import create_app

def told(step):
    print(step, *(set(name.split(".")[0] for name in sys.modules)))

app = create_app(config.load())
told("start")
database = app.extensions["candor"].database
with database.transaction() as session:
    team = make_team(session)
    people = {role: make_user(session, role, team=team) for role in ("agent", "evaluator", "lead", "admin")}
    draft = make_draft(session, people["evaluator"], people["agent"])
    done = make_submitted(session, people["evaluator"], people["agent"])
pages = {
    "evaluator": ["/queue", f"/evaluations/{draft.id}/work", f"/evaluations/{draft.id}/sheet"],
    "agent": ["/", f"/evaluations/{done.id}"],
    "lead": ["/", "/interactions", f"/interactions/{done.interaction_id}", "/evaluations", "/scorecards"],
    "admin": ["/people", "/teams", "/account"],
}
for role, paths in pages.items():
    with app.test_client() as client:
        start_session(app, client, people[role])
        for path in paths:
            assert client.get(path).status_code == 200, path
            told(path)
database.dispose()
"""


def test_the_web_process_loads_nothing_heavy_at_its_start_nor_on_any_page(
    tmp_path: Path, sqlite_template: Path, data_key: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "candor.db")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    done = subprocess.run(
        [sys.executable, "-c", BROWSED],
        env=kept | {"QA_DATA_DIR": str(tmp_path), "QA_KEY_FILE": str(data_key)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    steps = {line.split()[0]: set(line.split()[1:]) for line in done.stdout.splitlines()}
    assert len(steps) == 13
    assert {step: loaded & HEAVY for step, loaded in steps.items() if loaded & HEAVY} == {}


def test_a_scorecard_is_brought_in_by_a_process_that_has_loaded_nothing_else(
    tmp_path: Path, sqlite_template: Path, data_key: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "candor.db")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    done = subprocess.run(
        [sys.executable, "-m", "qa.cli", "scorecards", "add", "--ready", "chat"],
        env=kept | {"QA_DATA_DIR": str(tmp_path), "QA_KEY_FILE": str(data_key)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("Chat, version 1: draft.\n", "")
