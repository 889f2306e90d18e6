"""Two states of one evaluation side by side: what was said before a revision, and what is said after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from qa.evaluations.result import chosen_words
from qa.scorecards.display import score_shown, shown
from qa.scorecards.queries import ReadyForm

Snapshot = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Compared:
    """One question in both states: answer with its points, comment, and whether anything differs."""

    number: int
    text: str
    before: str
    after: str
    comment_before: str
    comment_after: str

    @property
    def changed(self) -> bool:
        """Whether answer, points or comment differ."""
        return (self.before, self.comment_before) != (self.after, self.comment_after)


def compare(ready: ReadyForm, before: Snapshot, after: Snapshot, decimals: int) -> list[Compared]:
    """Return every question that was shown in one of the states, in form order."""
    rows = []
    for question in ready.compiled.questions:
        left, right = (_said(ready, one, question.ref, decimals) for one in (before, after))
        if left is None and right is None:
            continue
        comments = [one["comments"].get(question.ref, "") for one in (before, after)]
        hidden = "not asked"
        rows.append(Compared(question.number, question.text, left or hidden, right or hidden, *comments))
    return rows


def _said(ready: ReadyForm, state: Snapshot, ref: str, decimals: int) -> str | None:
    """Return an answer with its points in words, None where the question was hidden."""
    parts = (state["breakdown"] or {}).get("questions", [])
    part = next((one for one in parts if one["ref"] == ref), None)
    if part is None or part["state"] == "na_by_system":
        return None
    words = chosen_words(ready, ref, state["answers"].get(ref))
    if part["ratio"] is None:
        return words
    share = Fraction(part["weight_applied"])
    return f"{words}, {shown(share * Fraction(part['ratio']), decimals)} of {shown(share, decimals)}"


def changed_sentence(ready: ReadyForm, before: Snapshot, after: Snapshot, decimals: int) -> str:
    """Return in a sentence what came of the revision."""
    mark = ready.compiled.pass_mark
    old, new = (
        score_shown(None if one["score"] is None else Fraction(one["score"]), mark, one["outcome"], decimals)
        or "not scored"
        for one in (before, after)
    )
    outcome = {("fail", "pass"): "It passes now. ", ("pass", "fail"): "It no longer passes. "}
    start = outcome.get((before["outcome"], after["outcome"]), "")
    if old == new:
        return f"{start}The score stays {new}."
    return f"{start}The score is {new} instead of {old}."
