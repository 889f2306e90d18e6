"""``qa source``: the whole way from nothing to conversations, in the shell, with a plugin from a folder."""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from qa import cli
from qa.core import crypto


class Shell:
    """A site in a folder with the twin plugin, and its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "plugins").mkdir()
        shutil.copy(Path(__file__).with_name("twin_plugin.py"), folder / "plugins" / "twin.py")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
        self.env = kept | {
            "QA_DATA_DIR": str(folder / "data"),
            "QA_PLUGINS_DIR": str(folder / "plugins"),
            "TWIN_TOKEN": "t0ken-marker",
        }
        self.vendor = folder / "vendor.json"
        self.says(tickets=[])

    def says(self, **told: Any) -> None:
        self.vendor.write_text(json.dumps(told))

    def run(self, *words: str, code: int = 0) -> str:
        """Run the command in this process: a new one would spend its time on imports."""
        said, ended = io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(said), redirect_stderr(said):
            for name in [name for name in os.environ if name.startswith("QA_")]:
                patched.delenv(name)
            for name, value in self.env.items():
                patched.setenv(name, value)
            try:
                cli.main(list(words))
            except SystemExit as end:
                ended = int(end.code or 0)
        assert ended == code, said.getvalue()
        assert "t0ken-marker" not in said.getvalue()
        return said.getvalue()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Shell:
    made = Shell(tmp_path_factory.mktemp("site"))
    crypto.ensure_key(made.folder / "data" / "keys" / "data.key")
    shutil.copy(sqlite_template, made.folder / "data" / "candor.db")
    made.run("plugin", "list")
    made.run("plugin", "enable", "twin")
    return made


def test_the_whole_way(shell: Shell) -> None:
    assert "No source yet" in shell.run("source", "list")
    shell.says(tickets=[{"id": n} for n in range(1, 6)], token="t0ken-marker", missing=["users:read"])
    added = shell.run(
        "source",
        "add",
        "twin/twin",
        "--name",
        "Ticket system",
        "--set",
        f"file={shell.vendor}",
        "--secret",
        "token=env:TWIN_TOKEN",
    )
    assert "ticket-system: added" in added
    told = json.loads(shell.run("source", "check", "ticket-system", "--json", code=1))
    assert (told["account"], told["missing"]) == ("twin-reader", ["users:read"])
    tried = json.loads(shell.run("source", "pull", "Ticket system", "--dry-run", "--limit", "3", "--json"))
    assert [row["id"] for row in tried["rows"]] == ["1", "2", "3"]
    assert "3 read, nothing stored: 3 new." in shell.run(
        "source", "pull", "ticket-system", "--dry-run", "--limit", "3"
    )
    assert "5 new, 0 changed" in shell.run("source", "pull", "ticket-system")
    assert "0 new, 0 changed" in shell.run("source", "pull", "ticket-system")
    listed = json.loads(shell.run("source", "list", "--json"))
    assert [(one["key"], one["state"]) for one in listed["sources"]] == [("ticket-system", "ok")]
    shell.run("source", "pause", "ticket-system")
    shell.run("source", "pause", "ticket-system", code=2)
    shell.run("source", "resume", "ticket-system")
    shell.says(tickets=[], token="another")
    assert "no longer accepts" in shell.run("source", "pull", "ticket-system", code=1)
    assert "Needs new credentials" in shell.run("source", "list", code=1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("source", "check", "nowhere"), "There is no source called nowhere"),
        (("source", "add", "none/none", "--name", "X"), "There is no connector none/none"),
        (("source", "add", "twin/twin", "--name", "X"), "required"),
        (("source", "add", "twin/twin", "--name", "X", "--set", "fil=1"), "no setting 'fil'"),
        (("source", "add", "twin/twin", "--name", "X", "--set", "file"), "not FIELD=VALUE"),
        (("source", "add", "twin/twin", "--name", "X", "--secret", "token=plain"), "env:VARIABLE"),
        (("source", "add", "twin/twin", "--name", "X", "--past", "soon"), "number of days"),
    ],
)
def test_wrong_use_is_one_sentence(shell: Shell, words: tuple[str, ...], told: str) -> None:
    assert told in shell.run(*words, code=2)
