"""The settings of a source, and how they sign in."""

from __future__ import annotations

import base64
from typing import Any

from wtforms import Form, SelectField, StringField, URLField
from wtforms.fields import SelectChoice
from wtforms.validators import URL, InputRequired, ValidationError

from qa.plugins.api import Context, SecretField

SCOPES = "tickets:read tickets:write users:read satisfaction_ratings:read"
WAYS = (("oauth", "OAuth client (recommended)"), ("token", "API token (Zendesk ends these on 30 April 2027)"))


class Settings(Form):
    """Where the account is and who asks."""

    url = URLField(
        "Address",
        validators=[InputRequired(), URL(require_tld=False)],
        description="Such as https://your-company.zendesk.com",
    )
    way = SelectField("Sign in with", choices=[SelectChoice(*way) for way in WAYS], default="oauth")
    client_id = StringField(
        "OAuth client identifier", description="Admin Center, Apps and integrations, APIs."
    )
    client_secret = SecretField("OAuth client secret")
    email = StringField("E-mail address of the admin", description="With an API token only.")
    token = SecretField("API token")
    webhook_secret = SecretField(
        "Webhook signing secret", description="From the webhook's page, if you use one."
    )
    tag = StringField("Tag for evaluated tickets", default="qa_evaluated", description="Empty for none.")

    def validate_client_id(self, field: Any) -> None:
        """Ask for what the chosen way needs."""
        self._need(field, "oauth")

    def validate_client_secret(self, field: Any) -> None:
        """Ask for what the chosen way needs."""
        self._need(field, "oauth")

    def validate_email(self, field: Any) -> None:
        """Ask for what the chosen way needs."""
        self._need(field, "token")

    def validate_token(self, field: Any) -> None:
        """Ask for what the chosen way needs."""
        self._need(field, "token")

    def validate_tag(self, field: Any) -> None:
        """Zendesk splits tags at blanks."""
        if len((field.data or "").split()) > 1:
            raise ValidationError("A tag has no blanks.")

    def _need(self, field: Any, way: str) -> None:
        if (self.way.data or "oauth") == way and not (field.data or "").strip():
            raise ValidationError("This is needed.")


def headers_for(ctx: Context) -> dict[str, str]:
    """Return the headers with the credentials; the OAuth way fetches a token first."""
    if ctx.config.get("way") == "token":
        pair = f"{ctx.config['email']}/token:{ctx.secrets['token']}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    asked = {
        "grant_type": "client_credentials",
        "client_id": ctx.config["client_id"],
        "client_secret": ctx.secrets["client_secret"],
        "scope": SCOPES,
    }
    token = ctx.http.post("/oauth/tokens", json=asked, key="sign-in").json()["access_token"]
    return {"Authorization": f"Bearer {token}"}
