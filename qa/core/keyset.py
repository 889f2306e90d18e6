"""Keys of pages by time: where the next page of a list, newest first, begins.

A key is what a browser sends back; whatever else it sends leads to no page, never to a fault.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from qa.core.errors import NotFound

LARGEST_ID = 2_147_483_647
"""The largest id a row can have on both databases."""


def key_of(at: datetime, row_id: int) -> str:
    """Return the key of the page that follows this row."""
    return f"{at.isoformat()}~{row_id}"


def read_key(key: str) -> tuple[datetime, int]:
    """Return the moment and id of the row a page follows; raise ``NotFound``."""
    at, _, last = key.rpartition("~")
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or (row_id := id_in(last)) is None:
            raise ValueError(key)
        return moment.astimezone(UTC), row_id
    except (ValueError, OverflowError):
        raise NotFound("There is no such page. Start at the first one.") from None


def id_in(text: str) -> int | None:
    """Return the id that a text names, None when no row can have it."""
    number = int(text) if re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) else None
    return None if number is None or number > LARGEST_ID else number
