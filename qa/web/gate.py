"""The gate before every view: who asks, may they ask at all, and is the post their own.

Default closed: an endpoint that claims nothing is refused, and one that needs a person sends
nobody further than the sign-in page.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from flask import Flask, current_app, g, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import Forbidden

from qa.core.actor import Actor
from qa.core.errors import Invalid
from qa.core.text import fault_of
from qa.web import context
from qa.web.access import MACHINE, PUBLIC, SIGNED_IN, claim_of
from qa.web.forms import CSRF, CSRF_HEADER, ONCE, token_holds

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})

FindActor = Callable[[Session], Actor | None]
TakeOnce = Callable[[Session, int, str, str], str | None]
"""Takes a key for a user and body: None when it is new, else the kept answer ("" when unknown)."""

KeepAnswer = Callable[[Session, int, str, str], None]
HoldsClaim = Callable[[Actor, str], bool]


class Gate:
    """Wire the checks; ``accounts`` supplies who is who, so this package stays below it."""

    def __init__(
        self,
        *,
        find_actor: Callable[[], Actor | None],
        may_somewhere: HoldsClaim,
        take_once: TakeOnce,
        keep_answer: KeepAnswer,
    ) -> None:
        self._find_actor = find_actor
        self._may_somewhere = may_somewhere
        self._take_once = take_once
        self._keep_answer = keep_answer

    def install(self, app: Flask) -> None:
        """Put the checks before and after every request."""
        app.before_request(self.before)
        app.after_request(self.after)

    def before(self) -> ResponseReturnValue | None:
        """Refuse, send to the sign-in page, or let the view run."""
        g.request_id = secrets.token_hex(8)
        if request.endpoint is None or request.endpoint == "static":
            return None
        _check_address()
        claim = claim_of(current_app.view_functions[request.endpoint])
        if not claim:
            raise Forbidden
        if claim == (MACHINE,):
            return None
        if claim != (PUBLIC,):
            g.actor = self._find_actor()
            if g.actor is None:
                return sign_in_first()
            self._check_claim(g.actor, claim)
        if request.method in UNSAFE:
            _check_own_post()
            self._prepare_once()
        return None

    def _check_claim(self, actor: Actor, claim: tuple[str, ...]) -> None:
        if claim != (SIGNED_IN,) and not any(self._may_somewhere(actor, name) for name in claim):
            raise Forbidden

    def _prepare_once(self) -> None:
        """Note the form's once-key: the view's own transaction takes it, so both are kept or neither."""
        key = request.form.get(ONCE) if request.mimetype != "application/json" else None
        actor = context.find_actor()
        if not key or actor is None or actor.id is None:
            return
        if len(key) > 64:
            raise Invalid("This form's key is damaged. Load the page again.")
        user_id, body = actor.id, _body_hash(key)
        g.once = (user_id, key)

        def take(session: Session) -> None:
            g.take_once_key = None  # a view with two transactions takes it with the first
            earlier = self._take_once(session, user_id, key, body)
            if earlier is not None:
                raise AlreadyTaken(earlier or None)

        g.take_once_key = take

    def after(self, response: Any) -> Any:
        """Keep the answer beside the once-key, for a browser that asks again."""
        once = g.get("once")
        if once is not None and g.get("take_once_key") is None and response.status_code == 303:
            user_id, key = once
            with context.database().transaction() as session:
                self._keep_answer(session, user_id, key, response.headers["Location"])
        return response


class AlreadyTaken(Exception):
    """The form was taken before; ``location`` is the answer it got, None if it is not known."""

    def __init__(self, location: str | None) -> None:
        super().__init__(location)
        self.location = location


KEPT_ALREADY = "This form has arrived already and is kept. Load the page to see it."


def sign_in_first() -> ResponseReturnValue:
    sign_in = url_for("accounts.sign_in", next=own_path(request))
    if context.wants_json() or request.headers.get("X-Fragment"):
        sentence = "Your session has expired. Sign in again; what you typed is kept on this computer."
        return jsonify(error=sentence, sign_in=url_for("accounts.sign_in")), 401
    if request.method in UNSAFE:
        # without a session there is no telling whose post this is
        return redirect(url_for("accounts.sign_in", next=_referring_path()), 303)
    return redirect(sign_in, 302)


def own_path(asked: Any) -> str:
    """Return the path and query of a request, never a host."""
    return str(asked.full_path.rstrip("?"))


def _referring_path() -> str:
    return urlsplit(request.referrer or "/").path or "/"


def _check_address() -> None:
    """Refuse an address with what no text can hold, before a database chokes on it."""
    asked = [*request.args.values(), *map(str, (request.view_args or {}).values())]
    if fault := next((fault for text in asked if (fault := fault_of(text))), None):
        raise Invalid(f"The address {fault}")


def _check_own_post() -> None:
    """Refuse a post that another site's page made a browser send."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden(FOREIGN)
    origin = request.headers.get("Origin")
    if origin and origin != "null" and urlsplit(origin).netloc != request.host:
        raise Forbidden(FOREIGN)
    _check_form_text()
    token = request.headers.get(CSRF_HEADER) or request.form.get(CSRF)
    if not token_holds(token):
        raise Invalid(STALE)


def _check_form_text() -> None:
    """Refuse a form whose bytes are no text: read on, they would be kept as other text than was sent."""
    if request.mimetype != "application/x-www-form-urlencoded":
        return
    try:
        unquote_to_bytes(request.get_data()).decode()
    except UnicodeDecodeError:
        raise Invalid(HALF) from None


HALF = (
    "The form contains half of a character (a lone surrogate). Paste the text again from its source; "
    "nothing was changed."
)
FOREIGN = "This request came from another site and was not carried out."
STALE = "This page is too old to be saved. Go back, load it again and send it once more; nothing was changed."


def _body_hash(key: str) -> str:
    body = sorted((name, value) for name, value in request.form.items(multi=True) if name not in {CSRF, ONCE})
    return hashlib.sha256(repr((request.path, key, body)).encode()).hexdigest()
