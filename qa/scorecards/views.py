"""Pages of scorecards: everybody reads the form that judges them; a QA manager brings in and activates."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import Invalid
from qa.scorecards import queries, service
from qa.scorecards.diff import diff
from qa.scorecards.document import load
from qa.scorecards.forms import TextForm
from qa.scorecards.library import READY, ready_text
from qa.scorecards.lint import lint
from qa.scorecards.models import ACTIVE, DRAFT
from qa.web.access import claims
from qa.web.context import current_actor, reading, transaction

bp = Blueprint("scorecards", __name__, template_folder="templates")


@bp.get("/scorecards")
@claims(P.SCORECARD_READ)
def index() -> ResponseReturnValue:
    """List scorecards with their active version; offer the ready-made ones that are not there yet."""
    with reading() as opened:
        found = queries.list_scorecards(opened, current_actor())
    rows = [
        (card, next((v for v in card.versions if v.state == ACTIVE), card.versions[-1])) for card in found
    ]
    there = {card.ref for card in found}
    offered = [(name, load(ready_text(name)).form) for name in READY if name not in there]
    shown = [(card, version, queries.form_of(version).form) for card, version in rows]
    return render_template("scorecards/index.html", rows=shown, offered=offered)


@bp.route("/scorecards/new", methods=["GET", "POST"])
@claims(P.SCORECARD_EDIT_DRAFT)
def new() -> ResponseReturnValue:
    """Bring in a scorecard from its YAML, as a draft."""
    form = TextForm(request.form)
    if request.method == "POST" and form.validate():
        try:
            return _drafted(str(form.yaml.data).replace("\r\n", "\n"))
        except Invalid as error:
            form.take(error)
    return render_template("scorecards/new.html", form=form), 422 if request.method == "POST" else 200


@bp.post("/scorecards/ready/<name>")
@claims(P.SCORECARD_EDIT_DRAFT)
def use_ready(name: str) -> ResponseReturnValue:
    """Take a ready-made scorecard as a draft."""
    if name not in READY:
        abort(404)
    return _drafted(ready_text(name))


def _drafted(text: str) -> ResponseReturnValue:
    with transaction() as opened:
        made = service.draft_version(opened, current_actor(), text=text, now=clock.now())
        ref, number = load(text).form.form, made.number
    flash("Kept as a draft. Read it, then activate it.", "success")
    return redirect(url_for(".version", ref=ref, number=number), 303)


@bp.get("/scorecards/<ref>/v/<int:number>")
@claims(P.SCORECARD_READ)
def version(ref: str, number: int) -> ResponseReturnValue:
    """Show one version as people are judged by it."""
    return _version(ref, number, None)


def _version(ref: str, number: int, refused: Invalid | None) -> str:
    with reading() as opened:
        found = queries.get_version(opened, current_actor(), ref, number)
        card = queries.get_scorecard(opened, current_actor(), ref)
    ready = queries.form_of(found)
    return render_template(
        "scorecards/version.html",
        version=found,
        card=card,
        form=ready.form,
        compiled=ready.compiled,
        findings=lint(found.yaml) if found.state == DRAFT else [],
        active=next((one for one in card.versions if one.state == ACTIVE), None),
        refused=refused,
    )


@bp.post("/scorecards/<ref>/v/<int:number>/activate")
@claims(P.SCORECARD_ACTIVATE)
def activate(ref: str, number: int) -> ResponseReturnValue:
    """Use a draft for new evaluations from now on."""
    with reading() as opened:
        found = queries.get_version(opened, current_actor(), ref, number)
    try:
        with transaction() as opened:
            service.activate_version(opened, current_actor(), found.id, now=clock.now())
    except Invalid as error:
        return _version(ref, number, error), 422
    flash("Active. New evaluations use it; drafts that were begun stay on their version.", "success")
    return redirect(url_for(".version", ref=ref, number=number), 303)


@bp.get("/scorecards/<ref>/compare/<int:before>/<int:after>")
@claims(P.SCORECARD_READ)
def compare(ref: str, before: int, after: int) -> ResponseReturnValue:
    """Show what changed between two versions, and of which class each change is."""
    with reading() as opened:
        old = queries.get_version(opened, current_actor(), ref, before)
        new = queries.get_version(opened, current_actor(), ref, after)
    changes = diff(queries.form_of(old).form, queries.form_of(new).form)
    return render_template("scorecards/compare.html", old=old, new=new, changes=changes)


@bp.get("/scorecards/<ref>/v/<int:number>.yaml")
@claims(P.SCORECARD_READ)
def yaml(ref: str, number: int) -> ResponseReturnValue:
    """Return the version's text as it was written."""
    with reading() as opened:
        found = queries.get_version(opened, current_actor(), ref, number)
    name = f'attachment; filename="{found.scorecard.ref}-v{found.number}.yaml"'
    return Response(found.yaml, mimetype="application/yaml", headers={"Content-Disposition": name})
