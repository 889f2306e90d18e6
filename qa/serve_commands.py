"""``qa serve`` and ``qa run``: the site, alone or with its worker beside it."""

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
from typing import Any

import click
from waitress.server import create_server

from qa import config
from qa.app import create_app
from qa.starting import NO_PLUGINS_OPTION, PORT_OPTION, settings_of
from qa.web.threads import Threads

RESTART_PAUSE_SECONDS = 1.0


@click.command()
@PORT_OPTION
@NO_PLUGINS_OPTION
@click.pass_obj
def serve(path: str | None, port: int | None, no_plugins: bool) -> None:
    """Serve the site until stopped. Background work needs `qa worker` beside it."""
    settings = settings_of(path, port, no_plugins=no_plugins)
    _serve(settings)


@click.command()
@PORT_OPTION
@NO_PLUGINS_OPTION
@click.pass_obj
def run(path: str | None, port: int | None, no_plugins: bool) -> None:
    """Serve the site and its worker together; the worker is started again when it dies."""
    settings = settings_of(path, port, no_plugins=no_plugins)
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
