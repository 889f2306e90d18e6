"""Where each point went: steps from 100 to the reported score that add up exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from qa.scorecards.compiled import CompiledForm
from qa.scorecards.results import Result


@dataclass(frozen=True, slots=True)
class Step:
    """One bar: ``level`` is where it ends, ``delta`` how it got there.

    ``kind`` is start, loss, gain, section (failed), limit (floor or cap), raw, autofail or reported.
    """

    kind: str
    label: str
    ref: str | None
    delta: Fraction
    level: Fraction


def waterfall(compiled: CompiledForm, result: Result) -> tuple[Step, ...]:
    """Return the steps of a complete or running result; none when nothing counted."""
    if result.running is None:
        return ()
    level = Fraction(100)
    steps = [Step("start", "All points", None, level, level)]
    for kind, label, ref, delta in _moves(compiled, result):
        if delta:
            level += delta
            steps.append(Step(kind, label, ref, delta, level))
    if level != result.running:
        steps.append(Step("limit", "Floor or cap", None, result.running - level, result.running))
    steps.append(Step("raw", "Raw", None, result.running, result.running))
    if result.score is not None and any(cause.scope == "form" for cause in result.fail_causes):
        cause = next(cause for cause in result.fail_causes if cause.scope == "form")
        steps.append(Step("autofail", "Auto-fail", cause.ref, result.score - result.running, result.score))
        steps.append(Step("reported", "Reported", None, result.score, result.score))
    return tuple(steps)


def _moves(compiled: CompiledForm, result: Result) -> Iterator[tuple[str, str, str | None, Fraction]]:
    """Yield what each question, bonus and failed section gives or takes, in the order of the work."""
    kept: dict[str, Fraction] = {}
    for question, one in zip(compiled.questions, result.questions, strict=True):
        if one.ratio is not None:
            ratio, share = Fraction(one.ratio), Fraction(one.weight_applied)
            kind = "loss" if ratio < 1 else "gain"
            yield kind, f"{question.number} {question.text}", question.ref, (ratio - 1) * share
            kept[question.ref] = ratio * share
    bonus = _bonus(compiled, result)
    for ref, points in bonus.items():
        yield "gain", f"{compiled.by_ref[ref].number} {compiled.by_ref[ref].text}", ref, points
    for ref, amount in _lost_with_sections(compiled, result, kept | bonus).items():
        yield "section", compiled.nodes[compiled.node_by_ref[ref]].label, ref, -amount


def _bonus(compiled: CompiledForm, result: Result) -> dict[str, Fraction]:
    """Return the percentage points that each bonus question adds, before any section fail."""
    found = {}
    below = _points_below(compiled, result)
    for question, one in zip(compiled.questions, result.questions, strict=True):
        if question.is_bonus and one.earned != "0":
            points = Fraction(one.earned)
            if compiled.form.mode in {"points", "scaled_points"}:
                weight = compiled.nodes[question.top].weight if compiled.form.mode == "scaled_points" else 1
                points = points * weight / below * 100 if below else Fraction(0)
            found[question.ref] = points
    return found


def _points_below(compiled: CompiledForm, result: Result) -> Fraction:
    scaled = compiled.form.mode == "scaled_points"
    return sum(
        (
            Fraction(one.max) * (compiled.nodes[question.top].weight if scaled else 1)
            for question, one in zip(compiled.questions, result.questions, strict=True)
        ),
        Fraction(0),
    )


def _lost_with_sections(
    compiled: CompiledForm, result: Result, contributions: dict[str, Fraction]
) -> dict[str, Fraction]:
    """Return what each failed section takes with it; a point inside two failed sections goes once."""
    lost: dict[str, Fraction] = {}
    taken: set[int] = set()
    for cause in result.fail_causes:
        if cause.scope != "section":
            continue
        question = compiled.by_ref.get(cause.ref)
        node = compiled.nodes[question.node if question else compiled.node_by_ref[cause.ref]]
        places = set(node.every) - taken
        taken |= places
        amount = sum((contributions.get(compiled.questions[i].ref, Fraction(0)) for i in places), Fraction(0))
        lost[node.ref] = lost.get(node.ref, Fraction(0)) + amount
    return lost
