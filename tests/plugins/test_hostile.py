"""Hostile plugins: only the call at fault fails, it is said whose fault it was, and nothing is left behind.

``QA_TORTURE=1`` runs each way twenty times.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from qa.core.children import ENVIRONMENT, Unwanted
from qa.plugins.api import Check
from qa.plugins.discovery import Candidate, find
from qa.plugins.hosting import Host, NotLoaded, Outcome, PluginFailed, Work
from tests.plugins import plugs

TIMES = 20 if os.environ.get("QA_TORTURE") else 1
HOSTILE = Path(__file__).parents[2] / "plugins" / "candor-hostile"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on the path of all processes with the hostile package, and a good plugin beside it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(HOSTILE / "candor_hostile", folder / "candor_hostile")
    plugs.write(folder / "loose", "good", plugs.CONNECTOR)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(folder)
    yield folder
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host; at its end no process of it is left."""
    made = Host(tmp_path_factory.mktemp("work"))
    yield made
    made.close()
    assert left_behind(made) == []


def left_behind(host: Host) -> list[str]:
    """Every process that works in the host's folder, whoever its parent is."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(host.folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {process.cmdline()}")
        except psutil.Error:
            continue
    return found


def hostile(name: str = "hostile", module: str = "candor_hostile") -> Candidate:
    """One of the hostile plugins."""
    return Candidate(name, "candor-hostile", "0.1.0", module)


def good(site: Path) -> Candidate:
    """The good plugin."""
    return next(one for one in find(site / "loose") if one.name == "good")


def check(host: Host, way: str, deadline: float = 1.0) -> Outcome:
    """Misbehave in a way."""
    config = {"way": way}
    secrets = {"token": "its-own-secret"}
    return host.call(
        hostile(), Work("connector", "hostile", "check", {}, config, secrets, deadline_seconds=deadline)
    )


RAISES = {
    "raises": "RuntimeError: boom (__init__.py, line",
    "raises_base": "BaseException: boom",
    "raises_nasty": "Nasty, which has no text",
    "exits": "SystemExit: 3",
    "interrupts": "KeyboardInterrupt",
    "recurses": "RecursionError",
    "opens_files": "OSError: [Errno 24] Too many open files",
}
SHAPES = {
    "answers_text": "answered wrongly",
    "answers_nothing": "answered wrongly",
    "answers_wrong_types": "answered wrongly",
    "answers_half_a_letter": "answered wrongly",
    "answers_hugely": "200 MB at once; 8 MB are allowed",
}
FATAL = {
    "leaves": "ended by itself (exit code 3)",
    "aborts": "ended by SIGABRT",
    "crashes": "ended by SIGSEGV",
    "kills_itself": "ended by SIGKILL",
    "kills_its_parent": "ended by SIGKILL",
    "stops_itself": "its time limit",
    "hangs": "its time limit",
    "spins": "its time limit",
    "holds_the_lock": "its time limit",
    "swallows_everything": "its time limit",
    "ignores_signals": "its time limit",
    "leaves_the_group": "its time limit",
    "forks_many": "its time limit",
    "forks_for_ever": "its time limit",
    "closes_everything": "closed its channel",
    "scribbles": "wrote into the channel",
    "floods_output": "printed more than 8 MB",
    "floods_errors": "printed more than 8 MB",
    "allocates": "more memory than it may have",
}
HARMLESS = ["forks", "daemonises", "spawns", "threads", "floods_log", "floods_progress", "prints"]


@pytest.mark.parametrize("way", [*RAISES, *SHAPES, *FATAL])
def test_only_the_call_at_fault_fails_and_says_why(host: Host, site: Path, way: str) -> None:
    words = (RAISES | SHAPES | FATAL)[way]
    for _ in range(TIMES):
        with pytest.raises(PluginFailed) as failed:
            check(host, way, deadline=20.0 if way in {*RAISES, *SHAPES, "allocates"} else 1.0)
        assert words in failed.value.reason
        assert failed.value.plugin == "hostile"
        assert "its-own-secret" not in str(failed.value) + failed.value.detail
        answer = host.call(good(site), Work("connector", "desk", "check", secrets={"token": "t"}))
        assert answer.value == Check(True)
    if way in FATAL:
        host.tidy(idle_seconds=-1)
        assert left_behind(host) == []


@pytest.mark.parametrize("way", HARMLESS)
def test_what_it_leaves_behind_ends_with_its_process(host: Host, site: Path, way: str) -> None:
    for _ in range(TIMES):
        assert check(host, way, deadline=20.0).value == Check(True)
        host.tidy(idle_seconds=-1)
        assert left_behind(host) == []


def test_every_way_is_tried() -> None:
    text = (HOSTILE / "candor_hostile" / "__init__.py").read_text(encoding="utf-8")
    ways = [line[4:].partition("(")[0] for line in text.splitlines() if line.startswith("def ")]
    ways = [way for way in ways if not way.startswith("qa_")]
    assert set(ways) == {*RAISES, *SHAPES, *FATAL, *HARMLESS, "leaks"}
    assert len(ways) >= 30


def leak_for_ever(host: Host) -> None:
    """Leak until something gives way."""
    for _ in range(1_000):
        check(host, "leaks", deadline=20.0)


def test_a_leak_ends_at_the_limit_and_the_next_process_starts_anew(tmp_path: Path, site: Path) -> None:
    host = Host(tmp_path, memory_mb={"hostile": 400})
    try:
        with pytest.raises(PluginFailed) as failed:
            leak_for_ever(host)
        assert failed.value.how == "memory"
        assert check(host, "leaks", deadline=20.0).value == Check(True)
    finally:
        host.close()


def test_a_number_that_is_none_does_not_come_through(host: Host, site: Path) -> None:
    work = Work("connector", "hostile", "diagnostics", config={"way": "nan"})
    with pytest.raises(PluginFailed, match="not a number"):
        host.call(hostile(), work)


def test_its_environment_holds_nothing_of_the_site(
    host: Host, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.tidy(idle_seconds=-1)
    monkeypatch.setenv("QA_KEY_FILE", "/secret/place")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "marker-4711")
    work = Work("connector", "hostile", "diagnostics", config={"way": ""})
    seen = host.call(hostile(), work).value
    assert set(seen["environment"]) <= ENVIRONMENT | {"LC_CTYPE", "MALLOC_ARENA_MAX"}
    assert "marker-4711" not in str(seen)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("raises", "RuntimeError: raised at import (raises.py, line 3)"),
        ("exits", "exit code 9"),
        ("prints", "printed more than 8 MB"),
        ("dies", "SIGSEGV"),
        ("lies", "returned 3"),
    ],
)
def test_what_it_does_at_import_is_only_its_own_fault(
    host: Host, site: Path, module: str, words: str
) -> None:
    candidate = hostile(f"hostile-{module}", f"candor_hostile.{module}")
    told = host.load(candidate)
    assert not told.is_ok
    assert words in told.reason or module == "lies"
    with pytest.raises(PluginFailed):
        host.call(candidate, Work("connector", "x", "check"))
    assert isinstance(told.reason, str)


def test_a_plugin_that_never_finishes_importing_is_given_up(
    host: Host, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.plugins.hosting.START_SECONDS", 1.0)
    told = host.load(hostile("hostile-hangs", "candor_hostile.hangs"))
    assert "took more than 1 s" in told.reason


def test_a_lying_registration_is_found_while_loading(host: Host, site: Path) -> None:
    with pytest.raises(NotLoaded) as failed:
        host.call(hostile("hostile-lies", "candor_hostile.lies"), Work("connector", "x", "check"))
    assert failed.value.report.step == "classes"


def pull(way: str, **more: Any) -> Work:
    """Pull pages in a way."""
    given = {"stream": "main", "cursor": None, "window": None}
    return Work("connector", "hostile", "pull", given, {"way": way}, deadline_seconds=5.0, **more)


def test_endless_pages_come_one_at_a_time_and_stop_when_nobody_asks(host: Host, site: Path) -> None:
    pages = host.stream(hostile(), pull("endless"))
    taken = [next(pages) for _ in range(3)]
    assert [page.cursor for page in taken] == [{"at": 0}, {"at": 1}, {"at": 2}]
    pages.close()
    # the process was put away in good order and takes the next call
    assert check(host, "prints", deadline=20.0).value == Check(True)


def test_a_page_that_is_none_is_refused(host: Host, site: Path) -> None:
    with pytest.raises(PluginFailed, match="answered wrongly"):
        list(host.stream(hostile(), pull("no_pages")))


def test_unwanted_work_is_asked_to_stop_then_killed(host: Host, site: Path) -> None:
    host.tidy(idle_seconds=-1)
    with pytest.raises(Unwanted):
        host.call(
            hostile(),
            Work("connector", "hostile", "check", config={"way": "hangs"}, deadline_seconds=60.0),
            is_wanted=lambda _progress: False,
        )
    assert left_behind(host) == []


def test_the_host_ends_what_is_at_work(tmp_path: Path, site: Path) -> None:
    host = Host(tmp_path)
    pages = host.stream(hostile(), pull("endless"))
    next(pages)
    host.close()
    assert left_behind(host) == []
    with pytest.raises(Unwanted):
        list(pages)
