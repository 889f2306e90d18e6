"""Why a number is not known: one word for each reason, the same everywhere.

Pages say each in a sentence; a new reason that has none fails the tests.
"""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "all_evaluated",
    "all_on_hold",
    "class_empty",
    "class_not_checked",
    "fewer_than_eight_points",
    "fewer_than_four",
    "fewer_than_three_each",
    "handle_time_unknown",
    "no_answers",
    "no_baseline",
    "no_better_than_chance",
    "no_call",
    "no_calls",
    "no_change_to_see",
    "no_disagreement",
    "no_ids",
    "no_pairs",
    "no_range",
    "no_speech",
    "no_time",
    "no_time_at_work",
    "no_values",
    "no_variation",
    "none_answered_with_known_wait",
    "none_decided",
    "none_replied",
    "not_solved",
    "nothing_scheduled",
    "one_agent",
    "one_category",
    "one_evaluator",
    "one_interaction",
    "one_interaction_decides",
    "one_value",
    "one_value_each",
    "one_value_in_stratum",
    "reopened",
    "stratum_not_sampled",
    "too_few_agents",
    "too_few_pairs",
    "too_many_values",
]
