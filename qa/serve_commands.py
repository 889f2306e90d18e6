"""``qa run``, ``qa serve`` and ``qa worker``: the processes of a site."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session
from waitress.server import create_server

from qa import config
from qa.app import create_app
from qa.core import crypto, logs, schema
from qa.core.db import Database
from qa.extensions.commands import faults_of_start
from qa.web.threads import Threads
from qa.worker import run_worker

RESTART_PAUSE_SECONDS = 1.0
PORT_OPTION = click.option("--port", type=click.IntRange(1, 65535), default=None, help="Another port.")


NO_PLUGINS_OPTION = click.option("--no-plugins", is_flag=True, help="Safe mode: run no plugin.")


def _settings(path: str | None, port: int | None, *, no_plugins: bool) -> config.Settings:
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
    found = faults_of_start(settings)
    for sentence in found:
        click.echo(f"qa: the plugin {sentence}", err=True)
    if found:
        sys.exit(2)


def _refuse_wrong_schema(settings: config.Settings) -> None:
    with Database(settings.database) as database, database.reading() as session:
        _check_revision(session)


def _check_revision(session: Session) -> None:
    here = schema.current(session)
    if here == schema.head():
        return
    known = schema.is_known(here)
    cure = "Run `qa upgrade`." if known else "Use the newer program, or restore a backup made by this one."
    click.echo(
        f"qa: the database is at version {here or 'none'}, this program needs {schema.head()}. {cure}",
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


@click.command()
@PORT_OPTION
@NO_PLUGINS_OPTION
@click.pass_obj
def serve(path: str | None, port: int | None, no_plugins: bool) -> None:
    """Serve the site until stopped. Background work needs `qa worker` beside it."""
    settings = _settings(path, port, no_plugins=no_plugins)
    _serve(settings)


@click.command()
@NO_PLUGINS_OPTION
@click.pass_obj
def worker(path: str | None, no_plugins: bool) -> None:
    """Do the background work until stopped: media, releases, deliveries."""
    settings = _settings(path, None, no_plugins=no_plugins)
    run_worker(settings)


@click.command()
@PORT_OPTION
@NO_PLUGINS_OPTION
@click.pass_obj
def run(path: str | None, port: int | None, no_plugins: bool) -> None:
    """Serve the site and its worker together; the worker is started again when it dies."""
    settings = _settings(path, port, no_plugins=no_plugins)
    stopping = threading.Event()
    keeper = threading.Thread(target=_keep_worker, args=(path, stopping), daemon=True)
    _greet(settings)
    keeper.start()
    try:
        _serve(settings)
    finally:
        stopping.set()
        keeper.join(timeout=35)


def _serve(settings: config.Settings) -> None:
    app = create_app(settings)
    try:
        server = create_server(
            app,
            host=settings.host,
            port=settings.port,
            _dispatcher=Threads(settings.threads),
            **_proxy(settings),
            ident=None,
            channel_timeout=60,
        )
    except OSError as error:
        raise click.ClickException(
            f"Port {settings.port} on {settings.host} is taken. "
            "Stop what runs there, or choose another with --port."
        ) from error

    def stop(_signal: int, _frame: Any) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    try:
        server.run()
    except (SystemExit, KeyboardInterrupt):
        server.close()
        server.task_dispatcher.shutdown(timeout=30)


def _proxy(settings: config.Settings) -> dict[str, Any]:
    """Return whom to believe about the address and scheme a request came with: nobody, or one proxy."""
    if not settings.trusted_proxy:
        return {"clear_untrusted_proxy_headers": True}
    headers = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
    return {
        "trusted_proxy": settings.trusted_proxy,
        "trusted_proxy_headers": headers,
        "clear_untrusted_proxy_headers": True,
    }


def _keep_worker(path: str | None, stopping: threading.Event) -> None:
    command = [sys.executable, "-m", "qa.cli", *(["--config", path] if path else []), "worker"]
    while not stopping.is_set():
        child = subprocess.Popen(command, env={**os.environ, "QA_PARENT": str(os.getpid())})  # noqa: S603
        while child.poll() is None and not stopping.wait(0.3):
            pass
        if stopping.is_set():
            child.terminate()
            child.wait(timeout=30)
            return
        logging.getLogger(__name__).warning("worker ended with %s; starting it again", child.returncode)
        time.sleep(RESTART_PAUSE_SECONDS)


def _greet(settings: config.Settings) -> None:
    click.echo(f"\n  Candor  http://{_shown_host(settings.host)}:{settings.port}\n")
    sign_ins = settings.data_path / "demo-users.json"
    if sign_ins.exists():
        click.echo("  Demo data is loaded. Sign in as:\n")
        for user in json.loads(sign_ins.read_text(encoding="utf-8"))["users"]:
            click.echo(f"    {user['role']:<12} {user['email']:<36} {user['password']}")
        click.echo("\n  Take the demo data away with: qa demo --remove\n")
    else:
        click.echo("  Add the first person with: qa user add --role admin …\n")


def _shown_host(host: str) -> str:
    try:
        socket.inet_pton(socket.AF_INET6, host)
    except OSError:
        return host
    return f"[{host}]"
