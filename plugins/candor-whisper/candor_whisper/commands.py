"""``qa x whisper fetch``: bring a model onto this machine while there is network."""

from __future__ import annotations

import click

from candor_whisper import models
from candor_whisper.settings import DEFAULT_FOLDER, ENGINES, choice_of
from qa.plugins.api import PluginError


@click.command()
@click.argument("name")
@click.option("--engine", type=click.Choice(ENGINES), default=ENGINES[0], show_default=True)
@click.option("--model-dir", default=DEFAULT_FOLDER, show_default=True, help="The folder for models.")
def fetch(name: str, engine: str, model_dir: str) -> None:
    """Download the model NAME, such as base, and verify it."""
    try:
        path = models.fetch(choice_of({"model": name, "engine": engine, "model_dir": model_dir}))
    except PluginError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{path} is there and verified.")
