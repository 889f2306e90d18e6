"""``qa doctor``: this machine and its configuration, looked at and not touched."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from qa import config
from qa.core import crypto, revision
from qa.core.db import Database

SQLITE_NEEDED = (3, 37)
DISK_NEEDED_GB = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: good, a fault, or optional and absent."""

    what: str
    state: str
    words: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def doctor(path: str | None, as_json: bool) -> None:
    """Check versions, rights, disk, key, database and assets. Exits 1 when something is wrong."""
    settings = config.load(Path(path) if path else None)
    findings = [look(settings) for look in LOOKS]
    if as_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}))
    else:
        marks = {"good": "ok   ", "fault": "FAULT", "absent": "-    "}
        for finding in findings:
            click.echo(f"{marks[finding.state]}  {finding.what:<18} {finding.words}")
    if any(finding.state == "fault" for finding in findings):
        sys.exit(1)


def _python(_settings: config.Settings) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Finding(
        "Python", "good" if good else "fault", version if good else f"{version}; 3.11 or newer is needed"
    )


def _sqlite(_settings: config.Settings) -> Finding:
    good = sqlite3.sqlite_version_info >= SQLITE_NEEDED
    cure = "" if good else f"; {'.'.join(map(str, SQLITE_NEEDED))} or newer is needed"
    return Finding("SQLite", "good" if good else "fault", sqlite3.sqlite_version + cure)


def _configuration(settings: config.Settings) -> Finding:
    return Finding("Configuration", "good", f"{settings.source}; data in {settings.data_path}")


def _folder(settings: config.Settings) -> Finding:
    folder = settings.data_path
    if not folder.is_dir():
        return Finding("Data folder", "fault", f"{folder} is missing. Run `qa upgrade`.")
    if not os.access(folder, os.W_OK):
        return Finding("Data folder", "fault", f"{folder} cannot be written by this user.")
    return Finding("Data folder", "good", str(folder))


def _disk(settings: config.Settings) -> Finding:
    place = settings.data_path if settings.data_path.exists() else Path.cwd()
    free = shutil.disk_usage(place).free / 1e9
    state = "good" if free >= DISK_NEEDED_GB else "fault"
    return Finding(
        "Disk", state, f"{free:.1f} GB free" + ("" if state == "good" else "; at least 1 GB is needed")
    )


def _key(settings: config.Settings) -> Finding:
    file = settings.key_path
    if not file.exists():
        return Finding(
            "Data key", "fault", f"{file} is missing. Run `qa upgrade`, or put the saved key there."
        )
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding("Data key", "fault", f"Others can read {file}. Run: chmod 600 {file}")
    return Finding("Data key", "good", f"{file}, fingerprint {crypto.load_keys(file).fingerprint()}")


def _database(settings: config.Settings) -> Finding:
    try:
        with Database(settings.database) as database, database.reading() as session:
            here = revision.current(session)
    except SQLAlchemyError as error:
        return Finding(
            "Database", "fault", f"does not answer: {str(error.__cause__ or error).splitlines()[0]}"
        )
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    if here != revision.head():
        return Finding("Database", "fault", f"{kind} at version {here or 'none'}. Run `qa upgrade`.")
    return Finding("Database", "good", f"{kind} at version {here}")


def _assets(_settings: config.Settings) -> Finding:
    manifest = resources.files("qa.web") / "static" / "dist" / "manifest.json"
    built = manifest.is_file()
    return Finding(
        "Assets", "good" if built else "fault", "built" if built else "not built. Run `make setup`."
    )


def _optional(module: str, what: str, cure: str) -> Callable[[config.Settings], Finding]:
    def look(_settings: config.Settings) -> Finding:
        here = importlib.util.find_spec(module) is not None
        return Finding(what, "good" if here else "absent", "installed" if here else f"optional; {cure}")

    return look


LOOKS: tuple[Callable[[config.Settings], Finding], ...] = (
    _python,
    _sqlite,
    _configuration,
    _folder,
    _disk,
    _key,
    _database,
    _assets,
    _optional("psycopg", "PostgreSQL driver", "pip install candor[postgres]"),
    _optional("redis", "Redis client", "pip install candor[redis]"),
)
