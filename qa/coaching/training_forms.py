"""Forms of the training library. They check shape; services hold the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wtforms import (
    BooleanField,
    DateField,
    FileField,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from qa.coaching import quiz
from qa.coaching.training_models import ANSWER_MAX, SUMMARY_MAX, TEXT_MAX, TITLE_MAX, URL_MAX
from qa.evaluations.forms import ManyField
from qa.web.forms import Form

MONTHS_MAX, TRIES_MAX, MINUTES_MAX, DAYS_MAX = 120, 20, 600, 365


def _whole(label: str, low: int, high: int, *, must: bool = False) -> IntegerField:
    said = f"Type a whole number from {low} to {high}."
    checks: list[Any] = [InputRequired(said) if must else Optional()]
    return IntegerField(label, [*checks, NumberRange(low, high, said)])


class ModuleForm(Form):
    """A module as its author types it."""

    title = StringField("Title", [InputRequired("Give the module a title."), Length(max=TITLE_MAX)])
    summary = StringField("What it is about, in a sentence", [Optional(), Length(max=SUMMARY_MAX)])
    minutes = _whole("Minutes it takes", 1, MINUTES_MAX)
    text = TextAreaField("Text", [Optional(), Length(max=TEXT_MAX)])
    video_url = StringField("Link to a video", [Optional(), Length(max=URL_MAX)])
    file = FileField("File", [Optional()])
    quiz = TextAreaField("Quiz", [Optional(), Length(max=TEXT_MAX)])
    pass_percent = _whole("Per cent to pass", 1, 100, must=True)
    tries = _whole("Tries", 1, TRIES_MAX, must=True)
    certificate_months = _whole("Certificate, valid for months", 1, MONTHS_MAX)
    needs = ManyField("What comes first", [Optional()], choices=[], coerce=int)
    tags = ManyField("Questions it helps with", [Optional()], choices=[])
    seen = IntegerField("Version", [Optional()])


class AssignForm(Form):
    """Who gets a module, and until when."""

    module = SelectField("Module", [InputRequired("Choose a module.")], choices=[], coerce=int)
    people = SelectField("Who gets it", [InputRequired("Choose who gets it.")], choices=[])
    due = DateField("Due", [Optional()])


class RuleForm(Form):
    """When somebody gets a module by themselves."""

    module = SelectField("Module", [InputRequired("Choose a module.")], choices=[], coerce=int)
    kind = RadioField(
        "When",
        [InputRequired("Choose when.")],
        choices=[
            SelectChoice("auto_fail", "After auto-fails"),
            SelectChoice("joined", "On joining a team"),
        ],
    )
    team = SelectField("Where", [Optional()], choices=[], coerce=int)
    times = _whole("Auto-fails", 1, 20, must=True)
    days = _whole("Within days", 1, DAYS_MAX, must=True)
    due_days = _whole("Due after days", 1, DAYS_MAX, must=True)


class CompleteForm(Form):
    """One's own word that one went through it."""

    read = BooleanField("I have gone through it", [InputRequired("Tick this once you have gone through it.")])


def quiz_form(questions: Sequence[quiz.Question], orders: Mapping[str, Sequence[int]]) -> type[Form]:
    """Return the form of a quiz: a field for each question; of steps one place each, named ``q3-0``."""
    fields: dict[str, Any] = {}
    for one in questions:
        name = f"q{one.ref}"
        choices = [SelectChoice(place, text) for place, text in enumerate(one.options)]
        if one.kind == quiz.FREE:
            fields[name] = TextAreaField(one.text, [Optional(), Length(max=ANSWER_MAX)])
        elif one.kind == quiz.SINGLE:
            fields[name] = RadioField(one.text, [Optional()], choices=choices, coerce=int)
        elif one.kind == quiz.MULTIPLE:
            fields[name] = ManyField(one.text, [Optional()], choices=choices, coerce=int)
        else:
            fields[name] = StringField(one.text, [Optional()])
            count = len(one.options)
            places = [SelectChoice(0, "–"), *(SelectChoice(at, str(at)) for at in range(1, count + 1))]
            for option in orders[one.ref]:
                fields[f"{name}-{option}"] = SelectField(
                    one.options[option], [Optional()], choices=places, coerce=int
                )
    return type("QuizForm", (Form,), fields)


def answers_in(form: Form, questions: Sequence[quiz.Question]) -> dict[str, Any]:
    """Return what was answered, as the service takes it."""
    found: dict[str, Any] = {}
    for one in questions:
        name = f"q{one.ref}"
        if one.kind != quiz.ORDER:
            found[one.ref] = form[name].data
            continue
        places = [form[f"{name}-{option}"].data or 0 for option in range(len(one.options))]
        if any(places):
            by_place = sorted(range(len(places)), key=lambda option: places[option])
            is_whole = sorted(places) == list(range(1, len(places) + 1))
            found[one.ref] = by_place if is_whole else [-1]
    return found


def data_of(answers: Mapping[str, Any], questions: Sequence[quiz.Question]) -> dict[str, Any]:
    """Return kept answers as the fields of ``quiz_form`` show them."""
    data: dict[str, Any] = {}
    for one in questions:
        given = answers.get(one.ref)
        if given is None:
            continue
        if one.kind == quiz.ORDER:
            data |= {f"q{one.ref}-{option}": place for place, option in enumerate(given, start=1)}
        else:
            data[f"q{one.ref}"] = given
    return data


def mark_form(questions: Sequence[quiz.Question]) -> type[Form]:
    """Return the form to mark the free texts of a try: points and a comment each."""
    fields: dict[str, Any] = {}
    for one in questions:
        if one.kind == quiz.FREE:
            fields[f"points{one.ref}"] = _whole(f"Points, of {one.points}", 0, one.points, must=True)
            fields[f"comment{one.ref}"] = TextAreaField("Comment", [Optional(), Length(max=ANSWER_MAX)])
    return type("MarkForm", (Form,), fields)
