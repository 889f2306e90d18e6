"""Phrase patterns: ``call [may be] recorded``, ``recorded (line|call)``, ``waiting for # hours``.

Words stand for themselves without case and punctuation; ``(a|b c)`` is one of, ``[a]`` optional, ``*``
up to three words, ``#`` one number word or digits, ``=word`` exactly this word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from candor_spacy.heard import WORD, plain

MAX_LENGTH = 500
MAX_DEPTH = 6
GAP_WORDS = 3

_NUMBERS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand
    million billion
"""
NUMBER_WORDS = frozenset(_NUMBERS.split())
_PIECE = re.compile(rf"=?{WORD.pattern}|[()\[\]|*#]|=")


class PatternError(ValueError):
    """The pattern cannot be read; the sentence says where and why."""


@dataclass(frozen=True, slots=True)
class Said:
    """A word; ``exact`` allows no slip of the recogniser."""

    word: str
    exact: bool = False

    @property
    def letters(self) -> int:
        """How many letters the word has."""
        return sum(map(str.isalpha, self.word))


@dataclass(frozen=True, slots=True)
class Gap:
    """Up to three words, whatever they are."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number word, or digits."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several sequences; an empty one makes the rest optional."""

    ways: tuple[Sequence, ...]


Node = Said | Gap | Number | Choice
Sequence = tuple[Node, ...]


def parse(pattern: str) -> Sequence:
    """Return a pattern's nodes. Raises ``PatternError``."""
    if len(pattern) > MAX_LENGTH:
        raise PatternError(f"is longer than {MAX_LENGTH} characters. Make two patterns of it.")
    pieces = _PIECE.findall(pattern)
    reader = _Reader(pieces)
    nodes = reader.sequence(depth=0)
    if reader.rest:
        raise PatternError(f'has a "{reader.rest[0]}" that nothing opened.')
    if fewest_words(nodes) == 0:
        raise PatternError("needs at least one word that must be said.")
    return nodes


def fewest_words(nodes: Sequence) -> int:
    """Return the least number of words that a sequence stands for."""
    return sum(
        min(fewest_words(way) for way in node.ways) if isinstance(node, Choice) else not isinstance(node, Gap)
        for node in nodes
    )


class _Reader:
    """Reads pieces from left to right."""

    def __init__(self, pieces: list[str]) -> None:
        self.rest = pieces[::1]

    def sequence(self, depth: int) -> Sequence:
        """Return the nodes up to a sign that closes or parts them."""
        if depth > MAX_DEPTH:
            raise PatternError(f"nests brackets more than {MAX_DEPTH} deep.")
        nodes: list[Node] = []
        while self.rest and self.rest[0] not in (")", "]", "|"):
            nodes.append(self._node(depth))
        return tuple(nodes)

    def _node(self, depth: int) -> Node:
        piece = self.rest.pop(0)
        if piece == "(":
            return Choice(self._ways(")", depth))
        if piece == "[":
            return Choice((*self._ways("]", depth), ()))
        if piece == "*":
            return Gap()
        if piece == "#":
            return Number()
        if piece == "=":
            raise PatternError('has a "=" without a word right after it.')
        return Said(plain(piece.removeprefix("=")), exact=piece.startswith("="))

    def _ways(self, closing: str, depth: int) -> tuple[Sequence, ...]:
        ways = [self.sequence(depth + 1)]
        while self.rest and self.rest[0] == "|":
            self.rest.pop(0)
            ways.append(self.sequence(depth + 1))
        if not self.rest or self.rest[0] != closing:
            raise PatternError(f'has a bracket that no "{closing}" closes.')
        self.rest.pop(0)
        if () in ways:
            raise PatternError("has a choice with nothing in it. Use [ ] for what may be left out.")
        return tuple(ways)
