"""The settings of the plugin, and the notifier."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField, Form, SelectMultipleField, URLField
from wtforms.fields import SelectChoice
from wtforms.validators import URL, InputRequired, Optional, ValidationError

from candor_webhook.sending import BadSecret, key_of, post
from qa.plugins.api import Context, Notice, Notifier, SecretField

EVENTS = (
    ("interaction", "Conversations: created, updated, deleted, merged"),
    ("transcript", "Conversations that have a text now"),
    ("evaluation", "Evaluations: submitted, released, revised, acknowledged, disputed, calibrated, voided"),
    ("coaching", "Plans, sessions, goals and trainings"),
)


class Settings(Form):
    """Where events go, which, and what they are signed with."""

    url = URLField(
        "Address for events",
        validators=[Optional(), URL(require_tld=False)],
        description="Leave it empty to send messages only.",
    )
    events = SelectMultipleField(
        "Events", choices=[SelectChoice(value, label) for value, label in EVENTS], validators=[Optional()]
    )
    with_answers = BooleanField("Send the answers of evaluations, too")
    secret = SecretField(
        "Signing secret",
        validators=[InputRequired()],
        description="Starts with whsec_; `qa x webhook new-secret` makes one.",
    )
    old_secret = SecretField(
        "Old signing secret",
        description="While the receiver changes over, everything is signed with both.",
    )

    def validate_secret(self, field: Any) -> None:
        """Refuse what cannot sign."""
        _check(field.data)

    def validate_old_secret(self, field: Any) -> None:
        """Refuse what cannot sign."""
        if field.data:
            _check(field.data)


def _check(secret: str) -> None:
    if "\x00" in secret:
        return  # the form is judged without its kept secrets
    try:
        key_of(secret)
    except BadSecret as error:
        raise ValidationError(str(error)) from None


class WebhookNotifier(Notifier):
    """Messages as webhooks: the target is the receiver's address."""

    key = "webhook"
    title = "Webhook"
    target_label = "Address (https://…)"

    def send(self, ctx: Context, message: Notice, target: str, key: str) -> None:
        """Send one message; the same key has the same webhook-id."""
        facts = {"subject": message.subject, "body": message.body, "url": message.url}
        post(ctx, target, "message.sent", facts | {"urgency": message.urgency}, key)
