"""Pages of conversations, and their sound by ranges."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from qa.accounts import queries as people
from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.crypto import sub_key
from qa.core.errors import Invalid
from qa.core.storage import read_range
from qa.interactions import queries, service
from qa.interactions.conversation import conversation_of
from qa.interactions.models import CHANNELS, PLAYABLE, RECORDING_KEY, Recording
from qa.interactions.redacting import DONE
from qa.interactions.redaction import WITHHELD
from qa.web.access import claims
from qa.web.asked import asked_day, asked_id
from qa.web.context import current_actor, reading, site, site_zone, transaction
from qa.web.ranges import etag_of, span_asked

bp = Blueprint("interactions", __name__, template_folder="templates")


@bp.get("/interactions")
@claims(P.INTERACTION_LIST)
def index() -> ResponseReturnValue:
    """List conversations."""
    asked = request.args
    wanted = queries.InteractionFilter(
        channel=asked.get("channel", "") if asked.get("channel") in CHANNELS else "",
        team_id=asked_id(asked, "team"),
        agent_id=asked_id(asked, "agent"),
        evaluated=asked.get("evaluated", "") if asked.get("evaluated") in {"yes", "no"} else "",
        since=asked_day(asked, "from", site_zone()),
        until=asked_day(asked, "to", site_zone(), plus_days=1),
        text=asked.get("q", "")[:200],
    )
    with reading() as opened:
        page = queries.list_interactions(opened, current_actor(), wanted, after=asked.get("after"))
        teams = people.list_teams(opened, current_actor())
    return render_template(
        "interactions/index.html",
        page=page,
        wanted=wanted,
        teams=teams,
        channels=CHANNELS,
        last_day=None if wanted.until is None else wanted.until - timedelta(days=1),
    )


@bp.get("/interactions/<int:interaction_id>")
@claims(P.INTERACTION_READ)
def show(interaction_id: int) -> ResponseReturnValue:
    """Show one conversation."""
    with reading() as opened:
        found = queries.get_whole_conversation(opened, current_actor(), interaction_id)
        heard = queries.heard_in(opened, found.id)
        is_readable = queries.may_read_words(opened, current_actor(), found.id)
    conversation = conversation_of(found, heard, is_readable=is_readable)
    return render_template("interactions/show.html", interaction=found, conversation=conversation)


@bp.get("/recordings/<int:recording_id>/peaks")
@claims(P.RECORDING_LISTEN)
def peaks(recording_id: int) -> ResponseReturnValue:
    """Return the lanes' peaks."""
    with reading() as opened:
        found = queries.get_recording(opened, current_actor(), recording_id, with_peaks=True)
    return jsonify(found.peaks or {})


@bp.get("/recordings/<int:recording_id>/audio")
@claims(P.RECORDING_LISTEN)
def audio(recording_id: int) -> ResponseReturnValue:
    """Stream a range of a recording, opening only its chunks."""
    with reading() as opened:
        found = queries.get_recording(opened, current_actor(), recording_id)
        is_noted = service.is_listen_noted(opened, current_actor(), found, now=clock.now())
    if found.interaction.redaction != DONE:
        raise Invalid(f"{WITHHELD}.")
    if found.state != "ready":
        raise Invalid(found.problem or "The recording is being prepared. Try again in a moment.")
    key, kind, size = _playable(found)
    etag = etag_of(key)
    span = span_asked(request.headers.get("Range"), request.headers.get("If-Range"), etag=etag, size=size)
    if span is None:
        return Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    if not is_noted:
        _note_listen(found)
    content_key = site().keys.open(found.sealed_key, purpose=RECORDING_KEY)
    if found.playable_key:
        content_key = sub_key(content_key, PLAYABLE)
    pieces = read_range(site().storage, key, content_key, size=size, start=span.start, end=span.end)
    answer = Response(pieces, status=span.status, headers=span.headers(etag), mimetype=kind)
    answer.headers["Content-Disposition"] = "inline"
    return answer


def _note_listen(found: Recording) -> None:
    """Log who listens, whichever part is asked for first; the parts that follow write nothing."""
    with transaction() as opened:
        service.note_listen(opened, current_actor(), found, now=clock.now())


def _playable(found: Recording) -> tuple[str, str, int]:
    if found.playable_key:
        return found.playable_key, str(found.playable_type), int(found.playable_bytes or 0)
    return found.storage_key, found.media_type, found.size_bytes
