"""The bell: a queue's name arrives at the worker; a carrier that is away silences it and nothing else."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from qa.core import transport

CARRIERS = {
    "sqlite": "",
    "redis": os.environ.get("QA_TEST_REDIS_URL", ""),
    "postgresql": os.environ.get("QA_TEST_DATABASE_URL", ""),
}
HERE = [name for name, url in CARRIERS.items() if url or name == "sqlite"]


@pytest.fixture(params=HERE)
def carrier(request: pytest.FixtureRequest) -> str:
    return CARRIERS[request.param]


def rings(huey: Any) -> list[str]:
    """Take everything off the carrier, as a worker does."""
    heard: list[str] = []
    transport.task_of(huey, heard.append)
    while huey.pending():
        huey.execute(huey.dequeue())
    return heard


def ended(huey: Any) -> None:
    huey.flush()
    huey.storage.close()


def test_a_ring_names_the_queue_and_nothing_else(carrier: str, tmp_path: Path) -> None:
    huey = transport.make_huey(carrier, tmp_path)
    transport.silence(huey)
    ring = transport.make_bell(carrier, tmp_path)
    for queue in ("fast", "media", "fast"):
        ring(queue)
    assert rings(huey) == ["fast", "media", "fast"]
    ended(huey)


def test_rings_nobody_answered_are_forgotten_when_a_worker_starts(carrier: str, tmp_path: Path) -> None:
    huey = transport.make_huey(carrier, tmp_path)
    ring = transport.make_bell(carrier, tmp_path)
    for _ in range(20):
        ring("fast")
    transport.silence(huey)
    assert rings(huey) == []
    ended(huey)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "postgresql+psycopg://nobody@127.0.0.1:1/none"])
def test_a_carrier_that_is_away_fails_nobodys_work(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ring = transport.make_bell(url, tmp_path)
    with caplog.at_level(logging.WARNING):
        ring("fast")
        ring("fast")
    assert [record.message for record in caplog.records if record.name == transport.__name__] == [
        "the bell is silent",
        "the bell is silent",
    ]


def test_many_threads_may_ring_at_once(tmp_path: Path) -> None:
    ring = transport.make_bell("", tmp_path)
    threads = [threading.Thread(target=ring, args=("fast",)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rings(transport.make_huey("", tmp_path))) == 16
