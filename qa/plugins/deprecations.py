"""How something leaves the plugin API: announced, dated, with the replacement; two minor releases of grace.

``hookspec(warn_on_impl=leaving(...))`` or ``warn_on_impl_args={"name": leaving(...)}`` in
``qa.plugins.hookspecs`` is all there is to write. The warning reaches the author with file and line, the
administrator on the plugins page with the address of the plugin's own issues.
"""

from __future__ import annotations

from pathlib import Path
from warnings import WarningMessage


class Leaving(DeprecationWarning):
    """Something that a plugin uses leaves the API."""


def leaving(what: str, *, since: str, removed_in: str, instead: str) -> Leaving:
    """Return the warning for ``hookspec``: what leaves, since and until which version, and what to use."""
    return Leaving(f"{what} is deprecated since {since} and will be gone in {removed_in}. Use {instead}.")


def note_of(warning: WarningMessage, *, plugin: str, issues_url: str) -> str:
    """Return what a person reads: whose fault, where, what to do, whom to tell."""
    place = f"{Path(warning.filename).name}, line {warning.lineno}"
    tell = f" Tell its author: {issues_url}" if issues_url else " Tell its author."
    return f"{plugin}: {warning.message} ({place}){tell}"
