"""How ``qa/accounts/words/common.txt`` is made: well-known passwords by hand, well-known patterns by rule.

``python -m tests.accounts.common_words`` writes the file; a test compares it with what this makes.
The words are those that anybody in the trade can name; no list of stolen passwords was copied.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

FILE = Path(__file__).parents[2] / "qa" / "accounts" / "words" / "common.txt"
PARTS = Path(__file__).with_suffix(".txt")

HEADER = """\
# Common passwords, all in lower case: {words} written down by hand, {made} made by rule from the best known
# of them (an ending such as 123, a year or a mark; a word twice; a walk over the keyboard or the digits).
# It stands in for the usual "3000 most common" list and is not a copy of one. passwords.py compares without
# case, without digits and marks at both ends, and with look-alike digits read as letters, so a line here
# refuses many more. A list of breached passwords is not part of the product.
"""


def sections() -> list[list[str]]:
    """Return the words of each section of the hand-written part, in its order."""
    parts = PARTS.read_text(encoding="utf-8").split("== ")[1:]
    return [part.partition("\n")[2].split() for part in parts]


def by_rule(best_known: list[str], endings: list[str], walks: list[str], repeated: list[str]) -> set[str]:
    """Return what the rules make."""
    made = {word + ending for word, ending in product(best_known, endings)}
    made |= {word * 2 for word in best_known} | {word * 3 for word in best_known if len(word) < 7}
    made |= {(walk * 3)[:length] for walk in walks for length in range(6, 17)}
    made |= {digit * length for digit in "0123456789" for length in range(6, 17)}
    made |= {(part * 8)[:length] for part in repeated for length in range(8, 17, 2)}
    return made


def text() -> str:
    """Return the whole file."""
    by_hand, *rules = sections()
    words = set(by_hand)
    made = by_rule(*rules) - words
    return (
        HEADER.format(words=f"{len(words):,}", made=f"{len(made):,}") + "\n".join(sorted(words | made)) + "\n"
    )


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
