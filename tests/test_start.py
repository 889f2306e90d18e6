"""What a process loads: commands start at once, and a web process carries nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources

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
