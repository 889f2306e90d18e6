"""``qa plugin``, ``qa x``, ``qa secrets`` and safe mode, as an operator types them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from qa import cli
from qa.core import clock, crypto, schema
from qa.core.db import Database
from qa.extensions import secrets_service
from tests.extensions.test_runtime import desk
from tests.plugins import plugs

COMMANDS = """
import click

@click.command()
@click.argument("word")
@click.pass_obj
def say(settings, word):
    click.echo(f"{word} {settings}")

@hookimpl
def qa_commands():
    return [say]
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``qa`` on a site of its own."""
    for name in [name for name in os.environ if name.startswith("QA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("QA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QA_PLUGINS_DIR", str(folder))

    def ran(*words: str, **variables: str) -> Ran:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with monkeypatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
            for name, value in variables.items():
                patched.setenv(name, value)
            try:
                cli.main(list(words))
            except SystemExit as end:
                code = int(end.code or 0)
        return Ran(code, out.getvalue(), err.getvalue())

    crypto.ensure_key(tmp_path / "data" / "keys" / "data.key")
    schema.upgrade(f"sqlite:///{tmp_path / 'data' / 'candor.db'}")
    return ran


def test_a_plugin_is_listed_enabled_and_disabled(run: Run, folder: Path) -> None:
    plugs.write(folder, "desk", desk("desk"))
    plugs.write(folder, "broken", "import no_such_package")
    listed = {one["name"]: one for one in json.loads(run("plugin", "list", "--json").stdout)["plugins"]}
    assert (listed["desk"]["state"], listed["broken"]["state"]) == ("new", "new")
    enabled = run("plugin", "enable", "desk")
    assert enabled.returncode == 0
    assert "connector desk: Desk" in enabled.stdout
    broken = run("plugin", "enable", "broken")
    assert broken.returncode == 1
    assert "Install what it needs: no_such_package." in broken.stdout
    again = run("plugin", "list")
    assert again.returncode == 1
    assert "Running" in again.stdout
    assert run("plugin", "disable", "broken", "--note", "later").returncode == 0
    assert run("plugin", "list").returncode == 0
    missing = run("plugin", "enable", "nothing")
    assert (missing.returncode, missing.stderr) == (2, "qa: There is no such plugin.\n")


def test_the_doctor_needs_no_database_and_names_the_cure(run: Run, folder: Path) -> None:
    plugs.write(folder, "typo", "@hookimpl\ndef qa_conectors(): return []")
    told = run("plugin", "doctor", "typo", QA_DATA_DIR=str(folder / "nowhere"))
    assert told.returncode == 1
    assert "There is no hook qa_conectors" in told.stdout
    assert "Did you mean qa_connectors?" in told.stdout
    assert run("plugin", "doctor", "nothing").returncode == 2


def test_a_plugins_own_commands_run_with_its_settings(run: Run, folder: Path) -> None:
    plugs.write(folder, "talker", COMMANDS)
    said = run("x", "talker", "say", "hello", QA_PLUGINS__TALKER__MODEL="base")
    assert said.stdout == "hello {'model': 'base'}\n"
    assert "talker" in run("x", "--help").stdout
    plugs.write(folder, "mute", plugs.CONNECTOR)
    assert "has no commands" in run("x", "mute", "say").stderr
    plugs.write(folder, "broken", "raise RuntimeError('boom')")
    failed = run("x", "broken", "say")
    assert failed.returncode == 1
    assert "RuntimeError: boom" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_help_runs_no_plugin(run: Run, folder: Path) -> None:
    plugs.write(folder, "eager", f"open({str(folder / 'ran')!r}, 'w').close()")
    assert run("x", "--help").returncode == 0
    assert run("--help").returncode == 0
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("command", ["serve", "worker", "run"])
def test_where_plugins_must_be_sound_a_faulty_one_stops_the_start(
    run: Run, folder: Path, command: str
) -> None:
    plugs.write(folder, "broken", "import no_such_package")
    run("plugin", "enable", "broken")
    refused = run(command, QA_PLUGINS_STRICT="1")
    assert refused.returncode == 2
    assert "the plugin broken: Importing it failed" in refused.stderr


def test_a_new_data_key_takes_over_step_by_step(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "data" / "keys" / "data.key"
    url = f"sqlite:///{tmp_path / 'data' / 'candor.db'}"
    old = crypto.load_keys(file)
    with Database(url) as database:
        with database.transaction() as session:
            given = {"token": "marker-4711"}
            secrets_service.keep_secrets(session, old, "plugin:x", given, changed_by_id=None, now=clock.now())
        rotated = run("secrets", "rotate")
        assert rotated.returncode == 0, rotated.stderr
        assert "secrets: 1 of 1 sealed anew" in rotated.stdout
        assert "secrets: 0 of 1 sealed anew" in run("secrets", "rotate").stdout
        # what runs since before opens what the new key sealed
        with database.reading() as session:
            assert secrets_service.open_secrets(session, old, "plugin:x") == given
        # and what it still seals with the old key is found at the end
        with database.transaction() as session:
            secrets_service.keep_secrets(session, old, "plugin:y", given, changed_by_id=None, now=clock.now())
        assert "secrets: 1 of 2 sealed anew" in run("secrets", "finish").stdout
        fresh = crypto.load_keys(file)
        assert fresh.older_count == 0
        assert (file.stat().st_mode & 0o777) == 0o600
        with database.reading() as session:
            assert secrets_service.open_secrets(session, fresh, "plugin:x") == given
            assert secrets_service.open_secrets(session, fresh, "plugin:y") == given
    assert fresh.fingerprint() != old.fingerprint()
