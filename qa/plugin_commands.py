"""``qa plugin``, ``qa x`` and ``qa secrets``: the operator's and the author's doors to plugins."""

from __future__ import annotations

from pathlib import Path

import click

from qa import config
from qa.core.lazy import LazyGroup
from qa.plugins.discovery import find
from qa.plugins.loading import load

PLUGIN: dict[str, tuple[str, str, str]] = {
    "new": ("qa.plugins.commands", "new", "Start a plugin that works, to be changed into yours."),
    "dev": ("qa.plugin_dev", "dev", "Run a plugin in a sandbox, again at every change."),
    "check": ("qa.plugins.commands", "check", "Hold a plugin against the laws; the kit runs it."),
    "twin": ("qa.plugins.commands", "twin", "Serve a plugin's vendor in memory, to play with."),
    "list": ("qa.extensions.commands", "list_", "Print every plugin with its state and last error."),
    "doctor": ("qa.extensions.commands", "doctor", "Load a plugin now and say what is wrong with it."),
    "enable": ("qa.extensions.commands", "enable", "Let the installed version of a plugin run."),
    "disable": ("qa.extensions.commands", "disable", "Stop a plugin; its settings stay."),
    "order": ("qa.extensions.commands", "order", "Set the order in which plugins are asked."),
    "undelivered": ("qa.extensions.commands", "undelivered", "Print what could not be delivered outside."),
    "send": ("qa.extensions.commands", "send", "Deliver again what was given up on."),
    "discard": ("qa.extensions.commands", "discard", "Give up for good on an undelivered thing."),
}


@click.group(cls=LazyGroup, table=PLUGIN)
def plugin() -> None:
    """Look after plugins."""


class InstalledPlugins(click.Group):
    """The commands of installed plugins; a plugin is loaded when one of its own is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of installed plugins."""
        return [one.name for one in find(_folder(ctx))]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names without loading a plugin."""
        with formatter.section("Plugins"):
            formatter.write_dl([(one.name, one.summary) for one in find(_folder(ctx))])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a plugin's commands as one group, None when there is no such plugin."""
        candidate = next((one for one in find(_folder(ctx)) if one.name == cmd_name), None)
        if candidate is None:
            return None
        loaded = load(candidate)
        if not loaded.report.is_ok:
            raise click.ClickException(f"{cmd_name}: {loaded.report.reason} {loaded.report.fix}".strip())
        commands = [one for one in loaded.commands if isinstance(one, click.Command)]
        if not commands:
            raise click.UsageError(f"The plugin {cmd_name} has no commands of its own.")
        group = click.Group(
            cmd_name, {str(one.name): one for one in commands}, help=loaded.report.description
        )
        settings = _settings(ctx).plugins.get(cmd_name, {})
        group.context_settings["obj"] = dict(settings)
        return group


def _settings(ctx: click.Context) -> config.Settings:
    path = ctx.find_root().obj
    return config.load(Path(path) if path else None)


def _folder(ctx: click.Context) -> Path | None:
    return _settings(ctx).plugins_path


@click.group(cls=InstalledPlugins)
def x() -> None:
    """Run a command of a plugin: `qa x NAME COMMAND`."""
