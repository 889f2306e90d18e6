"""Built files by their plain name: the manifest says which hash they carry."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

from flask import request, url_for
from markupsafe import Markup, escape

MOST_ICONS = 2_048
"""How many are remembered; labels may come from people's words, names of icons do not."""


class Assets:
    """The folder that the asset build fills."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._urls: dict[tuple[str, str], str] = {}
        self._icons: dict[tuple[str, str, str, bool], Markup] = {}

    @cached_property
    def _manifest(self) -> dict[str, str]:
        file = self._folder / "manifest.json"
        if not file.exists():
            return {}
        found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        return found

    def url(self, name: str) -> str:
        """Return the address of a built file; a browser keeps it for ever, for its name changes with it."""
        key = (request.script_root, name)
        known = self._urls.get(key)
        if known is None:
            built = url_for("static", filename=f"dist/{self._manifest.get(name, name)}")
            known = self._urls[key] = built
        return known

    def icon(self, name: str, label: str = "", inline: bool = False) -> Markup:
        """Return an icon of the sprite; with a label it is read out, without it is decoration."""
        key = (request.script_root, name, label, inline)
        known = self._icons.get(key)
        if known is None:
            if len(self._icons) >= MOST_ICONS:
                self._icons.clear()
            known = self._icons[key] = self._icon(name, label, inline)
        return known

    def _icon(self, name: str, label: str, inline: bool) -> Markup:
        told = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
        kind = "icon inline" if inline else "icon"
        return Markup('<svg class="{}" viewBox="0 0 16 16" {}><use href="{}#i-{}"/></svg>').format(
            kind, Markup(told), self.url("icons.svg"), name
        )
