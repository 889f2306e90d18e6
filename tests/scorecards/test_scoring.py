"""The arithmetic: worked examples of vendors, the rules one by one, and what must hold for every form."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.scorecards.answers import AnswerError
from qa.scorecards.compiled import CompiledForm
from qa.scorecards.reach import bounds
from qa.scorecards.requirements import requirements
from qa.scorecards.waterfall import waterfall
from tests.scorecards.forms import form, question, scored

NA = {"na": "allowed"}
WEIGHTED = form(
    "weighted_questions",
    tuple(question(f"q{w}{i}", 10, 5, 0, weight=w, **NA) for i, w in enumerate((40, 20, 20, 20))),
)
SCALED = form(
    "scaled_points",
    {"ref": "a", "weight": 40, "questions": (question("a1", 1, 0), question("a2", 1, 0))},
    {"ref": "b", "weight": 20, "na": "allowed", "questions": (question("b1", 1, 0),)},
)
POINTS = form("points", tuple(question(f"q{m}", m, n) for m, n in ((5, 3), (10, 5), (15, 8), (6, 5))))
SECTIONS = {"s1": (3, 3), "s2": (10, 5), "s3": (5, 4), "s4": (2, 1)}


def by_sections(mode: str) -> CompiledForm:
    """Four sections of one question each, weights 10, 30, 50, 10, maxima 3, 10, 5, 2."""
    weights = (10, 30, 50, 10)
    parts = [
        {
            "ref": ref,
            "weight": weight,
            "questions": (
                question(f"{ref}q", top, got + 0, 0) if top != got else question(f"{ref}q", top, 0),
            ),
        }
        for (ref, (top, got)), weight in zip(SECTIONS.items(), weights, strict=True)
    ]
    return form(mode, *parts, within="points") if mode == "weighted_sections" else form(mode, *parts)


@pytest.mark.parametrize(
    ("compiled", "given_answers", "expected"),
    [
        pytest.param(WEIGHTED, ("o0", "o1", "o1", "o2"), "60", id="V01"),
        pytest.param(WEIGHTED, ("o0", "o1", "o1", "na"), "75", id="V02"),
        pytest.param(SCALED, ("o0", "o1", "o0"), "60", id="V04"),
        pytest.param(SCALED, ("o0", "o1", "na"), "50", id="V06"),
        pytest.param(
            form(
                "points",
                (question("a", 5, 3), question("b", 10, 5), question("c", 15, 8), question("d", 5, 0)),
            ),
            ("o1", "o1", "o1", "o0"),
            "60",
            id="V07",
        ),
        pytest.param(by_sections("weighted_sections"), ("o0", "o1", "o1", "o1"), "70", id="V09"),
        pytest.param(by_sections("points"), ("o0", "o1", "o1", "o1"), "65", id="V10"),
        pytest.param(
            form("points", (question("a", 35, 0), question("b", 2, 0, bonus=True))),
            ("o0", "o0"),
            "740/7",
            id="V12",
        ),
        pytest.param(
            form(
                "weighted_questions",
                (
                    question("a", 1, 0, weight=68),
                    question("b", 1, 0, weight=32),
                    question("c", 1, 0, weight=0),
                ),
            ),
            ("o0", "o1", "o1"),
            "68",
            id="S9 zero weight",
        ),
    ],
)
def test_worked_examples(compiled: CompiledForm, given_answers: tuple[str, ...], expected: str) -> None:
    assert scored(compiled, *given_answers).score == Fraction(expected)


def test_v02_moves_the_weight_of_n_a_in_proportion() -> None:
    result = scored(WEIGHTED, "o0", "o1", "o1", "na")
    assert [part.weight_applied for part in result.questions] == ["50", "25", "25", "0"]


def test_v14_a_failed_form_reports_zero_and_keeps_the_raw_score() -> None:
    compiled = form(
        "weighted_questions",
        (question("a", 1, 0, last={"fail": "form"}, weight=50), question("b", 1, 0, weight=50)),
    )
    result = scored(compiled, "o1", "o0")
    assert (result.score, result.raw, result.outcome) == (0, 50, "fail")
    assert [(cause.ref, cause.scope) for cause in result.fail_causes] == [("a", "form")]


@pytest.mark.parametrize(("last", "expected"), [({"fail": "section"}, 60), ({}, 90)])
def test_v17_a_failed_section_loses_its_points_and_keeps_its_weight(
    last: dict[str, str], expected: int
) -> None:
    four = (question("a", 1, 0, last=last), *(question(f"q{i}", 1, 0) for i in range(3)))
    compiled = form(
        "weighted_sections",
        {"ref": "one", "weight": 40, "questions": four},
        {"ref": "two", "weight": 60, "questions": (question("b", 1, 0),)},
    )
    assert scored(compiled, "o1", "o0", "o0", "o0", "o0").score == expected


def test_v21_a_shown_question_fails_the_form() -> None:
    compiled = form(
        "weighted_questions",
        (
            question("sale", 1, 0, weight=40),
            question(
                "fee", 1, 0, last={"fail": "form"}, weight=40, show_when={"answer": "sale", "in": ("o0",)}
            ),
            question("close", 1, 0, weight=20),
        ),
    )
    result = scored(compiled, "o0", "o1", "o0")
    assert (result.score, result.raw, result.outcome) == (0, 60, "fail")


def test_v23_scales_map_to_equal_steps() -> None:
    compiled = form(
        "weighted_questions",
        tuple({"ref": f"q{w}", "text": "q", "type": "single", "scale": 5, "weight": w} for w in (68, 32, 0)),
    )
    assert scored(compiled, "4", "2", "1").score == 59


def test_v28_the_mean_is_of_exact_scores() -> None:
    scores = [Fraction(text) for text in ("100", "9.91", "63.96", "90.99", "0")]
    assert round(sum(scores) / 5, 2) == Fraction("52.97")


def test_all_n_a_is_not_scored_never_zero_or_hundred() -> None:
    result = scored(WEIGHTED, "na", "na", "na", "na")
    assert (result.score, result.raw, result.outcome) == (None, None, "not_scored")


def test_full_credit_counts_n_a_as_met_but_not_what_is_hidden() -> None:
    hidden = question("c", 1, 0, show_when={"answer": "a", "in": ("o1",)})
    compiled = form("points", (question("a", 1, 0), question("b", 1, 0, **NA), hidden), na="full_credit")
    result = scored(compiled, "o0", "na")
    assert result.score == 100
    assert [part.max for part in result.questions] == ["1", "1", "0"]


def test_an_all_n_a_section_gives_its_weight_to_the_others() -> None:
    compiled = form(
        "weighted_sections",
        {"ref": "one", "weight": 40, "na": "allowed", "questions": (question("a", 1, 0),)},
        {"ref": "two", "weight": 60, "questions": (question("b", 2, 1, 0),)},
    )
    assert scored(compiled, "na", "o1").score == 50


@pytest.mark.parametrize(("share", "fails"), [("0.5", False), ("0.51", True)])
def test_critical_below_fails_the_form_strictly_below_its_share(share: str, fails: bool) -> None:
    from decimal import Decimal

    compiled = form("points", (question("a", 10, 5, critical_below=Decimal(share)),))
    assert (scored(compiled, "o1").outcome == "fail") is fails


def test_count_rules_count_questions_with_a_failing_option() -> None:
    bad = {"treat_as": "fail"}
    compiled = form(
        "points",
        {"ref": "one", "questions": tuple(question(f"q{i}", 1, 0, last=bad) for i in range(3))},
        rules=({"failed_at_least": 2, "in": "one", "fail": "form"},),
    )
    assert scored(compiled, "o1", "o0", "o0").outcome == "pass"
    result = scored(compiled, "o1", "o1", "o0")
    assert (result.outcome, result.fail_causes[0].ref) == ("fail", "one")


def test_bonus_never_rescues_a_fail_and_the_cap_holds() -> None:
    good = form("points", (question("a", 10, 0), question("b", 5, 0, bonus=True)), cap=100)
    assert scored(good, "o0", "o0").score == 100
    failing = form("points", (question("a", 10, 0, last={"fail": "form"}), question("b", 5, 0, bonus=True)))
    assert scored(failing, "o1", "o0").outcome == "fail"


def test_negative_points_stop_at_the_floor() -> None:
    compiled = form("points", (question("a", 1, -5),))
    assert scored(compiled, "o1").score == 0


def test_the_pass_mark_is_tested_on_the_exact_score() -> None:
    compiled = form("points", (question("a", 3, 2),), **{"pass": 67})
    assert scored(compiled, "o1").outcome == "fail"
    assert scored(form("points", (question("a", 5, 4),), **{"pass": 80}), "o1").outcome == "pass"


@pytest.mark.parametrize(("got", "name"), [("o0", "top"), ("o1", "middle"), ("o2", "low")])
def test_bands_are_half_open(got: str, name: str) -> None:
    bands = ({"to": 50, "name": "low"}, {"to": 100, "name": "middle"}, {"name": "top"})
    assert scored(form("points", (question("a", 2, 1, 0),), bands=bands), got).band == name


def test_multi_select_sums_up_to_its_cap() -> None:
    steps = {
        "ref": "a",
        "text": "a",
        "type": "multi",
        "cap": 10,
        "options": tuple({"ref": r, "points": 4} for r in "xyz"),
    }
    compiled = form("points", (steps,))
    assert [scored(compiled, answer).score for answer in (["x"], ["x", "y", "z"], [])] == [40, 100, 0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("nope", "has no option"),
        (["o0"], "not a list"),
        ("na", "N/A is not offered"),
        (3.5, "takes an option's ref"),
        (True, "takes an option's ref"),
    ],
)
def test_answers_that_cannot_be_scored_are_named(answer: Any, words: str) -> None:
    with pytest.raises(AnswerError, match=words):
        scored(form("points", (question("a", 1, 0),)), answer)


@pytest.mark.parametrize("answer", ["2.001", "NaN", "Infinity", "61", "x", True, "1e99"])
def test_numbers_outside_their_ranges_or_with_three_decimals_are_refused(answer: Any) -> None:
    ranges = ({"min": 0, "max": 2, "points": 10}, {"min": 2.01, "max": 60, "points": 0})
    compiled = form("points", ({"ref": "a", "text": "a", "type": "number", "ranges": ranges},))
    with pytest.raises(AnswerError):
        scored(compiled, answer)


def test_an_unknown_question_is_refused_and_an_open_one_leaves_the_form_incomplete() -> None:
    with pytest.raises(AnswerError, match="no question"):
        scored(WEIGHTED, zzz="o0")
    result = scored(WEIGHTED, "o0")
    assert (result.outcome, result.score, len(result.missing)) == ("incomplete", None, 3)


def test_required_comments_and_evidence_are_asked_for_by_the_chosen_option() -> None:
    compiled = form("points", (question("a", 1, 0, last={"comment": "required", "evidence": "required"}),))
    none: frozenset[str] = frozenset()
    needs = requirements(compiled, {"a": "o1"}, {}, commented=none, evidenced=none)
    assert [(need.ref, need.what) for need in needs] == [("a", "comment"), ("a", "evidence")]
    assert requirements(compiled, {"a": "o0"}, {}, commented=none, evidenced=none) == ()


MODES = ("points", "weighted_questions", "weighted_sections", "scaled_points")


@st.composite
def forms_with_answers(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    """Any form of up to three sections, with any legal answers."""
    mode = draw(st.sampled_from(MODES))
    sections, answers = [], {}
    for s in range(draw(st.integers(1, 3))):
        questions = []
        for q in range(draw(st.integers(1, 3))):
            ref = f"s{s}q{q}"
            points = sorted(draw(st.lists(st.integers(0, 12), min_size=2, max_size=3)), reverse=True)
            questions.append(question(ref, *points, weight=draw(st.integers(0, 9)), na="allowed"))
            answers[ref] = draw(st.sampled_from(["na", *(f"o{i}" for i in range(len(points)))]))
        sections.append({"ref": f"s{s}", "weight": draw(st.integers(0, 9)), "questions": tuple(questions)})
    return mode, sections, answers


@given(forms_with_answers(), st.randoms(use_true_random=False))
def test_the_order_of_questions_and_sections_never_changes_the_score(made: Any, random: Any) -> None:
    mode, sections, answers = made
    mixed = [
        section | {"questions": tuple(random.sample(section["questions"], len(section["questions"])))}
        for section in sections
    ]
    random.shuffle(mixed)
    assert scored(form(mode, *sections), **answers).score == scored(form(mode, *mixed), **answers).score


@given(forms_with_answers(), st.integers(1, 7))
def test_scaling_all_weights_never_changes_the_score(made: Any, factor: int) -> None:
    mode, sections, answers = made
    scaled = [
        section
        | {
            "weight": section["weight"] * factor,
            "questions": tuple(q | {"weight": q["weight"] * factor} for q in section["questions"]),
        }
        for section in sections
    ]
    assert scored(form(mode, *sections), **answers).score == scored(form(mode, *scaled), **answers).score


@given(forms_with_answers())
def test_a_hidden_question_with_a_failing_stale_answer_never_changes_the_score(made: Any) -> None:
    mode, sections, answers = made
    first = sections[0]["questions"][0]["ref"]
    stale = question("stale", 1, 0, last={"fail": "form"}, show_when={"answer": first, "in": ("nothing",)})
    more = [*sections[:-1], sections[-1] | {"questions": (*sections[-1]["questions"], stale)}]
    before, after = scored(form(mode, *sections), **answers), scored(form(mode, *more), stale="o1", **answers)
    assert (before.score, before.outcome) == (after.score, after.outcome)


@given(forms_with_answers(), st.data())
def test_a_better_answer_never_lowers_the_raw_score_and_it_stays_in_range(made: Any, data: Any) -> None:
    mode, sections, answers = made
    compiled = form(mode, *sections)
    before = scored(compiled, **answers).raw
    ref = data.draw(st.sampled_from(sorted(answers)))
    if answers[ref] != "na" and before is not None:
        assert 0 <= before <= 100
        after = scored(compiled, **(answers | {ref: "o0"})).raw
        assert after is not None
        assert after >= before


@given(forms_with_answers(), st.data())
def test_open_questions_end_inside_the_announced_bounds(made: Any, data: Any) -> None:
    mode, sections, answers = made
    compiled = form(mode, *sections)
    known = {ref: answer for ref, answer in answers.items() if data.draw(st.booleans())}
    span, end = bounds(compiled, known, {}), scored(compiled, **answers).raw
    if span is not None and end is not None:
        assert span[0] <= end <= span[1]


@given(forms_with_answers())
def test_the_waterfall_adds_up_exactly(made: Any) -> None:
    mode, sections, answers = made
    compiled = form(mode, *sections)
    result = scored(compiled, **answers)
    steps = waterfall(compiled, result)
    if result.raw is not None:
        changes = sum(step.delta for step in steps if step.kind in {"loss", "gain", "section", "limit"})
        assert 100 + changes == result.raw


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_n_a_on_a_question_at_the_mean_changes_nothing(weights: list[int]) -> None:
    compiled = form(
        "weighted_questions", tuple(question(f"q{i}", 2, 1, 0, weight=w, **NA) for i, w in enumerate(weights))
    )
    halves = {f"q{i}": "o1" for i in range(len(weights))}
    assert scored(compiled, **halves).score == scored(compiled, **(halves | {"q0": "na"})).score == 50
