"""The base of every form, its CSRF token, and the key that makes a repeated post harmless.

Forms check shape; rules live in services.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from flask import current_app, session
from wtforms import Form as PlainForm
from wtforms.csrf.session import SessionCSRF
from wtforms.meta import DefaultMeta

from qa.core.errors import Invalid

ONCE = "once"
CSRF = "csrf_token"
CSRF_HEADER = "X-CSRF"


class Form(PlainForm):
    """A form without a token of its own: ``web.gate`` has checked it before the view runs."""

    def take(self, error: Invalid) -> None:
        """Show a service's refusal beside the fields it names, the rest above the form."""
        named = {name: sentence for name, sentence in error.errors.items() if name in self._fields}
        for name, sentence in named.items():
            field = self._fields[name]
            field.errors = [*field.errors, sentence]
        if not named or set(error.errors) - set(named):
            self.form_errors.append(error.message)


class TokenForm(PlainForm):
    """Only a token: WTForms makes and checks it, bound to this browser's session."""

    class Meta(DefaultMeta):
        """WTForms' switches."""

        csrf = True
        csrf_class = SessionCSRF
        csrf_time_limit = timedelta(hours=12)

        @property
        def csrf_secret(self) -> bytes:
            """Return the site's secret."""
            return str(current_app.config["SECRET_KEY"].hex()).encode()

        @property
        def csrf_context(self) -> Any:
            """Return where WTForms keeps its part."""
            return session


def csrf_token() -> str:
    """Return a token for a form or a header."""
    return str(TokenForm()["csrf_token"].current_token)


def token_holds(token: str | None) -> bool:
    """Tell whether the token belongs to this browser and is fresh."""
    return bool(token) and TokenForm(data={CSRF: token}).validate()


def once_key() -> str:
    """Return a fresh key for one form: a repeated post gets the first answer."""
    return secrets.token_urlsafe(18)
