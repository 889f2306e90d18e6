"""The questions of a form as a template of their own, compiled once for each scorecard version.

``_questions.html`` is read in two steps. What stands in ``<% %>`` and ``<< >>`` is done once: questions,
options and hints become plain text of a second template. What stands in ``{% %}`` and ``{{ }}`` is done
for each page: answers, comments, evidence.
"""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, Template
from markupsafe import Markup, escape

from qa.evaluations.work_page import NONE_WORD, blank_form
from qa.scorecards.queries import ReadyForm

SOURCE = "evaluations/_questions.html"
MOST_REMEMBERED = 64


def _inert(value: Any) -> Markup:
    """Return a value as text of the second template, in which nothing of it is read as a command."""
    return Markup(str(escape(value)).replace("{", "&#123;"))  # noqa: S704 - escaped here


FIRST_STEP: dict[str, Any] = {
    "block_start_string": "<%",
    "block_end_string": "%>",
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
    "trim_blocks": True,
    "lstrip_blocks": True,
    "autoescape": True,
    "finalize": _inert,
}


class QuestionMarkup:
    """Gives the template of a form's questions; ``reads`` is for a form that is only revised."""

    def __init__(self, site: Environment) -> None:
        self._site = site
        self._made: dict[tuple[ReadyForm, bool], Template] = {}

    def __call__(self, ready: ReadyForm, *, reads: bool = False) -> Template:
        """Return the template to include; it needs ``fields``, and ``live`` unless ``reads``."""
        known = self._made.get((ready, reads))
        if known is None:
            if len(self._made) >= MOST_REMEMBERED:
                self._made.clear()
            known = self._made[ready, reads] = self._compiled(ready, reads=reads)
        return known

    def _compiled(self, ready: ReadyForm, *, reads: bool) -> Template:
        assert self._site.loader is not None
        source, _, _ = self._site.loader.get_source(self._site, SOURCE)
        first = Environment(**FIRST_STEP).from_string(source)  # noqa: S701 - it escapes, see above
        plain = first.render(sections=blank_form(ready), reads=reads, none_word=NONE_WORD)
        return self._site.from_string(plain)
