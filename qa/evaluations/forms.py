"""The evaluation as a plain WTForms form, built from the scorecard; and the small forms around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from wtforms import (
    BooleanField,
    DateField,
    Field,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from qa.core.errors import Invalid
from qa.evaluations.merge import ANSWER, CAUSE, COACHING, COMMENT, WHOLE, WHOLE_FIELDS, Change
from qa.evaluations.models import COMMENT_MAX, REASON_MAX, SKIP_REASONS, Evaluation
from qa.evaluations.work_page import NONE_WORD, Fields, QuestionView, SectionView, blank_form, whole_causes
from qa.scorecards.queries import ReadyForm
from qa.web.forms import Form


class ManyField(SelectMultipleField):
    """Options as boxes to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class EvaluationForm(Form):
    """What every evaluation has; questions are added by ``evaluation_form``."""

    revision = IntegerField("Revision", [Optional()])
    private_note = TextAreaField("Private note", [Optional(), Length(max=COMMENT_MAX)])
    root_cause = SelectField("Root cause of the whole conversation", [Optional()], choices=[])
    coaching_note = TextAreaField("A word for the coach", [Optional(), Length(max=COMMENT_MAX)])
    reason = TextAreaField("Reason", [Optional(), Length(max=REASON_MAX)])

    def changes(self, sections: tuple[SectionView, ...]) -> list[Change]:
        """Return every field as a change from what the page showed."""
        found = []
        for section in sections:
            for view in section.questions:
                given = self._answer(view)
                found.append(Change(view.ref, ANSWER, view.answer, given))
                found.append(Change(view.ref, COMMENT, view.comment, self[f"{view.name}-comment"].data or ""))
                if view.causes:
                    found.append(
                        Change(view.ref, CAUSE, view.root_cause, self[f"{view.name}-cause"].data or "")
                    )
                starred = bool(self[f"{view.name}-coaching"].data)
                found.append(Change(view.ref, COACHING, view.coaching, starred))
        return found

    def evidence(
        self, sections: tuple[SectionView, ...], turns: Mapping[int, int]
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """Return whole lines to pin and pieces to remove; ``turns`` are ids by the number of the line.

        Raises ``Invalid`` naming the question whose line is not there.
        """
        added: list[dict[str, Any]] = []
        removed: list[str] = []
        for view in (view for section in sections for view in section.questions):
            removed += self[f"{view.name}-unpin"].data or []
            line = self[f"{view.name}-evidence"]
            if not line.raw_data or not line.raw_data[0].strip():
                continue
            turn = turns.get(line.data or 0)
            if turn is None:
                sentence = f"Question {view.number}: type the number of a line of the conversation."
                raise Invalid(sentence, errors={view.ref: sentence})
            made = f"line-{view.number}-{line.data}"
            added.append({"client_id": made, "question": view.ref, "kind": "message", "turn_id": turn})
        return added, removed

    def whole_changes(self, evaluation: Evaluation) -> list[Change]:
        """Return what concerns the whole form as changes from what the page showed."""
        return [
            Change(WHOLE, name, getattr(evaluation, name), self[name].data or "") for name in WHOLE_FIELDS
        ]

    def sent_fields(self, sections: tuple[SectionView, ...]) -> dict[str, Fields]:
        """Return what was sent as the fields say it, to show it again beside a refusal."""
        return {view.name: self._sent(view) for section in sections for view in section.questions}

    def _sent(self, view: QuestionView) -> Fields:
        data, line = self[view.name].data, self[f"{view.name}-evidence"].raw_data
        chosen = tuple(data or ()) if view.type == "multi" else () if data is None else (str(data),)
        return Fields(
            chosen=chosen,
            text="" if view.type == "multi" else data or "",
            is_na=view.answer == "na",
            comment=self[f"{view.name}-comment"].data or "",
            root_cause=self[f"{view.name}-cause"].data or "",
            coaching=bool(self[f"{view.name}-coaching"].data),
            line=line[0] if line else "",
            pins=view.pins,
        )

    def _answer(self, view: QuestionView) -> Any:
        data = self[view.name].data
        if view.type == "multi":
            if "na" in (data or []):
                return "na"
            kept = [one for one in data or [] if one != NONE_WORD]
            return kept if data else None
        if not data and view.answer == "na" and (view.type == "text" or not view.na_allowed):
            return "na"  # it was left open when the evaluation was submitted, and still is
        return data or None


@lru_cache(maxsize=256)
def evaluation_form(ready: ReadyForm) -> type[EvaluationForm]:
    """Return the form class of one version, made once: a field for each question, comment, cause and star."""
    offered = [SelectChoice("", "None"), *(SelectChoice(ref, text) for ref, text in whole_causes(ready))]
    whole = SelectField("Root cause of the whole conversation", [Optional()], choices=offered)
    fields: dict[str, Field] = {"root_cause": whole}
    for view in (view for section in blank_form(ready) for view in section.questions):
        fields[view.name] = _field(view)
        fields[f"{view.name}-comment"] = TextAreaField("Comment", [Optional(), Length(max=COMMENT_MAX)])
        causes = [SelectChoice(ref, text) for ref, text in view.causes]
        fields[f"{view.name}-cause"] = SelectField(
            "Root cause", [Optional()], choices=[SelectChoice("", "No root cause"), *causes]
        )
        fields[f"{view.name}-coaching"] = BooleanField("Coaching point")
        fields[f"{view.name}-evidence"] = IntegerField("Evidence, number of the line", [Optional()])
        fields[f"{view.name}-unpin"] = SelectMultipleField("Remove", choices=[], validate_choice=False)
    return type("ScorecardForm", (EvaluationForm,), fields)


def _field(view: QuestionView) -> Field:
    label = f"{view.number} {view.text}"
    choices = [SelectChoice(option.value, option.label) for option in view.options]
    if view.na_allowed:
        choices.append(SelectChoice("na", "N/A"))
    if view.type == "single":
        return RadioField(label, [Optional()], choices=choices)
    if view.type == "multi":
        return ManyField(label, [Optional()], choices=[*choices, SelectChoice(NONE_WORD, "None of them")])
    if view.type == "text":
        return TextAreaField(label, [Optional(), Length(max=COMMENT_MAX)])
    return StringField(label, [Optional(), Length(max=40)])


class SkipForm(Form):
    """Why an assignment is put aside."""

    reason = RadioField(
        "Why do you skip it?",
        [InputRequired("Choose why you skip it.")],
        choices=[SelectChoice(value, words) for value, words in SKIP_REASONS.items()],
    )
    note = TextAreaField("A word more", [Optional(), Length(max=REASON_MAX)])


class AssignForm(Form):
    """Who shall evaluate a conversation, with which scorecard, until when."""

    agent_id = SelectField("Agent", coerce=int, validate_choice=False)
    evaluator_id = SelectField("Evaluator", coerce=int, validate_choice=False)
    scorecard_id = SelectField("Scorecard", coerce=int, validate_choice=False)
    due = DateField("Due", [InputRequired("Choose a day.")])


class DrawForm(Form):
    """A random draw: whose conversations, of which days, how many, with which scorecard, for whom."""

    agent = SelectField("Whose conversations", validate_choice=False)
    scorecard_id = SelectField("Scorecard", coerce=int, validate_choice=False)
    count = IntegerField("How many of each agent", [InputRequired("Type a number.")])
    since = DateField("From", [InputRequired("Choose a day.")])
    until = DateField("Up to and including", [InputRequired("Choose a day.")])
    evaluator_id = SelectField("Evaluator", coerce=int, validate_choice=False)
    due = DateField("Due", [InputRequired("Choose a day.")])

    def agents(self, offered: Sequence[tuple[int, int | None]]) -> list[int]:
        """Return whose conversations are meant, of the offered pairs of agent and team."""
        kind, _, number = str(self.agent.data or "").rpartition(":")
        if kind == "team":
            return [agent for agent, team in offered if str(team) == number]
        return [agent for agent, _ in offered if str(agent) == number]


class AcknowledgeForm(Form):
    """The agent's word, if there is one."""

    comment = TextAreaField("Comment", [Optional(), Length(max=COMMENT_MAX)])


class VoidForm(Form):
    """Why an evaluation shall not count."""

    reason = TextAreaField("Reason", [InputRequired("Say why it shall not count."), Length(max=REASON_MAX)])


class TemplateForm(Form):
    """A comment template."""

    title = StringField("Title", [InputRequired("Type a title."), Length(max=120)])
    text = TextAreaField("Text", [InputRequired("Type the text."), Length(max=COMMENT_MAX)])
    shared = BooleanField("Share it with everybody")
