"""The page of unknown accounts: the product proposes who they are, a person decides."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.queries import find_person_by_email
from qa.core import clock
from qa.core.errors import Invalid
from qa.core.keyset import id_in
from qa.interactions import alias_queries, alias_service
from qa.interactions.alias_models import Alias
from qa.web.access import claims
from qa.web.context import current_actor, reading, transaction

bp = Blueprint("aliases", __name__, template_folder="templates")

SOMEBODY_ELSE = "else"
UNDECIDED = {"nobody", "ignored"}


@bp.get("/unknown-accounts")
@claims(P.ALIAS_CONFIRM)
def index() -> ResponseReturnValue:
    """List accounts of other systems that are nobody's yet."""
    return _page()


def _page(refused: tuple[int, str, str] | None = None) -> str:
    """``refused`` is the account whose answer could not be taken, what was typed, and why."""
    actor = current_actor()
    with reading() as opened:
        page = alias_queries.list_waiting(opened, actor, after=request.args.get("after"))
        certain = alias_service.count_certain(opened, actor)
        matches = alias_queries.list_matches(opened, actor)
        rules = alias_queries.count_by_rule(opened, actor)
    return render_template(
        "interactions/aliases.html",
        page=page,
        certain=certain,
        matches=matches,
        rules=rules,
        refused=refused,
    )


@bp.post("/unknown-accounts/certain")
@claims(P.ALIAS_CONFIRM)
def match_certain() -> ResponseReturnValue:
    """Match every account that exactly one person fits."""
    with transaction() as opened:
        count = alias_service.match_certain(opened, current_actor(), now=clock.now())
    words = "1 account is matched." if count == 1 else f"{count} accounts are matched."
    flash(f"{words} Their conversations follow within a minute.", "success")
    return redirect(url_for("aliases.index"), 303)


@bp.post("/unknown-accounts/<int:alias_id>")
@claims(P.ALIAS_CONFIRM)
def decide(alias_id: int) -> ResponseReturnValue:
    """Say who one account is."""
    choice, typed = request.form.get("who", ""), request.form.get("email", "").strip()[:254]
    try:
        with transaction() as opened:
            state, user_id = _chosen(opened, choice, typed)
            alias = alias_service.decide_account(
                opened, current_actor(), alias_id, state=state, user_id=user_id, now=clock.now()
            )
    except Invalid as error:
        return _page((alias_id, typed, error.message)), 422
    flash(_told(alias), "success")
    return redirect(url_for("aliases.index"), 303)


def _chosen(opened: Session, choice: str, typed: str) -> tuple[str, int | None]:
    if choice in UNDECIDED:
        return choice, None
    if (person_id := id_in(choice)) is not None:
        return "confirmed", person_id
    if choice != SOMEBODY_ELSE:
        raise Invalid("Choose who this is.", field="who")
    if not typed:
        raise Invalid("Type the person's e-mail address.", field="email")
    person = find_person_by_email(opened, current_actor(), typed)
    if person is None:
        raise Invalid(
            f"Nobody here has the address {typed}. Add the person first, under People.", field="email"
        )
    return "confirmed", person.id


def _told(alias: Alias) -> str:
    if alias.state == "confirmed":
        return f"{alias.account} is matched. Its conversations follow within a minute."
    if alias.state == "nobody":
        return f"{alias.account} is nobody: its conversations stay without an agent and count for no person."
    return f"{alias.account} is not asked about again."


@bp.post("/unknown-accounts/<int:alias_id>/undo")
@claims(P.ALIAS_CONFIRM)
def undo(alias_id: int) -> ResponseReturnValue:
    """Take a match back; the account waits again."""
    with transaction() as opened:
        alias = alias_service.decide_account(
            opened, current_actor(), alias_id, state="suggested", now=clock.now()
        )
    flash(f"{alias.account} waits for a person again.", "success")
    return redirect(url_for("aliases.index"), 303)
