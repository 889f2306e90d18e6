"""Addresses: an id that no row can have leads nowhere, and a page full of links builds them once."""

from __future__ import annotations

from typing import Any

from flask import Flask, request, url_for
from werkzeug.routing import IntegerConverter, Map

from qa.core.keyset import LARGEST_ID


class RowId(IntegerConverter):
    """``<int:…>`` as the database can hold it; anything larger is not found instead of a fault."""

    def __init__(self, url_map: Map, *args: Any, **kwargs: Any) -> None:
        super().__init__(url_map, *args, **{"max": LARGEST_ID, **kwargs})


class Addresses:
    """``url_for`` for templates: where only ids differ, an address is built once and then filled in."""

    def __init__(self) -> None:
        self._patterns: dict[tuple[str, str, tuple[str, ...]], str] = {}

    def __call__(self, endpoint: str, **values: Any) -> str:
        """Return the address of an endpoint."""
        if endpoint.startswith(".") or any(type(value) is not int for value in values.values()):
            return url_for(endpoint, **values)
        key = (request.script_root, endpoint, tuple(values))
        pattern = self._patterns.get(key)
        if pattern is None:
            pattern = self._patterns[key] = _pattern(endpoint, key[2])
        return pattern.format(**values)


def _pattern(endpoint: str, names: tuple[str, ...]) -> str:
    marks: dict[str, Any] = {name: LARGEST_ID - place for place, name in enumerate(names)}
    built = url_for(endpoint, **marks).replace("{", "{{").replace("}", "}}")
    for name, mark in marks.items():
        built = built.replace(str(mark), f"{{{name}}}")
    return built


def install(app: Flask) -> None:
    """Read every ``<int:…>`` this way; call it before the first route is added."""
    app.url_map.converters["int"] = RowId
    app.jinja_env.globals["url_for"] = Addresses()
