"""Which version the database is at and which one this program needs: asked at each start, so read cheaply.

The migrations say themselves which one they follow; what they do is ``qa.core.schema``'s.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from typing import cast

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

_NAMED = re.compile(r"""^(revision|down_revision) = (?:["'](\w+)["']|None)$""", re.MULTILINE)
_HERE = text("SELECT version_num FROM alembic_version")


@lru_cache
def _steps() -> dict[str, str | None]:
    """Return every version of this program with the one it follows."""
    folder = resources.files("qa.migrations") / "versions"
    scripts = [file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".py")]
    named = [{name: value or None for name, value in _NAMED.findall(script)} for script in scripts]
    return {str(one["revision"]): one["down_revision"] for one in named if one}


@lru_cache
def head() -> str:
    """Return the version this program needs: the one that no other follows."""
    (last,) = set(_steps()) - set(_steps().values())
    return last


def is_known(revision: str | None) -> bool:
    """Tell whether this program has heard of that version."""
    return revision is None or revision in _steps()


def current(session: Session) -> str | None:
    """Return the version the database has, None when it is empty."""
    if not inspect(session.connection()).has_table("alembic_version"):
        return None
    return cast("str | None", session.scalar(_HERE))


def is_current(session: Session) -> bool:
    """Tell whether program and database fit."""
    return current(session) == head()
