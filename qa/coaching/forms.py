"""Forms of coaching. They check shape; services hold the rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from wtforms import (
    BooleanField,
    DateField,
    FieldList,
    FormField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from qa.coaching.goals import MOST_GOALS, GoalChoice
from qa.coaching.models import CLIP_KINDS, KPIS, NOTE_MAX, SESSION_KINDS, TITLE_MAX, WORDS_MAX
from qa.coaching.session_service import Appointment, Moment, Said
from qa.core.keyset import id_in
from qa.web.forms import Form

BEHAVIOUR = "behaviour"
TARGETS = [
    SelectChoice(str(share), f"{share // 10} of 10" if share % 10 == 0 else f"{share} %")
    for share in (100, 95, 90, 80, 70, 60, 50)
]
MINUTES = [SelectChoice(str(one), f"{one} minutes") for one in (15, 30, 45, 60, 90)]
QUIET = {"autocomplete": "off"}


def _at_most(limit: int) -> Length:
    return Length(max=limit, message=f"At most {limit:,} characters are kept. Shorten it.")


def _chosen(value: object) -> int:
    return id_in(str(value)) or 0


class ManyField(SelectMultipleField):
    """Options as boxes to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class GoalForm(Form):
    """One goal: what, a target, and words for something to see and hear."""

    what = SelectField("Goal", validate_choice=False)
    target = SelectField("Target", choices=TARGETS, default="80", coerce=_chosen, validate_choice=False)
    words = StringField("In words", [_at_most(TITLE_MAX)], render_kw=QUIET)

    def choice(self) -> GoalChoice | None:
        """Return the goal, None for an empty row."""
        kind, _, rest = str(self.what.data or "").partition(":")
        words = (self.words.data or "").strip()
        if kind == "kpi":
            return GoalChoice("kpi", ref=rest, target=self.target.data)
        if kind in {"question", "section"}:
            number, _, ref = rest.partition(":")
            return GoalChoice(kind, scorecard_id=id_in(number), ref=ref, target=self.target.data)
        return GoalChoice(BEHAVIOUR, label=words) if words or kind == BEHAVIOUR else None


class PlanForm(Form):
    """A new plan, with its first session if one likes."""

    agent_id = SelectField("Agent", coerce=_chosen, validate_choice=False)
    coach_id = SelectField("Coach", coerce=_chosen, validate_choice=False)
    title = StringField("What it is about", [InputRequired("Give the plan a title."), _at_most(TITLE_MAX)])
    why = TextAreaField("Why", [_at_most(WORDS_MAX)])
    goals = FieldList(FormField(GoalForm), min_entries=MOST_GOALS, max_entries=MOST_GOALS)
    review_on = DateField("Review on", [InputRequired("Choose a day.")])
    todos = TextAreaField("To-dos of the agent", [_at_most(NOTE_MAX)])
    session_day = DateField("First session on", [Optional()])
    session_at = TimeField("at", [Optional()])
    minutes = SelectField("for", choices=MINUTES, default="30", coerce=_chosen, validate_choice=False)
    agenda = TextAreaField("Agenda", [_at_most(NOTE_MAX)])

    def offer(self, goals: Iterable[tuple[str, list[tuple[str, str]]]]) -> None:
        """Set what goals can be about, by scorecard."""
        choices = {
            "": [SelectChoice("", "No goal here"), SelectChoice(BEHAVIOUR, "Something to see and hear")],
            **{title: [SelectChoice(*one) for one in options] for title, options in goals},
            "Numbers of the centre": [SelectChoice(f"kpi:{ref}", words) for ref, words in KPIS.items()],
        }
        for entry in self.goals:
            entry.form.what.choices = choices

    def choices(self) -> list[GoalChoice]:
        """Return the goals that were filled in."""
        return [found for entry in self.goals if (found := entry.form.choice())]

    def todo_lines(self, due: date) -> list[tuple[str, date]]:
        """Return one to-do for each line that is not empty."""
        return [(line.strip(), due) for line in (self.todos.data or "").splitlines() if line.strip()]


class AppointmentForm(Form):
    """When and where."""

    day = DateField("Day", [InputRequired("Choose a day.")])
    at = TimeField("Time", [InputRequired("Choose a time.")])
    zone = StringField("Time zone", [InputRequired("Choose a time zone."), _at_most(60)], render_kw=QUIET)
    minutes = SelectField("Length", choices=MINUTES, default="30", coerce=_chosen, validate_choice=False)
    place = StringField("Place or link", [_at_most(TITLE_MAX)])
    anyway = BooleanField("Plan it although nobody works on this day")

    def appointment(self) -> Appointment:
        """Return the appointment; only after ``validate``."""
        assert self.day.data is not None
        assert self.at.data is not None
        return Appointment(
            day=self.day.data,
            at=self.at.data,
            zone=(self.zone.data or "").strip(),
            minutes=self.minutes.data,
            place=self.place.data or "",
            anyway=bool(self.anyway.data),
        )


class SessionForm(AppointmentForm):
    """A new session."""

    title = StringField("What it is about", [InputRequired("Give it a title."), _at_most(TITLE_MAX)])
    agenda = TextAreaField("Agenda", [_at_most(NOTE_MAX)])
    kind = SelectField(
        "How", choices=[SelectChoice(code, words) for code, words in SESSION_KINDS.items()], default="coach"
    )
    coach_id = SelectField("Coach", coerce=_chosen, validate_choice=False)
    agent_ids = ManyField("Who comes", coerce=_chosen, validate_choice=False)
    peer_ids = ManyField("Colleagues who help", coerce=_chosen, validate_choice=False)


class NotesForm(Form):
    """What is shared in a session."""

    shared_note = TextAreaField("Note", [_at_most(NOTE_MAX)])
    strengths = TextAreaField("What went well", [_at_most(NOTE_MAX)])
    opportunities = TextAreaField("What to work on", [_at_most(NOTE_MAX)])
    agenda = TextAreaField("Agenda", [_at_most(NOTE_MAX)])
    revision = IntegerField("Revision", default=0)

    def said(self) -> Said:
        """Return what was typed."""
        return Said(
            self.shared_note.data or "",
            self.strengths.data or "",
            self.opportunities.data or "",
            self.agenda.data or "",
            self.revision.data or 0,
        )


class PrivateForm(Form):
    """One's own private note."""

    private_note = TextAreaField("Private note", [_at_most(NOTE_MAX)])


class TodoForm(Form):
    """A to-do."""

    person_id = SelectField("Who", coerce=_chosen, validate_choice=False)
    todo = StringField("What is to be done", [InputRequired("Say what is to be done."), _at_most(WORDS_MAX)])
    due_on = DateField("By", [Optional()])


class ClipForm(Form):
    """A moment for a session: ``moment`` is a pin's number, or empty for the whole conversation."""

    session = SelectField("Session", coerce=_chosen, validate_choice=False)
    moment = SelectField("Moment", coerce=_chosen, validate_choice=False)
    kind = SelectField(
        "Why", choices=[SelectChoice(code, words) for code, words in CLIP_KINDS.items()], default=""
    )
    words = StringField("A word about it", [_at_most(WORDS_MAX)], render_kw=QUIET)

    def moment_of(self, pins: dict[int, tuple[int | None, int | None, int | None]]) -> Moment:
        """Return the chosen moment of these: start, end and turn by number."""
        start, end, turn = pins.get(self.moment.data, (None, None, None))
        return Moment(start, end, turn, self.kind.data or "", self.words.data or "")


class WordsForm(Form):
    """A sentence."""

    words = TextAreaField("In words", [_at_most(WORDS_MAX)])


class TemplateForm(Form):
    """A template made of a plan."""

    title = StringField("Title", [InputRequired("Give the template a title."), _at_most(TITLE_MAX)])
    agenda = TextAreaField("Agenda of its first session", [_at_most(NOTE_MAX)])


class DayOffForm(Form):
    """A day on which nobody works."""

    day = DateField("Day", [InputRequired("Choose a day.")])
    name = StringField("Name", [InputRequired("Type its name."), _at_most(TITLE_MAX)])
