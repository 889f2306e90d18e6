"""Markdown as people write it in trainings, made into markup that can do nothing but be read."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt
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
_writer = MarkdownIt("commonmark", {"html": False}).enable("table")
_LOWERED = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6", "h6": "h6"}


def markdown(text: str) -> Markup:
    """Return text as markup: headings below those of the page, links that open nothing by themselves."""
    tokens = _writer.parse(text)
    for token in tokens:
        token.tag = _LOWERED.get(token.tag, token.tag)
    drawn = _writer.renderer.render(tokens, _writer.options, {})
    return Markup(  # cleaned by nh3 in the same breath
        nh3.clean(
            drawn,
            tags=TAGS,
            attributes={"a": {"href"}},
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer",
        )
    )
