"""From what an evaluator gave to the states the scorer knows; every wrong answer is named in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from qa.scorecards import conditions
from qa.scorecards.compiled import VALUE, CompiledForm, CompiledQuestion, Given

NA = "na_by_evaluator"
HIDDEN = "na_by_system"
UNANSWERED = "unanswered"
NA_WORD = "na"
TEXT_MAX = 4000


class AnswerError(Exception):
    """Answers that cannot be scored: ``problems`` maps question refs to sentences."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{ref}: {sentence}" for ref, sentence in problems.items()))


def read_answers(
    compiled: CompiledForm, answers: Mapping[str, Any], fields: Mapping[str, Any]
) -> tuple[list[Given], list[bool | None]]:
    """Return each question's state in order, and whether its condition is met (None: not known yet).

    A hidden question's stale answer is ignored, and not even checked. Raises ``AnswerError``.
    """
    problems = {
        ref: f"there is no question {ref!r} in this form." for ref in answers if ref not in compiled.by_ref
    }
    known: dict[str, Any] = {}
    given: list[Given] = []
    shown: list[bool | None] = []
    for question in compiled.questions:
        met, visible = _shown(question, known, fields)
        shown.append(met)
        if not visible:
            given.append(Given(HIDDEN))
            known[question.ref] = conditions.HIDDEN if met is False else None
            continue
        try:
            one = _given(question, answers.get(question.ref))
        except ValueError as error:
            problems[question.ref] = str(error)
            one = Given(UNANSWERED)
        given.append(one)
        known[question.ref] = NA_WORD if one.state == NA else one.value
    if problems:
        raise AnswerError(problems)
    return given, shown


def _shown(
    question: CompiledQuestion, known: Mapping[str, Any], fields: Mapping[str, Any]
) -> tuple[bool | None, bool]:
    """Return whether every condition is met, and whether the question is shown meanwhile."""
    if not question.conditions:
        return True, True
    met: bool | None = True
    visible = True
    for condition, shows_unknown in question.conditions:
        held = conditions.holds(condition, known, fields)
        if held is False:
            return False, False
        if held is None:
            met = None
            visible = visible and shows_unknown
    return met, visible


def _given(question: CompiledQuestion, answer: Any) -> Given:
    if answer is None:
        return Given(UNANSWERED) if question.is_required else Given(NA)
    if isinstance(answer, str) and answer == NA_WORD:
        if not question.na_allowed and question.is_required and not question.is_bonus:
            raise ValueError("N/A is not offered for this question.")
        return Given(NA)
    return READERS[question.type](question, answer)


def _single(question: CompiledQuestion, answer: Any) -> Given:
    if isinstance(answer, list | tuple):
        raise ValueError("takes one option, not a list.")
    given = question.given.get(_option_ref(answer))
    if given is None:
        raise ValueError(f"has no option {answer!r}; it has {', '.join(question.by_ref)}.")
    return given


def _multi(question: CompiledQuestion, answer: Any) -> Given:
    if not isinstance(answer, list | tuple):
        raise ValueError("takes a list of options; [] means none of them.")
    refs = [_option_ref(ref) for ref in answer]
    unknown = [ref for ref in refs if ref not in question.by_ref]
    if unknown:
        raise ValueError(f"has no option {unknown[0]!r}; it has {', '.join(question.by_ref)}.")
    if len(set(refs)) < len(refs):
        raise ValueError("names an option twice.")
    chosen = tuple(choice for choice in question.choices if choice.ref in set(refs))
    return Given(VALUE, chosen, [choice.ref for choice in chosen])


def _option_ref(answer: Any) -> str:
    if isinstance(answer, str):
        return answer
    if isinstance(answer, int) and not isinstance(answer, bool):
        return str(answer)  # a scale's options are 1, 2, 3: JSON and YAML write them as numbers
    raise ValueError(f"takes an option's ref as text, not {answer!r}.")


def _number(question: CompiledQuestion, answer: Any) -> Given:
    number = read_number(answer)
    if not question.choices:
        return Given(VALUE, (), str(number))
    for choice in question.choices:
        if choice.low is not None and choice.high is not None and choice.low <= number <= choice.high:
            return Given(VALUE, (choice,), str(number))
    low = min(choice.low for choice in question.choices if choice.low is not None)
    high = max(choice.high for choice in question.choices if choice.high is not None)
    raise ValueError(f"takes a number from {low} to {high} that lies in one of its ranges, not {number}.")


def read_number(answer: Any) -> Decimal:
    """Return a finite number of at most two decimals; raise ``ValueError`` with the reason."""
    if isinstance(answer, bool) or not isinstance(answer, int | float | Decimal | str):
        raise ValueError(f"takes a number, not {answer!r}.")
    try:
        number = Decimal(str(answer).strip())
    except InvalidOperation:
        raise ValueError(f"takes a number, not {answer!r}.") from None
    if not number.is_finite():
        raise ValueError(f"takes a number, not {answer!r}.")
    if abs(number) >= 10**15:
        raise ValueError("takes a number of at most 15 digits.")
    if number != number.quantize(Decimal("0.01")):
        raise ValueError(f"takes at most two decimals, not {answer}.")
    return number


def _text(_question: CompiledQuestion, answer: Any) -> Given:
    if not isinstance(answer, str):
        raise ValueError(f"takes text, not {answer!r}.")
    if len(answer) > TEXT_MAX:
        raise ValueError(f"takes at most {TEXT_MAX:,} characters; these are {len(answer):,}.")
    return Given(VALUE, (), answer) if answer.strip() else Given(UNANSWERED if _question.is_required else NA)


def _date(_question: CompiledQuestion, answer: Any) -> Given:
    if isinstance(answer, date):
        return Given(VALUE, (), answer.isoformat()[:10])
    try:
        return Given(VALUE, (), date.fromisoformat(str(answer)).isoformat())
    except ValueError:
        raise ValueError(f"takes a date such as 2026-03-14, not {answer!r}.") from None


READERS = {"single": _single, "multi": _multi, "number": _number, "text": _text, "date": _date}
