"""Numbers in addresses: an id that no row can have is an address that leads nowhere."""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

from qa.core.keyset import LARGEST_ID


class RowId(IntegerConverter):
    """``<int:…>`` as the database can hold it; anything larger is not found instead of a fault."""

    def __init__(self, url_map: Map, *args: Any, **kwargs: Any) -> None:
        super().__init__(url_map, *args, **{"max": LARGEST_ID, **kwargs})


def install(app: Flask) -> None:
    """Read every ``<int:…>`` this way; call it before the first route is added."""
    app.url_map.converters["int"] = RowId
