"""What is unwise or impossible in a well-formed scorecard, with its place and its cure.

An error blocks activation, a warning does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from qa.scorecards import checks, conditions
from qa.scorecards.compiled import compile_form
from qa.scorecards.document import Document, DocumentError, Finding, load
from qa.scorecards.form import MAX_QUESTIONS, Condition, Question, Section

Path = tuple[str | int, ...]
Remark = tuple[Path, str]

STEP = Decimal("0.01")


def lint(text: str) -> list[Finding]:
    """Return every finding about a form's text, in the order of its lines."""
    try:
        document = load(text)
    except DocumentError as error:
        return sorted(error.findings)
    findings = []
    for name, (severity, rule) in RULES.items():
        for path, message in rule(document):
            line, column = document.place(*path)
            findings.append(Finding(line, column, severity, name, message))
    if not any(finding.severity == "error" for finding in findings):
        findings += _failing_tests(document)
    return sorted(findings)


def _failing_tests(document: Document) -> list[Finding]:
    findings = []
    for index, checked in enumerate(checks.run_tests(compile_form(document.form))):
        for problem in checked.problems:
            line, column = document.place("tests", index)
            message = f"Test “{checked.name}”: {problem}."
            findings.append(Finding(line, column, "error", "failing-test", message))
    return findings


# walking -------------------------------------------------------------------------------------------


def _sections(document: Document) -> Iterator[tuple[Path, Section]]:
    for i, section in enumerate(document.form.sections):
        yield ("sections", i), section
        for j, inner in enumerate(section.sections):
            yield ("sections", i, "sections", j), inner


def _questions(document: Document) -> Iterator[tuple[Path, Question]]:
    for path, section in _sections(document):
        for k, question in enumerate(section.questions):
            yield (*path, "questions", k), question


def _choices(document: Document) -> Iterator[tuple[Path, Question, Any]]:
    for path, question in _questions(document):
        key = "ranges" if question.type == "number" else "options"
        for index, choice in enumerate(question.ranges if question.type == "number" else question.options):
            yield (*path, key, index), question, choice


def _shown_when(document: Document) -> Iterator[tuple[Path, int, Condition]]:
    """Yield each condition with the place in question order from which earlier answers are known."""
    order = {id(question): index for index, question in enumerate(document.form.all_questions())}
    for path, section in _sections(document):
        inner = section.all_questions()
        if section.show_when is not None and inner:
            yield (*path, "show_when"), order[id(inner[0])], section.show_when
    for path, question in _questions(document):
        if question.show_when is not None:
            yield (*path, "show_when"), order[id(question)], question.show_when


# rules ----------------------------------------------------------------------------------------------


def _duplicate_refs(document: Document) -> Iterator[Remark]:
    questions, sections = list(_questions(document)), list(_sections(document))
    for kind, parts in (("question", questions), ("section", sections)):
        seen = Counter(part.ref for _, part in parts)
        for path, part in parts:
            if seen[part.ref] > 1:
                seen[part.ref] = -1
                yield (*path, "ref"), f"More than one {kind} has the ref `{part.ref}`. Give each its own."
    for path, question in questions:
        for ref, count in Counter(option.ref for option in question.options).items():
            if count > 1:
                yield (
                    (*path, "options"),
                    f"Two options of `{question.ref}` have the ref `{ref}`. Give each its own.",
                )


def _reserved(document: Document) -> Iterator[Remark]:
    for path, question, choice in _choices(document):
        if getattr(choice, "ref", None) == "na":
            yield (
                path,
                f"An option of `{question.ref}` is called `na`, which means N/A. Use `na: allowed` instead.",
            )


def _too_many(document: Document) -> Iterator[Remark]:
    count = len(document.form.all_questions())
    if count > MAX_QUESTIONS:
        yield ("sections",), f"The form has {count} questions; {MAX_QUESTIONS} are taken."
    if len(document.form.all_sections()) > 50:
        yield ("sections",), "The form has more than 50 sections."
    for path, section in _sections(document):
        if len(path) > 2 and section.sections:
            yield (*path, "sections"), "Sections nest one level deep. Move this one up."


def _options_missing(document: Document) -> Iterator[Remark]:
    for path, question in _questions(document):
        count = len(question.choices)
        if question.type in {"single", "multi"} and count < 2:
            yield path, f"`{question.ref}` needs at least two options; it has {count}."
        if question.type == "number" and question.is_scored and not question.ranges:
            yield path, f"`{question.ref}` is scored but has no ranges. Add ranges, or `scored: false`."
        if question.type != "number" and question.ranges:
            yield (
                (*path, "ranges"),
                f"`{question.ref}` is no number question; ranges do nothing. Remove them.",
            )
        if question.type not in {"single", "multi"} and question.options:
            yield (*path, "options"), f"`{question.ref}` takes no options. Remove them or change its type."
        if question.scale is not None and (question.type != "single" or question.options):
            yield (*path, "scale"), f"`scale` of `{question.ref}` replaces the options of a single question."


def _points_missing(document: Document) -> Iterator[Remark]:
    for path, question, choice in _choices(document):
        if question.is_scored and choice.points is None:
            yield path, f"An option of `{question.ref}` has no points and counts as 0. Write `points: 0`."


def _nothing_to_earn(document: Document) -> Iterator[Remark]:
    for path, question in _questions(document):
        points = [choice.points or 0 for choice in (*question.choices, *question.ranges) if not choice.bonus]
        if question.is_scored and points and max(points) <= 0 and not question.bonus:
            yield (
                path,
                f"`{question.ref}` is scored but no option is worth a point. Add points, or `scored: false`.",
            )


def _range_gaps(document: Document) -> Iterator[Remark]:
    for path, question in _questions(document):
        ordered = sorted(enumerate(question.ranges), key=lambda pair: pair[1].min)
        for index, one in ordered:
            if one.max < one.min:
                yield (*path, "ranges", index), f"The range {one.min} to {one.max} ends before it starts."
            if one.min % STEP or one.max % STEP:
                yield (
                    (*path, "ranges", index),
                    f"The range {one.min} to {one.max} has more than two decimals.",
                )
        for (_, left), (index, right) in pairwise(ordered):
            place = (*path, "ranges", index)
            if right.min <= left.max:
                yield (
                    place,
                    f"The range from {right.min} overlaps the one up to {left.max}. "
                    f"Start it at {left.max + STEP}.",
                )
            elif right.min != left.max + STEP:
                yield place, f"Nothing covers {left.max + STEP} to {right.min - STEP}. Close the gap."


def _unknown_refs(document: Document) -> Iterator[Remark]:
    yield from _unknown_questions(document)
    yield from _unknown_sections(document)


def _unknown_questions(document: Document) -> Iterator[Remark]:
    refs = {question.ref for question in document.form.all_questions()}
    for path, _, condition in _shown_when(document):
        for ref in sorted(conditions.answers_used(condition) - refs):
            yield path, f"The condition asks for `{ref}`, which is no question of this form."
    causes = {cause.ref for cause in document.form.root_causes}
    for path, question in _questions(document):
        for ref in question.root_causes or ():
            if ref not in causes:
                yield (*path, "root_causes"), f"`{ref}` is no root cause of this form."


def _unknown_sections(document: Document) -> Iterator[Remark]:
    sections = {section.ref for section in document.form.all_sections()}
    for index, rule in enumerate(document.form.rules):
        if rule.within is not None and rule.within not in sections:
            yield ("rules", index), f"The rule names `{rule.within}`, which is no section of this form."
        if rule.within is None and rule.fail == "section":
            yield ("rules", index), "The rule fails a section but names none. Add `in:`."


def _unknown_options(document: Document) -> Iterator[Remark]:
    questions = {question.ref: question for question in document.form.all_questions()}
    for path, _, condition in _shown_when(document):
        for leaf in conditions.leaves(condition):
            question = questions.get(leaf.answer or "")
            if question is None or question.type not in {"single", "multi"}:
                continue
            (_, wanted), *_ = leaf.tests()
            known = {option.ref for option in question.choices} | {"na"}
            for ref in wanted if isinstance(wanted, tuple) else (wanted,):
                if str(ref) not in known:
                    yield (
                        path,
                        f"The condition asks for option `{ref}`, which `{question.ref}` does not have.",
                    )


def _forward(document: Document) -> Iterator[Remark]:
    order = {question.ref: index for index, question in enumerate(document.form.all_questions())}
    for path, here, condition in _shown_when(document):
        for ref in sorted(conditions.answers_used(condition) & set(order)):
            if order[ref] >= here:
                yield (
                    path,
                    f"The condition looks at `{ref}`, which comes later or is the question itself: a cycle. "
                    "Move it up.",
                )


def _optional_control(document: Document) -> Iterator[Remark]:
    questions = {question.ref: question for question in document.form.all_questions()}
    for path, _, condition in _shown_when(document):
        for ref in sorted(conditions.answers_used(condition) & set(questions)):
            if not questions[ref].is_required:
                yield (
                    path,
                    f"The condition looks at `{ref}`, which is optional and may stay open. Make it required.",
                )


def _fail_worth_more(document: Document) -> Iterator[Remark]:
    for path, question in _questions(document):
        choices = (*question.choices, *question.ranges)
        failing = [c.points or 0 for c in choices if c.treat_as == "fail" or c.fail is not None]
        passing = [c.points or 0 for c in choices if c.treat_as != "fail" and c.fail is None and not c.bonus]
        if failing and passing and max(failing) > min(passing):
            yield (
                path,
                f"A failing option of `{question.ref}` is worth more than a passing one. Swap their points.",
            )


def _bonus_fails(document: Document) -> Iterator[Remark]:
    for path, question in _questions(document):
        failing = any(choice.fail for choice in (*question.choices, *question.ranges))
        if question.bonus and (failing or question.critical_below is not None):
            yield path, f"`{question.ref}` is a bonus and cannot fail anything. Remove `fail` or `bonus`."
    for path, question, choice in _choices(document):
        if choice.bonus and choice.fail and not question.bonus:
            yield path, f"A bonus option of `{question.ref}` cannot fail anything. Remove `fail` or `bonus`."


def _critical_range(document: Document) -> Iterator[Remark]:
    for path, question in _questions(document):
        below = question.critical_below
        if below is not None and not 0 < below <= 1:
            yield (*path, "critical_below"), f"`critical_below` is a share above 0 and up to 1, not {below}."


def _cap_range(document: Document) -> Iterator[Remark]:
    for path, question in _questions(document):
        if question.cap is None:
            continue
        positive = sum(
            option.points or 0 for option in question.options if (option.points or 0) > 0 and not option.bonus
        )
        if question.type != "multi" or question.cap <= 0 or question.cap > positive:
            yield (
                (*path, "cap"),
                f"`cap` of `{question.ref}` must lie above 0 and up to {positive}, the sum of its options.",
            )


def _pass_range(document: Document) -> Iterator[Remark]:
    mark = document.form.pass_mark
    if mark is not None and not 0 <= mark <= 100:
        yield ("pass",), f"The pass mark is {mark}; it must lie from 0 to 100."
    if not 0 <= document.form.floor <= 100:
        yield ("floor",), f"The floor is {document.form.floor}; it must lie from 0 to 100."


def _band_cover(document: Document) -> Iterator[Remark]:
    places: list[tuple[Path, Any]] = [(("bands",), document.form.bands)]
    places += [((*path, "bands"), section.bands) for path, section in _sections(document)]
    places += [((*path, "bands"), question.bands) for path, question in _questions(document)]
    for path, bands in places:
        if not bands:
            continue
        ends = [band.to for band in bands]
        if ends[-1] is not None or None in ends[:-1]:
            yield path, "Exactly the last band has no `to`: it is open at the top."
        inner = [end for end in ends if end is not None]
        if inner != sorted(set(inner)) or any(not 0 < end <= 100 for end in inner):
            yield path, "Bands must rise from above 0 to 100, each `to` higher than the one before."


def _weights(document: Document) -> Iterator[Remark]:
    form = document.form
    if form.mode == "weighted_questions":
        scored = [question for question in form.all_questions() if question.is_scored and not question.bonus]
        if scored and not any(1 if q.weight is None else q.weight for q in scored):
            yield ("sections",), "Every question weighs 0, so nothing can be scored. Give weights."
    if form.mode in {"weighted_sections", "scaled_points"} and not any(
        1 if section.weight is None else section.weight for section in form.sections
    ):
        yield ("sections",), "Every section weighs 0, so nothing can be scored. Give weights."
    if not any(question.is_scored for question in form.all_questions()):
        yield ("sections",), "No question is scored. Score at least one."


def _negative_points(document: Document) -> Iterator[Remark]:
    for path, question, choice in _choices(document):
        if (choice.points or 0) < 0:
            yield path, f"An option of `{question.ref}` has negative points; the total stops at the floor."


def _empty_section(document: Document) -> Iterator[Remark]:
    for path, section in _sections(document):
        if not section.all_questions():
            yield path, f"Section `{section.ref}` has no question. Add one or remove it."
        elif not any(question.is_scored for question in section.all_questions()):
            yield path, f"Nothing in section `{section.ref}` is scored, so its weight goes to the others."


def _release(document: Document) -> Iterator[Remark]:
    release = document.form.release
    if (release.rule == "after_days") != (release.days is not None):
        yield ("release",), "`days` belongs to `rule: after_days`, and that rule needs it."


def _default_unknown(document: Document) -> Iterator[Remark]:
    for path, question in _questions(document):
        if question.default is None or question.type not in {"single", "multi"}:
            continue
        given = question.default if isinstance(question.default, tuple) else (question.default,)
        known = {option.ref for option in question.choices} | {"na"}
        if not {str(ref) for ref in given} <= known:
            yield (*path, "default"), f"The default of `{question.ref}` is no option of it."


def _auto(document: Document) -> Iterator[Remark]:
    for path, question in _questions(document):
        if question.auto is None:
            continue
        if question.about == "manner":
            yield (*path, "auto"), f"`{question.ref}` is about manner: only a person judges that."
            continue
        answers = question.auto.get("answer") if isinstance(question.auto, Mapping) else None
        known = {option.ref for option in question.choices}
        if question.type != "single" or not isinstance(answers, Mapping):
            words = "needs one choice and `answer`, such as {met: y, not_met: n}"
            yield (*path, "auto"), f"The rule of `{question.ref}` {words}."
        elif set(answers) - {"met", "not_met"} or not {str(one) for one in answers.values()} <= known:
            yield (
                (*path, "auto", "answer"),
                f"`answer` of `{question.ref}` names options for met and not_met.",
            )


Rule = Callable[[Document], Iterator[Remark]]

RULES: dict[str, tuple[str, Rule]] = {
    "duplicate-ref": ("error", _duplicate_refs),
    "reserved-ref": ("error", _reserved),
    "limits": ("error", _too_many),
    "options": ("error", _options_missing),
    "range-gap": ("error", _range_gaps),
    "unknown-ref": ("error", _unknown_refs),
    "unknown-option": ("error", _unknown_options),
    "forward-reference": ("error", _forward),
    "optional-control": ("error", _optional_control),
    "fail-worth-more": ("error", _fail_worth_more),
    "bonus-fails": ("error", _bonus_fails),
    "critical-range": ("error", _critical_range),
    "cap-range": ("error", _cap_range),
    "pass-range": ("error", _pass_range),
    "band-cover": ("error", _band_cover),
    "weights": ("error", _weights),
    "release": ("error", _release),
    "default": ("error", _default_unknown),
    "auto": ("error", _auto),
    "points-missing": ("warning", _points_missing),
    "nothing-to-earn": ("warning", _nothing_to_earn),
    "negative-points": ("warning", _negative_points),
    "empty-section": ("warning", _empty_section),
}
"""Rule name: severity and check. ``docs/evaluate/scorecards.md`` says each in a sentence."""
