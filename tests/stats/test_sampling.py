"""Drawing by hash: reproducible by anybody, independent of order, fair."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qa.stats.arguments import RefusedArgument
from qa.stats.sampling import select_random, uniform

ids = st.lists(st.text(max_size=8), unique=True, max_size=30)


def test_u_is_what_sha256sum_prints() -> None:
    # printf 'july:call-17' | sha256sum | cut -c1-16
    assert uniform("july", ["call-17"])["u"] == [(int("60b4b93386a2a504", 16) + 0.5) / 2**64]


@given(st.text(max_size=5), ids)
def test_u_is_the_formula(seed: str, given: list[str]) -> None:
    expected = [
        (int.from_bytes(hashlib.sha256(f"{seed}:{one}".encode()).digest()[:8], "big") + 0.5) / 2**64
        for one in given
    ]
    assert uniform(seed, given)["u"] == expected


@given(st.text(max_size=5), ids, st.integers(0, 35), st.randoms())
def test_the_sample_does_not_depend_on_the_order_of_the_list(
    seed: str, given: list[str], n: int, shuffler: object
) -> None:
    turned = list(given)
    shuffler.shuffle(turned)
    found = select_random(seed, given, n)
    assert found == select_random(seed, turned, n)
    assert len(found["selected"]) == min(n, len(given))
    u = dict(zip(given, uniform(seed, given)["u"], strict=True))
    assert found["selected"] == sorted(given, key=lambda one: u[one])[:n]


@given(ids, st.integers(0, 10), st.text(max_size=8))
def test_a_late_arrival_moves_at_most_one_pick(given: list[str], n: int, late: str) -> None:
    before = set(select_random("s", given, n)["selected"])
    after = set(select_random("s", list({*given, late}), n)["selected"])
    assert len(before - after) <= 1


def test_the_chance_of_each_is_kept_with_the_sample() -> None:
    found = select_random("july", ["a", "b", "c", "d"], 1)
    assert (found["frame_size"], found["inclusion_probability"]) == (4, 0.25)
    assert select_random("july", [], 3) == {
        "selected": [],
        "frame_size": 0,
        "inclusion_probability": None,
        "reason": "no_ids",
    }


def test_an_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(RefusedArgument, match='"ids" has "a" twice'):
        select_random("july", ["a", "b", "a"], 1)


def test_the_draw_is_even() -> None:
    u = uniform("a seed", [str(number) for number in range(5000)])["u"]
    assert stats.kstest(u, "uniform").pvalue > 0.01
    picked = [select_random(f"seed {number}", list("abcdefgh"), 2)["selected"] for number in range(4000)]
    counted = [sum(letter in pick for pick in picked) for letter in "abcdefgh"]
    assert stats.chisquare(counted).pvalue > 0.01
