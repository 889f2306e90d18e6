"""What a transcript says about a rule: met, not met, or an abstention with its reason.

An abstention is never a No: it leaves the question blank. The tests come in a fixed order; whatever is
found is told with the words of the transcript, verbatim.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from candor_spacy.heard import Chain, Heard
from candor_spacy.matching import Hit, Matcher
from candor_spacy.rules import Rule, Window

STRONG = 0.7
SURE = 0.6
UNKNOWN_SHARE = 0.2

Verdict = str
"""met, not_met or abstain."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Some characters of a segment, verbatim."""

    segment: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Searched:
    """In which segments how many words were looked at, and between which milliseconds."""

    segments: tuple[int, ...]
    words: int
    window: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a rule. ``reason`` is None unless the verdict is abstain."""

    rule: Rule
    verdict: Verdict
    reason: str | None
    hits: tuple[Hit, ...]
    searched: Searched
    confidence: float
    """How well the searched segments were heard."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a rule looks: from and to which millisecond a hit may start."""

    earliest_ms: int
    latest_ms: int

    def holds(self, start_ms: int) -> bool:
        """Tell whether something that starts then counts."""
        return self.earliest_ms <= start_ms <= self.latest_ms


class Judge:
    """Holds rules against one transcript; what earlier rules found is there for later ones."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._matcher = Matcher(heard)
        self._found: dict[str, tuple[Hit, ...]] = {}

    def judge(self, rule: Rule) -> Outcome:
        """Return the outcome of a rule; rules that others come after must be judged first."""
        scope = self._scope(rule)
        reason = self._hindrance(rule)
        if reason is not None or scope is None:
            return self._told(rule, "abstain", reason or "depends", (), scope)
        hits = self._hits(rule, scope)
        self._found[rule.ref] = hits
        strong = [hit for hit in hits if hit.conf >= STRONG]
        if len(hits) >= rule.least:
            if len(strong) < rule.least:
                return self._told(rule, "abstain", "low_confidence", hits, scope)
            is_present = rule.most is None or len(strong) <= rule.most
            return self._told(rule, _verdict(rule, is_present=is_present), None, hits, scope)
        doubt = self._doubt(rule, scope)
        if doubt is not None:
            return self._told(rule, "abstain", doubt, hits, scope)
        return self._told(rule, _verdict(rule, is_present=False), None, hits, scope)

    def _hindrance(self, rule: Rule) -> str | None:
        """Return why the rule cannot be looked at, or None."""
        spoken = self._heard.transcript.language
        if rule.languages and not any(same_language(spoken, one) for one in rule.languages):
            return "language"
        if self._heard.is_silent:
            return "no_speech"
        if rule.who != "any" and self._heard.unknown_share > UNKNOWN_SHARE:
            return "speakers_unknown"
        return None

    def _doubt(self, rule: Rule, scope: _Scope) -> str | None:
        """Return why what was not found may have been said all the same, or None."""
        if len(self._hits(rule, scope, near=True)) >= rule.least:
            return "near_miss"
        if self._heard.transcript.truncated:
            return "incomplete"
        return "low_confidence" if self._confidence(self._searched(rule, scope)) < SURE else None

    def _scope(self, rule: Rule) -> _Scope | None:
        """Return where the rule looks; None when it comes after something that was not said."""
        earliest, latest = window_ms(rule.window, self._heard)
        if rule.after is None:
            return _Scope(earliest, latest)
        if isinstance(rule.after, Rule):
            inner = self._scope(rule.after)
            before = () if inner is None or self._hindrance(rule.after) else self._hits(rule.after, inner)
        else:
            before = self._found.get(rule.after, ())
        return _Scope(max(earliest, before[0].end_ms), latest) if before else None

    def _hits(self, rule: Rule, scope: _Scope, *, near: bool = False) -> tuple[Hit, ...]:
        found = self._matcher.hits(rule.say, rule.who, near=near)
        inside = [hit for hit in found if scope.holds(hit.start_ms)]
        if not rule.unless or not inside:
            return tuple(inside)
        excuses: dict[Chain, list[Hit]] = defaultdict(list)
        for excuse in self._matcher.every(rule.unless):
            excuses[excuse.chain].append(excuse)
        return tuple(hit for hit in inside if not _overlaps(hit, excuses[hit.chain]))

    def _searched(self, rule: Rule, scope: _Scope | None) -> Searched:
        heard = self._heard
        earliest, latest = window_ms(rule.window, heard)
        segments: set[int] = set()
        words = 0
        if scope is not None:
            earliest = scope.earliest_ms
            for chain in heard.chains_of(rule.who):
                places = [token.segment for token in chain.tokens if earliest <= token.start_ms <= latest]
                words += len(places)
                segments.update(places)
        window = (max(earliest, 0), min(latest, max(heard.duration_ms, heard.last_ms)))
        return Searched(tuple(sorted(segments)), words, window)

    def _confidence(self, searched: Searched) -> float:
        weights = [(self._heard.lengths[place], place) for place in searched.segments]
        total = sum(weight for weight, _ in weights)
        if not total:
            return 1.0
        return sum(weight * self._heard.confidences[place] for weight, place in weights) / total

    def _told(
        self, rule: Rule, verdict: Verdict, reason: str | None, hits: tuple[Hit, ...], scope: _Scope | None
    ) -> Outcome:
        searched = self._searched(rule, scope)
        return Outcome(rule, verdict, reason, hits, searched, self._confidence(searched))


def _overlaps(hit: Hit, others: Iterable[Hit]) -> bool:
    return any(other.first < hit.end and other.end > hit.first for other in others)


def _verdict(rule: Rule, *, is_present: bool) -> Verdict:
    return "met" if is_present == rule.expects_present else "not_met"


def same_language(spoken: str, wanted: str) -> bool:
    """Tell whether a transcript's language is the wanted one; en-GB is English."""
    tags = [tag.casefold().replace("_", "-") for tag in (spoken, wanted)]
    return tags[0] == tags[1] or tags[0].split("-")[0] == tags[1]


def window_ms(window: Window, heard: Heard) -> tuple[int, int]:
    """Return from and to which millisecond a hit may start, both included."""
    whole = (-(10**12), 10**12)
    if window.first_ms is not None:
        return 0, (0 if window.from_call else heard.first_ms) + window.first_ms
    if window.last_ms is not None:
        return (heard.duration_ms if window.from_call else heard.last_ms) - window.last_ms, whole[1]
    return whole


def quotes_of(hit: Hit, heard: Heard) -> list[Quote]:
    """Return the hit's words as they stand in the text, one quote for each segment touched."""
    reach: dict[int, tuple[int, int]] = {}
    for token in hit.tokens:
        start, _ = reach.get(token.segment, (token.start, 0))
        reach[token.segment] = (start, token.end)
    return [
        Quote(place, start, end, heard.segments[place].text[start:end])
        for place, (start, end) in reach.items()
    ]


def judge_all(rules: Iterable[Rule], heard: Heard) -> list[Outcome]:
    """Return the outcome of each rule, in order."""
    judge = Judge(heard)
    return [judge.judge(rule) for rule in rules]


def as_json(outcome: Outcome, heard: Heard) -> Mapping[str, Any]:
    """Return the published fields of an outcome; seconds have three decimals."""
    return {
        "ref": outcome.rule.ref,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "matches": [
            {
                "spans": [
                    {"segment": one.segment, "start": one.start, "end": one.end, "quote": one.quote}
                    for one in quotes_of(hit, heard)
                ],
                "t0": hit.start_ms / 1000,
                "t1": hit.end_ms / 1000,
                "conf": round(hit.conf, 6),
            }
            for hit in outcome.hits
        ],
        "searched": {
            "segments": len(outcome.searched.segments),
            "words": outcome.searched.words,
            "window": [outcome.searched.window[0] / 1000, outcome.searched.window[1] / 1000],
        },
    }
