"""`qa plugin dev`: a plugin at work in a sandbox, and again after each change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qa.plugin_dev import dev
from qa.plugins.scaffolding import make_connector
from tests.plugins import plugs

LISTENER = """
@hookimpl
def qa_interaction_changed(interaction, change):
    pass

@hookimpl
def qa_evaluation_changed(evaluation, change):
    if change == "revised":
        raise RuntimeError("boom")
"""


@pytest.fixture(autouse=True)
def forgotten_modules() -> Iterator[None]:
    """Forget the made plugin after each round: in the shell each is a process of its own."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    forget()


def forget() -> None:
    """Forget the modules of the made plugin."""
    for name in [name for name in sys.modules if name.startswith("candor_my_desk")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sandbox lies, made by the first round."""
    return tmp_path_factory.mktemp("sandbox")


def round_of(path: Path, place: Path) -> Result:
    forget()
    return CliRunner().invoke(dev, [str(path), "--once", "--site", str(place), "--conversations", "7"])


def test_a_connector_is_pulled_from_its_twin_and_again_when_it_changed(tmp_path: Path, place: Path) -> None:
    folder = tmp_path / "candor-my-desk"
    make_connector("my-desk", folder, auth="token", paging="cursor")
    said = round_of(folder, place)
    assert said.exit_code == 0, said.output
    assert "✓ My Desk 0.1.0 is loaded in " in said.output
    assert "✓ check: it works quality@example.com" in said.output
    assert "✓ main: done. 7 new, 0 changed, 0 the same, 0 gone, 0 in quarantine." in said.output
    called = said.output.partition("Called, in this order")[2]
    assert called.index("my-desk.check") < called.index("my-desk.pull")
    source = folder / "candor_my_desk" / "connector.py"
    text = source.read_text()
    source.write_text(text.replace('subject=raw["subject"]', 'subject=raw["subject"] + "!"'))
    assert "0 new, 7 changed" in round_of(folder, place).output
    source.write_text(text.replace('subject=raw["subject"]', 'subject=raw["topic"]'))
    said = round_of(folder, place)
    assert said.exit_code == 1
    assert "topic" in said.output
    source.write_text("import nothing_like_this\n")
    said = round_of(folder, place)
    assert (said.exit_code, "nothing_like_this" in said.output) == (1, True)


def test_every_event_is_told_in_order_and_a_fault_is_shown_with_its_line(tmp_path: Path, place: Path) -> None:
    plugs.write(tmp_path, "listener", LISTENER)
    said = round_of(tmp_path / "listener.py", place)
    assert said.exit_code == 1
    assert "Not delivered: " in said.output
    assert "RuntimeError: boom (listener.py, line " in said.output
    called = said.output.partition("Called, in this order")[2]
    assert called.index("qa_interaction_changed") < called.index("qa_evaluation_changed")


def test_it_runs_again_when_a_file_changes_and_ends_when_told(tmp_path: Path, place: Path) -> None:
    plugs.write(tmp_path, "quick", plugs.CONNECTOR)
    file = tmp_path / "quick.py"
    command = [sys.executable, "-m", "qa.cli", "plugin", "dev", str(file), "--site", str(place)]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True, preexec_fn=as_in_a_shell
    )
    assert running.stdout is not None
    try:
        assert read_until(running, " is loaded in ")
        read_until(running, "Offers")
        time.sleep(0.1)
        file.write_text("raise RuntimeError('edited')\n")
        assert read_until(running, "edited")
    finally:
        os.killpg(running.pid, signal.SIGINT)
        running.communicate(timeout=30)
    assert running.returncode == 0


def as_in_a_shell() -> None:
    """Let Ctrl+C be heard, whatever started these tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def read_until(running: subprocess.Popen[str], words: str) -> bool:
    """Read lines until one holds the words; False at the end of all."""
    assert running.stdout is not None
    return any(words in line for line in running.stdout)


@pytest.mark.parametrize(("name", "words"), [("notes.txt", "takes a file"), (".", "holds no plugin")])
def test_what_is_no_plugin_is_a_sentence_and_code_2(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "notes.txt").write_text("")
    said = round_of(tmp_path / name, tmp_path)
    assert (said.exit_code, words in said.output) == (2, True)
