"""Templates escape exactly as MarkupSafe does, only sooner done."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from qa.web.escaping import written


class Shown(str):
    """Text of a kind of its own."""


class Drawn:
    """Something that knows its own markup."""

    def __html__(self) -> str:
        return "<b>drawn</b>"


@given(st.text())
def test_text_is_escaped_like_everywhere(text: str) -> None:
    assert written(text) == str(escape(text))
    assert written(Shown(text)) == str(escape(Shown(text)))
    assert written(Markup(text)) == text


@pytest.mark.parametrize("value", [0, -7, 10**30, True, None, 1.5, Decimal("1.50"), Fraction(2, 3), Drawn()])
def test_other_values_are_written_like_everywhere(value: Any) -> None:
    assert written(value) == str(escape(value))


HOSTILE = "<script>&'\"{{ 7 * 7 }}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ one }}",
        "<p title='{{ one }}'>{{ one | upper }}</p>",
        "{% set two %}{{ one }}{% endset %}{{ two }}",
        "{% macro part(text) %}<i>{{ text }}</i>{% endmacro %}{{ part(one) }}{{ part(part(one)) }}",
        "{% for part in [one, one] %}{{ part ~ loop.index }}{% endfor %}",
        "{% call(text) each() %}{{ text }}{% endcall %}",
    ],
)
def test_a_template_of_the_site_escapes_what_people_typed(app: Flask, source: str) -> None:
    each = "{% macro each() %}{{ caller(one) }}{% endmacro %}"
    page = app.jinja_env.from_string(each + source).render(one=HOSTILE)
    plain = app.jinja_env.overlay()
    plain.code_generator_class = type(plain).code_generator_class
    assert page == plain.from_string(each + source).render(one=HOSTILE)
    assert "<script>" not in page.lower()
    assert "{{" in page
