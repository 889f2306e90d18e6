"""Where a pattern is said, with the slack that speech recognition needs.

A word of 5 to 8 letters may differ by one edit, a longer one by two (optimal string alignment), a shorter
one never; a hit may hold one such word for every three it has. Hits go from left to right without overlap;
of those that start at one word the one with the fewest slack words counts, then the longest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from candor_spacy.heard import Chain, Heard, Token
from candor_spacy.patterns import GAP_WORDS, NUMBER_WORDS, Choice, Gap, Number, Said, Sequence

WORDS_PER_SLACK = 3
SLACK_FACTOR = 0.85

State = tuple[int, int, int]
"""Where the next word stands, how many words were slack, how many counted."""


@dataclass(frozen=True, slots=True)
class Hit:
    """The tokens of a chain that say a pattern; ``slack`` of them differ from it."""

    chain: Chain
    first: int
    end: int
    slack: int

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The words, in order."""
        return self.chain.tokens[self.first : self.end]

    @property
    def start_ms(self) -> int:
        """When the first word starts."""
        return self.chain.tokens[self.first].start_ms

    @property
    def end_ms(self) -> int:
        """When the last word ends."""
        return self.chain.tokens[self.end - 1].end_ms

    @property
    def conf(self) -> float:
        """How sure it is that this was said."""
        tokens = self.tokens
        return SLACK_FACTOR**self.slack * sum(token.conf for token in tokens) / len(tokens)


def edits_allowed(letters: int) -> int:
    """Return by how many edits a word of so many letters may differ."""
    if letters < 5:
        return 0
    return 1 if letters <= 8 else 2


class Matcher:
    """Finds patterns in one transcript; what was learnt about a word is kept for all rules."""

    def __init__(self, heard: Heard) -> None:
        self.heard = heard
        self._places: dict[str, list[tuple[Chain, int]]] = defaultdict(list)
        for chain in heard.chains:
            for place, token in enumerate(chain.tokens):
                self._places[token.word].append((chain, place))
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for word in self._places:
            self._by_length[len(word)].append(word)
        self._likes: dict[tuple[str, bool, int], dict[str, int]] = {}

    def hits(self, patterns: Iterable[Sequence], who: str, *, near: bool = False) -> list[Hit]:
        """Return a speaker's hits of any pattern, in time; ``near`` allows one slack word and edit more."""
        patterns = list(patterns)
        found: list[Hit] = []
        for chain, starts in self._starts(patterns, near).items():
            if who not in ("any", chain.speaker):
                continue
            reached = 0
            for first in starts:
                hit = self._best(patterns, chain, first, near) if first >= reached else None
                if hit is not None:
                    found.append(hit)
                    reached = hit.end
        return sorted(found, key=lambda hit: (hit.start_ms, hit.end_ms))

    def every(self, patterns: Iterable[Sequence]) -> Iterator[Hit]:
        """Yield the best match at each word at which one of the patterns can start, overlapping ones too."""
        patterns = list(patterns)
        for chain, starts in self._starts(patterns, near=False).items():
            for first in starts:
                hit = self._best(patterns, chain, first, near=False)
                if hit is not None:
                    yield hit

    def _best(self, patterns: list[Sequence], chain: Chain, first: int, near: bool) -> Hit | None:
        best: Hit | None = None
        for pattern in patterns:
            for end, slack, words in self._after(pattern, {(first, 0, 0)}, chain, near):
                fits = end > first and slack <= words // WORDS_PER_SLACK + near
                if fits and (best is None or (slack, -end) < (best.slack, -best.end)):
                    best = Hit(chain, first, end, slack)
        return best

    def _after(self, nodes: Sequence, states: set[State], chain: Chain, near: bool) -> set[State]:
        """Return the states in which the nodes can end when they start in one of ``states``."""
        for node in nodes:
            if not states:
                break
            states = self._step(node, states, chain, near)
        return states

    def _step(
        self, node: Said | Gap | Number | Choice, states: set[State], chain: Chain, near: bool
    ) -> set[State]:
        tokens = chain.tokens
        if isinstance(node, Choice):
            return {state for way in node.ways for state in self._after(way, states, chain, near)}
        if isinstance(node, Gap):
            return {
                (place + more, slack, words)
                for place, slack, words in states
                for more in range(min(GAP_WORDS, len(tokens) - place) + 1)
            }
        if isinstance(node, Number):
            return {
                (place + 1, slack, words)
                for place, slack, words in states
                if place < len(tokens) and is_number(tokens[place].word)
            }
        likes = self._like(node, near)
        return {
            (place + 1, slack + likes[tokens[place].word], words + 1)
            for place, slack, words in states
            if place < len(tokens) and tokens[place].word in likes
        }

    def _like(self, said: Said, near: bool) -> dict[str, int]:
        """Return the words of this transcript that may be the pattern's word: 0 the same, 1 with slack."""
        key = (said.word, said.exact, near)
        if key not in self._likes:
            found = {said.word: 0} if said.word in self._places else {}
            edits = edits_allowed(said.letters)
            edits += near and edits > 0
            if edits and not said.exact:
                for length in range(len(said.word) - edits, len(said.word) + edits + 1):
                    for word in self._by_length.get(length, ()):
                        if OSA.distance(said.word, word, score_cutoff=edits) <= edits:
                            found.setdefault(word, 1)
            self._likes[key] = found
        return self._likes[key]

    def _starts(self, patterns: list[Sequence], near: bool) -> dict[Chain, list[int]]:
        """Return the words at which one of the patterns can start, in order, by chain."""
        opening: set[str] = set()
        for pattern in patterns:
            words = self._opening(pattern, near)
            if words is None:
                return {chain: list(range(len(chain.tokens))) for chain in self.heard.chains}
            opening |= words
        found: dict[Chain, list[int]] = defaultdict(list)
        for word in opening:
            for chain, place in self._places.get(word, ()):
                found[chain].append(place)
        for starts in found.values():
            starts.sort()
        return found

    def _opening(self, nodes: Sequence, near: bool) -> set[str] | None:
        """Return the words that can open a sequence; None when any word can."""
        found: set[str] = set()
        for node in nodes:
            if isinstance(node, Gap):
                return None
            if isinstance(node, Number):
                return found | {word for word in self._places if is_number(word)}
            if isinstance(node, Said):
                return found | set(self._like(node, near))
            for way in node.ways:
                words = self._opening(way, near)
                if words is None:
                    return None
                found |= words
            if not any(_can_be_empty(way) for way in node.ways):
                return found
        return found


def _can_be_empty(nodes: Sequence) -> bool:
    return all(
        isinstance(node, Gap) or (isinstance(node, Choice) and any(_can_be_empty(way) for way in node.ways))
        for node in nodes
    )


def is_number(word: str) -> bool:
    """Tell whether a word is a number word or digits."""
    return word.isdecimal() or word in NUMBER_WORDS
