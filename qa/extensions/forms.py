"""The form of outgoing mail. It checks shape; the service holds the rules."""

from __future__ import annotations

from wtforms import BooleanField, EmailField, IntegerField, PasswordField, RadioField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from qa.extensions.mail_service import SECURITIES, MailChoice
from qa.web.forms import Form

QUIET = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class MailForm(Form):
    """Server, protection, account, sender."""

    host = StringField(
        "Mail server", [InputRequired("Type the name of the mail server."), Length(max=253)], render_kw=QUIET
    )
    port = IntegerField(
        "Port", [InputRequired("Type a port, such as 587.")], default=587, render_kw={"inputmode": "numeric"}
    )
    security = RadioField(
        "Protection",
        choices=[SelectChoice(code, words) for code, words in SECURITIES.items()],
        default="starttls",
        validate_choice=False,
    )
    username = StringField("User name", [Length(max=254)], render_kw=QUIET)
    password = PasswordField("Password", [Length(max=1000)], render_kw={"autocomplete": "new-password"})
    sender = EmailField(
        "Mail comes from", [InputRequired("Type the address that mail comes from."), Length(max=254)]
    )
    is_on = BooleanField("Send notices by mail too", default=True)

    def choice(self) -> MailChoice:
        """Return what was chosen."""
        return MailChoice(
            host=(self.host.data or "").strip(),
            port=self.port.data or 0,
            security=self.security.data or "",
            sender=(self.sender.data or "").strip(),
            username=(self.username.data or "").strip(),
            password=self.password.data or None,
            is_on=bool(self.is_on.data),
        )
