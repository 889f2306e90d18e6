"""Charts: they say themselves in words, keep inside their frame, and look as they did when looked at."""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.web.charts import control, funnel, heat, small, trend
from qa.web.charts.core import Scale, every, fixed, in_words, plain, round_step, score_ends, shown
from tests.web import gallery

PICTURES = gallery.pictures()


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_the_one_that_was_looked_at(name: str) -> None:
    kept = (gallery.GOLDEN / f"{name}.svg").read_text(encoding="utf-8")
    assert PICTURES[name].replace("><", ">\n<") + "\n" == kept, "python -m tests.web.gallery, and look"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_well_formed_says_itself_and_carries_no_style(name: str) -> None:
    root = ElementTree.fromstring(PICTURES[name])
    assert root.get("aria-label")
    assert root.get("role") in {"img", "group"}
    left, top, width, height = map(float, root.get("viewBox", "").split())
    for one in root.iter():
        assert one.get("style") is None
        for axis, low, high in (
            ("x", left, left + width),
            ("cx", left, left + width),
            ("cy", top, top + height),
        ):
            if one.get(axis) is not None:
                assert low - 1 <= float(one.get(axis, "")) <= high + 1, ElementTree.tostring(one)
    if root.get("role") == "img":
        assert not root.findall(".//a"), "a picture with links is a group"


def test_a_trend_says_its_last_average_and_lists_all() -> None:
    drawn = gallery.trend_chart()
    assert (
        drawn.sentence
        == "Average score per fortnight, 3 Jun to 4 Nov. Last: 4 Nov: 81 from 6 calls, 72 to 90."
    )
    assert drawn.rows[0] == ("3 Jun", "84", "74", "94", "5")
    assert drawn.rows[4] == ("29 Jul", "–", "–", "–", "2"), "two calls have no average"


def test_a_line_does_not_run_through_a_period_without_an_average() -> None:
    wide = gallery.trend_chart().wide
    lines = re.findall(r'<polyline class="line" points="([^"]*)"', wide)
    assert [len(line.split()) for line in lines] == [4, 7]
    assert wide.count('class="dot"') == 11
    assert wide.count('class="ribbon"') == 8, "four for each stretch"


def test_a_trend_of_nothing_is_none_and_of_too_few_says_so() -> None:
    assert trend.chart([], about="Average score") is None
    drawn = trend.chart([trend.Point("May", 2)], about="Average score")
    assert drawn is not None
    assert drawn.sentence == "Average score, May: too few calls for an average."
    alone = trend.chart([trend.Point("May", 5, 84, 74, 94)], about="Average score")
    assert alone is not None
    assert 'cx="375.0"' in alone.wide, "one period stands in the middle"


def test_words_at_events_do_not_cover_each_other() -> None:
    wide = ElementTree.fromstring(gallery.trend_chart().wide)
    words = [one for one in wide.iter("text") if one.text in {"form version 4", "coaching began"}]
    heights = {one.get("y") for one in words}
    sides = {one.get("text-anchor") for one in words}
    assert len(words) == 2
    assert len(heights) == 2 or len(sides) == 2


def test_a_funnel_names_who_lies_outside_and_nobody_else_in_colour() -> None:
    drawn = gallery.funnel_chart()
    assert drawn.sentence == (
        "Funnel plot: average score against number of calls for 7 agents. Kofi Mensah lies outside the outer "
        "limits; the others are inside. 1 with fewer than three calls is not in it."
    )
    assert drawn.wide.count("dot out") == 1
    assert [row[0] for row in drawn.rows] == sorted(gallery.SCORES, key=str.casefold), "by name, not by score"
    assert dict((row[0], row[3]) for row in drawn.rows)["Zeynep Aydin"] == "too few to say"
    assert "Hugo &amp; Söhne &lt;Marchetti&gt;" in drawn.wide
    assert 'role="group"' in drawn.wide
    assert drawn.wide.count("<a ") == 7


def test_a_funnel_without_averages_is_none() -> None:
    few = [funnel.Standing("Ann", 2, 80, "too_few")]
    assert funnel.chart(few, funnel.Limits(), 80) is None
    assert funnel.chart([], funnel.Limits(), None) is None
    inside = funnel.chart([funnel.Standing("Ann", 5, 80, "inside")], funnel.Limits(), 80)
    assert inside is not None
    assert "All lie inside" in inside.sentence
    assert 'role="img"' in inside.wide


def test_a_control_chart_names_what_stands_out() -> None:
    drawn = gallery.control_chart()
    assert drawn.sentence == "Auto-fails by week: week 40 with 9 of 40 lies outside the limits."
    assert drawn.rows[16][-1] == "worth a look"
    assert drawn.wide.count("dot out") == 1
    few = control.chart([control.Period("May", 1, 10)], 0.1, about="Auto-fails")
    assert few is not None
    assert few.sentence == "Auto-fails: 8 points are needed before limits can be drawn."
    assert few.rows[0][1] == "1 of 10", "counts under twenty"
    assert control.chart([], None, about="Auto-fails") is None


@pytest.mark.parametrize(
    ("k", "n", "level"),
    [(0, 0, "few"), (2, 2, "few"), (4, 9, "1"), (9, 20, "2"), (7, 10, "3"), (17, 20, "4"), (19, 20, "5")],
)
def test_heat_has_no_colour_under_three(k: int, n: int, level: str) -> None:
    assert heat.Cell(k, n).level == level


def test_a_heat_map_says_what_is_low() -> None:
    assert gallery.heat_map().sentence == (
        "Share met by question and month. Under 45 % somewhere: Refund date told."
    )
    assert heat.chart([], [], about="Share met") is None
    fine = heat.chart([heat.Row("Tone", (heat.Cell(9, 9),))], [heat.Column("May")], about="Share met")
    assert fine is not None
    assert fine.sentence == "Share met. Nothing is under 45 %."


def test_twenty_places_are_counted_below_the_mark() -> None:
    drawn = small.places([70 + place for place in range(20)], target=80)
    assert drawn is not None
    assert "20 equally likely places for the true average: 10 of 20 are below 80." in drawn
    assert small.places([]) is None


def test_a_strip_marks_who_differs_from_the_reference() -> None:
    drawn = gallery.small_pictures()["strip"]
    assert drawn.count("dot out") == 2
    assert "Finn: Partly; Owen: Partly; reference: Fully" in drawn
    assert small.strip([], []) is None
    assert "dot out" not in (small.strip(["No", "Yes"], [small.Answer("Mara", "No")]) or "")


def test_a_spark_line_needs_two_values_and_leaves_gaps() -> None:
    assert small.spark([84], sentence="Quality") is None
    drawn = small.spark([84, 85, None, 83, 82], sentence="Quality")
    assert drawn is not None
    assert drawn.count("<polyline") == 2
    assert small.spark([84, 84], sentence="Quality") is not None


def test_a_range_without_a_value_is_an_empty_track() -> None:
    drawn = small.band(None, None, None, ends=(0, 100), sentence="No calls yet")
    assert "dot" not in drawn
    assert 'preserveAspectRatio="none"' in drawn
    assert small.singles([], sentence="No calls") is None


@given(
    st.floats(min_value=-1e6, max_value=1e6), st.floats(min_value=1e-3, max_value=1e6), st.floats(-2e6, 2e6)
)
def test_a_scale_never_leaves_the_picture(low: float, width: float, value: float) -> None:
    scale = Scale(low, low + width, 30, 780)
    assert 30 <= scale.at(value) <= 780
    ticks = scale.ticks()
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in ticks)
    assert len(ticks) <= 8


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_steps_are_one_two_or_five(least: float) -> None:
    step = round_step(least)
    assert least * (1 - 1e-9) <= step <= 10 * least
    assert f"{step:e}"[0] in "125"


def test_an_axis_of_scores_is_zoomed_by_tens_and_never_to_less_than_forty_points() -> None:
    assert score_ends([84, 88]) == (60, 100)
    assert score_ends([41, 88]) == (40, 100)
    assert score_ends([0]) == (0, 100)
    assert score_ends([]) == (0, 100)


@pytest.mark.parametrize(
    ("value", "lo", "hi", "words"),
    [(81.26, 70, 92, "81"), (81.26, 79, 84, "81.3"), (81.25, None, None, "81.3"), (-0.04, -1, 1, "0.0")],
)
def test_a_number_has_the_decimals_its_range_allows(
    value: float, lo: float | None, hi: float | None, words: str
) -> None:
    assert shown(value, lo, hi) == words


def test_small_words() -> None:
    assert (plain(-3.5), plain(2.5), fixed(Fraction(5, 2), 0)) == ("−4", "3", "3")
    assert in_words(["A", "B", "C"]) == "A, B and C"
    assert in_words(["A"]) == "A"
    assert (every(24, 12), every(12, 12), every(13, 12)) == (2, 1, 2)
