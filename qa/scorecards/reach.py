"""How far an unfinished evaluation can still go: its open questions at their worst and at their best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from qa.scorecards.answers import HIDDEN, UNANSWERED, read_answers
from qa.scorecards.compiled import VALUE, CompiledForm, CompiledQuestion, Given
from qa.scorecards.results import SectionResult
from qa.scorecards.scoring import Sheet


def bounds(
    compiled: CompiledForm, answers: Mapping[str, Any], fields: Mapping[str, Any]
) -> tuple[Fraction, Fraction] | None:
    """Return the lowest and highest raw score that open questions can still lead to, None if nothing counts.

    Each open question is given its worst and its best option. Where it may still become N/A, or be
    hidden, it is given nothing and everything: leaving it out moves the score less than that.
    """
    low, high = _extremes(compiled, answers, fields)
    lowest, highest = Sheet(compiled, low).total(), Sheet(compiled, high).total()
    if lowest is None or highest is None:
        return None
    return min(lowest, highest), max(lowest, highest)


def certain_sections(
    compiled: CompiledForm, answers: Mapping[str, Any], fields: Mapping[str, Any]
) -> tuple[SectionResult, ...]:
    """Return each section as it stands if all open questions go worst: what is earned of all it can give."""
    low, _high = _extremes(compiled, answers, fields)
    return Sheet(compiled, low).result().sections


def _extremes(
    compiled: CompiledForm, answers: Mapping[str, Any], fields: Mapping[str, Any]
) -> tuple[list[Given], list[Given]]:
    given, shown = read_answers(compiled, answers, fields)
    open_at = [
        question.index
        for question, one, met in zip(compiled.questions, given, shown, strict=True)
        if one.state == UNANSWERED or (one.state == HIDDEN and met is None)
    ]
    low, high = list(given), list(given)
    for index in open_at:
        choices = compiled.questions[index].choices
        if choices:
            may_go = compiled.questions[index].na_allowed or shown[index] is None
            low[index] = _extreme(compiled.questions[index], best=False, may_go=may_go)
            high[index] = _extreme(compiled.questions[index], best=True, may_go=may_go)
    return low, high


def _extreme(question: CompiledQuestion, *, best: bool, may_go: bool) -> Given:
    choices = question.choices
    if question.type == "multi":
        return Given(VALUE, tuple(c for c in choices if (c.points > 0) == best and c.points != 0))
    ordered = sorted(choices, key=lambda c: (c.points, c.fail is None, not c.is_failed))
    chosen = ordered[-1 if best else 0]
    if may_go and question.counts:
        points = max(chosen.points, question.base) if best else min(chosen.points, 0)
        chosen = replace(chosen, points=points)
    return Given(VALUE, (chosen,))
