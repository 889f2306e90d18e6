"""When a machine may suggest answers to a question, and what counts as evidence: pure, to be read aloud.

A question's machine is off, in shadow (it answers, nobody sees it), or suggests. It may suggest only after
people checked enough of what it said, at random, and even a cautious reading of that speaks for it. When
later checks speak against it, it goes back into shadow by itself. ``auto`` answers without a person are
not given by this program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qa.interactions.transcript import Transcript
from qa.plugins.api import Searched, Span, Suggestion
from qa.stats.autoscorers import Confusion, confusion
from qa.stats.small_samples import wilson

OFF, SHADOW, SUGGEST, AUTO = "off", "shadow", "suggest", "auto"
MODES = (OFF, SHADOW, SUGGEST, AUTO)
LEAST_CHECKED = 30
LEAST_FAILS = 10
LEAST_AGREEMENT = 0.7
LEAST_FOUND = 0.5
LATEST = 50
AUTO_REFUSED = (
    "Answers without a person need a switch of the privacy role that this program does not have. "
    "The machine can suggest; a person decides."
)


@dataclass(frozen=True, slots=True)
class Check:
    """One conversation that both judged: whether the machine and whether the person failed the question."""

    machine_fails: bool
    person_fails: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How the machine did against people: counts, shares with ranges, and what is missing to suggest."""

    checked: int
    agreed: int
    fails: int
    found: int
    agreement: tuple[float, float] | None
    sensitivity: tuple[float, float] | None
    specificity: tuple[float, float] | None
    measures: Confusion
    missing: tuple[str, ...]

    @property
    def may_suggest(self) -> bool:
        """Tell whether nothing is missing."""
        return not self.missing


def standing_of(checks: Sequence[Check]) -> Standing:
    """Return how a machine did, and each reason why it may not suggest yet."""
    tp = sum(one.machine_fails and one.person_fails for one in checks)
    fp = sum(one.machine_fails and not one.person_fails for one in checks)
    fn = sum(one.person_fails and not one.machine_fails for one in checks)
    tn = len(checks) - tp - fp - fn
    agreement, found, passed = _range(tp + tn, len(checks)), _range(tp, tp + fn), _range(tn, tn + fp)
    missing = []
    if len(checks) < LEAST_CHECKED:
        missing.append(f"People checked {len(checks)} of at least {LEAST_CHECKED} conversations.")
    if tp + fn < LEAST_FAILS:
        missing.append(
            f"People failed {tp + fn} of at least {LEAST_FAILS}, too few to know what it overlooks."
        )
    if agreement is not None and agreement[0] < LEAST_AGREEMENT:
        missing.append(
            f"Read cautiously it agrees with people in {agreement[0]:.0%}; {LEAST_AGREEMENT:.0%} is asked."
        )
    for what, share in (("fail", found), ("pass", passed)):
        if share is not None and share[0] < LEAST_FOUND:
            seen = f"Read cautiously it sees {share[0]:.0%} of what people {what}"
            missing.append(f"{seen}; {LEAST_FOUND:.0%} is asked.")
    return Standing(
        len(checks), tp + tn, tp + fn, tp, agreement, found, passed, confusion(tp, fp, fn, tn), tuple(missing)
    )


def _range(part: int, whole: int) -> tuple[float, float] | None:
    found = wilson(part, whole)
    return None if found["lo"] is None or found["hi"] is None else (found["lo"], found["hi"])


def has_drifted(latest: Sequence[Check]) -> bool:
    """Tell whether the latest checks speak against a machine even when read kindly."""
    if len(latest) < LEAST_CHECKED:
        return False
    agreement = _range(sum(one.machine_fails == one.person_fails for one in latest), len(latest))
    return agreement is not None and agreement[1] < LEAST_AGREEMENT


def evidence_fault(given: Suggestion, transcript: Transcript) -> str:
    """Return why a suggestion's evidence is refused, empty when each word of it stands in the text."""
    if isinstance(given.evidence, Searched):
        inside = all(0 <= one < len(transcript.segments) for one in given.evidence.segments)
        return "" if inside else "It names parts of the conversation that are not there."
    if not given.evidence:
        return "It gave no evidence."
    for span in given.evidence:
        if not 0 <= span.segment < len(transcript.segments):
            return "Its quotation points at words that are not there."
        if transcript.segments[span.segment].text[span.start : span.end] != span.quote or not span.quote:
            return "Its quotation is not in the text."
    return ""


def evidence_as_json(given: Suggestion) -> dict[str, Any]:
    """Return evidence as it is stored; positions count from 1 like the lines of a conversation."""
    if isinstance(given.evidence, Searched):
        return {"searched": len(given.evidence.segments), "words": list(given.evidence.words)[:20]}
    return {"quotes": [_quote(one) for one in given.evidence][:10]}


def _quote(one: Span) -> dict[str, Any]:
    at = None if one.t0 is None else round(one.t0 * 1000)
    return {"position": one.segment + 1, "start": one.start, "end": one.end, "quote": one.quote, "at_ms": at}
