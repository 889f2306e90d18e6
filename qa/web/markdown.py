"""Markdown as people write it in trainings, made into markup that can do nothing but be read.

What reads it is loaded with the first text: most pages have none.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

import nh3
from markupsafe import Markup

TAGS = {
    "p",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "strong",
    "em",
    "code",
    "pre",
    "blockquote",
    "hr",
    "br",
    "a",
}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
_LOWERED = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6", "h6": "h6"}


@lru_cache
def _writer() -> Any:
    return import_module("markdown_it").MarkdownIt("commonmark", {"html": False}).enable("table")


def markdown(text: str) -> Markup:
    """Return text as markup: headings below those of the page, links that open nothing by themselves."""
    writer = _writer()
    tokens = writer.parse(text)
    for token in tokens:
        token.tag = _LOWERED.get(token.tag, token.tag)
    drawn = writer.renderer.render(tokens, writer.options, {})
    return Markup(  # cleaned by nh3 in the same breath
        nh3.clean(
            drawn,
            tags=TAGS,
            attributes={"a": {"href"}},
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer",
        )
    )
