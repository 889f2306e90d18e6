"""How often a break is repeated: seldom on each change, often under QA_TORTURE."""

from __future__ import annotations

import os

import pytest

from tests.conftest import BACKENDS

TORTURE = os.environ.get("QA_TORTURE", "") not in {"", "0"}


def times(seldom: int, often: int) -> int:
    """Return ``often`` in `make torture`, else ``seldom``."""
    return often if TORTURE else seldom


on_one_database = pytest.mark.parametrize(
    "database_url", BACKENDS if TORTURE else BACKENDS[-1:], indirect=True
)
"""For what asks the same of each page many times: on the stricter database, in `make torture` on both."""
