"""A training that somebody has: read it, try its quiz, see the tries; and marking what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import allowed
from qa.coaching import quiz, training_queries, training_task_service
from qa.coaching.training_blueprint import bp
from qa.coaching.training_forms import CompleteForm, answers_in, data_of, mark_form, quiz_form
from qa.coaching.training_models import DONE, OPEN, TrainingAttempt, TrainingTask
from qa.core import clock
from qa.core.actor import Actor
from qa.core.errors import Conflict, DomainError, Invalid, NotFound
from qa.scorecards.queries import form_of, list_active
from qa.web.access import claims
from qa.web.context import current_actor, reading, transaction
from qa.web.forms import Form


@bp.get("/training/<int:task_id>")
@claims(P.TRAINING_COMPLETE, P.TRAINING_ASSIGN)
def task(task_id: int) -> ResponseReturnValue:
    """Show a training that one has, or that one gave."""
    return _page(task_id)


@bp.post("/training/<int:task_id>/complete")
@claims(P.TRAINING_COMPLETE)
def complete(task_id: int) -> ResponseReturnValue:
    """Keep that somebody went through a training without a quiz."""
    form = CompleteForm(request.form)
    if not form.validate():
        return _page(task_id, complete_form=form), 422
    with transaction() as opened:
        training_task_service.complete(opened, current_actor(), task_id, now=clock.now())
    flash("Done.", "success")
    return redirect(url_for(".task", task_id=task_id), 303)


@bp.post("/training/<int:task_id>/quiz")
@claims(P.TRAINING_COMPLETE)
def answer_quiz(task_id: int) -> ResponseReturnValue:
    """Keep the answers, or hand them in."""
    actor = current_actor()
    with reading() as opened:
        found = training_queries.get_task(opened, actor, task_id)
    questions = quiz.read(found.version.quiz)
    form = quiz_form(questions, orders_of(found, questions))(request.form)
    if not form.validate():
        return _page(task_id, form=form), 422
    act = training_task_service.hand_in
    if request.form.get("act") == "later":
        act = training_task_service.save_answers
    try:
        with transaction() as opened:
            attempt = act(opened, actor, task_id, answers_in(form, questions), now=clock.now())
            words = _words(attempt, questions)
    except (Invalid, Conflict) as error:
        _show(form, error)
        return _page(task_id, form=form), error.status
    flash(words, "success")
    return redirect(url_for(".task", task_id=task_id), 303)


def _words(attempt: TrainingAttempt, questions: Sequence[quiz.Question]) -> str:
    if attempt.handed_in_at is None:
        return "Your answers are kept."
    if attempt.passed is None:
        return "Handed in. Your own words are read by a person; you are told the result."
    result = f"{attempt.points} of {quiz.total(questions)} points"
    return f"{result}: passed." if attempt.passed else f"{result}: not passed this time."


def _show(form: Form, error: DomainError) -> None:
    if isinstance(error, Invalid):
        form.take(error)
    else:
        form.form_errors.append(error.message)


def orders_of(found: TrainingTask, questions: Sequence[quiz.Question]) -> dict[str, list[int]]:
    """Return in which order steps are shown: the same for somebody until the try is handed in."""
    number = sum(one.handed_in_at is not None for one in found.attempts)
    return {
        one.ref: quiz.shuffled(one, f"{found.id}:{number}:{one.ref}")
        for one in questions
        if one.kind == quiz.ORDER
    }


def _page(task_id: int, form: Form | None = None, complete_form: CompleteForm | None = None) -> str:
    actor = current_actor()
    with reading() as opened:
        found = training_queries.get_task(opened, actor, task_id)
        missing = training_queries.find_missing(opened, actor, found)
        cards = list_active(opened, actor) if found.module.tags else []
    questions = quiz.read(found.version.quiz)
    running = next((one for one in found.attempts if one.handed_in_at is None), None)
    orders = orders_of(found, questions)
    if form is None:
        form = quiz_form(questions, orders)(data=data_of(running.answers if running else {}, questions))
    handed = [one for one in found.attempts if one.handed_in_at is not None]
    open_to_try = found.state == OPEN and not missing and not any(one.waits for one in handed)
    return render_template(
        "training/task.html",
        task=found,
        version=found.version,
        missing=missing,
        questions=questions,
        orders=orders,
        form=form,
        complete_form=complete_form or CompleteForm(),
        running=running,
        tries=[_try_view(one, questions) for one in handed],
        number=len(handed) + 1,
        tries_open=open_to_try,
        needed=quiz.needed(questions, found.version.pass_percent),
        total=quiz.total(questions),
        kinds=quiz.KINDS,
        helps=_helps(found, {card.scorecard_id: form_of(card).compiled.by_ref for card in cards}),
        mine=allowed(actor, P.TRAINING_COMPLETE, found.scope),
        may_mark=allowed(actor, P.TRAINING_ASSIGN, found.scope),
        shows_right=found.state != OPEN,
        now=clock.now(),
    )


def _helps(found: TrainingTask, cards: Mapping[int, Mapping[str, Any]]) -> list[str]:
    texts = (cards.get(tag.scorecard_id, {}).get(tag.question) for tag in found.module.tags)
    return [one.text for one in texts if one is not None]


def _try_view(attempt: TrainingAttempt, questions: Sequence[quiz.Question]) -> dict[str, Any]:
    marked = quiz.mark(questions, attempt.answers, attempt.marks)
    return {
        "attempt": attempt,
        "marked": [
            (one, said(one.question, attempt.answers.get(one.question.ref)), right_words(one.question))
            for one in marked
        ],
    }


def right_words(question: quiz.Question) -> str:
    """Return the right answer in words; own words have none."""
    return said(question, sorted(question.right)) if question.options else ""


def said(question: quiz.Question, answer: Any) -> str:
    """Return an answer in words."""
    if answer is None:
        return ""
    if question.kind == quiz.FREE:
        return str(answer)
    places = answer if isinstance(answer, list) else [answer]
    joiner = ", then " if question.kind == quiz.ORDER else ", "
    return joiner.join(question.options[place] for place in places if place < len(question.options))


@bp.route("/training/<int:task_id>/tries/<int:number>/mark", methods=["GET", "POST"])
@claims(P.TRAINING_ASSIGN)
def mark(task_id: int, number: int) -> ResponseReturnValue:
    """Mark what somebody wrote in their own words."""
    actor = current_actor()
    with reading() as opened:
        found = _to_mark(training_queries.get_task(opened, actor, task_id), actor)
    attempt = next((one for one in found.attempts if one.number == number and one.waits), None)
    if attempt is None:
        raise NotFound("This try is marked already, or there is none.")
    questions = [one for one in quiz.read(found.version.quiz) if one.kind == quiz.FREE]
    form = mark_form(questions)(request.form)
    if request.method == "POST" and form.validate():
        marks = {
            one.ref: training_task_service.Mark(
                form[f"points{one.ref}"].data, form[f"comment{one.ref}"].data or ""
            )
            for one in questions
        }
        try:
            with transaction() as opened:
                training_task_service.mark_attempt(opened, actor, task_id, number, marks, now=clock.now())
        except Invalid as error:
            form.take(error)
        else:
            flash("Marked. They are told the result.", "success")
            return redirect(url_for(".task", task_id=task_id), 303)
    status = 422 if request.method == "POST" else 200
    facts = {"task": found, "attempt": attempt, "questions": questions, "form": form}
    return render_template("training/mark.html", **facts), status


def _to_mark(found: TrainingTask, actor: Actor) -> TrainingTask:
    if not allowed(actor, P.TRAINING_ASSIGN, found.scope):
        raise NotFound(training_queries.GONE)
    return found


@bp.post("/training/<int:task_id>/withdraw")
@claims(P.TRAINING_ASSIGN)
def withdraw(task_id: int) -> ResponseReturnValue:
    """Take a training back that is not finished."""
    with transaction() as opened:
        module_id = training_task_service.withdraw(
            opened, current_actor(), task_id, now=clock.now()
        ).module_id
    flash("Taken back.", "success")
    return redirect(url_for(".module", module_id=module_id), 303)


@bp.get("/training/<int:task_id>/certificate")
@claims(P.TRAINING_COMPLETE, P.TRAINING_ASSIGN)
def certificate(task_id: int) -> ResponseReturnValue:
    """Show a certificate, to print."""
    with reading() as opened:
        found = training_queries.get_task(opened, current_actor(), task_id)
    if found.state != DONE or found.certified_until is None:
        raise NotFound("There is no certificate for this training.")
    return render_template("training/certificate.html", task=found, now=clock.now())
