"""Pages of rejected records: all that wait, one as it came beside its repair, retry and leave out."""

from __future__ import annotations

from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import Invalid
from qa.interactions.models import CHANNELS
from qa.interactions.sources import quarantine_service as service
from qa.interactions.sources import queries
from qa.interactions.sources.blueprint import bp
from qa.interactions.sources.quarantine_service import Repair
from qa.interactions.sources.redaction import shown_text
from qa.web.access import claims
from qa.web.asked import asked_id, moment_in
from qa.web.context import current_actor, reading, site, site_zone, transaction

FORM_TIME = "%Y-%m-%dT%H:%M:%S"


@bp.get("/quarantine")
@claims(P.CONNECTOR_LIST)
def quarantine() -> ResponseReturnValue:
    """List what waits, of one source or of all."""
    source_id = asked_id(request.args, "source")
    actor, now = current_actor(), clock.now()
    with reading() as opened:
        page = queries.list_quarantine(opened, actor, source_id=source_id, after=request.args.get("after"))
        sources = queries.list_sources(opened, actor, now=now)
    return render_template("sources/quarantine.html", page=page, sources=sources, source_id=source_id)


@bp.get("/quarantine/<int:quarantined_id>")
@claims(P.CONNECTOR_RUN)
def rejected(quarantined_id: int) -> ResponseReturnValue:
    """Show one rejected record, covered, beside the form that repairs it."""
    return _page(quarantined_id, {})


def _page(quarantined_id: int, errors: dict[str, str]) -> ResponseReturnValue:
    with reading() as opened:
        row = queries.get_quarantined(opened, current_actor(), quarantined_id)
    raw = queries.raw_of(row, site().keys)
    values = service.ours(raw) or {}
    typed = request.form if errors else None
    page = render_template(
        "sources/rejected.html",
        row=row,
        raw=shown_text(raw),
        is_ours=bool(values),
        channels=CHANNELS,
        errors=errors,
        external_id=typed["external_id"] if typed else values.get("external_id") or row.external_id or "",
        channel=typed["channel"] if typed else values.get("channel") or "",
        started_at=typed["started_at"] if typed else _local(values.get("started_at")),
        ended_at=typed["ended_at"] if typed else _local(values.get("ended_at")),
        agent_email=typed["agent_email"] if typed else "",
    )
    return (page, 422) if errors else page


def _local(text: object) -> str:
    try:
        return datetime.fromisoformat(str(text)).astimezone(site_zone()).strftime(FORM_TIME)
    except (ValueError, OverflowError):
        return ""


@bp.post("/quarantine/<int:quarantined_id>")
@claims(P.CONNECTOR_RUN)
def repair(quarantined_id: int) -> ResponseReturnValue:
    """Keep the record as it was repaired."""
    try:
        wanted = _repair()
        with transaction() as opened:
            kept = service.repair_record(
                opened,
                current_actor(),
                quarantined_id,
                wanted,
                keys=site().keys,
                patterns=site().settings.redaction_patterns,
                now=clock.now(),
            )
    except Invalid as error:
        return _page(quarantined_id, error.errors or {"": error.message})
    flash(f"Record {kept} is in.", "success")
    return redirect(url_for("sources.quarantine"), 303)


def _repair() -> Repair:
    given = {name: request.form.get(name, "").strip() for name in ("external_id", "channel", "agent_email")}
    return Repair(
        external_id=given["external_id"][:200],
        channel=given["channel"],
        agent_email=given["agent_email"][:200],
        started_at=_moment("started_at"),
        ended_at=_moment("ended_at"),
        cleans="cleans" in request.form,
    )


def _moment(name: str) -> datetime | None:
    text = request.form.get(name, "").strip()
    if not text:
        return None
    moment = moment_in(text, site_zone())
    if moment is None:
        raise Invalid("Write the moment like 2026-03-14T09:30:00.", field=name)
    return moment


@bp.post("/quarantine/<int:quarantined_id>/leave-out")
@claims(P.CONNECTOR_RUN)
def leave_out(quarantined_id: int) -> ResponseReturnValue:
    """Set a record aside for good."""
    with transaction() as opened:
        service.leave_out(opened, current_actor(), quarantined_id, now=clock.now())
    flash("It is left out and not asked about again.", "success")
    return redirect(url_for("sources.quarantine"), 303)


@bp.post("/quarantine/retry")
@claims(P.CONNECTOR_RUN)
def retry() -> ResponseReturnValue:
    """Try all rejected records again, of one source or of all."""
    asked = request.form.get("source", "")
    actor, now = current_actor(), clock.now()
    with transaction() as opened:
        ids = [one.source.id for one in queries.list_sources(opened, actor, now=now) if one.waiting]
        chosen = [one for one in ids if not asked or str(one) == asked]
        for source_id in chosen:
            service.ask_retry(opened, actor, source_id=source_id, now=now)
    flash(
        "They are tried again. Those that can be kept by now are gone from this list in a moment.", "success"
    )
    return redirect(url_for("sources.quarantine", source=asked or None), 303)
