"""Reading what was judged: the agent's page and everybody's, with the acts that follow."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import allowed
from qa.core import clock
from qa.core.errors import Conflict, Invalid, NotFound
from qa.evaluations import life_service as service
from qa.evaluations import queries
from qa.evaluations.forms import AcknowledgeForm, VoidForm, evaluation_form
from qa.evaluations.history import changed_sentence, compare
from qa.evaluations.models import Evaluation
from qa.evaluations.result import result_of, section_points
from qa.evaluations.words import read_rows, verdict
from qa.evaluations.work_page import form_view, kept_fields, pin_view, whole_causes
from qa.evaluations.work_views import bp
from qa.interactions.conversation import conversation_of
from qa.interactions.queries import Heard, heard_in
from qa.scorecards.queries import form_of, list_scorecards
from qa.scorecards.results import SectionResult
from qa.scorecards.waterfall import waterfall
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.charts.waterfall import chart
from qa.web.context import current_actor, reading, settings, transaction


@bp.get("/evaluations")
@claims(P.EVALUATION_READ)
def index() -> ResponseReturnValue:
    """List evaluations."""
    asked = request.args
    wanted = queries.EvaluationFilter(
        state=asked.get("state", "")
        if asked.get("state") in {"submitted", "released", "acknowledged", "voided"}
        else "",
        outcome=asked.get("outcome", "") if asked.get("outcome") in {"pass", "fail", "not_scored"} else "",
        scorecard_id=asked_id(asked, "scorecard"),
        agent_id=asked_id(asked, "agent"),
        is_marked=asked.get("marked") == "yes",
    )
    with reading() as opened:
        page = queries.list_evaluations(opened, current_actor(), wanted, after=asked.get("after"))
        cards = list_scorecards(opened, current_actor())
    return render_template("evaluations/index.html", page=page, wanted=wanted, cards=cards)


@bp.get("/interactions/<int:interaction_id>/evaluations")
@claims(P.EVALUATION_READ)
def of_interaction(interaction_id: int) -> ResponseReturnValue:
    """List the evaluations of one conversation, as a page or as a panel of its page."""
    with reading() as opened:
        found = queries.list_of_interaction(opened, current_actor(), interaction_id)
    name = "_of_interaction.html" if request.headers.get("HX-Request") else "of_interaction.html"
    return render_template(f"evaluations/{name}", evaluations=found, interaction_id=interaction_id)


@bp.get("/evaluations/<int:evaluation_id>")
@claims(P.EVALUATION_READ)
def show(evaluation_id: int) -> ResponseReturnValue:
    """Show one submitted evaluation; one's own draft opens in the workspace."""
    return _show(evaluation_id, AcknowledgeForm())


def _show(evaluation_id: int, form: AcknowledgeForm) -> ResponseReturnValue:
    actor = current_actor()
    with reading() as opened:
        evaluation = queries.find_for_reading(opened, actor, evaluation_id)
        if evaluation is None:
            draft = queries.get_evaluation(opened, actor, evaluation_id)
            return redirect(url_for(".work", evaluation_id=draft.id), 303)
        heard = heard_in(opened, evaluation.interaction_id)
    return render_template("evaluations/show.html", form=form, **_facts(evaluation, heard))


def _facts(evaluation: Evaluation, heard: Heard) -> dict[str, Any]:
    actor, decimals = current_actor(), settings().decimals
    ready = form_of(evaluation.version)
    turns = {turn.id: turn for turn in heard.turns}
    pins: dict[str, list[Any]] = {}
    for pin in evaluation.pins:
        pins.setdefault(pin.question, []).append(pin_view(pin, turns))
    parts = [SectionResult(**part) for part in (evaluation.breakdown or {}).get("sections", [])]
    result = result_of(ready, evaluation.interaction, evaluation.answers)
    scope = evaluation.scope
    may = {
        name: allowed(actor, permission, scope)
        for name, permission in {
            "acknowledge": P.EVALUATION_ACKNOWLEDGE,
            "revise": P.EVALUATION_REVISE,
            "release": P.EVALUATION_RELEASE,
            "void": P.EVALUATION_VOID,
        }.items()
    }
    return {
        "evaluation": evaluation,
        "interaction": evaluation.interaction,
        "conversation": conversation_of(evaluation.interaction, heard),
        "form_def": ready.form,
        "compiled": ready.compiled,
        "rows": read_rows(ready, evaluation, decimals),
        "section_points": {part.ref: section_points(part, decimals) for part in parts},
        "verdict": verdict(ready, evaluation, decimals),
        "pins": pins,
        "comments": {row.question: row.comment for row in evaluation.answers if row.comment},
        "starred": {row.question for row in evaluation.answers if row.coaching},
        "whole_cause": dict(whole_causes(ready)).get(evaluation.root_cause, ""),
        "causes": _causes(evaluation, {cause.ref: cause.text for cause in ready.form.root_causes}),
        "figure": chart(waterfall(ready.compiled, result), ready.compiled.pass_mark, decimals),
        "mine": actor.id == evaluation.agent_id,
        "may": may,
    }


def _causes(evaluation: Evaluation, words: dict[str, str]) -> dict[str, str]:
    return {row.question: words.get(row.root_cause, "") for row in evaluation.answers if row.root_cause}


@bp.post("/evaluations/<int:evaluation_id>/acknowledge")
@claims(P.EVALUATION_ACKNOWLEDGE)
def acknowledge(evaluation_id: int) -> ResponseReturnValue:
    """Keep that the agent has read it."""
    form = AcknowledgeForm(request.form)
    if form.validate():
        try:
            with transaction() as opened:
                service.acknowledge(
                    opened, current_actor(), evaluation_id, comment=form.comment.data or "", now=clock.now()
                )
        except Invalid as error:
            form.take(error)
        else:
            flash("Thank you. Your evaluator and your lead see that you have read it.", "success")
            return redirect(url_for(".show", evaluation_id=evaluation_id), 303)
    page = _show(evaluation_id, form)
    return (page, 422) if isinstance(page, str) else page


@bp.post("/evaluations/<int:evaluation_id>/release")
@claims(P.EVALUATION_RELEASE)
def release(evaluation_id: int) -> ResponseReturnValue:
    """Let the agent read it now."""
    with transaction() as opened:
        service.release(opened, current_actor(), evaluation_id, now=clock.now())
    flash("Released. The agent may read it now.", "success")
    return redirect(url_for(".show", evaluation_id=evaluation_id), 303)


@bp.route("/evaluations/<int:evaluation_id>/revise", methods=["GET", "POST"])
@claims(P.EVALUATION_REVISE)
def revise(evaluation_id: int) -> ResponseReturnValue:
    """Change a submitted evaluation, with a reason."""
    with reading() as opened:
        evaluation = queries.get_for_reading(opened, current_actor(), evaluation_id)
        turns = heard_in(opened, evaluation.interaction_id).turns
    ready = form_of(evaluation.version)
    sections = form_view(ready, evaluation.answers, evaluation.pins, turns)
    form = evaluation_form(ready)(request.form, data={"revision": evaluation.number})
    refused = None
    if request.method == "POST":
        try:
            with transaction() as opened:
                service.revise(
                    opened,
                    current_actor(),
                    evaluation_id,
                    changes=form.changes(sections),
                    reason=form.reason.data or "",
                    seen_number=form.revision.data or 0,
                    now=clock.now(),
                )
        except (Invalid, Conflict) as error:
            refused = error
        else:
            flash(
                "Revised. The former version stays readable; the agent is asked to read it again.", "success"
            )
            return redirect(url_for(".show", evaluation_id=evaluation_id), 303)
    page = {
        "evaluation": evaluation,
        "ready": ready,
        "fields": form.sent_fields(sections) if refused else kept_fields(sections),
        "form": form,
        "refused": refused,
    }
    answer = render_template("evaluations/revise.html", **page)
    return answer, refused.status if refused else 200


@bp.get("/evaluations/<int:evaluation_id>/revisions/<int:number>")
@claims(P.EVALUATION_READ)
def revision(evaluation_id: int, number: int) -> ResponseReturnValue:
    """Show what an evaluation said before a revision, beside what the next one says."""
    with reading() as opened:
        evaluation = queries.get_for_reading(opened, current_actor(), evaluation_id)
    by_number = {one.number: one for one in evaluation.revisions}
    former = by_number.get(number)
    if former is None:
        raise NotFound("There is no such revision.")
    following = by_number[number + 1].snapshot if number + 1 in by_number else service.snapshot(evaluation)
    ready = form_of(evaluation.version)
    rows = compare(ready, former.snapshot, following, settings().decimals)
    return render_template(
        "evaluations/revision.html",
        evaluation=evaluation,
        interaction=evaluation.interaction,
        former=former,
        following=following,
        rows=rows,
        changed=sum(row.changed for row in rows),
        sentence=changed_sentence(ready, former.snapshot, following, settings().decimals),
        form_def=ready.form,
        mine=current_actor().id == evaluation.agent_id,
    )


@bp.route("/evaluations/<int:evaluation_id>/void", methods=["GET", "POST"])
@claims(P.EVALUATION_VOID)
def void(evaluation_id: int) -> ResponseReturnValue:
    """Take an evaluation out of everything that counts, with a reason."""
    form = VoidForm(request.form)
    with reading() as opened:
        evaluation = queries.get_for_reading(opened, current_actor(), evaluation_id)
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                service.void(
                    opened, current_actor(), evaluation_id, reason=form.reason.data or "", now=clock.now()
                )
        except Invalid as error:
            form.take(error)
        else:
            flash("It counts no more. It stays readable, with your reason.", "success")
            return redirect(url_for(".show", evaluation_id=evaluation_id), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("evaluations/void.html", evaluation=evaluation, form=form), status
