"""``qa evaluations verify``: recompute every stored score from stored answers and scorecard version."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from qa import config
from qa.core.db import Database
from qa.evaluations.models import Evaluation
from qa.evaluations.result import result_of, stored_differs
from qa.scorecards.answers import AnswerError
from qa.scorecards.queries import form_of

CHUNK = 500


@click.group()
def group() -> None:
    """Recompute stored scores and compare."""


@group.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def verify(path: str | None, as_json: bool) -> None:
    """Recompute every submitted evaluation; name each that differs. Exits 1 when one does."""
    settings = config.load(Path(path) if path else None)
    checked, faults = 0, []
    database = click.get_current_context().with_resource(Database(settings.database))
    for evaluation in submitted(database):
        checked += 1
        if problem := problem_of(evaluation):
            faults.append({"evaluation": evaluation.id, "problem": problem})
    if as_json:
        click.echo(json.dumps({"checked": checked, "faults": faults}))
    else:
        for fault in faults:
            click.echo(f"evaluation {fault['evaluation']}: {fault['problem']}")
        click.echo(f"{checked} recomputed, {len(faults)} differ.")
    if faults:
        sys.exit(1)


def submitted(database: Database) -> Iterator[Evaluation]:
    """Yield every submitted evaluation with what it was scored from, in flat memory."""
    last = 0
    while True:
        with database.reading() as session:
            chunk = list(
                session.scalars(
                    select(Evaluation)
                    .where(Evaluation.submitted_at.is_not(None), Evaluation.id > last)
                    .options(
                        joinedload(Evaluation.version),
                        joinedload(Evaluation.interaction),
                        selectinload(Evaluation.answers),
                    )
                    .order_by(Evaluation.id)
                    .limit(CHUNK)
                )
            )
        yield from chunk
        if len(chunk) < CHUNK:
            return
        last = chunk[-1].id


def problem_of(evaluation: Evaluation) -> str | None:
    """Return how the stored result differs from the recomputed one, or None."""
    try:
        result = result_of(form_of(evaluation.version), evaluation.interaction, evaluation.answers)
    except AnswerError as error:
        return f"its answers cannot be scored: {error}"
    return stored_differs(evaluation, result)
