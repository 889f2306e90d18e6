"""Killable children: they answer, report, and end, however hard they try not to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from qa.core.children import ChildFailed, Children, Progress, Unwanted

WORK = "tests.core.child_work:"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    made = Children(2)
    yield made
    made.close()


def wait_for(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def test_a_child_answers(children: Children) -> None:
    assert children.run(WORK + "add", [1, 2, 3], deadline_seconds=30) == 6


def test_what_the_work_raises_is_raised_here(children: Children) -> None:
    with pytest.raises(ValueError, match="that is no number"):
        children.run(WORK + "fail", None, deadline_seconds=30)


def test_progress_arrives_while_the_work_goes_on(children: Children) -> None:
    heard: list[Progress | None] = []

    def note(progress: Progress | None) -> bool:
        heard.append(progress)
        return True

    children.run(WORK + "linger", 1.5, deadline_seconds=30, is_wanted=note)
    assert Progress(1, 2, "Half way, “so” to say") in heard


def test_a_child_that_reports_more_than_anybody_reads_is_not_held_up(children: Children) -> None:
    assert children.run(WORK + "shout", None, deadline_seconds=60) == "done"


def test_a_child_past_its_deadline_is_killed_even_when_it_ignores_signals(
    children: Children, tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    with pytest.raises(ChildFailed, match=r"Stopped after 1 s, its time limit\."):
        children.run(WORK + "stubborn", str(mark), deadline_seconds=1)
    wait_for(lambda: not psutil.pid_exists(int(mark.read_text(encoding="ascii"))))
    assert children.run(WORK + "add", [1], deadline_seconds=30) == 1


def test_work_nobody_wants_any_more_is_killed(children: Children, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with pytest.raises(Unwanted):
        children.run(WORK + "stubborn", str(mark), deadline_seconds=60, is_wanted=lambda _: not mark.exists())
    wait_for(lambda: not psutil.pid_exists(int(mark.read_text(encoding="ascii"))))


@pytest.mark.parametrize(("how", "words"), [("die", "exit code 7"), ("die_by_signal", "killed by signal 9")])
def test_a_child_that_dies_is_noticed_at_once_and_replaced(children: Children, how: str, words: str) -> None:
    with pytest.raises(ChildFailed, match=words):
        children.run(WORK + how, None, deadline_seconds=60)
    assert children.run(WORK + "add", [2], deadline_seconds=30) == 2


def test_a_child_that_eats_memory_fails_alone(children: Children) -> None:
    with pytest.raises((MemoryError, ChildFailed)):
        children.run(WORK + "eat", None, deadline_seconds=60)
    assert children.run(WORK + "add", [3], deadline_seconds=30) == 3


def test_idle_children_that_are_killed_from_outside_are_replaced(children: Children) -> None:
    children.run(WORK + "add", [1], deadline_seconds=30)
    for child in child_processes():
        child.kill()
    wait_for(lambda: not child_processes() or all(child.is_running() for child in child_processes()))
    for number in range(4):
        try:
            assert children.run(WORK + "add", [number], deadline_seconds=30) == number
        except ChildFailed:
            continue  # the one that found out
    assert children.run(WORK + "add", [9], deadline_seconds=30) == 9


def child_processes() -> list[psutil.Process]:
    """The pool's children of this very process, not the fork server itself."""
    return [
        grandchild
        for server in psutil.Process().children()
        if "forkserver" in " ".join(server.cmdline())
        for grandchild in server.children()
    ]


def test_a_child_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_DATABASE_URL", "postgresql://user:CANARY@host/name")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    script = (
        "import sys; from qa.core.children import Children\n"
        "if __name__ == '__main__':\n"
        "    made = Children(1)\n"
        "    print(made.run('tests.core.child_work:look_around', None, deadline_seconds=60))\n"
        "    made.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert "PATH" in done.stdout
    assert "CANARY" not in done.stdout


def test_children_end_when_their_worker_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = (
        "import sys; from qa.core.children import Children\n"
        "if __name__ == '__main__':\n"
        "    Children(2).run('tests.core.child_work:stubborn', sys.argv[1], deadline_seconds=600)"
    )
    worker = subprocess.Popen([sys.executable, "-c", script, str(mark)], cwd=ROOT)
    wait_for(lambda: mark.exists() and bool(mark.read_text(encoding="ascii")))
    family = [process.pid for process in psutil.Process(worker.pid).children(recursive=True)]
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert int(mark.read_text(encoding="ascii")) in family
    wait_for(lambda: not any(alive(pid) for pid in family))


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_two_pieces_of_work_run_side_by_side(children: Children) -> None:
    meeting = threading.Barrier(2, timeout=30)
    answers: list[str] = []

    def one() -> None:
        meeting.wait()
        answers.append(children.run(WORK + "linger", 0.2, deadline_seconds=30))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["done", "done"]
