"""Setting a source up: choose a connector, fill in what it asks, test, try, start."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from qa.accounts.permissions import Permission as P
from qa.core import clock
from qa.core.errors import Invalid
from qa.extensions import secrets_service
from qa.interactions.sources import queries, service
from qa.interactions.sources.blueprint import bp, connectors
from qa.interactions.sources.connectors import Facts, get_facts, list_facts, owner_of
from qa.interactions.sources.models import Source
from qa.interactions.sources.service import EVERY, Wanted
from qa.plugins.settings_form import Judged
from qa.web.access import claims
from qa.web.asked import asked_id
from qa.web.context import current_actor, database, reading, site, transaction

PREFIX = "set-"
PATIENCE_SECONDS = 6.0
PAST = {
    "0": "only new ones",
    "7": "the last 7 days",
    "30": "the last 30 days",
    "90": "the last 90 days",
    "365": "the last year",
    "all": "everything there is",
}


@dataclass
class Sheet:
    """The settings page as it was filled in: what was typed, and what is wrong beside which field."""

    name: str = ""
    every_seconds: str = "300"
    fetches_media: bool = True
    writes_back: bool = False
    typed: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, default: Any = "") -> Any:
        """Return what stands in a plugin's field."""
        if name in self.typed:
            return self.typed[name][0] if self.typed[name] else ""
        return "" if default is None else default

    def values(self, name: str, default: Any = ()) -> list[str]:
        """Return what is chosen in a field of several."""
        return self.typed.get(name, [str(one) for one in default or ()])


@bp.get("/sources/new")
@claims(P.CONNECTOR_EDIT)
def choose() -> ResponseReturnValue:
    """Offer the connectors of all enabled plugins."""
    with reading() as opened:
        offers = list_facts(opened)
    return render_template("sources/choose.html", offers=offers)


@bp.route("/sources/new/<plugin>/<connector>", methods=["GET", "POST"])
@claims(P.CONNECTOR_EDIT)
def new(plugin: str, connector: str) -> ResponseReturnValue:
    """Ask for a new source's settings and set it up, not running yet."""
    with reading() as opened:
        facts = get_facts(opened, plugin, connector)
    if request.method == "GET":
        return _settings_page(facts, Sheet(name=facts.title), None)
    sheet = _sheet(facts)
    judged = connectors().judge(plugin, connector, sheet.typed, frozenset())
    try:
        wanted = _wanted(facts, sheet, judged)
        with transaction() as opened:
            actor, now = current_actor(), clock.now()
            source = service.draft_source(opened, actor, wanted, facts.able, now=now)
            _keep_secrets(opened, source, judged, facts)
            service.ask_trial(opened, actor, source.id, "check", now=now)
    except Invalid as error:
        sheet.errors |= error.errors or {"": error.message}
        return _settings_page(facts, sheet, None), 422
    wait_for(source.id, "check")
    return redirect(url_for("sources.begin", source_id=source.id), 303)


def _keep_secrets(opened: Session, source: Source, judged: Judged, facts: Facts) -> None:
    """Seal what was typed. What webhooks are signed with stays good for a while when it is replaced."""
    owner, keys, now = owner_of(source.key), site().keys, clock.now()
    signing = facts.webhook_auth.secret_field if facts.webhook_auth is not None else ""
    if signing in judged.secrets:
        secrets_service.keep_former(opened, keys, owner, signing, now=now)
    secrets_service.keep_secrets(
        opened, keys, owner, judged.secrets, changed_by_id=current_actor().id, now=now
    )


def _sheet(facts: Facts) -> Sheet:
    """Read the form: the host's own fields and those of the connector."""
    known = [str(one["name"]) for one in facts.settings]
    given = {name: request.form.getlist(PREFIX + name) for name in known if PREFIX + name in request.form}
    return Sheet(
        name=request.form.get("name", ""),
        every_seconds=request.form.get("every_seconds", "300"),
        fetches_media="fetches_media" in request.form,
        writes_back="writes_back" in request.form,
        typed={name: [value[:20_000] for value in values[:200]] for name, values in given.items()},
    )


def _wanted(facts: Facts, sheet: Sheet, judged: Judged) -> Wanted:
    errors = {PREFIX + name if name else "": words for name, words in judged.errors.items()}
    if sheet.every_seconds not in EVERY:
        errors["every_seconds"] = "Choose how often to ask."
    if not sheet.name.strip():
        errors["name"] = "The name is missing."
    if errors:
        raise Invalid("These settings cannot be kept yet.", errors=errors)
    return Wanted(
        name=sheet.name,
        plugin=facts.plugin,
        connector=facts.offer.key,
        config=judged.config,
        every_seconds=int(sheet.every_seconds),
        fetches_media=sheet.fetches_media,
        writes_back=sheet.writes_back,
    )


def _settings_page(
    facts: Facts, sheet: Sheet, source: Source | None, kept: frozenset[str] = frozenset()
) -> str:
    return render_template(
        "sources/settings.html",
        facts=facts,
        sheet=sheet,
        source=source,
        kept=kept,
        every=EVERY,
        prefix=PREFIX,
    )


@bp.route("/sources/<int:source_id>/settings", methods=["GET", "POST"])
@claims(P.CONNECTOR_EDIT)
def change(source_id: int) -> ResponseReturnValue:
    """Change a source's settings; secrets are replaced, never shown. Another host clears them."""
    with reading() as opened:
        source = queries.get_source(opened, current_actor(), source_id)
        kept = secrets_service.set_names(opened, owner_of(source.key))
        facts = get_facts(opened, source.plugin, source.connector)
    if request.method == "GET":
        return _settings_page(facts, _sheet_of(source), source, kept)
    sheet = _sheet(facts)
    moved = _goes_elsewhere(source.config, sheet.typed)
    judged = connectors().judge(source.plugin, source.connector, sheet.typed, frozenset() if moved else kept)
    try:
        wanted = _wanted(facts, sheet, judged)
        _kept_changes(source, wanted, judged, facts, moved)
    except Invalid as error:
        sheet.errors |= error.errors or {"": error.message}
        if moved:
            sheet.errors.setdefault("", "The address is another one, so its secrets must be entered anew.")
        return _settings_page(facts, sheet, source, frozenset() if moved else kept), 422
    wait_for(source_id, "check")
    flash("The settings are kept and were tested.", "success")
    target = "sources.show" if source.progress else "sources.begin"
    return redirect(url_for(target, source_id=source_id), 303)


def _kept_changes(source: Source, wanted: Wanted, judged: Judged, facts: Facts, moved: bool) -> None:
    actor, now = current_actor(), clock.now()
    with transaction() as opened:
        if moved:
            secrets_service.drop_secrets(opened, owner_of(source.key))
        _keep_secrets(opened, source, judged, facts)
        service.change_source(opened, actor, source.id, wanted, now=now)
        service.ask_trial(opened, actor, source.id, "check", now=now)


HOST_FIELDS = ("url", "host", "address", "endpoint", "base_url", "server", "region", "bucket")


def _goes_elsewhere(config: Mapping[str, Any], typed: Mapping[str, list[str]]) -> bool:
    """Tell whether the secrets would go to another host than the one they were given for."""
    return any(
        name in typed
        and str(config.get(name) or "").strip() not in {"", *(one.strip() for one in typed[name])}
        for name in HOST_FIELDS
    )


def _sheet_of(source: Source) -> Sheet:
    typed = {}
    for name, value in source.config.items():
        if isinstance(value, list):
            typed[name] = [str(one) for one in value]
        elif isinstance(value, bool):
            typed[name] = ["y"] if value else []
        else:
            typed[name] = ["" if value is None else str(value)]
    return Sheet(source.name, str(source.every_seconds), source.fetches_media, source.writes_back, typed)


# --- test, try, start --------------------------------------------------------


@bp.get("/sources/<int:source_id>/begin")
@claims(P.CONNECTOR_EDIT)
def begin(source_id: int) -> ResponseReturnValue:
    """Show what the test and the dry run found; from here the source is started."""
    with reading() as opened:
        source = queries.get_source(opened, current_actor(), source_id)
        facts = get_facts(opened, source.plugin, source.connector)
    found = source.checked or {}
    rows = found.get("dry_run", {}).get("rows", [])
    place = min(max(asked_id(request.args, "record") or 1, 1), max(len(rows), 1))
    return render_template(
        "sources/begin.html",
        source=source,
        facts=facts,
        check=found.get("check"),
        dry_run=found.get("dry_run"),
        rows=rows,
        place=place,
        past=PAST,
    )


@bp.post("/sources/<int:source_id>/try/<any(check, dry_run):what>")
@claims(P.CONNECTOR_RUN)
def try_out(source_id: int, what: str) -> ResponseReturnValue:
    """Test the source, or read some records without storing them."""
    with transaction() as opened:
        service.ask_trial(opened, current_actor(), source_id, what, now=clock.now())
    if not wait_for(source_id, what):
        flash("The worker is still at it. Look again in a moment.", "success")
    back = request.form.get("back", "")
    target = "sources.show" if back == "show" else "sources.begin"
    return redirect(url_for(target, source_id=source_id), 303)


def wait_for(source_id: int, what: str) -> bool:
    """Wait a few seconds for the worker's answer, so that most people see it at once."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with database().reading() as opened:
            source = opened.get(Source, source_id)
            if source is None or what in (source.checked or {}):
                return True
        time.sleep(0.15)
    return False


@bp.post("/sources/<int:source_id>/start")
@claims(P.CONNECTOR_EDIT)
def start(source_id: int) -> ResponseReturnValue:
    """Let a new source run."""
    chosen = request.form.get("past", "")
    if chosen not in PAST:
        raise Invalid("Choose what to start with.", field="past")
    past = None if chosen == "all" else timedelta(days=int(chosen))
    with transaction() as opened:
        actor = current_actor()
        source = queries.get_source(opened, actor, source_id)
        able = get_facts(opened, source.plugin, source.connector).able
        service.start_source(opened, actor, source_id, able, past=past, now=clock.now())
    flash("It has begun. The first records appear within a minute; you can leave.", "success")
    return redirect(url_for("sources.show", source_id=source_id), 303)
