"""The arithmetic that judges: answers in, an exact result out, the same for ever.

Pure and exact: whole numbers inside, fractions where sections are weighed, text such as "75" or
"200/3" outside; no binary float anywhere. Order of work: visibility, N/A, points and caps, bonus,
section fail, total, floor and cap (that is ``raw``), form fail (that is ``score``), outcome, band.

Decisions where the rules leave room: a section named in a count rule or failed by an option is
the innermost one that names it, with everything inside it. A bonus *option* lifts its question's
ratio above 1; a bonus *question* adds its points to the numerator (``points``, ``scaled_points``)
or as percentage points (weighted modes). Under ``full_credit`` a question that an evaluator marks
N/A counts as fully met; one hidden by a condition never counts. An auto-fail that fires where
nothing was scored still fails the form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd
from typing import Any

from qa.scorecards.answers import HIDDEN, NA, UNANSWERED, VALUE, Given, read_answers
from qa.scorecards.compiled import CompiledForm, CompiledNode, CompiledQuestion

ENGINE_VERSION = "1"

PASS, FAIL, NOT_SCORED, INCOMPLETE = "pass", "fail", "not_scored", "incomplete"


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """One question: points and share of the total as exact text; ``ratio`` is None when it does not count."""

    ref: str
    state: str
    earned: str
    max: str
    weight_applied: str
    ratio: str | None
    band: str | None = None


@dataclass(frozen=True, slots=True)
class SectionResult:
    """One section after section fails; ``ratio`` is None when nothing in it counted."""

    ref: str
    state: str
    earned: str
    max: str
    weight_applied: str
    ratio: str | None
    band: str | None = None


@dataclass(frozen=True, slots=True)
class FailCause:
    """What failed, and how far it reaches: question, section or form."""

    ref: str
    scope: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the answers.

    ``raw`` and ``score`` are None while something required is open or when nothing counted;
    ``running`` is the raw score over what is answered so far.
    """

    score: Fraction | None
    raw: Fraction | None
    running: Fraction | None
    outcome: str
    band: str | None
    fail_causes: tuple[FailCause, ...]
    missing: tuple[str, ...]
    visible: tuple[str, ...]
    sections: tuple[SectionResult, ...]
    questions: tuple[QuestionResult, ...]


def score(compiled: CompiledForm, answers: Mapping[str, Any], fields: Mapping[str, Any]) -> Result:
    """Return the result of these answers; raise ``AnswerError`` naming each that cannot be scored."""
    given, _ = read_answers(compiled, answers, fields)
    return _Sheet(compiled, given).result()


def bounds(
    compiled: CompiledForm, answers: Mapping[str, Any], fields: Mapping[str, Any]
) -> tuple[Fraction, Fraction] | None:
    """Return the lowest and highest raw score that open questions can still lead to, None if nothing counts.

    Each open question is given its worst and its best option. Where it may still become N/A, or be
    hidden, it is given nothing and everything: leaving it out moves the score less than that.
    """
    low, high = _extremes(compiled, answers, fields)
    lowest, highest = _Sheet(compiled, low).total(), _Sheet(compiled, high).total()
    if lowest is None or highest is None:
        return None
    return min(lowest, highest), max(lowest, highest)


def certain_sections(
    compiled: CompiledForm, answers: Mapping[str, Any], fields: Mapping[str, Any]
) -> tuple[SectionResult, ...]:
    """Return each section as it stands if all open questions go worst: what is earned of all it can give."""
    low, _high = _extremes(compiled, answers, fields)
    return _Sheet(compiled, low).result().sections


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


@dataclass(frozen=True, slots=True)
class Need:
    """A required comment or piece of evidence that is not there yet."""

    ref: str
    what: str


def requirements(
    compiled: CompiledForm,
    answers: Mapping[str, Any],
    fields: Mapping[str, Any],
    *,
    commented: frozenset[str],
    evidenced: frozenset[str],
) -> tuple[Need, ...]:
    """Return which comments and evidence the chosen options ask for and do not have, in form order."""
    given, _ = read_answers(compiled, answers, fields)
    needs = []
    for question, one in zip(compiled.questions, given, strict=True):
        if one.state != VALUE:
            continue
        comment = question.needs_comment or any(choice.needs_comment for choice in one.chosen)
        evidence = question.needs_evidence or any(choice.needs_evidence for choice in one.chosen)
        if comment and question.ref not in commented:
            needs.append(Need(question.ref, "comment"))
        if evidence and question.ref not in evidenced:
            needs.append(Need(question.ref, "evidence"))
    return tuple(needs)


class _Sheet:
    """One scoring of one form: small integers in lists, indexed by question."""

    def __init__(self, compiled: CompiledForm, given: list[Given]) -> None:
        self.compiled = compiled
        self.given = given
        size = len(compiled.questions)
        self.earned = [0] * size
        self.counted = [False] * size
        self.bonus = [0] * size
        self.causes: list[FailCause] = []
        self.failed_nodes: set[int] = set()
        self.form_failed = False
        full_credit = compiled.form.na == "full_credit"
        for question, one in zip(compiled.questions, given, strict=True):
            if one.state == VALUE:
                self._value(question, one)
            elif one.state == NA and full_credit and question.counts:
                self.earned[question.index] = question.base
                self.counted[question.index] = True
        for rule in compiled.form.rules:
            self._rule(rule.failed_at_least, rule.within, rule.fail)

    def _value(self, question: CompiledQuestion, one: Given) -> None:
        index = question.index
        points = self._points(question, one)
        for choice in one.chosen:
            if choice.fail is not None:
                points = self._failed(question, choice.fail, points)
        if question.is_bonus:
            self.bonus[index] = points
            return
        if not question.counts:
            return
        self.earned[index] = points
        self.counted[index] = True
        below = question.critical_below
        if below is not None and points * below.denominator < below.numerator * question.base:
            self._form_fails(question.ref)

    @staticmethod
    def _points(question: CompiledQuestion, one: Given) -> int:
        base = sum(choice.points for choice in one.chosen if not choice.is_bonus)
        extra = sum(choice.points for choice in one.chosen if choice.is_bonus)
        return (base if question.cap is None else min(base, question.cap)) + extra

    def _failed(self, question: CompiledQuestion, scope: str, points: int) -> int:
        if scope == "form":
            self._form_fails(question.ref)
            return points
        self._note(question.ref, scope)
        if scope == "question":
            return 0
        self.failed_nodes.add(question.node)
        return points

    def _form_fails(self, ref: str) -> None:
        self.form_failed = True
        self._note(ref, "form")

    def _note(self, ref: str, scope: str) -> None:
        cause = FailCause(ref, scope)
        if cause not in self.causes:
            self.causes.append(cause)

    def _rule(self, at_least: int, within: str | None, scope: str) -> None:
        compiled = self.compiled
        node = None if within is None else compiled.nodes[compiled.node_by_ref[within]]
        places = range(len(self.given)) if node is None else node.every
        failed = sum(any(choice.is_failed for choice in self.given[place].chosen) for place in places)
        if failed < at_least:
            return
        if scope == "form":
            self._form_fails(compiled.form.form if node is None else node.ref)
        elif node is not None:
            self._note(node.ref, "section")
            self.failed_nodes.add(node.index)

    def node_failed(self, node: CompiledNode) -> bool:
        """Tell whether the section, or the one around it, was failed."""
        return node.index in self.failed_nodes or (
            node.parent is not None and node.parent in self.failed_nodes
        )

    def question_lost(self, question: CompiledQuestion) -> bool:
        """Tell whether the question's points are gone with its section."""
        return self.node_failed(self.compiled.nodes[question.node])

    # totals ------------------------------------------------------------------------------------

    def total(self) -> Fraction | None:
        """Return the raw score: after section fails, floor and cap; before form fails."""
        mode = self.compiled.form.mode
        if mode == "points":
            plain = self._points_total(weighed=False)
        elif mode == "scaled_points":
            plain = self._points_total(weighed=True)
        elif mode == "weighted_questions":
            plain = self._weighted_questions()
        else:
            plain = self._weighted_sections()
        if plain is None:
            return None
        if self.compiled.form.cap != "none":
            plain = min(plain, Fraction(self.compiled.form.cap))
        return max(plain, self.compiled.floor)

    def _points_total(self, *, weighed: bool) -> Fraction | None:
        above, below = Fraction(0), Fraction(0)
        for top in self.compiled.tops:
            node = self.compiled.nodes[top]
            earned, base, extra = self._sums(node)
            weight = node.weight if weighed else 1
            above += weight * (earned + extra)
            below += weight * base
        return above / below * 100 if below else None

    def _sums(self, node: CompiledNode) -> tuple[int, int, int]:
        """Return points earned, maximum and bonus of a section with all inside it."""
        earned = base = extra = 0
        questions = self.compiled.questions
        for place in node.every:
            question = questions[place]
            lost = bool(self.failed_nodes) and self.question_lost(question)
            if self.counted[place]:
                base += question.base
                earned += 0 if lost else self.earned[place]
            elif self.bonus[place] and not lost:
                extra += self.bonus[place]
        return earned, base, extra

    def _bonus_percent(self) -> Fraction:
        points = sum(
            self.bonus[question.index]
            for question in self.compiled.questions
            if question.is_bonus and not self.question_lost(question)
        )
        return Fraction(points, self.compiled.point_unit)

    def _weighted_questions(self) -> Fraction | None:
        common, above, below = self.compiled.common, 0, 0
        for question in self.compiled.questions:
            if self.counted[question.index]:
                below += question.weight
                if not (self.failed_nodes and self.question_lost(question)):
                    above += question.weight * self.earned[question.index] * (common // question.base)
        if not below:
            return None
        return Fraction(above * 100, common * below) + self._bonus_percent()

    def _weighted_sections(self) -> Fraction | None:
        above, below = Fraction(0), Fraction(0)
        for top in self.compiled.tops:
            node = self.compiled.nodes[top]
            mean = self.section_mean(node)
            if mean is not None:
                above += node.weight * mean
                below += node.weight
        return above / below * 100 + self._bonus_percent() if below else None

    def section_mean(self, node: CompiledNode) -> Fraction | None:
        """Return the section's own score from 0 to 1, None when nothing in it counts."""
        if self.compiled.form.mode != "weighted_sections":
            by_points = self.compiled.form.mode in {"points", "scaled_points"}
        else:
            by_points = self.compiled.form.within == "points"
        if by_points:
            earned, base, _ = self._sums(node)
            return Fraction(earned, base) if base else None
        above, below = self._inside_weights(node)
        if not below:
            return None
        return Fraction(0) if self.node_failed(node) else above / below

    def _inside_weights(self, node: CompiledNode) -> tuple[Fraction, Fraction]:
        common, unit, above, below = self.compiled.common, self.compiled.weight_unit, 0, 0
        for place in node.questions:
            if self.counted[place]:
                question = self.compiled.questions[place]
                below += question.weight
                above += question.weight * self.earned[place] * (common // question.base)
        total, weight = Fraction(above, common * unit), Fraction(below, unit)
        for index in node.inside:
            inner = self.compiled.nodes[index]
            mean = self.section_mean(inner)
            if mean is not None:
                share = inner.weight if self.compiled.form.mode == "weighted_sections" else self.flat(inner)
                total += share * mean
                weight += share
        return total, weight

    def flat(self, node: CompiledNode) -> Fraction:
        """Return the summed question weights of a section that count."""
        weights = (self.compiled.questions[i].weight for i in node.every if self.counted[i])
        return Fraction(sum(weights), self.compiled.weight_unit)

    # shares of the total --------------------------------------------------------------------------

    def shares(self) -> tuple[list[tuple[int, int]], list[Fraction]]:
        """Return each question's and each section's share of the total in percent, after N/A."""
        questions = [(0, 1)] * len(self.given)
        nodes = [Fraction(0)] * len(self.compiled.nodes)
        weights = self._leaf_weights()
        whole = sum(weights, Fraction(0))
        if not whole:
            return questions, nodes
        for question in self.compiled.questions:
            weight = weights[question.index]
            if weight:
                share = weight / whole * 100
                questions[question.index] = (share.numerator, share.denominator)
                node: int | None = question.node
                while node is not None:
                    nodes[node] += share
                    node = self.compiled.nodes[node].parent
        return questions, nodes

    def _leaf_weights(self) -> list[Fraction]:
        """Return what each question weighs against the others, in one unit for the form."""
        form, unit = self.compiled.form, self.compiled.weight_unit
        found = [Fraction(0)] * len(self.given)
        if form.mode == "weighted_sections":
            for top in self.compiled.tops:
                self._spread(self.compiled.nodes[top], self.compiled.nodes[top].weight, found)
            return found
        for question in self.compiled.questions:
            if self.counted[question.index]:
                if form.mode == "weighted_questions":
                    weight = Fraction(question.weight, unit)
                else:
                    weight = Fraction(question.base)
                    weight *= self.compiled.nodes[question.top].weight if form.mode == "scaled_points" else 1
                found[question.index] = weight
        return found

    def _spread(self, node: CompiledNode, weight: Fraction, found: list[Fraction]) -> None:
        if self.compiled.form.within == "points":
            base = self._sums(node)[1]
            for place in node.every:
                if self.counted[place]:
                    found[place] = weight * self.compiled.questions[place].base / base
            return
        _, inside = self._inside_weights(node)
        if not inside:
            return
        for place in node.questions:
            if self.counted[place]:
                own = Fraction(self.compiled.questions[place].weight, self.compiled.weight_unit)
                found[place] = weight * own / inside
        for index in node.inside:
            inner = self.compiled.nodes[index]
            if self.section_mean(inner) is not None:
                self._spread(inner, weight * inner.weight / inside, found)

    # the whole ------------------------------------------------------------------------------------

    def result(self) -> Result:
        """Return everything that is kept and shown."""
        questions = self.compiled.questions
        missing = tuple(q.ref for q in questions if self.given[q.index].state == UNANSWERED)
        running = self.total()
        raw = None if missing else running
        reported, outcome = self._reported(raw, bool(missing))
        shares, node_shares = self.shares()
        form = self.compiled.form
        return Result(
            score=reported,
            raw=raw,
            running=running,
            outcome=outcome,
            band=band_of(form.bands, reported),
            fail_causes=tuple(self.causes),
            missing=missing,
            visible=tuple(q.ref for q in questions if self.given[q.index].state != HIDDEN),
            sections=tuple(self._section(node, node_shares[node.index]) for node in self.compiled.nodes),
            questions=tuple(self._question(question, shares[question.index]) for question in questions),
        )

    def _reported(self, raw: Fraction | None, incomplete: bool) -> tuple[Fraction | None, str]:
        if incomplete:
            return None, INCOMPLETE
        if self.form_failed:
            return (Fraction(0) if self.compiled.form.autofail_score == "zero" else raw), FAIL
        if raw is None:
            return None, NOT_SCORED
        mark = self.compiled.pass_mark
        return raw, PASS if mark is None or raw >= mark else FAIL

    def _question(self, question: CompiledQuestion, share: tuple[int, int]) -> QuestionResult:
        index, unit = question.index, self.compiled.point_unit
        state = self.given[index].state
        earned = self.bonus[index] if question.is_bonus else self.earned[index]
        ratio = exact_of(earned, question.base) if self.counted[index] else None
        return QuestionResult(
            ref=question.ref,
            state=state,
            earned=exact_of(earned, unit),
            max=exact_of(question.base if self.counted[index] else 0, unit),
            weight_applied=exact_of(*share),
            ratio=ratio,
            band=None
            if not question.bands or ratio is None
            else band_of(question.bands, Fraction(ratio) * 100),
        )

    def _section(self, node: CompiledNode, share: Fraction) -> SectionResult:
        earned, base, extra = self._sums(node)
        mean = self.section_mean(node)
        percent = None if mean is None else mean * 100
        return SectionResult(
            ref=node.ref,
            state=self._section_state(node),
            earned=exact_of(earned + extra, self.compiled.point_unit),
            max=exact_of(base, self.compiled.point_unit),
            weight_applied=exact(share),
            ratio=None if mean is None else exact(mean),
            band=band_of(node.bands, percent),
        )

    def _section_state(self, node: CompiledNode) -> str:
        states = {self.given[place].state for place in node.every}
        for state in (VALUE, UNANSWERED, NA):
            if state in states:
                return state
        return HIDDEN


def band_of(bands: Any, percent: Fraction | None) -> str | None:
    """Return the name of the half-open band that holds the exact score; the last is open-ended."""
    if percent is None:
        return None
    for band in bands:
        if band.to is None or percent < Fraction(band.to):
            return str(band.name)
    return str(bands[-1].name) if bands else None


def exact_of(numerator: int, denominator: int) -> str:
    """Return a fraction as "75" or "200/3"."""
    common = gcd(numerator, denominator)
    numerator, denominator = numerator // common, denominator // common
    return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"


def exact(number: Fraction) -> str:
    """Return a number as "75" or "200/3"."""
    return exact_of(number.numerator, number.denominator)
