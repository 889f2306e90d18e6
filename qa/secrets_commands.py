"""``qa secrets``: the data key changed and everything sealed anew, while everything opens all along."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from qa import config
from qa.core import crypto
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.resealing import reseal_column
from qa.extensions import outgoing_service, secrets_service
from qa.extensions.models import Outgoing
from qa.interactions.models import RECORDING_KEY, Recording, SealedOriginal
from qa.interactions.redacting import ORIGINAL
from qa.interactions.sources.inbox_service import INBOX
from qa.interactions.sources.models import Delivery, Quarantined
from qa.interactions.sources.store import QUARANTINE

SEALED: tuple[tuple[str, Callable[[Database, Keys], tuple[int, int]]], ...] = (
    ("secrets", secrets_service.reseal_all),
    (
        "keys of recordings",
        partial(reseal_column, table=Recording, column="sealed_key", purpose=RECORDING_KEY),
    ),
    ("originals of texts", partial(reseal_column, table=SealedOriginal, column="sealed", purpose=ORIGINAL)),
    ("rejected records", partial(reseal_column, table=Quarantined, column="sealed", purpose=QUARANTINE)),
    ("webhooks received", partial(reseal_column, table=Delivery, column="sealed", purpose=INBOX)),
    (
        "things to deliver",
        partial(reseal_column, table=Outgoing, column="sealed", purpose=outgoing_service.PURPOSE),
    ),
)
"""Everything the data key seals, and what seals it again."""


@click.group()
def secrets() -> None:
    """Change the data key and seal everything anew."""


@secrets.command()
@click.pass_obj
def rotate(path: str | None) -> None:
    """Add a fresh data key and seal everything with it; repeat after a stop, it goes on.

    The site may run. Afterwards start it again, save the key file, and run `qa secrets finish`.
    """
    settings = config.load(Path(path) if path else None)
    if crypto.load_keys(settings.key_path).older_count == 0:
        crypto.add_key(settings.key_path)
    _reseal(settings)
    click.echo(f"The newest key in {settings.key_path} seals everything; older ones still open.")
    click.echo("Now start the site again, save a copy of the key file, and run `qa secrets finish`.")
    click.echo("People have to sign in again after that start.")


@secrets.command()
@click.pass_obj
def finish(path: str | None) -> None:
    """Seal what is left with the newest key and take the older keys out of the key file."""
    settings = config.load(Path(path) if path else None)
    _reseal(settings)
    crypto.forget_older_keys(settings.key_path)
    click.echo(f"Only the newest key is left in {settings.key_path}.")


def _reseal(settings: config.Settings) -> None:
    keys = crypto.load_keys(settings.key_path)
    with Database(settings.database) as database:
        for name, reseal in SEALED:
            resealed, seen = reseal(database, keys)
            click.echo(f"{name}: {resealed} of {seen} sealed anew")
