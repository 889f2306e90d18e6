"""Machines: how each did against people, switched on, stopped; and their suggestions in the workspace."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import may_somewhere
from qa.core import clock
from qa.core.errors import Conflict, Invalid
from qa.evaluations import autoscorer_service as service
from qa.evaluations import queries
from qa.evaluations.result import chosen_words
from qa.interactions.queries import heard_in
from qa.scorecards.queries import form_of
from qa.web.access import claims
from qa.web.context import current_actor, reading, transaction

bp = Blueprint("autoscorers", __name__, template_folder="templates")


@bp.get("/autoscorers")
@claims(P.AUTOSCORER_READ_LOG)
def index() -> ResponseReturnValue:
    """Show each question that a machine may answer and how it did, in words."""
    with reading() as opened:
        lines = service.list_scorers(opened, current_actor())
    may_change = may_somewhere(current_actor(), P.AUTOSCORER_PROMOTE)
    return render_template("evaluations/autoscorers.html", lines=lines, may_change=may_change)


@bp.post("/autoscorers/<int:scorecard_id>/<question>")
@claims(P.AUTOSCORER_PROMOTE)
def change(scorecard_id: int, question: str) -> ResponseReturnValue:
    """Change a machine's mode, stop it or let it go on."""
    asked = request.form.get("mode", "")
    try:
        with transaction() as opened:
            if asked in {"stop", "go"}:
                service.stop(
                    opened,
                    current_actor(),
                    scorecard_id=scorecard_id,
                    question=question,
                    is_stopped=asked == "stop",
                    now=clock.now(),
                )
            else:
                service.set_mode(
                    opened,
                    current_actor(),
                    scorecard_id=scorecard_id,
                    question=question,
                    mode=asked,
                    now=clock.now(),
                )
    except (Conflict, Invalid) as error:
        flash(error.message, "error")
    return redirect(url_for(".index"), 303)


@bp.post("/autoscorers/stop-all")
@claims(P.AUTOSCORER_PROMOTE)
def stop_all() -> ResponseReturnValue:
    """Stop every machine at once."""
    with transaction() as opened:
        count = service.stop(
            opened, current_actor(), scorecard_id=None, question="", is_stopped=True, now=clock.now()
        )
    flash(f"{count} stopped. Nothing they said is shown any more.", "success")
    return redirect(url_for(".index"), 303)


@bp.get("/evaluations/<int:evaluation_id>/suggestions")
@claims(P.SUGGESTION_READ)
def suggestions(evaluation_id: int) -> ResponseReturnValue:
    """Show what machines say about the questions that are answered already."""
    with reading() as opened:
        shown = service.list_suggestions(opened, current_actor(), evaluation_id)
        evaluation = queries.get_own_draft(opened, current_actor(), evaluation_id)
        turns = {turn.position: turn for turn in heard_in(opened, evaluation.interaction_id).turns}
    ready = form_of(evaluation.version)
    part = request.headers.get("HX-Request") is not None
    return render_template(
        "evaluations/_suggestions.html" if part else "evaluations/suggestions.html",
        evaluation=evaluation,
        shown=shown,
        turns=turns,
        numbers={ref: one.number for ref, one in ready.compiled.by_ref.items()},
        words={
            one.row.id: (
                chosen_words(ready, one.row.question, one.row.answer),
                chosen_words(ready, one.row.question, one.own),
            )
            for one in shown
        },
    )


@bp.post("/evaluations/<int:evaluation_id>/suggestions/<int:machine_answer_id>")
@claims(P.EVALUATION_EDIT)
def decide(evaluation_id: int, machine_answer_id: int) -> ResponseReturnValue:
    """Accept a machine's answer, or reject it with a reason."""
    try:
        with transaction() as opened:
            service.decide(
                opened,
                current_actor(),
                evaluation_id,
                machine_answer_id,
                accepts=request.form.get("decision") == "accept",
                reason=request.form.get("reason", ""),
                now=clock.now(),
            )
    except (Conflict, Invalid) as error:
        flash(error.message, "error")
    return redirect(url_for("evaluations.work", evaluation_id=evaluation_id), 303)
