"""What these tests ask for: a served site that is stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qa.config import Settings
from tests.reliability.served import Served


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    """A site, not yet started."""
    made = Served(settings)
    yield made
    made.kill()
