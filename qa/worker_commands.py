"""``qa worker``: the process that does the background work."""

from __future__ import annotations

import click

from qa.starting import NO_PLUGINS_OPTION, settings_of
from qa.worker import run_worker


@click.command()
@NO_PLUGINS_OPTION
@click.pass_obj
def worker(path: str | None, no_plugins: bool) -> None:
    """Do the background work until stopped: media, releases, deliveries."""
    settings = settings_of(path, None, no_plugins=no_plugins)
    run_worker(settings)
