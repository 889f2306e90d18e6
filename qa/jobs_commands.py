"""``qa jobs``: background work, listed and steered."""

from __future__ import annotations

import json
import sys
import time
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from qa import config
from qa.core import bell, clock, jobs, outbox
from qa.core.db import Database
from qa.worker import run_until_empty

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
BATCH = 500
FAULT, REFUSED = 1, 3


@click.group()
def group() -> None:
    """List, retry and discard background jobs.

    Exit codes: 0 good, 1 found a fault, 2 wrong use, 3 refused.
    """


def _database(path: str | None) -> AbstractContextManager[Database]:
    settings = config.load(Path(path) if path else None)
    return bell.ringing_database(settings.database, settings.queue_url, settings.data_path)


@group.command(name="list")
@click.option("--state", type=click.Choice(jobs.STATES), help="Only these.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000))
@JSON
@click.pass_obj
def list_(path: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """Print the newest jobs with state and reason, and the events that could not be delivered.

    Exits 1 when anything is on the dead list.
    """
    with _database(path) as database, database.reading() as session:
        found = [_row(job) for job in jobs.list_jobs(session, state=state, limit=limit)]
        counted = jobs.counts(session)
        undelivered = [_delivery(dead, name) for dead, name in outbox.list_dead(session, limit=limit)]
        beat = jobs.worker_heartbeat(session)
    if as_json:
        seen = None if beat is None else beat.isoformat()
        click.echo(
            json.dumps({"counts": counted, "jobs": found, "undelivered": undelivered, "worker_seen_at": seen})
        )
    else:
        _print(found, undelivered, counted, beat)
    if counted.get("dead") or undelivered:
        sys.exit(FAULT)


def _row(job: jobs.Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "queue": job.queue,
        "state": job.state,
        "attempt": job.attempt,
        "done": job.done_count,
        "total": job.total_count,
        "message": job.message,
        "error": job.error,
    }


def _delivery(dead: outbox.OutboxDelivery, name: str) -> dict[str, Any]:
    return {"event_id": dead.event_id, "event": name, "target": dead.target, "error": dead.error}


def _print(
    found: list[dict[str, Any]],
    undelivered: list[dict[str, Any]],
    counted: dict[str, int],
    beat: datetime | None,
) -> None:
    for job in found:
        words = job["error"] or job["message"]
        click.echo(f"{job['id']:>8}  {job['state']:<9} {job['kind']:<26} {words}".rstrip())
    for dead in undelivered:
        click.echo(
            f"event {dead['event_id']}  {dead['event']} not delivered to {dead['target']}: {dead['error']}"
        )
    click.echo(", ".join(f"{number} {state}" for state, number in sorted(counted.items())) or "No jobs.")
    if counted.get("queued") and (beat is None or clock.now() - beat > timedelta(minutes=1)):
        click.echo("No worker runs. Start one with: qa worker")


@group.command()
@click.argument("job_ids", type=int, nargs=-1)
@click.option("--all", "every", is_flag=True, help="Everything on the dead list.")
@click.option("--event", "event_id", type=int, help="Deliver this event again where that was given up.")
@JSON
@click.pass_obj
def retry(
    path: str | None, job_ids: tuple[int, ...], every: bool, event_id: int | None, as_json: bool
) -> None:
    """Queue dead or cancelled jobs again, or deliver an event again."""
    if not (job_ids or every or event_id):
        raise click.UsageError("Name a job, --event ID or --all.")
    now = clock.now()
    with _database(path) as database, database.transaction() as session:
        dead = jobs.list_jobs(session, state="dead", limit=100_000) if every else []
        wanted = [*job_ids, *(job.id for job in dead)]
        queued = [job_id for job_id in wanted if jobs.retry(session, job_id, now=now)]
        events = outbox.retry_dead(session, now=now, event_id=event_id) if every or event_id else 0
    refused = [job_id for job_id in job_ids if job_id not in queued]
    words = f"{len(queued)} queued again, {events} deliveries to be tried again."
    _tell(as_json, words, {"queued": queued, "deliveries": events, "refused": refused}, refused)


@group.command()
@click.argument("job_ids", type=int, nargs=-1)
@click.option("--finished-days", type=click.IntRange(0), help="Also what finished longer ago than this.")
@JSON
@click.pass_obj
def discard(path: str | None, job_ids: tuple[int, ...], finished_days: int | None, as_json: bool) -> None:
    """Remove dead or cancelled jobs for good; what they were to do stays undone."""
    if not job_ids and finished_days is None:
        raise click.UsageError("Name a job or --finished-days.")
    with _database(path) as database:
        with database.transaction() as session:
            gone = [job_id for job_id in job_ids if jobs.discard_dead(session, job_id)]
        finished = 0
        if finished_days is not None:
            finished = jobs.forget_finished(database, before=clock.now() - timedelta(days=finished_days))
    refused = [job_id for job_id in job_ids if job_id not in gone]
    words = f"{len(gone) + finished} removed."
    _tell(as_json, words, {"removed": gone, "finished": finished, "refused": refused}, refused)


def _tell(as_json: bool, words: str, facts: dict[str, Any], refused: list[int]) -> None:
    click.echo(json.dumps(facts) if as_json else words)
    if refused:
        listed = ", ".join(map(str, refused))
        click.echo(f"Not dead or cancelled, so left alone: {listed}", err=True)
        sys.exit(REFUSED)


@group.command()
@click.argument("kind", type=click.Choice(["noop"]))
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 1_000_000))
@JSON
@click.pass_obj
def enqueue(path: str | None, kind: str, count: int, as_json: bool) -> None:
    """Queue jobs that do nothing, to measure the worker."""
    with _database(path) as database:
        for start in range(0, count, BATCH):
            with database.transaction() as session:
                for _ in range(min(BATCH, count - start)):
                    jobs.enqueue(session, kind, {}, now=clock.now())
    _tell(as_json, f"{count} queued.", {"queued": count}, [])


@group.command()
@click.option("--until-empty", is_flag=True, required=True, help="Stop when nothing is due.")
@JSON
@click.pass_obj
def run(path: str | None, until_empty: bool, as_json: bool) -> None:
    """Do what is due, in this process. Exits 1 when anything is on the dead list afterwards."""
    settings = config.load(Path(path) if path else None)
    started = time.monotonic()
    ran = run_until_empty(settings)
    seconds = max(time.monotonic() - started, 0.001)
    with _database(path) as database, database.reading() as session:
        dead = jobs.counts(session).get("dead", 0)
    facts = {"ran": ran, "seconds": round(seconds, 3), "per_second": round(ran / seconds), "dead": dead}
    _tell(as_json, f"{ran} jobs in {seconds:.1f} s, {ran / seconds:.0f} a second.", facts, [])
    if dead:
        sys.exit(FAULT)
