"""The dispatcher: one plugin's fault never touches another's result, and the order is always the same."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.plugins.circuit import REST_SECONDS, WINDOW_SECONDS, Circuit
from qa.plugins.dispatch import Dispatcher, Implementation, Resting


def one(plugin: str, call: Callable[..., Any], *arguments: str, rank: int = 0) -> tuple[str, Implementation]:
    """An implementation of the hook ``told``."""
    return "told", Implementation(plugin, call, arguments, rank)


def boom() -> None:
    """Raise."""
    raise RuntimeError("boom")


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("fault", [boom, lambda: sys.exit(1), lambda: next(iter(()))])
def test_a_raising_plugin_takes_nobody_elses_result(place: int, fault: Callable[[], Any]) -> None:
    plugins = [one("a", lambda: 1), one("b", lambda: 2)]
    plugins.insert(place, one("bad", fault))
    answers = Dispatcher(plugins).call("told")
    assert {plugin: value for plugin, value, error, _ in answers if error is None} == {"a": 1, "b": 2}
    assert [plugin for plugin, _, error, _ in answers if error is not None] == ["bad"]


def test_a_person_at_the_keyboard_can_still_stop_it() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Dispatcher([one("a", stop)]).call("told")


def test_each_gets_the_arguments_it_names() -> None:
    plugins = [
        one("none", lambda: ()),
        one("second", lambda b: (b,), "b"),
        one("both", lambda b, a: (a, b), "b", "a"),
    ]
    answers = Dispatcher(plugins).call("told", a=1, b=2)
    assert [value for _, value, _, _ in answers] == [(), (2,), (1, 2)]


def test_the_administrators_order_wins_over_wishes_and_those_over_names() -> None:
    plugins = [
        one("alpha", lambda: 0),
        one("beta", lambda: 0, rank=1),
        one("gamma", lambda: 0, rank=-1),
        one("delta", lambda: 0),
    ]
    assert Dispatcher(plugins).plugins_of("told") == ["gamma", "alpha", "delta", "beta"]
    assert Dispatcher(plugins, order=["beta", "delta"]).plugins_of("told") == [
        "beta",
        "delta",
        "gamma",
        "alpha",
    ]


def test_three_failures_in_five_minutes_and_the_plugin_rests() -> None:
    dispatcher = Dispatcher([one("bad", boom), one("good", lambda: 1)])
    for _ in range(3):
        assert not dispatcher.is_resting("bad")
        dispatcher.call("told")
    assert dispatcher.is_resting("bad")
    (_, _, error, _), (_, value, _, _) = dispatcher.call("told")
    assert isinstance(error, Resting)
    assert value == 1


def test_taking_too_long_counts_like_failing() -> None:
    dispatcher = Dispatcher([one("slow", lambda: 1)], budget_seconds=-1)
    for _ in range(3):
        (_, value, error, seconds) = dispatcher.call("told")[0]
        assert (value, error) == (1, None)
        assert seconds >= 0
    assert dispatcher.is_resting("slow")


def test_failures_far_apart_open_no_circuit() -> None:
    circuit = Circuit()
    for number in range(10):
        circuit = circuit.struck(number * (WINDOW_SECONDS / 2 + 1))
        assert not circuit.is_open(number * (WINDOW_SECONDS / 2 + 1))


@given(st.lists(st.floats(0, 100_000), max_size=30).map(sorted))
def test_a_circuit_is_open_exactly_after_three_strikes_in_the_window(times: list[float]) -> None:
    circuit = Circuit()
    recent: list[float] = []
    for at in times:
        recent = [*(earlier for earlier in recent if at - WINDOW_SECONDS < earlier <= at), at]
        circuit = circuit.struck(at)
        if len(recent) == 3:
            assert circuit.is_open(at)
            assert circuit.is_open(at + REST_SECONDS - 1)
            assert not circuit.is_open(at + REST_SECONDS)
            recent = []
