"""Settings are WTForms: rendered, validated and reused by pages, commands and the environment."""

from __future__ import annotations

from wtforms import Form
from wtforms.fields import PasswordField


class SecretField(PasswordField):
    """A setting that can be written and never read again: sealed in the database, masked everywhere.

    It arrives in ``ctx.secrets`` under its name. Changing the host that the secret goes to clears it.
    """


class NoConfig(Form):
    """For what needs no settings."""
