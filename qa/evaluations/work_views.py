"""The workspace: open a draft, save each change, read the submit sheet, submit."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.sessions import draft_key_for, find_draft_key
from qa.core import clock
from qa.core.errors import Conflict, Forbidden, Invalid
from qa.core.text import faults_in
from qa.evaluations import draft_service as service
from qa.evaluations import queries
from qa.evaluations.autoscorer_service import machine_questions
from qa.evaluations.desk_queries import get_desk
from qa.evaluations.forms import EvaluationForm, evaluation_form
from qa.evaluations.markup import QuestionMarkup
from qa.evaluations.merge import (
    CAUSE,
    FIELDS,
    NOTE,
    POINT,
    WHOLE,
    WHOLE_FIELDS,
    Change,
    Conflicting,
)
from qa.evaluations.models import Evaluation
from qa.evaluations.result import AnswerRow, PinRow, answers_of, chosen_words, live, result_of
from qa.evaluations.work_page import SectionView, field_words, form_view, kept_fields
from qa.interactions.conversation import conversation_of
from qa.scorecards.queries import ReadyForm, form_of
from qa.scorecards.results import Result
from qa.scorecards.waterfall import waterfall
from qa.web.access import claims
from qa.web.charts.waterfall import chart
from qa.web.context import current_actor, reading, settings, transaction

bp = Blueprint("evaluations", __name__, template_folder="templates")


@bp.record_once
def _compile_markup(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals["questions_of"] = QuestionMarkup(state.app.jinja_env)


@bp.get("/evaluations/<int:evaluation_id>/work")
@claims(P.EVALUATION_EDIT)
def work(evaluation_id: int) -> ResponseReturnValue:
    """Show the workspace."""
    actor = current_actor()
    with reading() as opened:
        page = _page_facts(opened, evaluation_id)
        key = find_draft_key(opened, actor.id or 0)
    if key is None:
        with transaction() as opened:
            key = draft_key_for(opened, actor.id or 0)
    return render_template("evaluations/work.html", **page, draft_key=base64.b64encode(key).decode())


def _page_facts(opened: Session, evaluation_id: int) -> dict[str, Any]:
    actor = current_actor()
    desk = get_desk(opened, actor, evaluation_id)
    evaluation = desk.evaluation
    ready = form_of(evaluation.version)
    sections = form_view(ready, desk.answers, desk.pins, desk.heard.turns)
    return {
        "evaluation": evaluation,
        "has_machines": bool(machine_questions(ready)),
        "version": evaluation.version,
        "ready": ready,
        "sections": sections,
        "fields": kept_fields(sections),
        "whole": {name: getattr(evaluation, name) for name in WHOLE_FIELDS},
        "live": _live(ready, evaluation, desk.answers, desk.pins),
        "conversation": conversation_of(evaluation.interaction, desk.heard),
        "interaction": evaluation.interaction,
        "templates": queries.list_templates(opened, actor),
        "open_count": queries.count_open(opened, actor),
    }


def _live(
    ready: ReadyForm, evaluation: Evaluation, answers: Iterable[AnswerRow], pins: Iterable[PinRow]
) -> dict[str, Any]:
    return live(ready, evaluation.interaction, answers, pins, decimals=settings().decimals)


@bp.put("/evaluations/<int:evaluation_id>/draft")
@claims(P.EVALUATION_EDIT)
def autosave(evaluation_id: int) -> ResponseReturnValue:
    """Keep changes; answer with the new revision and the live score, or with the conflicts."""
    changes = _changes(request.get_json(silent=True))
    with transaction() as opened:
        saved = service.save_draft(opened, current_actor(), evaluation_id, changes, now=clock.now())
        evaluation, ready = saved.evaluation, saved.ready
        stored = answers_of(evaluation.answers)
        if saved.conflicts:
            told = [_conflict(ready, one) for one in saved.conflicts]
            sentence = (
                "This was changed in another place meanwhile. Nothing is lost: choose what shall stand."
            )
            return jsonify(error=sentence, revision=evaluation.revision, conflicts=told), 409
        return jsonify(
            revision=evaluation.revision,
            live=_live(ready, evaluation, evaluation.answers, evaluation.pins),
            answers=stored,
            comments={row.question: row.comment for row in evaluation.answers if row.comment},
            causes={row.question: row.root_cause for row in evaluation.answers if row.root_cause},
            coaching=[row.question for row in evaluation.answers if row.coaching],
            whole={name: getattr(evaluation, name) for name in WHOLE_FIELDS},
            worked_seconds=evaluation.worked_seconds,
        )


WHOLE_LABELS = {
    NOTE: "Private note",
    CAUSE: "Root cause of the whole conversation",
    POINT: "A word for the coach",
}


def _conflict(ready: ReadyForm, one: Conflicting) -> dict[str, Any]:
    question = ready.compiled.by_ref.get(one.question)
    return {
        "question": one.question,
        "number": question.number if question else None,
        "text": question.text if question else WHOLE_LABELS[one.field],
        "field": one.field,
        "theirs": one.theirs,
        "yours": one.yours,
        "theirs_words": field_words(ready, one.question, one.field, one.theirs),
        "yours_words": field_words(ready, one.question, one.field, one.yours),
    }


DAMAGED = "The change could not be read. Load the page again; what you typed is kept on this computer."


def _changes(body: Any) -> service.Changes:
    """Return a save from its JSON; every part is checked for its shape."""
    if not isinstance(body, dict):
        raise Invalid(DAMAGED)
    if fault := faults_in(body):
        raise Invalid(fault, errors=_where(body))
    answers, pins, seconds = body.get("changes", []), body.get("pins", {}), body.get("worked_seconds", 0)
    shaped = isinstance(answers, list) and isinstance(pins, dict) and isinstance(seconds, int)
    if not shaped or not all(_is_change(one) for one in answers):
        raise Invalid(DAMAGED)
    added, removed = pins.get("add", []), pins.get("remove", [])
    if (
        not isinstance(added, list)
        or not isinstance(removed, list)
        or not all(isinstance(p, dict) for p in added)
    ):
        raise Invalid(DAMAGED)
    return service.Changes(
        answers=[Change(one["question"], one["field"], one.get("was"), one.get("value")) for one in answers],
        pins_added=added,
        pins_removed=[str(one) for one in removed],
        worked_seconds=seconds,
    )


def _is_change(one: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("question"), str):
        return False
    return one.get("field") in (WHOLE_FIELDS if one["question"] == WHOLE else FIELDS)


def _where(body: dict[str, Any]) -> dict[str, str]:
    found = {}
    changes = body.get("changes")
    for one in changes if isinstance(changes, list) else []:
        if _is_change(one) and (fault := faults_in(one.get("value"))):
            found[one["question"]] = f"This text {fault.removeprefix('The text ')}"
    return found


@bp.post("/evaluations/<int:evaluation_id>/work")
@claims(P.EVALUATION_EDIT)
def save_plain(evaluation_id: int) -> ResponseReturnValue:
    """Keep the whole form, for browsers without scripts."""
    with reading() as opened:
        page = _page_facts(opened, evaluation_id)
    sections, evaluation = page["sections"], page["evaluation"]
    form = evaluation_form(page["ready"])(request.form)
    try:
        _refuse_stale(form, evaluation)
        lines = {line.position: line.turn_id for line in page["conversation"].lines if line.turn_id}
        added, removed = form.evidence(sections, lines)
        changes = service.Changes(
            answers=[*form.changes(sections), *form.whole_changes(evaluation)],
            pins_added=added,
            pins_removed=removed,
        )
        with transaction() as opened:
            saved = service.save_draft(opened, current_actor(), evaluation_id, changes, now=clock.now())
        if saved.conflicts:
            raise Conflict(STALE)
    except (Invalid, Conflict) as error:
        named = getattr(error, "errors", {})
        page |= {"fields": form.sent_fields(sections), "whole": form.data}
        page |= {"refused": error.message, "refusals": named, "draft_key": ""}
        return render_template("evaluations/work.html", **page), error.status
    target = ".sheet" if request.form.get("then") == "sheet" else ".work"
    return redirect(url_for(target, evaluation_id=evaluation_id), 303)


STALE = (
    "This draft was changed in another tab or by another save since you opened this page. "
    "What you typed is still here; load the page in a new tab and compare before you save again."
)


def _refuse_stale(form: EvaluationForm, evaluation: Evaluation) -> None:
    if form.revision.data != evaluation.revision:
        raise Conflict(STALE)


@bp.get("/evaluations/<int:evaluation_id>/sheet")
@claims(P.EVALUATION_SUBMIT)
def sheet(evaluation_id: int) -> ResponseReturnValue:
    """Show where each point goes, what is missing and what happens after the submit."""
    return _sheet(evaluation_id, None)


def _sheet(evaluation_id: int, refused: Invalid | None) -> str:
    actor = current_actor()
    with reading() as opened:
        desk = get_desk(opened, actor, evaluation_id)
        evaluation = desk.evaluation
        following = queries.find_next(opened, actor, but=evaluation.assignment_id)
    ready = form_of(evaluation.version)
    result = result_of(ready, evaluation.interaction, desk.answers)
    sections = form_view(ready, desk.answers, desk.pins, desk.heard.turns)
    name = "evaluations/_sheet.html" if request.headers.get("X-Fragment") else "evaluations/sheet.html"
    return render_template(
        name,
        evaluation=evaluation,
        interaction=evaluation.interaction,
        version=evaluation.version,
        form_def=ready.form,
        live=_live(ready, evaluation, desk.answers, desk.pins),
        questions={view.ref: view for section in sections for view in section.questions},
        failing=_failing(ready, result, sections),
        figure=chart(waterfall(ready.compiled, result), ready.compiled.pass_mark, settings().decimals),
        following=following,
        refused=refused,
    )


def _failing(ready: ReadyForm, result: Result, sections: tuple[SectionView, ...]) -> list[dict[str, Any]]:
    """Return the questions that lose points or fail, in form order, as the agent will read them."""
    views = {view.ref: view for section in sections for view in section.questions}
    causes = {cause.ref for cause in result.fail_causes}
    return [
        {
            "view": views[one.ref],
            "words": chosen_words(ready, one.ref, views[one.ref].answer),
            "fails": one.ref in causes,
        }
        for one in result.questions
        if one.ref in causes or (one.ratio is not None and Fraction(one.ratio) < 1)
    ]


@bp.post("/evaluations/<int:evaluation_id>/submit")
@claims(P.EVALUATION_SUBMIT)
def submit(evaluation_id: int) -> ResponseReturnValue:
    """Submit, and go on with the next one in the queue."""
    actor, now = current_actor(), clock.now()
    try:
        with transaction() as opened:
            service.submit_evaluation(opened, actor, evaluation_id, now=now)
    except Invalid as error:
        return _sheet(evaluation_id, error), 422
    flash("Submitted.", "success")
    if request.form.get("then") == "queue":
        return redirect(url_for(".queue"), 303)
    try:
        with transaction() as opened:
            draft = service.start_next(opened, actor, now=now)
    except (Conflict, Forbidden):
        draft = None
    if draft is None:
        return redirect(url_for(".queue"), 303)
    return redirect(url_for(".work", evaluation_id=draft.id), 303)
