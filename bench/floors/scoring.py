"""Floor of scoring: one line of JSON in, whole numbers, the same breakdown as JSON out."""

from __future__ import annotations

import json
import sys
from math import gcd

SECTIONS = (("opening", 20, 0, 3), ("resolution", 50, 3, 10), ("courtesy", 30, 10, 15))
WEIGHTS = (1, 1, 2, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1)
MAXIMA = (1, 1, 1, 2, 1, 2, 1, 2, 1, 2, 4, 2, 1, 5, 1)
REFS = tuple(f"question-{place}" for place in range(15))


def exact(above: int, below: int) -> str:
    """Return a fraction as text, reduced."""
    common = gcd(above, below)
    return str(above // common) if below == common else f"{above // common}/{below // common}"


def scored(given: dict[str, dict[str, str]]) -> dict[str, object]:
    """Return a result of the same size as the product's, by the least arithmetic that makes it."""
    answers = list(given["answers"].values())
    whole = sum(WEIGHTS)
    earned = [MAXIMA[place] * (place < len(answers)) for place in range(15)]
    questions = [
        {
            "ref": REFS[place],
            "state": "value" if place < len(answers) else "na_by_system",
            "earned": exact(earned[place], 1),
            "max": exact(MAXIMA[place], 1),
            "weight_applied": exact(WEIGHTS[place] * 100, whole),
            "ratio": exact(earned[place], MAXIMA[place]),
        }
        for place in range(15)
    ]
    sections = []
    for ref, weight, first, last in SECTIONS:
        above, below = sum(earned[first:last]), sum(MAXIMA[first:last])
        sections.append(
            {
                "ref": ref,
                "state": "value",
                "earned": exact(above, 1),
                "max": exact(below, 1),
                "weight_applied": exact(weight, 1),
                "ratio": exact(above, below),
            }
        )
    total = sum(WEIGHTS[place] * earned[place] * (20 // MAXIMA[place]) for place in range(15))
    return {
        "score": exact(total * 100, 20 * whole),
        "raw": exact(total * 100, 20 * whole),
        "score_display": f"{total * 1000 // (20 * whole) / 10}",
        "outcome": "pass",
        "band": "meets",
        "fail_causes": [],
        "missing": [],
        "sections": sections,
        "questions": questions,
    }


def main() -> None:
    """Score every line of standard input."""
    for line in sys.stdin:
        print(json.dumps(scored(json.loads(line)), ensure_ascii=False))


if __name__ == "__main__":
    main()
