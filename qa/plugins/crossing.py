"""A page on its way from a plugin's child to the host: a record that cannot cross hurts only itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qa.plugins.api import BadRecord, Page
from qa.plugins.api.value import made_plain
from qa.plugins.page_rules import plain
from qa.plugins.wire import NotOfThisShape, decode, encode

ID_LENGTH = 200


def encode_page(page: Page) -> bytes:
    """Return a page as one line of JSON; a record that no JSON can hold is set aside as a bad one.

    Raises ``NotOfThisShape`` when the page as a whole cannot cross: too large, or a cursor that is no JSON.
    """
    return _carried(page)[0]


def crossed(page: Page) -> Page:
    """Return a page as the host gets it; raises as ``encode_page`` does."""
    arrived: Page = _carried(page)[1]
    return arrived


def _carried(page: Page) -> tuple[bytes, Any]:
    try:
        return _line_and_arrival(page)
    except NotOfThisShape:
        kept = tuple(_kept(one) for one in page.records)
        return _line_and_arrival(replace(page, records=kept))


def _line_and_arrival(value: Any) -> tuple[bytes, Any]:
    """Return a value's line and how the host will read it; raise ``NotOfThisShape``."""
    line = encode(value, type(value))
    return line, decode(line, type(value))


def _kept(one: Any) -> Any:
    """Return a record that crosses as it is, another as a bad one."""
    try:
        _line_and_arrival(one)
    except NotOfThisShape as error:
        known = one.external_id if isinstance(one.external_id, str) else ""
        identity = str(made_plain(known))[:ID_LENGTH]
        return BadRecord(made_plain(plain(one)), str(error), external_id=identity)
    return one
