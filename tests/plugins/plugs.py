"""Plugins for the tests, written to a folder as files or as an installed package."""

from __future__ import annotations

import textwrap
from pathlib import Path

HEAD = """
from datetime import UTC, datetime
from wtforms import Form, IntegerField, SelectField, StringField, BooleanField, URLField, FileField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError
from qa.plugins.api import *
"""

GOOD = """
@hookimpl
def qa_plugin_info():
    return PluginInfo("{name}", "1.2", title="Good one", issues_url="https://example.org/issues")
"""

CONNECTOR = """
class Desk(Connector):
    "Reads tickets."
    key = "desk"
    title = "Desk"

    class Config(Form):
        url = URLField("Address", [InputRequired()], description="As in the browser.")
        token = SecretField("Token", [InputRequired(), Length(max=40)])
        pace = IntegerField("Pace", [Optional(), NumberRange(1, 9)], default=3)
        zone = SelectField("Zone", choices=[SelectChoice("utc", "UTC"), SelectChoice("cet", "Berlin")])
        deep = BooleanField("Deep")

    def check(self, ctx):
        return Check(True)

    def pull(self, ctx, stream, cursor, window):
        yield Page([], {"at": 1}, done=True)

@hookimpl
def qa_connectors():
    return [Desk]
"""


def source(name: str, *parts: str) -> str:
    """The text of a plugin: the imports, who it is, and the parts."""
    return HEAD + GOOD.format(name=name) + "".join(textwrap.dedent(part) for part in parts)


def write(folder: Path, name: str, *parts: str) -> Path:
    """Write a plugin as one file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name.replace('-', '_')}.py"
    file.write_text(source(name, *parts), encoding="utf-8")
    return file


def install(folder: Path, name: str, text: str, *, api: str = "1", version: str = "1.2") -> None:
    """Write a plugin as an installed distribution below a folder that is on the path."""
    module = f"candor_{name.replace('-', '_')}"
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text(text, encoding="utf-8")
    facts = folder / f"{module}-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: candor-{name}\nVersion: {version}\nSummary: From afar.\n"
        "Project-URL: Issues, https://example.org/other\n",
        encoding="utf-8",
    )
    entry = f"[qa.plugins]\n{name} = {module}\n"
    (facts / "entry_points.txt").write_text(entry + (f"[qa.api]\n{name} = {api}\n" if api else ""))
