"""From stored answers to scores: the same code for the live score, the submit and the check years later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from qa.evaluations.desk_queries import AnswerFacts, PinFacts
from qa.evaluations.models import Answer, Evaluation, Pin
from qa.interactions.models import Interaction
from qa.scorecards.compiled import CompiledForm
from qa.scorecards.display import micro, score_shown, shown
from qa.scorecards.queries import ReadyForm
from qa.scorecards.reach import bounds, certain_sections
from qa.scorecards.requirements import requirements
from qa.scorecards.results import Result, exact
from qa.scorecards.scoring import ENGINE_VERSION, score

Answers = dict[str, Any]
AnswerRow = Answer | AnswerFacts
PinRow = Pin | PinFacts
"""To change them they are objects, to show them plain rows with the same names."""

STATE_NAMES = {
    "value": "value",
    "na_by_evaluator": "na",
    "na_by_system": "hidden",
    "unanswered": "unanswered",
}


def fields_of(interaction: Interaction) -> dict[str, Any]:
    """Return the facts of a conversation that conditions may look at."""
    return {
        **interaction.fields,
        "channel": interaction.channel,
        "queue": interaction.queue,
        "language": interaction.language,
        "direction": interaction.direction,
    }


def answers_of(rows: Iterable[AnswerRow]) -> Answers:
    """Return stored answers as the scorer takes them. A hidden one's value is kept and ignored there."""
    found: Answers = {}
    for row in rows:
        if row.state == "na":
            found[row.question] = "na"
        elif row.value is not None:
            found[row.question] = row.value
    return found


def result_of(ready: ReadyForm, interaction: Interaction, rows: Iterable[AnswerRow]) -> Result:
    """Score stored answers."""
    return score(ready.compiled, _known(ready.compiled, answers_of(rows)), fields_of(interaction))


def _known(compiled: CompiledForm, answers: Answers) -> Answers:
    return {ref: value for ref, value in answers.items() if ref in compiled.by_ref}


def write_result(evaluation: Evaluation, result: Result) -> None:
    """Put a complete result on the row: exact text, millionths for sums, and the whole breakdown."""
    evaluation.score = None if result.score is None else exact(result.score)
    evaluation.score_micro = None if result.score is None else micro(result.score)
    evaluation.raw = None if result.raw is None else exact(result.raw)
    evaluation.raw_micro = None if result.raw is None else micro(result.raw)
    evaluation.outcome = result.outcome
    evaluation.band = result.band
    evaluation.fail_causes = [asdict(cause) for cause in result.fail_causes]
    evaluation.breakdown = breakdown(result)
    evaluation.engine_version = ENGINE_VERSION


def breakdown(result: Result) -> dict[str, Any]:
    """Return sections and questions with earned, max, applied weight and ratio, all exact."""
    return {
        "sections": [asdict(part) for part in result.sections],
        "questions": [asdict(part) for part in result.questions],
    }


def needs_of(
    ready: ReadyForm, interaction: Interaction, rows: Iterable[AnswerRow], pins: Iterable[PinRow]
) -> list[dict[str, str]]:
    """Return the required comments and evidence that are not there yet."""
    rows = list(rows)
    found = requirements(
        ready.compiled,
        _known(ready.compiled, answers_of(rows)),
        fields_of(interaction),
        commented=frozenset(row.question for row in rows if row.comment.strip()),
        evidenced=frozenset(pin.question for pin in pins),
    )
    return [{"ref": need.ref, "what": need.what} for need in found]


def live(
    ready: ReadyForm,
    interaction: Interaction,
    rows: Iterable[AnswerRow],
    pins: Iterable[PinRow],
    *,
    decimals: int,
) -> dict[str, Any]:
    """Return what the form shows while somebody answers."""
    rows = list(rows)
    compiled = ready.compiled
    answers = _known(compiled, answers_of(rows))
    fields = fields_of(interaction)
    result = score(compiled, answers, fields)
    span = bounds(compiled, answers, fields)
    certain = certain_sections(compiled, answers, fields)
    mark = compiled.pass_mark
    asked = [q for q in compiled.questions if q.ref in result.visible and (q.is_required or q.ref in answers)]
    return {
        "raw": None if result.running is None else shown(result.running, decimals),
        "score": score_shown(result.score, mark, result.outcome, decimals),
        "outcome": result.outcome,
        "band": result.band,
        "low": None if span is None else shown(span[0], decimals),
        "high": None if span is None else shown(span[1], decimals),
        "bar": _bar(result.running, span, mark),
        "pass": None if mark is None else shown(mark, 0),
        "answered": len(asked) - len(result.missing),
        "total": len(asked),
        "fail_causes": [_cause(compiled, cause.ref, cause.scope) for cause in result.fail_causes],
        "form_failed": any(cause.scope == "form" for cause in result.fail_causes),
        "keeps_score": ready.form.autofail_score == "keep",
        "missing": list(result.missing),
        "needs": needs_of(ready, interaction, rows, pins),
        "visible": list(result.visible),
        "sections": {part.ref: section_points(part, decimals) for part in certain},
    }


def _bar(
    running: Fraction | None, span: tuple[Fraction, Fraction] | None, mark: Fraction | None
) -> dict[str, float | None]:
    """Return places on a scale of 0 to 100 for drawing; numbers that are read are exact text elsewhere."""

    def place(number: Fraction | None) -> float | None:
        return None if number is None else float(shown(min(max(number, Fraction(0)), Fraction(100)), 2))

    low, high = span or (None, None)
    return {"low": place(low), "now": place(running), "high": place(high), "pass": place(mark)}


def section_points(part: Any, decimals: int) -> dict[str, str]:
    """Return how much of its share a section has earned."""
    share = Fraction(part.weight_applied)
    earned = share * Fraction(part.ratio) if part.ratio is not None else Fraction(0)
    return {"earned": shown(earned, decimals), "of": shown(share, decimals), "state": part.state}


def _cause(compiled: CompiledForm, ref: str, scope: str) -> dict[str, str]:
    question = compiled.by_ref.get(ref)
    if question is not None:
        return {"ref": ref, "scope": scope, "number": str(question.number), "text": question.text}
    node = compiled.node_by_ref.get(ref)
    label = compiled.nodes[node].label if node is not None else compiled.form.title
    return {"ref": ref, "scope": scope, "number": "", "text": f"too many failed questions in {label}"}


def stored_differs(evaluation: Evaluation, result: Result) -> str | None:
    """Return in words how a stored result differs from a recomputed one, or None."""
    again = {
        "score": None if result.score is None else exact(result.score),
        "raw": None if result.raw is None else exact(result.raw),
        "score_micro": None if result.score is None else micro(result.score),
        "raw_micro": None if result.raw is None else micro(result.raw),
        "outcome": result.outcome,
        "band": result.band,
        "fail_causes": [asdict(cause) for cause in result.fail_causes],
        "breakdown": breakdown(result),
    }
    for name, value in again.items():
        stored = getattr(evaluation, name)
        if stored != value:
            return name if name in {"breakdown", "fail_causes"} else f"{name} is {stored}, recomputed {value}"
    return None


def chosen_words(ready: ReadyForm, ref: str, answer: Mapping[str, Any] | Any) -> str:
    """Return an answer as people read it."""
    if answer is None or answer == []:
        return "None of them" if answer == [] else "Not answered"
    if answer == "na":
        return "N/A"
    question = ready.compiled.by_ref.get(ref)
    if question is None or question.type not in {"single", "multi"}:
        return str(answer)
    refs = answer if isinstance(answer, list) else [answer]
    return ", ".join(
        question.by_ref[str(one)].label if str(one) in question.by_ref else str(one) for one in refs
    )
