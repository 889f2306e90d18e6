"""Headers of every answer: what a browser may load, keep and reveal."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from qa.web import context

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
PLAIN = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ASSET_CACHE = "public, max-age=31536000, immutable"
ONE_YEAR = "max-age=31536000; includeSubDomains"


def install(app: Flask) -> None:
    """Put the headers on every answer of the app."""
    app.after_request(_added)


def _added(response: Any) -> Any:
    for name, value in PLAIN.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static":
        response.headers["Cache-Control"] = ASSET_CACHE
    else:
        response.headers.setdefault("Cache-Control", "no-store")
    if context.settings().over_tls:
        response.headers["Strict-Transport-Security"] = ONE_YEAR
    return response
