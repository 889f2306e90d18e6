"""The training library: modules, who has what, rules, and what runs out."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from io import BytesIO
from typing import Any

from flask import flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms.fields import SelectChoice

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import allowed, may_somewhere
from qa.accounts.queries import list_teams
from qa.coaching import quiz, training_queries, training_rules, training_service, training_task_service
from qa.coaching.training_blueprint import bp
from qa.coaching.training_forms import AssignForm, ModuleForm, RuleForm
from qa.coaching.training_models import TrainingModule
from qa.core import clock
from qa.core.actor import Actor
from qa.core.errors import Conflict, DomainError, Invalid, NotFound
from qa.core.keyset import id_in
from qa.scorecards.queries import form_of, list_active
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.context import current_actor, reading, site_zone, transaction

SOON = timedelta(days=30)
DUE_DAYS = 14
DUE_HOUR = 18


@bp.get("/training")
@claims(P.TRAINING_READ)
def index() -> ResponseReturnValue:
    """Show the library, one's own trainings, and for those who give them how far people are."""
    actor, now, asked = current_actor(), clock.now(), request.args
    retired = asked.get("show") == "retired"
    gives = may_somewhere(actor, P.TRAINING_ASSIGN)
    panels: dict[str, Any] = {"own": [], "to_mark": [], "ending": [], "rules": []}
    with reading() as opened:
        card_id = asked_id(asked, "scorecard")
        modules = training_queries.list_modules(opened, actor, retired=retired, card_id=card_id)
        progress = training_queries.find_progress(opened, actor, now=now) if gives else {}
        if "agent" in actor.roles:
            panels["own"] = training_queries.list_own(opened, actor)
        if gives:
            panels["to_mark"] = training_queries.list_to_mark(opened, actor)
            panels["ending"] = training_queries.list_running_out(opened, actor, until=now + SOON)
            panels["rules"] = training_rules.words_of(training_queries.list_rules(opened, actor))
    late = sum(one.late > 0 for one in progress.values())
    if asked.get("show") == "late":
        modules = [one for one in modules if one.id in progress and progress[one.id].late]
    return render_template(
        "training/index.html",
        modules=[(one, _newest(one)) for one in modules],
        progress=progress,
        gives=gives,
        edits=may_somewhere(actor, P.TRAINING_EDIT),
        late=late,
        show=asked.get("show", ""),
        now=now,
        has_quiz=_has_quiz,
        **panels,
    )


def _newest(module: TrainingModule) -> Any:
    return next(one for one in module.versions if one.number == module.newest)


def _has_quiz(version: Any) -> bool:
    return bool(quiz.read(version.quiz))


@bp.get("/training/modules/<int:module_id>")
@claims(P.TRAINING_READ)
def module(module_id: int) -> ResponseReturnValue:
    """Show one module as learners get it, and who has it."""
    actor, now = current_actor(), clock.now()
    gives = may_somewhere(actor, P.TRAINING_ASSIGN)
    with reading() as opened:
        found = training_queries.get_module(opened, actor, module_id)
        tasks = training_queries.list_of_module(opened, actor, module_id) if gives else []
    may_edit = allowed(actor, P.TRAINING_EDIT, found.scope)
    version = _newest(found)
    questions = quiz.read(version.quiz)
    return render_template(
        "training/module.html",
        module=found,
        version=version,
        questions=questions if may_edit or gives else (),
        quiz_length=len(questions),
        needed=quiz.needed(questions, version.pass_percent),
        total=quiz.total(questions),
        kinds=quiz.KINDS,
        tasks=tasks,
        gives=gives,
        may_edit=may_edit,
        now=now,
    )


@bp.get("/training/modules/<int:module_id>/file/<int:number>")
@claims(P.TRAINING_READ)
def file(module_id: int, number: int) -> ResponseReturnValue:
    """Give the file of a version."""
    with reading() as opened:
        found = training_queries.get_module(opened, current_actor(), module_id, lock=False)
        version = next((one for one in found.versions if one.number == number), None)
        kept = training_queries.find_file(opened, current_actor(), version.id) if version else None
    if version is None or kept is None:
        raise NotFound("There is no such file.")
    return send_file(
        BytesIO(kept),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=version.file_name,
    )


@bp.route("/training/modules/new", methods=["GET", "POST"])
@claims(P.TRAINING_EDIT)
def new_module() -> ResponseReturnValue:
    """Make a module."""
    form = ModuleForm(_typed(), data={"pass_percent": 80, "tries": 3})
    with reading() as opened:
        _offer(opened, current_actor(), form, None)
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                made = training_service.add_module(opened, current_actor(), _content(form), now=clock.now())
                module_id = made.id
        except Invalid as error:
            form.take(error)
        else:
            flash("The module is in the library.", "success")
            return redirect(url_for(".module", module_id=module_id), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("training/edit.html", form=form, module=None), status


@bp.route("/training/modules/<int:module_id>/edit", methods=["GET", "POST"])
@claims(P.TRAINING_EDIT)
def edit_module(module_id: int) -> ResponseReturnValue:
    """Publish the next version of a module."""
    actor = current_actor()
    with reading() as opened:
        found = training_queries.get_module(opened, actor, module_id)
        form = ModuleForm(_typed(), data=_typed_before(found))
        _offer(opened, actor, form, found)
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                seen = form.seen.data or 0
                training_service.publish_version(
                    opened, actor, module_id, _content(form), seen=seen, now=clock.now()
                )
        except (Invalid, Conflict) as error:
            _show(form, error)
        else:
            flash("Published. Who gets the module from now on gets this version.", "success")
            return redirect(url_for(".module", module_id=module_id), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("training/edit.html", form=form, module=found), status


def _show(form: Any, error: DomainError) -> None:
    if isinstance(error, Invalid):
        form.take(error)
    else:
        form.form_errors.append(error.message)


def _typed() -> Any:
    if request.method != "POST":
        return None
    typed = request.form.copy()
    typed.pop("file", None)
    return typed


def _typed_before(found: TrainingModule) -> dict[str, Any]:
    version = _newest(found)
    names = ("summary", "minutes", "text", "video_url", "quiz", "pass_percent", "tries", "certificate_months")
    return {
        "title": found.title,
        "seen": found.newest,
        "needs": [need.needs_id for need in found.needs],
        "tags": [f"{tag.scorecard_id}:{tag.question}" for tag in found.tags],
        **{name: getattr(version, name) for name in names},
    }


def _offer(opened: Session, actor: Actor, form: ModuleForm, found: TrainingModule | None) -> None:
    """Fill in what can be chosen: other modules, and the questions of active scorecards."""
    others = training_queries.list_modules(opened, actor)
    form.needs.choices = [
        SelectChoice(one.id, one.title) for one in others if found is None or one.id != found.id
    ]
    form.tags.choices = [
        SelectChoice(f"{version.scorecard_id}:{one.ref}", f"{version.title}: {one.text}")
        for version in list_active(opened, actor)
        for one in form_of(version).compiled.questions
        if one.base
    ]


def _content(form: ModuleForm) -> training_service.Content:
    given = request.files.get("file")
    tags = [tag.partition(":") for tag in form.tags.data or []]
    return training_service.Content(
        title=form.title.data or "",
        summary=form.summary.data or "",
        minutes=form.minutes.data,
        text=form.text.data or "",
        video_url=form.video_url.data or "",
        file=(given.filename, given.read()) if given and given.filename else None,
        quiz=form.quiz.data or "",
        pass_percent=form.pass_percent.data or 80,
        tries=form.tries.data or 3,
        certificate_months=form.certificate_months.data,
        needs=form.needs.data or [],
        tags=[(int(card), ref) for card, _, ref in tags],
    )


@bp.post("/training/modules/<int:module_id>/retire")
@claims(P.TRAINING_EDIT)
def retire(module_id: int) -> ResponseReturnValue:
    """Take a module out of the library."""
    with transaction() as opened:
        training_service.retire_module(opened, current_actor(), module_id, now=clock.now())
    flash("Retired. Whoever has it can still read and finish it.", "success")
    return redirect(url_for(".module", module_id=module_id), 303)


@bp.post("/training/modules/<int:module_id>/restore")
@claims(P.TRAINING_EDIT)
def restore(module_id: int) -> ResponseReturnValue:
    """Put a retired module back."""
    with transaction() as opened:
        training_service.restore_module(opened, current_actor(), module_id, now=clock.now())
    flash("It is in the library again.", "success")
    return redirect(url_for(".module", module_id=module_id), 303)


@bp.route("/training/assign", methods=["GET", "POST"])
@claims(P.TRAINING_ASSIGN)
def assign() -> ResponseReturnValue:
    """Give a module to a person or to everybody in a team."""
    actor, now = current_actor(), clock.now()
    today = now.astimezone(site_zone()).date()
    first: dict[str, Any] = {
        "module": asked_id(request.args, "module"),
        "due": today + timedelta(days=DUE_DAYS),
    }
    if person := asked_id(request.args, "person"):
        first["people"] = f"person:{person}"
    form = AssignForm(request.form, data=first)
    with reading() as opened:
        modules = training_queries.list_modules(opened, actor)
        learners = training_queries.list_learners(opened, actor)
    form.module.choices = [SelectChoice(one.id, one.title) for one in modules]
    teams = {one.team_id: one.team.name for one in learners if one.team is not None}
    form.people.choices = [
        *(SelectChoice(f"team:{team}", f"Everybody in {name}") for team, name in teams.items()),
        *(SelectChoice(f"person:{one.id}", one.name) for one in learners),
    ]
    if request.method == "POST" and form.validate():
        kind, _, number = str(form.people.data).partition(":")
        wanted = id_in(number)
        people = [one for one in learners if wanted == (one.team_id if kind == "team" else one.id)]
        due = form.due.data
        due_at = datetime.combine(due, time(DUE_HOUR), tzinfo=site_zone()) if due else None
        try:
            with transaction() as opened:
                given = training_task_service.assign(
                    opened, actor, module_id=form.module.data, people=people, due_at=due_at, now=now
                )
        except DomainError as error:
            _show(form, error)
        else:
            flash(_given_words(given, len(people)), "success")
            return redirect(url_for(".module", module_id=form.module.data), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("training/assign.html", form=form, has_any=bool(modules and learners)), status


def _given_words(given: int, asked: int) -> str:
    had = asked - given
    words = f"{given} {'person has' if given == 1 else 'people have'} it now and were told."
    return words if not had else f"{words} {had} had it open already."


@bp.route("/training/rules/new", methods=["GET", "POST"])
@claims(P.TRAINING_ASSIGN)
def new_rule() -> ResponseReturnValue:
    """Give a module by rule from now on."""
    actor = current_actor()
    form = RuleForm(
        request.form, data={"kind": "auto_fail", "times": 2, "days": 30, "due_days": 14, "team": 0}
    )
    with reading() as opened:
        modules = training_queries.list_modules(opened, actor)
        teams = [row.team for row in list_teams(opened, actor)]
    everywhere = [SelectChoice(0, "Everywhere")] if "manager" in actor.roles else []
    form.module.choices = [SelectChoice(one.id, one.title) for one in modules]
    form.team.choices = [*everywhere, *(SelectChoice(one.id, one.name) for one in teams)]
    if request.method == "POST" and form.validate():
        try:
            with transaction() as opened:
                training_rules.add_rule(
                    opened,
                    actor,
                    module_id=form.module.data,
                    kind=form.kind.data,
                    team_id=form.team.data or None,
                    times=form.times.data or 1,
                    days=form.days.data or 30,
                    due_days=form.due_days.data or DUE_DAYS,
                    now=clock.now(),
                )
        except Invalid as error:
            form.take(error)
        else:
            flash("The rule is in force; it is looked at every hour.", "success")
            return redirect(url_for(".index"), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("training/rule.html", form=form), status


@bp.post("/training/rules/<int:rule_id>/end")
@claims(P.TRAINING_ASSIGN)
def end_rule(rule_id: int) -> ResponseReturnValue:
    """Stop a rule."""
    with transaction() as opened:
        training_rules.end_rule(opened, current_actor(), rule_id, now=clock.now())
    flash("The rule gives nothing any more. Who has the module keeps it.", "success")
    return redirect(url_for(".index"), 303)
