"""Numbers about people, in words: as the statistics return them, so the page says them."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from flask import Flask

from qa.stats.effect import did
from qa.stats.reasons import Reason
from qa.stats.shrinkage import empirical_bayes
from qa.stats.small_samples import mean_pooled, mean_t, wilson
from qa.stats.verdicts import Verdict

REASONS = get_args(Reason)


def said(app: Flask, call: str, **values: Any) -> str:
    """What a macro of ``numbers.html`` says."""
    with app.test_request_context("/"):
        template = app.jinja_env.from_string(
            '{% import "numbers.html" as numbers %}{{ numbers.' + call + " }}"
        )
        return " ".join(template.render(**values).split())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "No calls yet."),
        ([80.0, 90.0], "2 calls: too few for an average."),
        ([80.0], "1 call: too few for an average."),
        ([80.0, 80.0, 80.0], "80.0 from 3 calls. All are equal: that gives no range."),
        ([72.0, 88, 95, 80, 75], "82 from 5 calls. The true average is probably between 70 and 94."),
    ],
)
def test_no_average_without_its_count_and_range(app: Flask, values: list[float], words: str) -> None:
    assert said(app, "mean(found)", found=mean_t(values)) == words


def test_a_pooled_average_reads_the_same(app: Flask) -> None:
    found = mean_pooled({"Ana": [72, 88, 95, 80, 75], "Cem": [60, 98, 84]})["agents"]["Cem"]
    assert said(app, "mean(found, 'evaluation', 'evaluations')", found=found).startswith(
        "81 from 3 evaluations."
    )


@pytest.mark.parametrize(
    ("k", "n", "words"),
    [
        (0, 0, "Nothing counted yet."),
        (4, 5, "4 of 5 (could be anything from 38 % to 96 %)"),
        (0, 19, "0 of 19 (could be anything from 0 % to 17 %)"),
        (80, 100, "80 %, 80 of 100 (could be 71 % to 87 %)"),
    ],
)
def test_counts_below_twenty_and_per_cent_from_there(app: Flask, k: int, n: int, words: str) -> None:
    assert said(app, "share(k, found)", k=k, found=wilson(k, n)) == words


def test_a_best_guess_says_why_it_leans(app: Flask) -> None:
    groups = {"Ana": [72.0, 88, 95, 80, 75], "New": [], "Old": [84.0, 86.0] * 30}
    found = empirical_bayes(groups, sigma2_within=144, tau2_between=16)
    agents, mu = found["agents"], found["mu"]
    few = said(app, "best_guess(found, mu)", found=agents["Ana"], mu=mu)
    assert few == "Best guess 83: 5 calls are few, so we lean towards the average of all (84)."
    assert "nothing scored yet" in said(app, "best_guess(found, mu)", found=agents["New"], mu=mu)
    assert "mostly from the 60 calls" in said(app, "best_guess(found, mu)", found=agents["Old"], mu=mu)


def test_an_effect_has_its_sign_and_range(app: Flask) -> None:
    treated = [[74.0, 79.0], [70.0, 77.0], [78.0, 80.0], [71.0, 74.0]]
    control = [[85.0, 86.0], [80.0, 83.0], [88.0, 87.0], [84.0, 86.0], [90.0, 91.0]]
    assert said(app, "effect(found)", found=did(treated, control)) == (
        "Coached agents changed by +3.1 points compared with the others; could be −0.3 to +6.4."
    )
    assert said(app, "effect(found)", found=did([], control)) == "There is nothing to compare."
    assert said(app, "by_themselves(6.02)").endswith("expect about +6 points without any coaching.")


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_each_verdict_is_a_sentence_without_forbidden_words(app: Flask, verdict: str) -> None:
    words = said(app, f"verdict('{verdict}', 39)")
    assert words.endswith(".")
    assert not re.search(r"signific|p-value|\bp\b|sigma|proven", words)
    assert ("About 39 more needed." in words) == (verdict == "not_enough_evidence")


def test_a_verdict_that_cannot_be_given_says_why(app: Flask) -> None:
    words = said(app, "verdict('cannot_be_measured', none, 'no_baseline')")
    assert words == "Cannot be measured. There are no scores from before."


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_statistics_is_a_sentence(app: Flask, reason: str) -> None:
    assert re.fullmatch(r"[A-Z0-9][^_]+\.", said(app, f"why('{reason}')"))


def test_no_sentence_is_kept_for_a_reason_that_is_never_given(app: Flask) -> None:
    source = app.jinja_env.get_template("numbers.html").filename
    assert source is not None
    with open(source, encoding="utf-8") as file:
        text = file.read()
    kept = re.findall(r"'([a-z_]+)':", text[text.index("macro why") :])
    assert sorted(kept) == sorted(REASONS)
    assert said(app, "why(none)") == ""


def test_plans_and_ranks_in_words(app: Flask) -> None:
    assert said(app, "planner(5, 21.26, 5, 91)") == (
        "With 5 calls a month you would notice a drop of about 21 points. For 5 points you need 91."
    )
    assert said(app, "rank({'lo': 2, 'hi': 41}, 50)") == "Somewhere between 2nd and 41st of 50."
    assert said(app, "rank({'lo': 11, 'hi': 23}, 50)") == "Somewhere between 11th and 23rd of 50."
