"""Pages of scorecards: everybody reads the form that judges them."""

from __future__ import annotations

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.scorecards import queries
from qa.scorecards.models import ACTIVE
from qa.web.access import claims
from qa.web.context import current_actor, reading

bp = Blueprint("scorecards", __name__, template_folder="templates")


@bp.get("/scorecards")
@claims(P.SCORECARD_READ)
def index() -> ResponseReturnValue:
    """List scorecards with their active version."""
    with reading() as opened:
        found = queries.list_scorecards(opened, current_actor())
    rows = [
        (card, next((v for v in card.versions if v.state == ACTIVE), card.versions[-1])) for card in found
    ]
    return render_template("scorecards/index.html", rows=[(c, v, queries.form_of(v).form) for c, v in rows])


@bp.get("/scorecards/<ref>/v/<int:number>")
@claims(P.SCORECARD_READ)
def version(ref: str, number: int) -> ResponseReturnValue:
    """Show one version as people are judged by it."""
    with reading() as opened:
        found = queries.get_version(opened, current_actor(), ref, number)
        card = queries.get_scorecard(opened, current_actor(), ref)
    ready = queries.form_of(found)
    return render_template(
        "scorecards/version.html", version=found, card=card, form=ready.form, compiled=ready.compiled
    )


@bp.get("/scorecards/<ref>/v/<int:number>.yaml")
@claims(P.SCORECARD_READ)
def yaml(ref: str, number: int) -> ResponseReturnValue:
    """Return the version's text as it was written."""
    with reading() as opened:
        found = queries.get_version(opened, current_actor(), ref, number)
    name = f'attachment; filename="{found.scorecard.ref}-v{found.number}.yaml"'
    return Response(found.yaml, mimetype="application/yaml", headers={"Content-Disposition": name})
