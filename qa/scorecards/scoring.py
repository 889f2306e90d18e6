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

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeVar

from qa.scorecards.answers import HIDDEN, NA, UNANSWERED, read_answers
from qa.scorecards.compiled import VALUE, CompiledForm, CompiledNode, CompiledQuestion, Given, Shares
from qa.scorecards.results import (
    FAIL,
    INCOMPLETE,
    NOT_SCORED,
    PASS,
    FailCause,
    QuestionResult,
    Result,
    SectionResult,
    band_of,
    exact,
    exact_of,
)

ENGINE_VERSION = "1"
MOST_REMEMBERED = 4_096

T = TypeVar("T")
Pair = tuple[int, int]
"""A fraction as numerator and denominator, not reduced."""


def score(compiled: CompiledForm, answers: Mapping[str, Any], fields: Mapping[str, Any]) -> Result:
    """Return the result of these answers; raise ``AnswerError`` naming each that cannot be scored."""
    given, _ = read_answers(compiled, answers, fields)
    return Sheet(compiled, given).result()


class Sheet:
    """One scoring of one form: small integers in lists, indexed by question."""

    def __init__(self, compiled: CompiledForm, given: list[Given]) -> None:
        self.compiled = compiled
        self.given = given
        size = len(compiled.questions)
        self.earned = [0] * size
        self.counted = [False] * size
        self.bonus = [0] * size
        self.failed = [False] * size
        self.causes: list[FailCause] = []
        self.failed_nodes: set[int] = set()
        self.means: dict[int, Pair | None] = {}
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
        index, base, extra = question.index, 0, 0
        for choice in one.chosen:
            if choice.is_bonus:
                extra += choice.points
            else:
                base += choice.points
            self.failed[index] |= choice.is_failed
        points = (base if question.cap is None else min(base, question.cap)) + extra
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
        failed = self.failed if node is None else [self.failed[place] for place in node.every]
        if sum(failed) < at_least:
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
        above = below = 0
        for top in self.compiled.tops:
            node = self.compiled.nodes[top]
            earned, base, extra = self._sums(node)
            weight = node.units if weighed else 1
            above += weight * (earned + extra)
            below += weight * base
        return Fraction(above * 100, below) if below else None

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
        above, scale, below = 0, 1, 0
        for top in self.compiled.tops:
            node = self.compiled.nodes[top]
            mean = self.mean(node)
            if mean is not None:
                above, scale = above * mean[1] + node.units * mean[0] * scale, scale * mean[1]
                below += node.units
        return Fraction(above * 100, scale * below) + self._bonus_percent() if below else None

    def mean(self, node: CompiledNode) -> Pair | None:
        """Return the section's own score from 0 to 1, None when nothing in it counts."""
        if node.index not in self.means:
            self.means[node.index] = self._mean(node)
        return self.means[node.index]

    def _mean(self, node: CompiledNode) -> Pair | None:
        form = self.compiled.form
        if form.mode in {"points", "scaled_points"} or (
            form.mode == "weighted_sections" and form.within == "points"
        ):
            earned, base, _ = self._sums(node)
            return (earned, base) if base else None
        above, scale, below = self._inside(node)
        if not below:
            return None
        return (0, 1) if self.node_failed(node) else (above, scale * below)

    def _inside(self, node: CompiledNode) -> tuple[int, int, int]:
        """Return what a section has earned as a fraction, and what counts in it, both in weight units."""
        above, scale, below = 0, self.compiled.common, 0
        for place in node.questions:
            if self.counted[place]:
                question = self.compiled.questions[place]
                below += question.weight
                above += question.weight * self.earned[place] * (scale // question.base)
        for index in node.inside:
            inner = self.compiled.nodes[index]
            mean = self.mean(inner)
            if mean is not None:
                share = self._share_inside(inner)
                above, scale = above * mean[1] + share * mean[0] * scale, scale * mean[1]
                below += share
        return above, scale, below

    def _share_inside(self, inner: CompiledNode) -> int:
        if self.compiled.form.mode == "weighted_sections":
            return inner.units
        return sum(self.compiled.questions[i].weight for i in inner.every if self.counted[i])

    # shares of the total --------------------------------------------------------------------------

    def shares(self) -> Shares:
        """Return each question's and each section's share of the total in percent, after N/A.

        They hang on nothing but which questions count, so each such pattern is worked out once.
        """
        return _once(self.compiled.shares, bytes(self.counted), self._shares)

    def _shares(self) -> Shares:
        weights = self._leaf_weights()
        whole = sum(weights, Fraction(0))
        questions = [weight / whole * 100 if whole else Fraction(0) for weight in weights]
        nodes = [Fraction(0)] * len(self.compiled.nodes)
        for question in self.compiled.questions:
            node: int | None = question.node
            while node is not None:
                nodes[node] += questions[question.index]
                node = self.compiled.nodes[node].parent
        return tuple(map(exact, questions)), tuple(map(exact, nodes))

    def _leaf_weights(self) -> list[Fraction]:
        """Return what each question weighs against the others, in one unit for the form."""
        form = self.compiled.form
        found = [Fraction(0)] * len(self.given)
        if form.mode == "weighted_sections":
            for top in self.compiled.tops:
                self._spread(self.compiled.nodes[top], Fraction(self.compiled.nodes[top].units), found)
            return found
        for question in self.compiled.questions:
            if self.counted[question.index]:
                weight = question.weight if form.mode == "weighted_questions" else question.base
                weight *= self.compiled.nodes[question.top].units if form.mode == "scaled_points" else 1
                found[question.index] = Fraction(weight)
        return found

    def _spread(self, node: CompiledNode, weight: Fraction, found: list[Fraction]) -> None:
        if self.compiled.form.within == "points":
            base = self._sums(node)[1]
            for place in filter(self.counted.__getitem__, node.every):
                found[place] = weight * self.compiled.questions[place].base / base
            return
        inside = self._inside(node)[2]
        if not inside:
            return
        for place in filter(self.counted.__getitem__, node.questions):
            found[place] = weight * self.compiled.questions[place].weight / inside
        for index in node.inside:
            inner = self.compiled.nodes[index]
            if self.mean(inner) is not None:
                self._spread(inner, weight * inner.units / inside, found)

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
            sections=tuple(map(self._section, self.compiled.nodes, node_shares)),
            questions=tuple(map(self._question, questions, shares)),
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

    def _question(self, question: CompiledQuestion, share: str) -> QuestionResult:
        index = question.index
        earned = self.bonus[index] if question.is_bonus else self.earned[index]
        facts = (index, self.given[index].state, earned, self.counted[index], share)
        found: QuestionResult = _once(self.compiled.parts, facts, lambda: self._part(question, *facts[1:]))
        return found

    def _part(
        self, question: CompiledQuestion, state: str, earned: int, counted: bool, share: str
    ) -> QuestionResult:
        unit = self.compiled.point_unit
        ratio = exact_of(earned, question.base) if counted else None
        return QuestionResult(
            ref=question.ref,
            state=state,
            earned=exact_of(earned, unit),
            max=exact_of(question.base if counted else 0, unit),
            weight_applied=share,
            ratio=ratio,
            band=None
            if not question.bands or ratio is None
            else band_of(question.bands, Fraction(ratio) * 100),
        )

    def _section(self, node: CompiledNode, share: str) -> SectionResult:
        earned, base, extra = self._sums(node)
        mean = self.mean(node)
        return SectionResult(
            ref=node.ref,
            state=self._section_state(node),
            earned=exact_of(earned + extra, self.compiled.point_unit),
            max=exact_of(base, self.compiled.point_unit),
            weight_applied=share,
            ratio=None if mean is None else exact_of(*mean),
            band=None if not node.bands or mean is None else band_of(node.bands, Fraction(*mean) * 100),
        )

    def _section_state(self, node: CompiledNode) -> str:
        states = {self.given[place].state for place in node.every}
        for state in (VALUE, UNANSWERED, NA):
            if state in states:
                return state
        return HIDDEN


def _once(memory: dict[Any, T], key: Any, make: Callable[[], T]) -> T:
    """Return what the memory holds for the key, making it first; a memory that is full starts anew."""
    known = memory.get(key)
    if known is None:
        if len(memory) >= MOST_REMEMBERED:
            memory.clear()
        known = memory[key] = make()
    return known
