"""A plugin's settings form as plain facts, and typed text as checked settings.

The web process never runs a plugin's code: pages draw their own fields from these facts, and what a
person typed is judged by the form itself in a child process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from wtforms import Form, fields, validators
from wtforms.fields import Field

from qa.plugins.api import SecretField

KINDS: tuple[tuple[type[Field], str], ...] = (
    (SecretField, "secret"),
    (fields.PasswordField, "secret"),
    (fields.BooleanField, "yes_no"),
    (fields.SelectMultipleField, "several"),
    (fields.SelectField, "choice"),
    (fields.IntegerField, "whole"),
    (fields.DecimalField, "decimal"),
    (fields.URLField, "url"),
    (fields.EmailField, "email"),
    (fields.TextAreaField, "lines"),
    (fields.DateField, "date"),
    (fields.StringField, "text"),
)
"""Field class: how the settings page draws it. The first that fits counts."""


class Unfit(Exception):
    """The form cannot be shown; the message says which field and what to use instead."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings form."""

    name: str
    kind: str
    label: str
    help: str = ""
    required: bool = False
    default: Any = None
    choices: tuple[tuple[str, str], ...] = ()
    lowest: str = ""
    highest: str = ""
    longest: int | None = None


def describe(form: type[Form]) -> list[dict[str, Any]]:
    """Return the fields of a form in their order; raise ``Unfit`` when one cannot be shown."""
    if not (isinstance(form, type) and issubclass(form, Form)):
        raise Unfit(f"{form!r:.80} is no form: write class Config(Form) with WTForms fields.")
    return [asdict(_setting(field)) for field in form()]


def _setting(field: Field) -> Setting:
    kind = next((word for known, word in KINDS if isinstance(field, known)), "")
    if not kind:
        known = ", ".join(known.__name__ for known, _ in KINDS)
        raise Unfit(f"{field.name} is a {type(field).__name__}; a settings page shows {known}.")
    limits = {limit: "" for limit in ("lowest", "highest")}
    longest = None
    for rule in field.validators:
        if isinstance(rule, validators.NumberRange):
            limits = {"lowest": _text(rule.min), "highest": _text(rule.max)}
        elif isinstance(rule, validators.Length) and rule.max and rule.max > 0:
            longest = int(rule.max)
    return Setting(
        name=field.name,
        kind=kind,
        label=str(field.label.text),
        help=str(field.description or ""),
        required=bool(field.flags.required),
        default=None if kind == "secret" else _plain(field.data),
        choices=tuple(_choices(field)) if kind in {"choice", "several"} else (),
        longest=longest,
        **limits,
    )


def _choices(field: Field) -> list[tuple[str, str]]:
    # WTForms' own iteration also yields whether each is chosen
    return [(str(choice[0]), str(choice[1])) for choice in field.iter_choices()]


def _text(limit: Any) -> str:
    return "" if limit is None else str(limit)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a form made of typed text: settings and secrets apart, or errors by field."""

    config: dict[str, Any]
    secrets: dict[str, str]
    errors: dict[str, str]


class _Typed(dict[str, list[str]]):
    """Typed text as WTForms reads it."""

    def getlist(self, name: str) -> list[str]:
        return self.get(name, [])


def judge(form: type[Form], typed: Mapping[str, list[str]], kept_secrets: frozenset[str]) -> Judged:
    """Let a form judge what was typed. A secret left empty that is kept already counts as given."""
    stand_in = "kept\x00kept"
    given = _Typed(typed)
    for name in kept_secrets:
        if not any(given.get(name, [])):
            given[name] = [stand_in]
    filled = form(given)
    filled.validate()
    errors = {name: str(found[0]) for name, found in filled.errors.items() if name and found}
    for found in filled.form_errors:
        errors.setdefault("", str(found))
    kinds = {one["name"]: one["kind"] for one in describe(form)}
    secrets = {}
    config = {}
    for field in filled:
        if kinds[field.name] != "secret":
            config[field.name] = _kept(field.data)
        elif field.data and field.data != stand_in:
            secrets[field.name] = str(field.data)
    return Judged(config, secrets, errors)


def _kept(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else _plain(value)
