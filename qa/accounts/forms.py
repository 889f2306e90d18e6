"""Forms of sign-in, people and teams. They check shape; services hold the rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, StopValidation
from wtforms.widgets import CheckboxInput

from qa.accounts.keys import KEYS
from qa.accounts.models import EMAIL_MAX, NAME_MAX, PASSWORD_MAX
from qa.accounts.permissions import PEOPLE, ROLE_WORDS
from qa.core.keyset import id_in
from qa.web.forms import Form

ROLE_CHOICES = [SelectChoice(role.value, ROLE_WORDS[role]) for role in PEOPLE]
THEME_CHOICES = [
    SelectChoice("system", "As this computer has it"),
    SelectChoice("light", "Light"),
    SelectChoice("dark", "Dark"),
]

NAME_HINTS = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
PRESENT = {"autocomplete": "current-password"}
CHOSEN = {"autocomplete": "new-password"}


def _required(message: str) -> InputRequired:
    return InputRequired(message)


def _at_most(limit: int) -> Length:
    return Length(max=limit, message=f"At most {limit:,} characters are kept. Shorten it.")


class SignInForm(Form):
    """E-mail and password."""

    email = EmailField(
        "E-mail", [_required("Type your e-mail address."), _at_most(EMAIL_MAX)], render_kw=NAME_HINTS
    )
    password = PasswordField(
        "Password", [_required("Type your password."), _at_most(PASSWORD_MAX)], render_kw=PRESENT
    )


class NewPasswordForm(Form):
    """A password to choose; its rules are the service's."""

    password = PasswordField("New password", [_required("Type a password.")], render_kw=CHOSEN)


class ChangePasswordForm(Form):
    """The present password and a new one."""

    old = PasswordField("Present password", [_required("Type your present password.")], render_kw=PRESENT)
    password = PasswordField("New password", [_required("Type a new password.")], render_kw=CHOSEN)


class ConfirmForm(Form):
    """The present password, to prove who sits there."""

    password = PasswordField("Password", [_required("Type your password.")], render_kw=PRESENT)


class PreferencesForm(Form):
    """How one likes pages to be."""

    single_keys = BooleanField("Single letters act as keys, such as j for the next question")
    theme = RadioField("Light or dark", choices=THEME_CHOICES, validate_choice=False)
    mail = BooleanField("Send me my notices by mail too")
    time_zone = StringField("Time zone", [_at_most(60)], render_kw={"list": "zones", "autocomplete": "off"})

    def chosen_keys(self) -> dict[str, str] | None:
        """Return the keys as typed, None when the form was sent without them."""
        fields = {key.name: self[key_field(key.name)] for key in KEYS}
        if not any(field.raw_data for field in fields.values()):
            return None
        return {name: field.data or "" for name, field in fields.items()}


def key_field(name: str) -> str:
    """Return the name of the field of one act's key."""
    return f"key-{name}"


def preferences_form(*args: Any, **kwargs: Any) -> PreferencesForm:
    """Return the form of preferences with a field for each key."""
    hints = {"maxlength": "1", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
    fields = {key_field(key.name): StringField(key.words, render_kw=hints) for key in KEYS}
    made: PreferencesForm = type("WholePreferencesForm", (PreferencesForm,), fields)(*args, **kwargs)
    return made


def _one_of_these(value: object) -> int | None:
    chosen = id_in(str(value))
    if chosen is None and value != "":
        raise ValueError
    return chosen


def _sent(form: object, field: SelectField) -> None:
    # a form without the field must not read as "no team"
    if not field.raw_data:
        raise StopValidation("Choose one from the list.")


def _team_field(label: str, none: str) -> SelectField:
    """Return a field with a team from a list, or none; ``offer_teams`` sets the list."""
    refusal = "Choose one from the list."
    return SelectField(
        label,
        [_sent],
        coerce=_one_of_these,
        choices=[SelectChoice("", none)],
        invalid_value_message=refusal,
        invalid_choice_message=refusal,
    )


def offer_teams(field: SelectField, teams: Iterable[tuple[int, str]]) -> None:
    """Set which teams can be chosen, after the choice of none."""
    field.choices = [field.choices[0], *(SelectChoice(str(team_id), name) for team_id, name in teams)]


class PersonForm(Form):
    """A new person."""

    name = StringField("Name", [_required("Type a name."), _at_most(NAME_MAX)])
    email = EmailField("E-mail", [_required("Type an e-mail address."), _at_most(EMAIL_MAX)])
    roles = SelectMultipleField(
        "Roles", choices=ROLE_CHOICES, validate_choice=False, option_widget=CheckboxInput()
    )
    team_id = _team_field("Team", "No team")


class ProfileForm(Form):
    """Name and address of a person."""

    name = StringField("Name", [_required("Type a name."), _at_most(NAME_MAX)])
    email = EmailField("E-mail", [_required("Type an e-mail address."), _at_most(EMAIL_MAX)])


class RolesForm(Form):
    """Roles of a person."""

    roles = SelectMultipleField(
        "Roles", choices=ROLE_CHOICES, validate_choice=False, option_widget=CheckboxInput()
    )


class MoveForm(Form):
    """A move to another team, from a day on."""

    team_id = _team_field("Team", "No team")
    since = DateField("From", [Optional()], render_kw={"max": "9999-12-31"})


class TeamForm(Form):
    """A team's name and place."""

    name = StringField("Name", [_required("Type a name."), _at_most(NAME_MAX)])
    parent_id = _team_field("Inside", "No other team")
