"""``qa jobs``: background work, listed and steered."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

import click

from qa import config
from qa.core import clock, jobs
from qa.core.db import Database
from qa.core.errors import Conflict
from qa.worker import run_until_empty


@click.group()
def group() -> None:
    """List, retry and discard background jobs."""


def _database(path: str | None) -> Database:
    return Database(config.load(Path(path) if path else None).database)


@group.command(name="list")
@click.option(
    "--state", type=click.Choice(["queued", "running", "done", "cancelled", "dead"]), help="Only these."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(path: str | None, state: str | None, as_json: bool) -> None:
    """Print the newest fifty jobs with state and reason."""
    with _database(path).reading() as session:
        found = jobs.list_jobs(session, state=state)
        counted = jobs.counts(session)
    if as_json:
        rows = [
            {"id": j.id, "kind": j.kind, "state": j.state, "attempt": j.attempt, "error": j.error}
            for j in found
        ]
        click.echo(json.dumps({"counts": counted, "jobs": rows}))
        return
    for job in found:
        click.echo(f"{job.id:>8}  {job.state:<9} {job.kind:<26} {job.error or job.message}")
    click.echo(", ".join(f"{number} {name}" for name, number in sorted(counted.items())) or "No jobs.")


@group.command()
@click.argument("job_id", type=int)
@click.pass_obj
def retry(path: str | None, job_id: int) -> None:
    """Queue a dead or cancelled job again."""
    with _database(path).transaction() as session:
        if not jobs.retry(session, job_id, now=clock.now()):
            raise Conflict(f"Job {job_id} is neither dead nor cancelled.")
    click.echo("Queued again.")


@group.command()
@click.option("--days", default=7, show_default=True, help="Finished longer ago than this.")
@click.pass_obj
def discard(path: str | None, days: int) -> None:
    """Remove finished jobs; dead ones stay."""
    removed = jobs.discard(_database(path), before=clock.now() - timedelta(days=days))
    click.echo(f"{removed} removed.")


@group.command()
@click.argument("kind", type=click.Choice(["noop"]))
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 1_000_000))
@click.pass_obj
def enqueue(path: str | None, kind: str, count: int) -> None:
    """Queue jobs that do nothing, to measure the worker."""
    database = _database(path)
    while count > 0:
        with database.transaction() as session:
            for _ in range(min(count, 500)):
                jobs.enqueue(session, kind, {}, now=clock.now())
        count -= 500
    click.echo("Queued.")


@group.command()
@click.option("--until-empty", is_flag=True, required=True, help="Stop when nothing is due.")
@click.pass_obj
def run(path: str | None, until_empty: bool) -> None:
    """Do what is due, in this process."""
    started = time.monotonic()
    ran = run_until_empty(config.load(Path(path) if path else None))
    seconds = max(time.monotonic() - started, 0.001)
    click.echo(f"{ran} jobs in {seconds:.1f} s, {ran / seconds:.0f} a second.")
