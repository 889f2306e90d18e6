"""Small versions of ``make simulations``: the claims about chance hold, and could fail."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from bench.simulations import coaching, flags, ranges, samples
from bench.simulations.centre import groups, same_agents
from bench.simulations.claims import Claim
from qa.stats.funnels import funnel_by_lot


@pytest.mark.parametrize(("part", "runs"), [(coaching, 150), (flags, 25), (ranges, 12), (samples, 60)])
def test_the_claims_about_chance_hold(part: ModuleType, runs: int) -> None:
    claims = part.measure(np.random.default_rng([1, 2]), runs)
    assert [claim for claim in claims if not claim.holds] == []


def test_the_naive_report_praises_coaching_that_did_nothing_and_ours_does_not() -> None:
    claims = {one.name: one for one in coaching.measure(np.random.default_rng([1, 2]), 150)}
    naive = claims['no effect, yet "it works" by the naive report, nothing else changed']
    ours = claims['no effect, yet "improved", nothing else changed']
    assert naive.figure > 0.70
    assert ours.figure <= 0.05


def test_a_claim_that_does_not_hold_is_told() -> None:
    assert Claim("too much", 0.06, 0, 0.05).holds is False


def test_an_agent_who_is_far_worse_is_flagged_and_stays_flagged_in_any_order() -> None:
    scores = same_agents().score(np.random.default_rng(5), 10)
    scores[7] -= 40
    month = groups(scores)
    found = funnel_by_lot(month, seed=3)
    assert [name for name, one in found["agents"].items() if one["place"] == "below"] == ["agent 07"]
    assert found == funnel_by_lot(dict(reversed(month.items())), seed=3)
    assert found["lo998"] == sorted(found["lo998"]), "limits narrow with n"
    assert found["n"] == list(range(3, 11))


def test_who_has_too_few_calls_is_not_judged() -> None:
    found = funnel_by_lot({"a": [0.0, 0.0], "b": [90.0, 95.0, 85.0], "c": [80.0, 85.0, 90.0]}, seed=1)
    assert found["agents"]["a"]["place"] == "too_few"
    assert funnel_by_lot({"a": [80.0] * 3, "b": [80.0] * 3}, seed=1)["reason"] == "no_variation"
    assert funnel_by_lot({"a": [80.0] * 3}, seed=1)["reason"] == "one_agent"
    assert funnel_by_lot({"a": [1.0], "b": [2.0]}, seed=1)["reason"] == "fewer_than_three_each"
