"""Each lint rule finds its fault at its place; the ready-made forms have none."""

from __future__ import annotations

from importlib import resources

import pytest

from qa.scorecards.document import DocumentError, dump, load
from qa.scorecards.lint import RULES, lint

GOOD = """form: f
title: F
mode: points
pass: 80
sections:
  - ref: s
    questions:
      - ref: a
        text: A
        type: single
        options: [{ref: y, points: 1}, {ref: n, points: 0}]
"""
SECOND = "      - {ref: b, text: B, type: single, options: [{ref: y, points: 1}, {ref: n, points: 0}]"
NUMBER = """      - ref: b
        text: B
        type: number
        ranges: [{min: 0, max: 2, points: 1}, {min: %s, max: 9, points: 0}]
"""

FAULTS = {
    "duplicate-ref": GOOD + SECOND.replace("ref: b", "ref: a") + "}\n",
    "reserved-ref": GOOD.replace("{ref: n,", "{ref: na,"),
    "limits": GOOD + "".join(SECOND.replace("ref: b", f"ref: b{i}") + "}\n" for i in range(200)),
    "options": GOOD.replace(", {ref: n, points: 0}", ""),
    "range-gap": GOOD + NUMBER % "2.5",
    "unknown-ref": GOOD + SECOND + ", show_when: {answer: zzz, in: [y]}}\n",
    "unknown-option": GOOD + SECOND + ", show_when: {answer: a, in: [zzz]}}\n",
    "forward-reference": GOOD + SECOND + ", show_when: {answer: b, in: [y]}}\n",
    "optional-control": GOOD.replace("type: single", "type: single\n        required: false")
    + SECOND
    + ", show_when: {answer: a, in: [y]}}\n",
    "fail-worth-more": GOOD.replace("{ref: n, points: 0}", "{ref: n, points: 2, treat_as: fail}"),
    "bonus-fails": GOOD + SECOND.replace("points: 0}", "points: 0, fail: form}") + ", bonus: true}\n",
    "critical-range": GOOD + SECOND + ", critical_below: 1.5}\n",
    "cap-range": GOOD + SECOND.replace("single", "multi") + ", cap: 9}\n",
    "pass-range": GOOD.replace("pass: 80", "pass: 180"),
    "band-cover": GOOD.replace("pass: 80", "bands: [{to: 90, name: a}, {to: 70, name: b}, {name: c}]"),
    "weights": GOOD.replace("mode: points", "mode: weighted_questions").replace(
        "text: A", "text: A\n        weight: 0"
    ),
    "release": GOOD.replace("pass: 80", "release: {rule: after_days}"),
    "default": GOOD + SECOND + ", default: zzz}\n",
    "auto": GOOD + SECOND + ", auto: {say: [hi], answer: {met: zzz}}}\n",
    "points-missing": GOOD.replace("{ref: n, points: 0}", "{ref: n}"),
    "nothing-to-earn": GOOD + SECOND.replace("points: 1", "points: 0") + "}\n",
    "negative-points": GOOD.replace("points: 0", "points: -1"),
    "empty-section": GOOD + "  - {ref: t, questions: []}\n",
    "failing-test": GOOD + "tests: [{name: t, answers: {a: y}, score: '50'}]\n",
    "unknown-key": GOOD.replace("text: A", "txt: A"),
    "missing-key": GOOD.replace("title: F\n", ""),
    "wrong-value": GOOD.replace("pass: 80", "pass: eighty"),
    "duplicate-key": GOOD.replace("title: F", "title: F\ntitle: G"),
    "alias": GOOD.replace("title: F", "title: &t F"),
    "tag": GOOD.replace("title: F", "title: !!python/object:os.system F"),
    "yaml": GOOD.replace("pass: 80", "pass: [80"),
    "size": GOOD + "#" * 260_000,
    "depth": GOOD.replace("pass: 80", "description: " + "[" * 30 + "]" * 30),
}


def test_every_rule_has_its_example() -> None:
    assert set(RULES) <= set(FAULTS)


@pytest.mark.parametrize("rule", list(FAULTS))
def test_a_fault_is_found_with_its_place(rule: str) -> None:
    found = [finding for finding in lint(FAULTS[rule]) if finding.rule == rule]
    assert found, [f"{f.rule}: {f.message}" for f in lint(FAULTS[rule])]
    assert all(finding.line >= 1 and finding.column >= 1 for finding in found)
    assert all(finding.message.endswith(".") for finding in found)


def test_a_good_form_has_no_finding() -> None:
    assert lint(GOOD) == []


def test_line_and_column_point_at_the_value() -> None:
    finding = next(f for f in lint(GOOD.replace("pass: 80", "pass: 180")) if f.rule == "pass-range")
    assert (finding.line, finding.column) == (4, 7)


def test_the_word_no_stays_an_option_and_a_bare_number_is_no_ref() -> None:
    document = load(GOOD.replace("ref: n,", "ref: no,"))
    assert [option.ref for option in document.form.all_questions()[0].options] == ["y", "no"]
    with pytest.raises(DocumentError, match="put it in quotes"):
        load(GOOD.replace("ref: n,", "ref: 0123,"))


READY = sorted(path.name for path in (resources.files("qa.scorecards") / "ready").iterdir())


@pytest.mark.parametrize("name", READY)
def test_the_ready_made_forms_are_clean_and_survive_a_round_trip(name: str) -> None:
    text = (resources.files("qa.scorecards") / "ready" / name).read_text(encoding="utf-8")
    assert lint(text) == []
    document = load(text)
    assert len(document.form.tests) >= 4
    written = dump(document.form)
    assert load(written).form == document.form
    assert dump(load(written).form) == written
