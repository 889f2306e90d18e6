"""What a plan's goals can be: a question or section of a scorecard, a number of the centre, or words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy.orm import Session

from qa.coaching.models import GOAL_KINDS, KPIS, TITLE_MAX, CoachingGoal
from qa.core.actor import Actor
from qa.core.errors import Invalid
from qa.core.text import checked
from qa.evaluations.models import Evaluation
from qa.scorecards.queries import ReadyForm, find_active, form_of

MOST_GOALS = 3
FIRST_TARGET = 80


@dataclass(frozen=True, slots=True)
class GoalChoice:
    """One goal: of a scorecard's question or section, of a number of the centre, or in words."""

    kind: str
    label: str = ""
    scorecard_id: int | None = None
    ref: str = ""
    target: int | None = None


def make_goals(session: Session, actor: Actor, choices: Sequence[GoalChoice]) -> list[CoachingGoal]:
    """Return the goals of a new plan. Raises ``Invalid``."""
    if not choices:
        raise Invalid("Choose at least one goal.", field="goals")
    if len(choices) > MOST_GOALS:
        raise Invalid(
            f"More than {MOST_GOALS} goals at once help nobody. Leave some for later.", field="goals"
        )
    made = [_goal(session, actor, choice, place) for place, choice in enumerate(choices)]
    if len({(one.kind, one.scorecard_id, one.ref, one.label) for one in made}) < len(made):
        raise Invalid("The same goal stands there twice.", field="goals")
    return made


def _goal(session: Session, actor: Actor, choice: GoalChoice, place: int) -> CoachingGoal:
    if choice.kind not in GOAL_KINDS:
        raise Invalid("Choose what the goal is about.", field="goals")
    label = choice.label.strip()
    if choice.kind in {"question", "section"}:
        label = _label_of(session, actor, choice)
    elif choice.kind == "kpi":
        if choice.ref not in KPIS:
            raise Invalid("Choose one of the numbers.", field="goals")
        label = KPIS[choice.ref]
    label = checked(label[:TITLE_MAX], field="goals", label="A goal", limit=TITLE_MAX)
    if not label:
        raise Invalid("Say in words what one will see or hear.", field="goals")
    if choice.kind != "behaviour" and choice.target is None:
        raise Invalid("Choose a target for each goal that is counted.", field="goals")
    return CoachingGoal(
        position=place,
        kind=choice.kind,
        scorecard_id=choice.scorecard_id if choice.kind in {"question", "section"} else None,
        ref=choice.ref if choice.kind != "behaviour" else "",
        label=label[:TITLE_MAX],
        target=None if choice.kind == "behaviour" else choice.target,
    )


def _label_of(session: Session, actor: Actor, choice: GoalChoice) -> str:
    version = None if choice.scorecard_id is None else find_active(session, actor, choice.scorecard_id)
    if version is None:
        raise Invalid("Choose a question of a scorecard that is in use.", field="goals")
    found = goal_labels(form_of(version)).get((choice.kind, choice.ref))
    if found is None:
        raise Invalid("This question is not in the scorecard any more. Choose another.", field="goals")
    return found


def goal_labels(ready: ReadyForm) -> dict[tuple[str, str], str]:
    """Return what a scored question or section is called, by kind and ref."""
    found: dict[tuple[str, str], str] = {}
    for section in ready.form.all_sections():
        found["section", section.ref] = section.label
        found |= {("question", one.ref): one.text for one in section.questions if one.is_scored}
    return found


def lost_goals(evaluation: Evaluation) -> list[GoalChoice]:
    """Return the questions of an evaluation that lost points, those that failed it first, as goals.

    Needs the version loaded.
    """
    labels = goal_labels(form_of(evaluation.version))
    failed = {str(cause.get("ref", "")) for cause in evaluation.fail_causes or ()}
    lost = [
        part["ref"]
        for part in (evaluation.breakdown or {}).get("questions", [])
        if part["ratio"] is not None and Fraction(part["ratio"]) < 1 and ("question", part["ref"]) in labels
    ]
    lost.sort(key=lambda ref: ref not in failed)
    return [
        GoalChoice(
            "question",
            labels["question", ref],
            evaluation.scorecard_id,
            ref,
            100 if ref in failed else FIRST_TARGET,
        )
        for ref in lost[:MOST_GOALS]
    ]
