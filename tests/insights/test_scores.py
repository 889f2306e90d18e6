"""Numbers about people: which evaluations count, what stands beside an average, who needs a coach."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from qa.insights import agent_page
from qa.insights.scores import (
    Average,
    Scored,
    Spread,
    Tally,
    Topic,
    auto_fails,
    average,
    by_question,
    in_need,
    need_of,
    spread_of,
    strong_at,
    to_work_on,
    topics,
    values_by_agent,
)
from tests.factories import NOW

SPREAD = Spread(12.0, 40, within_bounds=True)


def scored(
    score: float | None, *, agent: int = 1, random: bool = True, days: float = 1, **met: bool
) -> Scored:
    """One evaluation, drawn at random unless told otherwise."""
    return Scored(1, agent, 1, 1, NOW - timedelta(days=days), random, score, auto_failed=False, met=met)


def test_only_random_selections_with_a_score_count_in_an_average() -> None:
    rows = [scored(80), scored(20, random=False), scored(None), scored(90, agent=2)]
    assert values_by_agent(rows) == {"1": [80], "2": [90]}
    assert auto_fails(rows) == Tally(0, 2)


def test_there_is_no_average_below_three_and_no_range_without_spread() -> None:
    assert average([90, 60], SPREAD) == Average(2)
    assert average([], SPREAD).reason == "no_values"
    assert average([90, 60, 75], Spread(None, 0, within_bounds=True)).lo is None
    assert average([80, 80, 80], Spread(0.0, 9, within_bounds=True)).reason == "no_variation"


def test_a_range_comes_from_the_spread_of_all_agents_and_is_cut_at_the_ends_of_the_scale() -> None:
    found = average([95, 100, 90], SPREAD)
    assert found.mean == 95
    assert found.lo is not None
    assert 80 < found.lo < 82
    assert found.hi == 100
    over = average([105, 100, 95], spread_of({"1": [105, 100, 95], "2": [80, 90]}))
    assert over.hi is not None
    assert over.hi > 100


def test_questions_are_counted_where_they_were_scored_at_random() -> None:
    rows = [scored(80, a=True), scored(80, a=False, b=True), scored(80, random=False, a=False)]
    assert by_question(rows) == {"a": Tally(1, 2), "b": Tally(1, 1)}


def test_work_on_is_ranked_by_the_kinder_end_and_strengths_by_the_stricter_one() -> None:
    own = {
        "few": Tally(0, 2),
        "low": Tally(2, 12),
        "luck": Tally(1, 3),
        "good": Tally(12, 12),
        "so": Tally(3, 4),
    }
    found = topics(own, {})
    work = to_work_on(found, 2)
    assert [one.ref for one in work] == ["low", "luck"]
    assert [one.ref for one in strong_at(found, 3, but=work)] == ["good"]


@pytest.mark.parametrize(
    ("own", "others", "said"),
    [
        (Tally(2, 20), Tally(90, 100), "under"),
        (Tally(20, 20), Tally(50, 100), "above"),
        (Tally(2, 4), Tally(70, 100), "alike"),
        (Tally(2, 4), Tally(1, 2), "unknown"),
    ],
)
def test_a_question_is_under_the_team_only_when_the_difference_has_a_range_that_says_so(
    own: Tally, others: Tally, said: str
) -> None:
    assert Topic("q", own, others).against == said


def test_who_needs_a_coach_is_told_by_the_gap_that_stays_at_the_kinder_end() -> None:
    unlucky = [scored(60, agent=1), scored(70, agent=1), scored(95, agent=1)]
    surely = [scored(62, agent=2, hold=False) for _ in range(14)]
    new = [scored(10, agent=3), scored(10, agent=3)]
    found = [need_of(agent, rows, SPREAD, 80) for agent, rows in ((1, unlucky), (2, surely), (3, new))]
    assert [one.agent_id for one in in_need(found)] == [2]
    assert found[1].ref == "hold"
    assert found[1].tally == Tally(0, 14)
    assert found[0].gap == 0
    assert found[2].n == 2
    assert need_of(1, surely, SPREAD, None).gap == 0


def test_a_day_has_its_place_between_the_middles_of_the_periods() -> None:
    now = datetime(2026, 3, 16, 10, tzinfo=ZoneInfo("Europe/Berlin"))
    rows = [scored(80, days=place // 3 * 14) for place in range(9)]
    found = agent_page._buckets(rows, now)
    assert found.step == "fortnight"
    assert [len(values) for values in found.values] == [3, 3, 3]
    assert found.place(found.days[1]) == 0.5
    assert found.place(found.days[0] - timedelta(days=1)) < 0
    rare = agent_page._buckets([scored(80, days=place * 14) for place in range(6)], now)
    assert rare.step == "month"
    assert rare.days[-1] == date(2026, 3, 1)
