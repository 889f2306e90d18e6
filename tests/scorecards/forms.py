"""Small forms for the scoring tests, written as data."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from qa.scorecards.compiled import CompiledForm, compile_form
from qa.scorecards.form import Form
from qa.scorecards.results import Result
from qa.scorecards.scoring import score


def options(*points: float, **last: Any) -> tuple[dict[str, Any], ...]:
    """Options o0, o1, … worth these points; ``last`` are extra keys of the last one."""
    made = [{"ref": f"o{place}", "points": value} for place, value in enumerate(points)]
    made[-1] |= last
    return tuple(made)


def question(ref: str, *points: float, last: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """A single question whose options are worth these points, the best first."""
    return {"ref": ref, "text": ref, "type": "single", "options": options(*points, **(last or {})), **keys}


def form(mode: str, *sections: tuple[dict[str, Any], ...] | dict[str, Any], **keys: Any) -> CompiledForm:
    """A compiled form; a section is a mapping, or only its questions."""
    parts = tuple(
        section if isinstance(section, dict) else {"ref": f"s{place}", "questions": section}
        for place, section in enumerate(sections)
    )
    return compile_form(Form.read({"form": "f", "title": "F", "mode": mode, "sections": parts, **keys}))


def scored(
    compiled: CompiledForm, *answers: Any, fields: dict[str, Any] | None = None, **named: Any
) -> Result:
    """Score answers given in question order (None leaves one out) or by ref."""
    by_place = {q.ref: a for q, a in zip(compiled.questions, answers, strict=False) if a is not None}
    return score(compiled, by_place | named, fields or {})


def exactly(text: str | int) -> Fraction:
    """The number behind a text."""
    return Fraction(text)
