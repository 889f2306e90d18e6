"""Forms of sign-in, people and teams. They check shape; services hold the rules."""

from __future__ import annotations

from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from qa.accounts.models import EMAIL_MAX, NAME_MAX, PASSWORD_MAX
from qa.accounts.permissions import PEOPLE, ROLE_WORDS
from qa.web.forms import Form

ROLE_CHOICES = [SelectChoice(role.value, ROLE_WORDS[role]) for role in PEOPLE]


def whole_or_none(value: str | None) -> int | None:
    """Read a select's value; the empty choice is None."""
    return int(value) if value and value.isdigit() else None


class SignInForm(Form):
    """E-mail and password."""

    email = EmailField("E-mail", [InputRequired("Type your e-mail address."), Length(max=EMAIL_MAX)])
    password = PasswordField("Password", [InputRequired("Type your password."), Length(max=PASSWORD_MAX)])


class NewPasswordForm(Form):
    """A password to choose."""

    password = PasswordField("New password", [InputRequired("Type a password.")])


class ChangePasswordForm(Form):
    """The present password and a new one."""

    old = PasswordField("Present password", [InputRequired("Type your present password.")])
    password = PasswordField("New password", [InputRequired("Type a new password.")])


class ConfirmForm(Form):
    """The present password, to prove who sits there."""

    password = PasswordField("Password", [InputRequired("Type your password.")])


class PreferencesForm(Form):
    """How one likes to work."""

    keys_off = BooleanField("Switch single-letter keys off")


class RolesField(SelectMultipleField):
    """Roles as boxes to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class PersonForm(Form):
    """A new person."""

    name = StringField("Name", [InputRequired("Type a name."), Length(max=NAME_MAX)])
    email = EmailField("E-mail", [InputRequired("Type an e-mail address."), Length(max=EMAIL_MAX)])
    roles = RolesField("Roles", choices=ROLE_CHOICES)
    team_id = SelectField("Team", coerce=whole_or_none, validate_choice=False)


class ProfileForm(Form):
    """Name and address of a person."""

    name = StringField("Name", [InputRequired("Type a name."), Length(max=NAME_MAX)])
    email = EmailField("E-mail", [InputRequired("Type an e-mail address."), Length(max=EMAIL_MAX)])


class RolesForm(Form):
    """Roles of a person."""

    roles = RolesField("Roles", choices=ROLE_CHOICES)


class MoveForm(Form):
    """A move to another team."""

    team_id = SelectField("Team", coerce=whole_or_none, validate_choice=False)
    since = DateField("From", [Optional()])


class TeamForm(Form):
    """A team's name and place."""

    name = StringField("Name", [InputRequired("Type a name."), Length(max=NAME_MAX)])
    parent_id = SelectField("Inside", coerce=whole_or_none, validate_choice=False)
