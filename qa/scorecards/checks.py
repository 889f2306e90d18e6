"""A form's own ``tests:``: answers with the result they must give."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qa.scorecards.answers import AnswerError
from qa.scorecards.compiled import CompiledForm
from qa.scorecards.form import FormTest
from qa.scorecards.results import Result, exact
from qa.scorecards.scoring import score


@dataclass(frozen=True, slots=True)
class Checked:
    """One test's end: ``problems`` is empty when it passed."""

    name: str
    problems: tuple[str, ...]


def run_tests(compiled: CompiledForm) -> list[Checked]:
    """Return how each test of the form ended, in order."""
    return [Checked(test.name, tuple(_problems(compiled, test))) for test in compiled.form.tests]


def _problems(compiled: CompiledForm, test: FormTest) -> list[str]:
    try:
        result = score(compiled, test.answers, test.fields)
    except AnswerError as error:
        return [f"{ref} {sentence}" for ref, sentence in error.problems.items()]
    asked = test.given
    problems = []
    for name in ("score", "raw"):
        if name in asked:
            problems += _number_problem(name, getattr(test, name), getattr(result, name))
    if test.outcome is not None and test.outcome != result.outcome:
        problems.append(f"outcome is {result.outcome}, not {test.outcome}{_missing(result)}")
    if "band" in asked and test.band != result.band:
        problems.append(f"band is {result.band}, not {test.band}")
    return problems


def _number_problem(name: str, wanted: Any, got: Fraction | None) -> list[str]:
    try:
        number = None if wanted is None else Fraction(str(wanted))
    except (ValueError, ZeroDivisionError):
        return [f'{name} {wanted!r} is not a number such as "75" or "200/3"']
    if number == got:
        return []
    shown = "null" if got is None else exact(got)
    return [f"{name} is {shown}, not {'null' if number is None else exact(number)}"]


def _missing(result: Result) -> str:
    return f" (open: {', '.join(result.missing)})" if result.missing else ""
