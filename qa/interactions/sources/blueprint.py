"""The blueprint of the pages of sources."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Flask, current_app

from qa.core.actor import by
from qa.core.errors import Unavailable
from qa.interactions.sources.connectors import Connectors
from qa.web.context import find_actor

bp = Blueprint("sources", __name__, template_folder="../templates")
EXTENSION = "candor.sources"


@bp.context_processor
def own_scope() -> dict[str, Any]:
    """Return what templates ask about: sources belong to the site, so to everybody whose role may."""
    actor = find_actor()
    return {"own": by(None if actor is None else actor.id)}


def install(app: Flask, connectors: Connectors) -> None:
    """Put the connectors on the app: their forms judge what people type."""
    app.extensions[EXTENSION] = connectors


def connectors() -> Connectors:
    """Return the connectors of this request's app; raise ``Unavailable`` where none were put."""
    found = current_app.extensions.get(EXTENSION)
    if found is None:
        raise Unavailable("Plugins do not run in this process, so their settings cannot be judged here.")
    return cast("Connectors", found)
