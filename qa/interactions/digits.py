"""Digits in speech and writing: where somebody reads out a number, and which digits it has.

A run goes on over fillers and punctuation, so that a card read in groups is one run; other words end it.
A number that says itself to be an amount of money is none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from qa.interactions.transcript import WORD

_UNITS = "zero one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_FILLERS = "uh um er erm and then dash hyphen space sorry"

UNITS = {word: str(digit) for digit, word in enumerate(_UNITS.split())}
ZEROS = frozenset({"oh", "o", "nought", "nil"})
ZEROS_AFTER_A_LOOK = frozenset({"oh", "o"})
TEENS = {word: str(number) for number, word in enumerate(_TEENS.split(), start=10)}
TENS = {word: str(digit) for digit, word in enumerate(_TENS.split(), start=2)}
TIMES = {"double": 2, "triple": 3}
FILLERS = frozenset(_FILLERS.split())
MAX_FILLERS = 2
LEAST_DIGITS = 2
LEAST_INSIDE_A_WORD = 7

NUMBER_WORDS = frozenset({*UNITS, *ZEROS, *TEENS, *TENS, *TIMES})
"""Every word that can say a digit, alone or with the next."""

_SENTENCE_END = re.compile(r"[.?!;:]\s")
_CURRENCY = r"[$€£¥₹]"
_AMOUNT = re.compile(
    rf"{_CURRENCY}\s?\d[\d.,]*"
    r"|(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?"
    rf"|(?<!\d)(?<!\d[ .,-])\d+(?:[.,]\d+)?\s?{_CURRENCY}"
)
_MANY = re.compile(rf"\d|(?<![^\W_])(?:{'|'.join([*TEENS, *TENS, *TIMES])})(?![^\W_])", re.IGNORECASE)
"""A character or word that says digits enough for a run, alone or with the next."""
_UNIT = rf"(?:{'|'.join([*UNITS, *sorted(ZEROS)])})"
_PAIR = re.compile(
    rf"(?<![^\W_]){_UNIT}[\W_]+(?:(?:{'|'.join(sorted(FILLERS))})[\W_]+){{0,{MAX_FILLERS}}}{_UNIT}(?![^\W_])",
    re.IGNORECASE,
)
"""Two words for a digit with nothing but fillers between them."""
_DIGITS_INSIDE = re.compile(rf"\d{{{LEAST_INSIDE_A_WORD},}}")


@dataclass(frozen=True, slots=True)
class Run:
    """Two or more digits in a row; ``tokens`` are the places in the text of the words that say them."""

    digits: str
    tokens: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        """Where the first word of the run starts."""
        return self.tokens[0][0]

    @property
    def end(self) -> int:
        """Where the last word of the run ends."""
        return self.tokens[-1][1]


@dataclass(frozen=True, slots=True)
class _Token:
    """A word as the reader sees it: written digits, a lower-case word, or "" for what says nothing here."""

    start: int
    end: int
    word: str
    digits: str = ""


def digit_runs(text: str) -> list[Run]:
    """Return every run of at least two digits, in order."""
    if _MANY.search(text) is None and _PAIR.search(text) is None:
        return []  # most texts hold none, and are not read word by word
    return every_run(text)


def every_run(text: str) -> list[Run]:
    """Return the same by reading the text word by word."""
    return [run for run in _Reader(text).runs() if len(run.digits) >= LEAST_DIGITS]


def _tokens(text: str) -> list[_Token]:
    amounts = [match.span() for match in _AMOUNT.finditer(text)]
    found: list[_Token] = []
    for match in WORD.finditer(text):
        start, end = match.span()
        while amounts and amounts[0][1] <= start:
            amounts.pop(0)
        if amounts and amounts[0][0] < end:
            found.append(_Token(start, end, ""))
        else:
            found.extend(_token(match.group(), start))
    return found


def _token(word: str, start: int) -> Iterator[_Token]:
    """Yield one token; a long number glued to letters is taken out of its word, for it may be a card."""
    end = start + len(word)
    if word.isdecimal():
        yield _Token(start, end, "", _ascii(word))
        return
    inside = list(_DIGITS_INSIDE.finditer(word))
    if not inside:
        yield _Token(start, end, word.lower())
        return
    reached = start
    for match in inside:
        if start + match.start() > reached:
            yield _Token(reached, start + match.start(), "")
        reached = start + match.end()
        yield _Token(start + match.start(), reached, "", _ascii(match.group()))
    if reached < end:
        yield _Token(reached, end, "")


def _ascii(digits: str) -> str:
    return digits if digits.isascii() else "".join(str(unicodedata.decimal(digit)) for digit in digits)


class _Reader:
    """Goes over a text once and tells its runs."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._place = 0

    def runs(self) -> Iterator[Run]:
        """Yield every run, single digits too."""
        while self._place < len(self._tokens):
            if self._opens():
                yield self._run()
            else:
                self._place += 1

    def _run(self) -> Run:
        said: list[str] = []
        places: list[tuple[int, int]] = []
        while True:
            first = self._place
            said.append(self._digits())
            places.append((self._tokens[first].start, self._tokens[self._place - 1].end))
            if not self._goes_on():
                return Run("".join(said), tuple(places))

    def _opens(self) -> bool:
        """Tell whether a digit starts here; oh is one only before something that surely is a digit."""
        token = self._tokens[self._place]
        if token.word in ZEROS_AFTER_A_LOOK:
            return self._is_sure_digit(self._place + 1)
        return self._says_digits(self._place)

    def _says_digits(self, place: int) -> bool:
        token = self._at(place)
        if token is None:
            return False
        if token.word in TIMES:
            return self._single(place + 1) is not None
        return bool(token.digits) or token.word in NUMBER_WORDS

    def _is_sure_digit(self, place: int) -> bool:
        token = self._at(place)
        return token is not None and (bool(token.digits) or token.word in UNITS)

    def _single(self, place: int) -> str | None:
        """Return the one digit that the word at a place says, or None."""
        token = self._at(place)
        if token is None:
            return None
        if token.word in ZEROS:
            return "0"
        return UNITS.get(token.word) or (token.digits if len(token.digits) == 1 else None)

    def _digits(self) -> str:
        """Return the digits at this place and step over them."""
        token = self._tokens[self._place]
        self._place += 1
        if token.digits:
            return token.digits
        if token.word in TIMES:
            self._place += 1
            return (self._single(self._place - 1) or "") * TIMES[token.word]
        if token.word in TENS:
            return TENS[token.word] + self._unit_after_tens()
        return TEENS.get(token.word) or UNITS.get(token.word) or "0"

    def _unit_after_tens(self) -> str:
        token = self._at(self._place)
        unit = UNITS.get(token.word, "0") if token else "0"
        if unit == "0" or self._sentence_ends_before(self._place):
            return "0"
        self._place += 1
        return unit

    def _goes_on(self) -> bool:
        """Step over at most two fillers; tell whether the run's next digits follow."""
        place, fillers, ended = self._place, 0, False
        while True:
            if self._sentence_ends_before(place) and not self._is_sure_digit(place):
                ended = True
            token = self._at(place)
            if token is None or token.word not in FILLERS or fillers == MAX_FILLERS:
                break
            place, fillers = place + 1, fillers + 1
        if ended or not self._says_digits(place):
            return False
        self._place = place
        return True

    def _at(self, place: int) -> _Token | None:
        return self._tokens[place] if place < len(self._tokens) else None

    def _sentence_ends_before(self, place: int) -> bool:
        if not 0 < place < len(self._tokens):
            return False
        gap = self._text[self._tokens[place - 1].end : self._tokens[place].start]
        return _SENTENCE_END.search(gap) is not None
