"""Which comments and which evidence an evaluation still lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qa.scorecards.answers import read_answers
from qa.scorecards.compiled import VALUE, CompiledForm


@dataclass(frozen=True, slots=True)
class Need:
    """A required comment or piece of evidence that is not there yet."""

    ref: str
    what: str


def requirements(
    compiled: CompiledForm,
    answers: Mapping[str, Any],
    fields: Mapping[str, Any],
    *,
    commented: frozenset[str],
    evidenced: frozenset[str],
) -> tuple[Need, ...]:
    """Return which comments and evidence the chosen options ask for and do not have, in form order."""
    given, _ = read_answers(compiled, answers, fields)
    needs = []
    for question, one in zip(compiled.questions, given, strict=True):
        if one.state != VALUE:
            continue
        comment = question.needs_comment or any(choice.needs_comment for choice in one.chosen)
        evidence = question.needs_evidence or any(choice.needs_evidence for choice in one.chosen)
        if comment and question.ref not in commented:
            needs.append(Need(question.ref, "comment"))
        if evidence and question.ref not in evidenced:
            needs.append(Need(question.ref, "evidence"))
    return tuple(needs)
