"""How often a break is repeated: seldom on each change, often under QA_TORTURE."""

from __future__ import annotations

import os

TORTURE = os.environ.get("QA_TORTURE", "") not in {"", "0"}


def times(seldom: int, often: int) -> int:
    """Return ``often`` in `make torture`, else ``seldom``."""
    return often if TORTURE else seldom
