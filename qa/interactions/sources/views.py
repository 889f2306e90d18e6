"""Pages of sources: how all stand, one with its history, and what a person may do with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import allowed
from qa.core import clock
from qa.core.actor import Actor, by
from qa.core.errors import Invalid
from qa.extensions import secrets_service
from qa.interactions.sources import (
    hook_views,
    push_service,
    push_views,
    quarantine_views,
    queries,
    service,
    setup_views,
    words,
)
from qa.interactions.sources.blueprint import bp
from qa.interactions.sources.connectors import find_facts, get_facts, list_facts, owner_of
from qa.web.access import claims
from qa.web.context import current_actor, reading, settings, site_zone, transaction
from qa.web.display import filters

__all__ = ["bp", "hook_views", "push_views", "quarantine_views", "setup_views"]


@bp.get("/sources")
@claims(P.CONNECTOR_LIST)
def index() -> ResponseReturnValue:
    """List sources, each with its state in words."""
    now, actor = clock.now(), current_actor()
    with reading() as opened:
        standings = queries.list_sources(opened, actor, now=now)
        quarantine = queries.count_quarantine(opened, actor)
        facts = {(one.plugin, one.offer.key): one for one in list_facts(opened)}
    moment = filters(settings())["moment"]
    return render_template(
        "sources/index.html",
        rows=[
            (one, words.state_of(one, moment), facts.get((one.source.plugin, one.source.connector)))
            for one in standings
        ],
        quarantine=quarantine,
        every=words.every,
        now=now,
    )


@bp.get("/sources/<int:source_id>")
@claims(P.CONNECTOR_LIST)
def show(source_id: int) -> ResponseReturnValue:
    """Show one source: state, history, quarantine, settings without secrets."""
    return _page(source_id)


def _page(source_id: int, refused: str = "") -> ResponseReturnValue:
    now, actor = clock.now(), current_actor()
    with reading() as opened:
        standing = queries.get_standing(opened, actor, source_id, now=now)
        runs = queries.list_runs(opened, actor, source_id)
        beside = queries.look_beside(opened, actor, source_id, now=now)
        pushed = push_service.look_pushed(opened, actor, source_id)
        rejected = queries.list_quarantine(opened, actor, source_id=source_id)
        secrets = secrets_service.set_names(opened, owner_of(standing.source.key))
        facts = find_facts(opened, standing.source.plugin, standing.source.connector)
    if not standing.source.progress and allowed(actor, P.CONNECTOR_EDIT, by(actor.id)):
        return redirect(url_for("sources.begin", source_id=source_id), 302)
    page = render_template(
        "sources/show.html",
        one=standing,
        state=words.state_of(standing, filters(settings())["moment"]),
        facts=facts,
        runs=[(run, words.run_words(run), words.took(run, now)) for run in runs],
        beside=beside,
        rejected=rejected,
        pushed=pushed,
        secrets=secrets,
        every=words.every,
        hook_url=hook_views.address_of(standing.source),
        refused=refused,
        now=now,
    )
    return (page, 422) if refused else page


def _act(source_id: int, act: Callable[[Session, Actor], None], told: str) -> ResponseReturnValue:
    try:
        with transaction() as opened:
            act(opened, current_actor())
    except Invalid as error:
        return _page(source_id, error.message)
    flash(told, "success")
    return redirect(url_for("sources.show", source_id=source_id), 303)


@bp.post("/sources/<int:source_id>/pause")
@claims(P.CONNECTOR_RUN)
def pause(source_id: int) -> ResponseReturnValue:
    """Stop pulling after the page in hand."""
    return _act(
        source_id,
        lambda opened, actor: service.pause_source(opened, actor, source_id, now=clock.now()),
        "It pauses after the page in hand. Resume it whenever you like; nothing is lost.",
    )


@bp.post("/sources/<int:source_id>/resume")
@claims(P.CONNECTOR_RUN)
def resume(source_id: int) -> ResponseReturnValue:
    """Go on."""
    return _act(
        source_id,
        lambda opened, actor: service.resume_source(opened, actor, source_id, now=clock.now()),
        "It goes on from where it stood.",
    )


@bp.post("/sources/<int:source_id>/pull")
@claims(P.CONNECTOR_RUN)
def pull(source_id: int) -> ResponseReturnValue:
    """Pull at once."""
    return _act(
        source_id,
        lambda opened, actor: service.pull_now(opened, actor, source_id, now=clock.now()),
        "It is asked now.",
    )


@bp.post("/sources/<int:source_id>/read-again")
@claims(P.CONNECTOR_EDIT)
def read_again(source_id: int) -> ResponseReturnValue:
    """Read everything again."""
    return _act(
        source_id,
        lambda opened, actor: service.read_again(opened, actor, source_id, now=clock.now()),
        "Everything is read again. What is here unchanged stays untouched.",
    )


@bp.post("/sources/<int:source_id>/backfill")
@claims(P.CONNECTOR_RUN)
def backfill(source_id: int) -> ResponseReturnValue:
    """Fill in the past, or pause and resume that."""
    chosen = request.form.get("act", "")

    def act(opened: Session, actor: Actor) -> None:
        now = clock.now()
        if chosen in {"pause", "resume"}:
            is_paused = chosen == "pause"
            service.set_backfill_paused(opened, actor, source_id, is_paused=is_paused, now=now)
            return
        source = queries.get_source(opened, actor, source_id)
        able = get_facts(opened, source.plugin, source.connector).able
        service.start_backfill(opened, actor, source_id, since=_day("since"), able=able, now=now)

    return _act(source_id, act, "Newest first, in its own lane; live records always go before.")


def _day(name: str) -> datetime:
    try:
        day = datetime.strptime(request.form.get(name, ""), "%Y-%m-%d").date()
    except ValueError:
        raise Invalid("Choose the day to begin with.", field=name) from None
    return datetime.combine(day, time(), tzinfo=site_zone())


@bp.post("/sources/<int:source_id>/remove")
@claims(P.CONNECTOR_EDIT)
def remove(source_id: int) -> ResponseReturnValue:
    """Remove a source; what came in stays. The name must be typed."""
    actor, typed = current_actor(), request.form.get("name", "").strip()
    with reading() as opened:
        source = queries.get_source(opened, actor, source_id)
    if typed != source.name:
        return _page(source_id, f"Type the name {source.name} to remove the source. Nothing was removed.")
    with transaction() as opened:
        key = service.remove_source(opened, actor, source_id, now=clock.now())
        secrets_service.drop_secrets(opened, owner_of(key))
    flash(f"{source.name} is removed with its secrets. Its conversations stay.", "success")
    return redirect(url_for("sources.index"), 303)
