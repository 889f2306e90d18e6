"""A quiz as plain text, read and marked: pure, so that anybody can say why an answer got its points.

One question is a line that begins with ``?`` (``??`` when all that apply are wanted), its points in brackets
at the end, and the lines below it: ``+`` right, ``-`` wrong, ``1.`` ``2.`` steps in their order, ``>`` what a
good answer in own words holds, for whoever marks it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qa.stats.sampling import select_random

SINGLE, MULTIPLE, ORDER, FREE = "single", "multiple", "order", "free"
KINDS = {
    SINGLE: "One answer",
    MULTIPLE: "All that apply",
    ORDER: "Order",
    FREE: "In your own words",
}
MOST_QUESTIONS, MOST_OPTIONS, MOST_POINTS = 60, 20, 100
_HEAD = re.compile(r"(\?{1,2})\s*(.+?)(?:\s*\((\d{1,3})\))?\s*", re.ASCII)
_STEP = re.compile(r"\d{1,2}[.)]\s*(.+)", re.ASCII)


class QuizError(Exception):
    """A quiz that cannot be read; names the line."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question; ``right`` are the places of the right options, for steps all of them in order."""

    ref: str
    kind: str
    text: str
    points: int
    options: tuple[str, ...] = ()
    right: frozenset[int] = frozenset()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """One question of a try: its points, None as long as nobody has marked it."""

    question: Question
    points: int | None
    comment: str = ""


def read(text: str) -> tuple[Question, ...]:
    """Return the questions of a quiz; none when the text is empty.

    :raises QuizError: with the line and what is wrong with it.
    """
    blocks: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped:
            continue
        if stripped.startswith("?"):
            blocks.append((number, [stripped]))
        elif blocks:
            blocks[-1][1].append(stripped)
        else:
            raise QuizError(f"Line {number}: a question begins with “?”.")
    if len(blocks) > MOST_QUESTIONS:
        raise QuizError(f"A quiz has at most {MOST_QUESTIONS} questions.")
    return tuple(_question(place, *block) for place, block in enumerate(blocks, start=1))


def _question(place: int, number: int, lines: Sequence[str]) -> Question:
    head = _HEAD.fullmatch(lines[0])
    if head is None:
        raise QuizError(f"Line {number}: the question has no words.")
    points = int(head[3] or 1)
    if not 1 <= points <= MOST_POINTS:
        raise QuizError(f"Line {number}: a question has 1 to {MOST_POINTS} points.")
    options, steps, hints, right = list[str](), list[str](), list[str](), set[int]()
    for offset, line in enumerate(lines[1:], start=1):
        step = _STEP.fullmatch(line)
        if line[0] in "+-" and line[1:].strip():
            right |= {len(options)} if line[0] == "+" else set()
            options.append(line[1:].strip())
        elif step:
            steps.append(step[1])
        elif line[0] == ">":
            hints.append(line[1:].strip())
        else:
            raise QuizError(f"Line {number + offset}: an answer begins with +, -, a number or >.")
    _check(number, options, steps, right, all_wanted=head[1] == "??")
    kind = ORDER if steps else FREE
    if options:
        kind = MULTIPLE if head[1] == "??" or len(right) > 1 else SINGLE
    given = tuple(steps or options)
    places = frozenset(range(len(steps))) if steps else frozenset(right)
    return Question(str(place), kind, head[2], points, given, places, " ".join(hints))


def _check(number: int, options: list[str], steps: list[str], right: set[int], *, all_wanted: bool) -> None:
    if options and steps:
        raise QuizError(f"Line {number}: a question has either answers or steps to order, not both.")
    given = options or steps
    if len(given) == 1 or len(given) > MOST_OPTIONS:
        raise QuizError(f"Line {number}: 2 to {MOST_OPTIONS} answers or steps are needed.")
    if len(set(given)) < len(given):
        raise QuizError(f"Line {number}: two answers say the same.")
    if options and not right:
        raise QuizError(f"Line {number}: mark the right answer with +.")
    if all_wanted and not options:
        raise QuizError(f"Line {number}: “??” needs answers to tick.")


def shuffled(question: Question, seed: str) -> list[int]:
    """Return the places of steps in an order by hash that is not the right one."""
    drawn = select_random(seed, [str(place) for place in range(len(question.options))], len(question.options))
    order = [int(place) for place in drawn["selected"]]
    return order if order != sorted(order) else order[::-1]


def mark(
    questions: Sequence[Question], answers: Mapping[str, Any], by_person: Mapping[str, Mapping[str, Any]]
) -> list[Marked]:
    """Return the points of each question: all or none by machine, free text as a person marked it."""
    return [_marked(question, answers.get(question.ref), by_person) for question in questions]


def _marked(question: Question, answer: Any, by_person: Mapping[str, Mapping[str, Any]]) -> Marked:
    if question.kind == FREE:
        given = by_person.get(question.ref)
        if given is not None:
            return Marked(question, int(given["points"]), str(given.get("comment", "")))
        return Marked(question, None if str(answer or "").strip() else 0)
    if question.kind == ORDER:
        is_right = answer == list(range(len(question.options)))
    elif question.kind == SINGLE:
        is_right = answer in question.right
    else:
        is_right = isinstance(answer, list) and frozenset(answer) == question.right
    return Marked(question, question.points if is_right else 0)


def total(questions: Sequence[Question]) -> int:
    """Return the points of a whole quiz."""
    return sum(question.points for question in questions)


def needed(questions: Sequence[Question], pass_percent: int) -> int:
    """Return the fewest points that pass."""
    return -(-total(questions) * pass_percent // 100)
