"""What every process of a site looks at before it starts: settings, database, key, address, plugins."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import click
from sqlalchemy.orm import Session

from qa import config
from qa.core import crypto, logs, revision
from qa.core.db import Database

PLUGINS = "qa.extensions.commands"
"""Loaded only where plugins must be faultless."""

PORT_OPTION = click.option("--port", type=click.IntRange(1, 65535), default=None, help="Another port.")


NO_PLUGINS_OPTION = click.option("--no-plugins", is_flag=True, help="Safe mode: run no plugin.")


def settings_of(path: str | None, port: int | None, *, no_plugins: bool) -> config.Settings:
    """Return the settings of a site that may start, or end this process with a sentence."""
    if no_plugins:
        os.environ["QA_NO_PLUGINS"] = "1"  # the worker that this process starts shall know it, too
    settings = config.load(Path(path) if path else None)
    if port is not None:
        settings = replace(settings, values={**settings.values, "port": port})
    logs.set_up(settings.log_level)
    _refuse_wrong_schema(settings)
    crypto.load_keys(settings.key_path)
    _refuse_open_address(settings)
    if settings.plugins_strict:
        _refuse_faulty_plugins(settings)
    return settings


def _refuse_faulty_plugins(settings: config.Settings) -> None:
    found = import_module(PLUGINS).faults_of_start(settings)
    for sentence in found:
        click.echo(f"qa: the plugin {sentence}", err=True)
    if found:
        sys.exit(2)


def _refuse_wrong_schema(settings: config.Settings) -> None:
    with Database(settings.database) as database, database.reading() as session:
        _check_revision(session)


def _check_revision(session: Session) -> None:
    here = revision.current(session)
    if here == revision.head():
        return
    known = revision.is_known(here)
    cure = "Run `qa upgrade`." if known else "Use the newer program, or restore a backup made by this one."
    click.echo(
        f"qa: the database is at version {here or 'none'}, this program needs {revision.head()}. {cure}",
        err=True,
    )
    sys.exit(3)


def _refuse_open_address(settings: config.Settings) -> None:
    loopback = settings.host in {"127.0.0.1", "::1", "localhost"}
    if not loopback and not settings.over_tls:
        raise click.ClickException(
            f"host is {settings.host}, but without TLS only 127.0.0.1 is served. "
            "Put a TLS proxy in front and set public_url to its https address."
        )
