"""The form that brings in a scorecard's text."""

from __future__ import annotations

from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from qa.web.forms import Form

MAX_LETTERS = 300_000


class TextForm(Form):
    """A scorecard as YAML."""

    yaml = TextAreaField(
        "Scorecard as YAML",
        [InputRequired("Paste the text of a scorecard."), Length(max=MAX_LETTERS)],
        render_kw={"rows": "18", "spellcheck": "false", "wrap": "off"},
    )
