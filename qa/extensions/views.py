"""The pages of plugins: what is installed, how it stands, its settings, what it could not deliver."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.accounts.policy import require
from qa.core import clock, jobs
from qa.core.actor import by
from qa.core.errors import Conflict, Invalid
from qa.extensions import outgoing_service, queries, service
from qa.extensions.look_service import LOOK_JOB, typed_of
from qa.extensions.queries import PluginPage
from qa.extensions.runtime import Runtime, defaults_of, fixed_settings
from qa.extensions.standing import report_of
from qa.plugins.calling import PluginFailed
from qa.plugins.settings_form import Judged
from qa.web.access import claims
from qa.web.context import current_actor, find_actor, reading, settings, site, transaction

bp = Blueprint("extensions", __name__, template_folder="templates")

PREFIX = "set-"
PATIENCE_SECONDS = 6.0
MOST_VALUES = 200
LONGEST_VALUE = 20_000
KIND_WORDS = {
    "connector": "Connectors",
    "transcriber": "Transcription",
    "enricher": "Finds facts",
    "autoscorer": "Auto-scorers",
    "redactor": "Redaction",
    "notifier": "Messages",
    "exporter": "Exports",
    "training_provider": "Trainings",
    "scorecard_importer": "Scorecard import",
    "panel": "Panels",
}
WORK_WORDS = {"event": "An event", "notice": "A message", "push": "A note", "mail": "A mail"}


@bp.context_processor
def own_scope() -> dict[str, Any]:
    """Return what templates ask about: plugins belong to the site."""
    actor = find_actor()
    return {
        "own": by(None if actor is None else actor.id),
        "kind_words": lambda kind: KIND_WORDS.get(kind, kind),
        "work_words": lambda work: WORK_WORDS.get(work, work),
    }


def _asked() -> dict[str, Any]:
    return {
        "now": clock.now(),
        "trusted": frozenset(settings().trusted_plugins),
        "is_safe_mode": settings().no_plugins,
    }


@bp.get("/plugins")
@claims(P.PLUGIN_LIST)
def index() -> ResponseReturnValue:
    """List all plugins, those in need of somebody first."""
    with reading() as session:
        lines = queries.list_plugins(session, current_actor(), **_asked())
    kind = request.args.get("kind", "")
    counted = [(code, words, sum(code in line.kinds for line in lines)) for code, words in KIND_WORDS.items()]
    return render_template(
        "extensions/index.html",
        lines=lines,
        shown=[line for line in lines if not kind or kind in line.kinds],
        kinds=[one for one in counted if one[2]],
        kind=kind,
        safe_mode=settings().no_plugins,
    )


@bp.post("/plugins/look")
@claims(P.PLUGIN_ENABLE)
def look_again() -> ResponseReturnValue:
    """Have the worker look at what is installed now."""
    with transaction() as session:
        require(current_actor(), P.PLUGIN_ENABLE, by(current_actor().id))
        jobs.enqueue(session, LOOK_JOB, {}, now=clock.now(), dedupe_key=LOOK_JOB)
    flash("The worker looks at what is installed. New plugins appear here in a moment.", "success")
    return redirect(url_for("extensions.index"), 303)


@bp.get("/plugins/<name>")
@claims(P.PLUGIN_LIST)
def show(name: str) -> ResponseReturnValue:
    """Show one plugin."""
    return _page(_plugin(name))


def _plugin(name: str) -> PluginPage:
    with reading() as session:
        return queries.get_plugin(session, current_actor(), name, **_asked())


def _page(
    page: PluginPage,
    *,
    typed: Mapping[str, list[str]] | None = None,
    errors: Mapping[str, str] | None = None,
    refused: str = "",
) -> str:
    fixed = fixed_settings(settings(), page.line.row.name)
    return render_template(
        "extensions/show.html",
        page=page,
        fixed=fixed,
        values=_values(page, fixed, typed),
        errors=errors or {},
        refused=refused,
    )


def _values(
    page: PluginPage, fixed: Mapping[str, Any], typed: Mapping[str, list[str]] | None
) -> dict[str, Any]:
    """Return what stands in each field: what was typed just now, else what holds."""
    row, report = page.line.row, page.line.report
    holds = {**defaults_of(report), **row.settings, **fixed}
    if typed is None:
        return holds
    several = {one["name"] for one in report.settings if one["kind"] == "several"}
    shown = {name: values if name in several else "".join(values[:1]) for name, values in typed.items()}
    return {**holds, **shown}


def _acted(name: str, act: Callable[[Session], None], words: str, *, waits: bool) -> ResponseReturnValue:
    """Do one thing to a plugin; wait a moment for the worker, so that the page tells how it went."""
    try:
        with transaction() as session:
            act(session)
    except (Conflict, Invalid) as refusal:
        return _page(_plugin(name), refused=refusal.message), refusal.status
    if waits:
        _wait_for_load(name)
    flash(words, "success")
    return redirect(url_for("extensions.show", name=name), 303)


def _wait_for_load(name: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if report_of(_plugin(name).line.row) is not None:
            return
        time.sleep(0.2)


@bp.post("/plugins/<name>/enable")
@claims(P.PLUGIN_ENABLE)
def enable(name: str) -> ResponseReturnValue:
    """Let the version that was shown run."""
    actor, seen = current_actor(), request.form.get("fingerprint", "")
    return _acted(
        name,
        lambda session: service.enable_plugin(session, actor, name, fingerprint=seen, now=clock.now()),
        "Enabled.",
        waits=not settings().no_plugins,
    )


@bp.post("/plugins/<name>/disable")
@claims(P.PLUGIN_ENABLE)
def disable(name: str) -> ResponseReturnValue:
    """Stop a plugin."""
    actor, note = current_actor(), request.form.get("note", "")
    return _acted(
        name,
        lambda session: service.disable_plugin(session, actor, name, note=note, now=clock.now()),
        "Disabled. Its settings and what it was to deliver are kept.",
        waits=False,
    )


@bp.post("/plugins/<name>/wake")
@claims(P.PLUGIN_ENABLE)
def wake(name: str) -> ResponseReturnValue:
    """End its rest and load it again."""
    actor = current_actor()
    return _acted(
        name,
        lambda session: service.wake_plugin(session, actor, name, now=clock.now()),
        "Loaded again.",
        waits=True,
    )


@bp.post("/plugins/<name>/settings")
@claims(P.PLUGIN_CONFIGURE)
def configure(name: str) -> ResponseReturnValue:
    """Keep settings that the plugin's own form, asked in a process of its own, finds right."""
    page = _plugin(name)
    fixed = fixed_settings(settings(), name)
    typed = _typed(page)
    whole = {**typed, **{key: typed_of(value) for key, value in fixed.items()}}
    moved = service.hosts_moved(page.line.row.settings, {key: "".join(one[:1]) for key, one in whole.items()})
    kept = frozenset() if moved else page.secrets_set
    judged, refused = _judged(name, whole, kept)
    errors = {} if judged is None else judged.errors
    if judged is None or errors:
        if moved:
            refused = "The address is another one, so its secrets have to be typed anew."
        return _page(page, typed=typed, errors=errors, refused=refused), 422
    actor = current_actor()
    config, secrets = judged.config, judged.secrets

    def keep(session: Session) -> None:
        service.configure_plugin(
            session,
            actor,
            name,
            config=config,
            given_secrets=secrets,
            fixed=tuple(fixed),
            keys=site().keys,
            now=clock.now(),
        )

    return _acted(name, keep, "The settings are kept.", waits=page.line.row.is_enabled)


def _typed(page: PluginPage) -> dict[str, list[str]]:
    names = [str(one["name"]) for one in page.line.report.settings]
    given = {name: request.form.getlist(PREFIX + name)[:MOST_VALUES] for name in names}
    return {name: [value[:LONGEST_VALUE] for value in values] for name, values in given.items()}


def _judged(name: str, typed: Mapping[str, list[str]], kept: frozenset[str]) -> tuple[Judged | None, str]:
    runtime = Runtime(settings(), site().keys)
    try:
        return runtime.judge(name, "", typed, kept), ""
    except PluginFailed as failed:
        return None, f"The plugin could not judge these settings: {failed.reason}"
    finally:
        runtime.close()


# --- not delivered ------------------------------------------------------------


@bp.get("/plugins/undelivered")
@claims(P.JOB_LIST)
def undelivered() -> ResponseReturnValue:
    """List what was given up on."""
    return _undelivered()


def _undelivered(refused: str = "") -> str:
    with reading() as session:
        rows = queries.list_outgoing(session, current_actor(), state="dead")
    return render_template("extensions/undelivered.html", rows=rows, refused=refused)


@bp.post("/plugins/undelivered/send")
@claims(P.JOB_RETRY)
def send_all() -> ResponseReturnValue:
    """Send everything again that was given up on."""
    actor, now = current_actor(), clock.now()
    with transaction() as session:
        for row in queries.list_outgoing(session, actor, state="dead"):
            outgoing_service.send_again(session, actor, row.id, now=now)
    flash("Everything is sent again.", "success")
    return redirect(url_for("extensions.undelivered"), 303)


@bp.post("/plugins/undelivered/<int:outgoing_id>/send")
@claims(P.JOB_RETRY)
def send_again(outgoing_id: int) -> ResponseReturnValue:
    """Send one thing again."""
    return _settled(outgoing_service.send_again, outgoing_id, "It is sent again.")


@bp.post("/plugins/undelivered/<int:outgoing_id>/discard")
@claims(P.JOB_RETRY)
def discard(outgoing_id: int) -> ResponseReturnValue:
    """Give up for good on one thing."""
    return _settled(outgoing_service.discard, outgoing_id, "It is discarded.")


def _settled(act: Callable[..., None], outgoing_id: int, words: str) -> ResponseReturnValue:
    try:
        with transaction() as session:
            act(session, current_actor(), outgoing_id, now=clock.now())
    except Conflict as refusal:
        return _undelivered(refusal.message), refusal.status
    flash(words, "success")
    return redirect(url_for("extensions.undelivered"), 303)
