"""What a result says in a sentence, for the person it judges."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from qa.evaluations.models import Evaluation
from qa.evaluations.result import answers_of, chosen_words
from qa.scorecards.display import score_shown, shown
from qa.scorecards.queries import ReadyForm
from qa.web.display import lower_first


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence in large letters, one below it."""

    headline: str
    small: str


def verdict(ready: ReadyForm, evaluation: Evaluation, decimals: int) -> Verdict:
    """Return what decided the score, without blame."""
    mark = ready.compiled.pass_mark
    score = None if evaluation.score is None else Fraction(evaluation.score)
    raw = None if evaluation.raw is None else Fraction(evaluation.raw)
    said = score_shown(score, mark, evaluation.outcome or "", decimals)
    lost = most_lost(ready, evaluation)
    form_causes = [cause for cause in evaluation.fail_causes or [] if cause["scope"] == "form"]
    if form_causes:
        reason, named = _cause(ready, evaluation, form_causes[0]["ref"])
        without = "" if raw is None else f"Without that it would have been {shown(raw, decimals)}. "
        return Verdict(f"The score is {said or 'open'} for one reason: {reason}.", named + without + lost)
    if score is None:
        return Verdict("No question counted, so there is no score.", "It is in no average.")
    if evaluation.outcome == "fail":
        return Verdict(f"The score is {said}, below the pass mark of {_mark(mark)}.", lost)
    above = "" if mark is None else f", and the pass mark is {_mark(mark)}"
    return Verdict(f"The score is {said}{above}.", lost or "No point was lost.")


def most_lost(ready: ReadyForm, evaluation: Evaluation) -> str:
    """Return where most of the points went."""
    losses = []
    for part in (evaluation.breakdown or {}).get("questions", []):
        if part["ratio"] is not None:
            lost = Fraction(part["weight_applied"]) * (1 - Fraction(part["ratio"]))
            if lost > 0:
                losses.append((lost, part["ref"]))
    if not losses:
        return ""
    lost, ref = max(losses)
    question = ready.compiled.by_ref[ref]
    return f"Most points went on question {question.number}: {lower_first(question.text)}."


def _cause(ready: ReadyForm, evaluation: Evaluation, ref: str) -> tuple[str, str]:
    """Return what failed the form, and the question's own words."""
    question = ready.compiled.by_ref.get(ref)
    if question is None:
        return "too many questions failed", ""
    value = answers_of(evaluation.answers).get(ref)
    return (
        f"question {question.number} was answered “{chosen_words(ready, ref, value)}”",
        f"{question.text}. ",
    )


def _mark(mark: Fraction | None) -> str:
    return "" if mark is None else shown(mark, 0)


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One question as the agent reads it."""

    number: int
    ref: str
    text: str
    answer: str
    shape: str
    points: str
    lost: bool
    fails: bool


def read_rows(ready: ReadyForm, evaluation: Evaluation, decimals: int) -> dict[str, list[ReadRow]]:
    """Return the shown questions by section: what was answered and where each point went."""
    rows: dict[str, list[ReadRow]] = {}
    answers = {row.question: row for row in evaluation.answers}
    failing = {cause["ref"]: cause["scope"] for cause in evaluation.fail_causes or []}
    for part in (evaluation.breakdown or {}).get("questions", []):
        question = ready.compiled.by_ref[part["ref"]]
        if part["state"] == "na_by_system":
            continue
        stored = answers.get(part["ref"])
        value = None if stored is None else "na" if stored.state == "na" else stored.value
        ratio = None if part["ratio"] is None else Fraction(part["ratio"])
        share = Fraction(part["weight_applied"])
        points = (
            "not counted"
            if ratio is None
            else f"{shown(share * ratio, decimals)} of {shown(share, decimals)}"
        )
        if question.is_bonus:
            points = f"+{shown(Fraction(part['earned']), decimals)}" if part["earned"] != "0" else "no bonus"
        section = ready.compiled.nodes[question.node].ref
        rows.setdefault(section, []).append(
            ReadRow(
                number=question.number,
                ref=part["ref"],
                text=question.text,
                answer=chosen_words(ready, part["ref"], value),
                shape=_shape(ratio, part["ref"] in failing),
                points=points,
                lost=ratio is not None and ratio < 1,
                fails=part["ref"] in failing,
            )
        )
    return rows


def _shape(ratio: Fraction | None, failed: bool) -> str:
    if failed:
        return "fail"
    if ratio is None:
        return "na"
    return "pass" if ratio >= 1 else "part" if ratio > 0 else "fail"
