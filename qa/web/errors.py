"""From an exception to an answer: one status, one sentence, never a trace."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from flask import Flask, Response, jsonify, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException, Unauthorized

from qa.core.errors import Conflict, DomainError, TooMany, Unavailable
from qa.web import context, gate

log = logging.getLogger(__name__)

TITLES = {
    400: "That request cannot be read",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    409: "Something has changed meanwhile",
    413: "Too large",
    415: "A kind that is not taken here",
    422: "That cannot be saved yet",
    429: "A short pause, please",
    500: "Something broke on our side",
    503: "A moment, please",
}
SENTENCES = {
    400: "The request is damaged. Load the page again and repeat what you did.",
    403: "Your role does not allow this. If you need it, ask your administrator.",
    404: "There is nothing here, or it is not yours to see. Check the address, or go back.",
    405: "This address does not take that kind of request.",
    413: "What you sent is larger than is taken here.",
    415: "Send this as a form or as JSON.",
    500: "Nothing you typed was saved by this last step. Try again; if it happens again, give your "
    "administrator the number below.",
    503: "The database is busy. Nothing was changed; try again in a moment.",
}


def install(app: Flask) -> None:
    """Register the one handler for each family of errors."""
    app.register_error_handler(DomainError, refused)
    app.register_error_handler(gate.AlreadyTaken, taken_before)
    app.register_error_handler(OperationalError, database_out)
    app.register_error_handler(PoolTimeoutError, database_out)
    app.register_error_handler(HTTPException, by_http)
    app.register_error_handler(Exception, broken)


def refused(error: DomainError) -> ResponseReturnValue:
    """Answer a refusal of the product's own."""
    response = _answer(error.status, error.message, errors=getattr(error, "errors", None))
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = "2"
    return response


def taken_before(error: gate.AlreadyTaken) -> ResponseReturnValue:
    """Give a repeated form the answer of the first one; where that is not known, say so."""
    if error.location is None:
        return refused(Conflict(gate.KEPT_ALREADY))
    return redirect(error.location, 303)


def by_http(error: HTTPException) -> ResponseReturnValue:
    """Answer what the framework refuses, in the product's words."""
    if isinstance(error, Unauthorized):
        return gate.sign_in_first()
    status = error.code or 500
    known = error.description if status == 403 and error.description == gate.FOREIGN else None
    response = _answer(status, known or SENTENCES.get(status, TITLES.get(status, "That did not work.")))
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after", "content-range"}:
            response.headers[name] = value
    return response


def database_out(error: Exception) -> ResponseReturnValue:
    """Answer while the database is busy or away: nothing was changed."""
    log.warning("database unavailable", extra={"error": type(error).__name__})
    return refused(Unavailable(SENTENCES[503]))


def broken(error: Exception) -> ResponseReturnValue:
    """Answer a fault of ours: an id to find it in the log, nothing else."""
    error_id = secrets.token_hex(6)
    log.error("unexpected %s", type(error).__name__, exc_info=error, extra={"error_id": error_id})
    return _answer(500, SENTENCES[500], error_id=error_id)


def _answer(
    status: int, sentence: str, *, errors: dict[str, str] | None = None, error_id: str | None = None
) -> Response:
    if context.wants_json():
        body: dict[str, Any] = {"error": sentence}
        body |= {"errors": errors} if errors else {}
        body |= {"error_id": error_id} if error_id else {}
        return make_response(jsonify(body), status)
    titles = TITLES if request.method not in {"GET", "HEAD"} else TITLES | {422: "That cannot be looked up"}
    page = render_template(
        "error.html",
        status=status,
        title=titles.get(status, "That did not work"),
        sentence=sentence,
        error_id=error_id,
        asked=request.path,
    )
    return make_response(page, status)
