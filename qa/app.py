"""The composition root of the web process: settings in, a WSGI app out, nothing global touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask, g, request
from flask_babel import Babel

from qa.accounts import once, policy, sessions
from qa.accounts import views as accounts
from qa.accounts.permissions import Permission
from qa.coaching import training
from qa.coaching import views as coaching
from qa.config import Settings
from qa.core import bell, clock, crypto, jobs
from qa.core.actor import Actor
from qa.core.db import Database
from qa.core.storage import LocalStorage
from qa.evaluations import autoscorer_views as autoscorers
from qa.evaluations import views as evaluations
from qa.extensions import mail_views as mail
from qa.extensions import views as extensions
from qa.insights import views as insights
from qa.interactions import alias_views as aliases
from qa.interactions import original_views as originals
from qa.interactions import speech_views as speech
from qa.interactions import views as interactions
from qa.interactions.sources import views as sources
from qa.scorecards import views as scorecards
from qa.web import (
    addresses,
    assets,
    context,
    display,
    errors,
    escaping,
    forms,
    gate,
    headers,
    health,
    navigation,
    timing,
)

MAX_FORM_BYTES = 1_000_000
BLUEPRINTS = (
    health.bp,
    accounts.bp,
    insights.bp,
    interactions.bp,
    aliases.bp,
    originals.bp,
    speech.bp,
    sources.bp,
    extensions.bp,
    mail.bp,
    scorecards.bp,
    evaluations.bp,
    autoscorers.bp,
    training.bp,
    coaching.bp,
)


def create_app(settings: Settings) -> Flask:
    """Return the app for these settings; call it twice and get two that share nothing."""
    app = Flask("qa.web", root_path=str(Path(__file__).parent / "web"))
    keys = crypto.load_keys(settings.key_path)
    database = Database(settings.database)
    database.after_commit.append(jobs.ringer(bell.make_bell(settings.queue_url, settings.data_path)))
    site = context.Site(
        settings=settings, database=database, keys=keys, storage=LocalStorage(settings.recordings_path)
    )
    context.install(app, site)
    addresses.install(app)
    escaping.install(app)
    _configure(app, settings, keys)
    Babel(app, locale_selector=lambda: "en", timezone_selector=lambda: settings.time_zone)
    if settings.server_timing:
        timing.install(app, database.engine)
    gate.Gate(
        find_actor=lambda: _find_actor(database),
        may_somewhere=lambda actor, name: policy.may_somewhere(actor, Permission(name)),
        take_once=lambda session, user, key, body: once.take_once(session, user, key, body, now=clock.now()),
        keep_answer=once.keep_answer,
    ).install(app)
    headers.install(app)
    errors.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    _templates(app, settings)
    return app


def _configure(app: Flask, settings: Settings, keys: crypto.Keys) -> None:
    over_tls = settings.over_tls
    app.config.update(
        SECRET_KEY=hashlib.sha256(b"cookie:" + keys.derive("cookie")).digest(),
        SESSION_COOKIE_NAME="__Host-candor" if over_tls else "candor",
        SESSION_COOKIE_SECURE=over_tls,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        MAX_FORM_PARTS=2_000,
        TRAP_BAD_REQUEST_ERRORS=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def _find_actor(database: Database) -> Actor | None:
    token = accounts.token_of_cookie()
    if token is None:
        return None
    return sessions.actor_of_request(database, token, request.remote_addr, g.request_id, now=clock.now())


def _templates(app: Flask, settings: Settings) -> None:
    served = assets.Assets(Path(app.root_path) / "static" / "dist")
    app.jinja_env.globals.update(
        asset=served.url,
        icon=served.icon,
        csrf_token=forms.csrf_token,
        once_key=forms.once_key,
        Permission=Permission,
        allowed=policy.allowed,
        without=display.without,
    )
    app.jinja_env.filters.update(display.filters(settings))
    app.context_processor(navigation.page_facts)
