"""Numbers of the centre: each formula by hand, its edges, and what must always hold."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qa.stats.arguments import RefusedArgument
from qa.stats.calls import percentile, service_level_counts, voice_kpis
from qa.stats.commands import answer
from qa.stats.contacts import fcr_repeat, fcr_survey
from qa.stats.mix import mix_decomposition
from qa.stats.surveys import ces, csat, nps
from qa.stats.tickets import reopen_rate
from qa.stats.times import Hours
from qa.stats.workforce import occupancy

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = {"timezone": "Europe/Berlin", "open": "09:00", "close": "17:00", "weekdays": [0, 1, 2, 3, 4]}
OFFICE |= {"holidays": ["2026-05-01"]}


def asked(name: str, **arguments: object) -> dict[str, object]:
    """The answer of a function through its door, times as text."""
    return dict(answer(name, json.dumps(arguments).encode()))


def call(number: int, outcome: str = "answered", wait: float | None = 5, **more: object) -> dict[str, object]:
    """One call of 200 seconds."""
    parts = {"talk_s": 150, "hold_s": 20, "wrap_s": 30} if outcome == "answered" else {}
    return {"id": number, "outcome": outcome, "wait_s": wait, **parts, **more}


def test_three_ways_to_count_who_hangs_up_in_time() -> None:
    found = service_level_counts(70, 10, 100)  # Cisco: 77.8, 70 and 80 %
    assert [round(found[key], 3) for key in ("ignore", "negative", "positive")] == [0.778, 0.7, 0.8]
    assert service_level_counts(0, 5, 5)["reason"] == "no_calls"
    with pytest.raises(RefusedArgument, match='"events" must be at least'):
        service_level_counts(70, 40, 100)


def test_five_service_levels_of_the_same_calls() -> None:
    calls = [call(n) for n in range(70)] + [call(100 + n, wait=45) for n in range(20)]
    calls += [call(200 + n, "abandoned", 3) for n in range(4)]
    calls += [call(300 + n, "abandoned", 15) for n in range(6)]
    calls += [call(400, "in_progress", 2)]
    found = voice_kpis(calls)
    assert (found["offered"], found["in_progress"], found["short_abandons"]) == (100, 1, 4)
    levels = ("ignore_abandons_within", "abandons_negative", "abandons_positive", "answered_only")
    assert [round(found[f"sl_{name}"], 3) for name in levels] == [0.778, 0.7, 0.8, 0.778]
    assert found["sl_exclude_short"] == pytest.approx(70 / 96)
    assert found["abandon_rate_gross"] == 0.1
    assert found["abandon_rate_excl_short"] == pytest.approx(6 / 96)
    assert found["asa_s"] == pytest.approx((70 * 5 + 20 * 45) / 90)


def test_a_threshold_belongs_to_it() -> None:
    found = voice_kpis([call(1, wait=20), call(2, wait=20.001), call(3, "abandoned", 5)], 20, 5)
    assert (found["answered_within"], found["abandoned_within"], found["short_abandons"]) == (1, 1, 1)


def test_handle_time_is_a_ratio_of_sums_and_leaves_out_what_is_unknown() -> None:
    calls = [call(1), call(2, talk_s=750, transferred=True), call(3, wrap_s=None), call(4, "abandoned", None)]
    found = voice_kpis(calls)
    assert (found["aht_s"], found["aht_n"], found["aht_left_out"]) == (500, 2, 1)
    assert (found["handle_median_s"], found["handle_p90_s"]) == (500, 740)
    assert found["transfer_rate"] == pytest.approx(1 / 3)
    assert found["wait_unknown"] == 1


def test_no_calls_have_no_numbers_but_a_reason() -> None:
    found = voice_kpis([])
    assert (found["aht_s"], found["sl_exclude_short"], found["reason"]) == (None, None, "no_calls")
    with pytest.raises(ValueError, match=r'"calls\[1\].id" 1 stands twice'):
        voice_kpis([call(1), call(1)])


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1), st.floats(min_value=0, max_value=1))
def test_percentiles_interpolate_as_numpy_does(values: list[float], share: float) -> None:
    assert percentile(values, share) == pytest.approx(np.percentile(values, 100 * share), rel=1e-9, abs=1e-6)


def test_better_work_and_other_work_are_told_apart() -> None:
    before = {"phone": (78.0, 75.0), "chat": (90.0, 25.0)}
    after = {"phone": (80.0, 50.0), "chat": (92.0, 70.0)}
    found = mix_decomposition(before, after)
    assert [found[key] for key in ("before", "after", "performance", "mix")] == pytest.approx([81, 87, 2, 4])
    assert mix_decomposition({}, after)["reason"] == "no_values"
    new = mix_decomposition({"phone": (80, 10)}, {"phone": (80, 10), "chat": (90, 10)})
    assert (new["performance"], new["mix"]) == (0, pytest.approx(5))


channels = st.dictionaries(
    st.sampled_from("abc"), st.tuples(st.floats(min_value=0, max_value=100), st.integers(0, 50).map(float))
)


@given(channels, channels)
def test_the_two_parts_are_the_whole_change(before: dict[str, tuple[float, float]], after: object) -> None:
    found, turned = mix_decomposition(before, after), mix_decomposition(after, before)
    if found["total"] is not None:
        assert found["total"] == pytest.approx(found["after"] - found["before"], abs=1e-9)
        assert found["mix"] == pytest.approx(-turned["mix"], abs=1e-9)


def test_people_say_it_was_settled() -> None:
    assert fcr_survey(280, 400)["fcr_pct"] == 70
    assert fcr_survey(0, 0)["reason"] == "no_values"


def contact(name: str, day: float, customer: str | None = "Kim", **more: object) -> dict[str, object]:
    """A contact so many days after the first of May 2026."""
    start = datetime(2026, 5, 1, 12, tzinfo=UTC) + timedelta(days=day)
    return {"id": name, "customer": customer, "reason": "bill", "start": start, **more}


def test_a_contact_that_nobody_repeats_is_resolved() -> None:
    contacts = [
        contact("a", 0),
        contact("b", 7),
        contact("c", 0, "Lou"),
        contact("d", 7.001, "Lou"),
        contact("e", 1, "Mia", reason="login"),
        contact("f", 2, "Mia"),
        contact("g", 2.1, "Mia", transfer_of="f"),
        contact("h", 3, None),
        contact("i", 20, "Noa"),
    ]
    as_of = datetime(2026, 5, 22, 12, tzinfo=UTC)
    found = fcr_repeat(contacts, as_of)
    assert (found["repeat_contacts"], found["repeat_ids"]) == (1, ["b"]), "7 times 24 hours are inside"
    assert (found["first_contacts_decided"], found["resolved_first"], found["pending"]) == (5, 4, 1)
    assert found["fcr_pct"] == 80
    assert (found["unknown_customer"], found["transfer_legs"]) == (1, 1)
    assert fcr_repeat(contacts, as_of, by_reason=False)["repeat_ids"] == ["f", "b"]


def test_a_window_that_is_open_is_pending_even_when_repeated() -> None:
    found = fcr_repeat([contact("a", 0), contact("b", 1)], datetime(2026, 5, 8, 11, tzinfo=UTC))
    assert (found["pending"], found["fcr_pct"], found["reason"]) == (1, None, "none_decided")
    closed = fcr_repeat([contact("a", 0), contact("b", 1)], datetime(2026, 5, 8, 12, tzinfo=UTC))
    assert (closed["pending"], closed["fcr_pct"]) == (0, 0)


def test_windows_roll_from_contact_to_contact() -> None:
    chain = [contact("a", 0), contact("b", 5), contact("c", 10), contact("d", 18)]
    found = fcr_repeat(chain, datetime(2026, 9, 1, tzinfo=UTC))
    assert (found["repeat_ids"], found["first_contacts_decided"]) == (["b", "c"], 2)


def test_satisfaction_is_the_two_best_answers_with_how_many_answered() -> None:
    found = csat([5, 4, 4, 2, None], 50)
    assert (found["n"], found["top2_pct"], found["mean"], found["response_rate_pct"]) == (4, 75, 3.75, 8)
    assert found["few_answered"] is True
    assert found["top2_lo"] == pytest.approx(30.06, abs=0.01)
    assert csat([], 0)["reason"] == "no_answers"
    assert csat([None], 10)["response_rate_pct"] == 0
    with pytest.raises(RefusedArgument, match=r'"scores\[0\]" must be from 1 to 5, not 6'):
        csat([6], 1)
    with pytest.raises(RefusedArgument, match='"sent" must be at least'):
        csat([5, 5], 1)


def test_promoters_less_detractors() -> None:
    found = nps([10] * 5 + [9] * 5 + [8] * 4 + [6] * 3 + [0] * 3)
    assert (found["promoters"], found["passives"], found["detractors"]) == (10, 4, 6)
    assert found["nps"] == 20
    assert found["se_wald"] == pytest.approx(100 * np.sqrt((0.8 - 0.04) / 20))
    p, d = 10.75 / 23, 6.75 / 23
    half = stats.norm.ppf(0.975) * np.sqrt((p + d - (p - d) ** 2) / 23)
    assert [found["adj_lo"], found["adj_hi"]] == pytest.approx([100 * (p - d - half), 100 * (p - d + half)])
    assert nps([])["reason"] == "no_answers"
    assert nps([10, 10])["adj_hi"] == 100


def test_the_adjusted_range_holds_at_twenty_answers_where_the_plain_one_does_not() -> None:
    source, adjusted, plain, runs = np.random.default_rng(8), 0, 0, 1500
    for _ in range(runs):
        found = nps(source.choice([10, 8, 3], 20, p=[0.85, 0.10, 0.05]).tolist())
        adjusted += found["adj_lo"] <= 80 <= found["adj_hi"]
        plain += abs(found["nps"] - 80) <= 1.96 * found["se_wald"]
    assert adjusted / runs > 0.93 > plain / runs


def test_effort_on_seven_points() -> None:
    found = ces({"1": 1, "3": 1, "4": 2, "5": 2, "6": 2, "7": 2})
    assert (found["n"], found["mean"], found["agree_pct"], found["index"]) == (10, 4.8, 60, 20)
    assert ces({})["reason"] == "no_answers"
    with pytest.raises(RefusedArgument, match='"counts" has "8"; answers are 1 to 7'):
        ces({"8": 1})


@pytest.mark.parametrize(
    ("start", "end", "business", "calendar"),
    [
        ("2026-04-30T16:00:00+02:00", "2026-05-04T10:00:00+02:00", 120, 5400),  # Labour Day, weekend
        ("2026-03-06T09:00:00+01:00", "2026-03-06T17:00:00+01:00", 480, 480),
        ("2026-03-07T00:00:00Z", "2026-03-08T23:00:00Z", 0, 2820),
        ("2026-03-27T16:30:00+01:00", "2026-03-30T09:30:00+02:00", 60, 3840),  # clocks go forward
        ("2026-03-06T12:00:00+01:00", "2026-03-06T12:00:00+01:00", 0, 0),
    ],
)
def test_only_opening_hours_count(start: str, end: str, business: float, calendar: float) -> None:
    found = asked("elapsed", start=start, end=end, **OFFICE)
    assert (found["business_minutes"], found["calendar_minutes"]) == (business, calendar)


def test_a_night_shift_is_an_hour_shorter_when_clocks_go_forward() -> None:
    nights = OFFICE | {"open": "22:00", "close": "06:00", "weekdays": list(range(7)), "holidays": []}
    found = asked("elapsed", start="2026-03-28T12:00:00Z", end="2026-03-29T12:00:00Z", **nights)
    assert found["business_minutes"] == 420
    usual = asked("elapsed", start="2026-03-27T12:00:00Z", end="2026-03-28T12:00:00Z", **nights)
    assert usual["business_minutes"] == 480
    autumn = asked("elapsed", start="2026-10-24T12:00:00Z", end="2026-10-25T12:00:00Z", **nights)
    assert autumn["business_minutes"] == 540


def test_open_round_the_clock_is_the_calendar() -> None:
    always = {"timezone": "America/New_York", "open": "00:00", "close": "24:00", "weekdays": list(range(7))}
    found = asked("elapsed", start="2026-03-01T00:30:00Z", end="2026-11-20T07:45:00Z", **always)
    assert found["business_minutes"] == found["calendar_minutes"]


@given(st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)), st.lists(st.integers(0, 20_000), max_size=3))
def test_minutes_add_up_over_any_moment_between(start: datetime, steps: list[int]) -> None:
    hours = Hours(BERLIN, 9 * 60, 17 * 60, frozenset(range(5)), frozenset({date(2026, 5, 1)}))
    moments = [start.replace(tzinfo=UTC)]
    for step in steps:
        moments.append(moments[-1] + timedelta(minutes=step))
    parts = [hours.minutes(one, other) for one, other in pairwise(moments)]
    assert sum(parts) == pytest.approx(hours.minutes(moments[0], moments[-1]))


def test_who_waits_beyond_the_target_is_a_miss_already() -> None:
    tickets = [
        {"id": 1, "created": "2026-03-02T09:00:00+01:00", "first_human_reply": "2026-03-02T10:00:00+01:00"},
        {"id": 2, "created": "2026-03-02T09:00:00+01:00", "first_human_reply": "2026-03-02T15:00:00+01:00"},
        {"id": 3, "created": "2026-03-02T09:00:00+01:00", "first_human_reply": None},
        {"id": 4, "created": "2026-03-03T09:30:00+01:00"},
        {"id": 5, "created": "2026-03-02T09:00:00+01:00", "outbound": True},
        {"id": 6, "created": "2026-03-09T09:00:00+01:00"},
    ]
    about = {"as_of": "2026-03-03T10:00:00+01:00", "target_business_minutes": 240, **OFFICE}
    found = asked("first_response", tickets=tickets, **about)
    assert (found["replied"], found["waiting"], found["left_out"]) == (2, 2, 2)
    assert (found["decided"], found["within_target"]) == (3, 1)
    assert found["within_target_pct"] == pytest.approx(100 / 3)
    assert (found["calendar_median_min"], found["business_median_min"]) == (210, 210)
    with pytest.raises(ValueError, match=r'"tickets\[0\].first_human_reply" must not be before'):
        asked("first_response", tickets=[tickets[0] | {"created": "2026-03-03T09:00:00Z"}], **about)


def test_reopening_moves_the_full_resolution_and_not_the_first() -> None:
    created = "2026-03-02T09:00:00+01:00"
    events = [
        ["solved", "2026-03-02T11:00:00+01:00"],
        ["reopened", "2026-03-03T09:00:00+01:00"],
        ["solved", "2026-03-03T10:00:00+01:00"],
    ]
    found = asked("resolution", created=created, events=events)
    assert found == {
        "first_resolution_min": 120,
        "full_resolution_min": 1500,
        "reopens": 1,
        "reason": None,
    }
    reopened = asked("resolution", created=created, events=events[:2])
    assert (reopened["full_resolution_min"], reopened["reason"]) == (None, "reopened")
    assert asked("resolution", created=created, events=[])["reason"] == "not_solved"
    assert reopen_rate(20, 1)["pct"] == 5


def test_meetings_are_paid_and_not_occupied() -> None:
    found = occupancy(18_000, 1_800, 1_800, 3_600, 2_700, 900)
    assert found["occupancy_pct"] == pytest.approx(100 * 21_600 / 25_200)
    assert found["utilisation_pct"] == pytest.approx(100 * 25_200 / 28_800)
    assert occupancy(0, 0, 0, 0)["reason"] == "no_time"
    assert occupancy(0, 0, 0, 0, 60)["occupancy_pct"] is None


def test_a_quarter_late_and_a_quarter_longer() -> None:
    day = "2026-03-02T{}:00+01:00".format
    scheduled = [[day("09:00"), day("10:00"), "phone"]]
    found = asked("adherence", scheduled=scheduled, actual=[[day("09:15"), day("10:15"), "phone"]])
    assert (found["scheduled_min"], found["in_adherence_min"]) == (60, 45)
    assert (found["adherence_pct"], found["conformance_pct"]) == (75, 100)
    lunch = asked("adherence", scheduled=scheduled, actual=[[day("09:00"), day("10:00"), "lunch"]])
    assert (lunch["adherence_pct"], lunch["conformance_pct"]) == (0, 0)
    assert asked("adherence", scheduled=[], actual=[])["reason"] == "nothing_scheduled"
    with pytest.raises(ValueError, match=r'"actual\[1\]" overlaps another'):
        asked("adherence", scheduled=[], actual=scheduled * 2)
    with pytest.raises(ValueError, match=r'"scheduled\[0\]" must not end before'):
        asked("adherence", scheduled=[[day("10:00"), day("09:00"), "phone"]], actual=[])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"start": "2026-03-02T09:00:00"}, '"start" must be a time with an offset'),
        ({"start": "yesterday"}, '"start" must be a time with an offset'),
        ({"start": 12}, '"start" must be a time with an offset'),
        ({"end": "2026-03-01T09:00:00Z"}, '"end" must not be before "start"'),
        ({"end": "2226-03-01T09:00:00Z"}, '"end" must be within a hundred years'),
        ({"timezone": "Mars/Olympus"}, '"timezone" must be the name of a time zone'),
        ({"timezone": "../etc"}, '"timezone" must be the name of a time zone'),
        ({"timezone": ""}, '"timezone" must be the name of a time zone'),
        ({"open": "9:00"}, '"open" must be a time of day'),
        ({"open": "24:01"}, '"open" must be a time of day'),
        ({"open": "09:60"}, '"open" must be a time of day'),
        ({"open": None}, '"open" must be a time of day'),
        ({"weekdays": [7]}, r'"weekdays\[0\]" must be at most 6'),
        ({"holidays": ["1 May"]}, r'"holidays\[0\]" must be a day'),
        ({"holidays": [5]}, r'"holidays\[0\]" must be a day'),
        ({"holidays": ["2026-02-30"]}, r'"holidays\[0\]" must be a day'),
    ],
)
def test_times_that_could_mean_two_things_are_refused(arguments: dict[str, object], sentence: str) -> None:
    usual = {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T10:00:00Z", **OFFICE}
    with pytest.raises(ValueError, match=sentence):
        asked("elapsed", **(usual | arguments))


def test_a_field_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match=r'"calls\[0\].duration" is not known there'):
        asked("voice_kpis", calls=[{"id": 1, "outcome": "answered", "duration": 5}])
    with pytest.raises(ValueError, match=r'"calls\[0\].outcome" must be'):
        asked("voice_kpis", calls=[{"id": 1, "outcome": "lost"}])
    with pytest.raises(ValueError, match=r'"strata\[0\].z" is not known there'):
        asked("stratified_mean", strata=[{"N": 1, "y": [1], "z": 2}])
