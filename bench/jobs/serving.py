"""From the command to the first answer, and what the process holds then and after a thousand pages."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.jobs.browser import Browser
from bench.measure import Measured, Work, in_turns
from bench.stage import Server, Stage, clean, qa, serve

REQUESTS = 1_000


def start(stage: Stage) -> Measured:
    """Time ``qa serve`` up to its first page with a form."""
    site = stage.empty("start")

    def once(command: list[str], folder: Path, environment: dict[str, str], page: str) -> Work:
        return lambda: serve(command, folder, environment, page).stop()

    return in_turns(
        once(floor_command(site.folder), site.folder, clean(), "/"),
        once(qa("serve"), site.folder, site.environment(), "/sign-in"),
    )


def floor_command(folder: Path) -> list[str]:
    """Return the floor's server without data."""
    return [sys.executable, "-m", "bench.floors.site", "--folder", str(folder)]


def idle_memory(stage: Stage) -> Measured:
    """Return what the product holds after its first page, in what the floor holds."""
    site = stage.empty("idle")
    floor = serve(floor_command(site.folder), site.folder, clean(), "/")
    job = serve(qa("serve"), site.folder, site.environment(), "/sign-in")
    try:
        return Measured(
            job.memory_mib / floor.memory_mib, note=f"{job.memory_mib:.0f} over {floor.memory_mib:.0f} MiB"
        )
    finally:
        floor.stop()
        job.stop()


def busy_memory(stage: Stage) -> Measured:
    """Return what the product holds after a thousand pages of several kinds, in MiB."""
    site = stage.site()
    server: Server | None = site.server
    assert server is not None
    manager, evaluator = (Browser(site.port).sign_in(site.users[role]) for role in ("manager", "evaluator"))
    pages = (
        (manager, "/interactions"),
        (manager, "/evaluations"),
        (evaluator, "/queue"),
        (manager, "/people"),
    )
    for number in range(REQUESTS):
        browser, path = pages[number % len(pages)]
        browser.get(path)
    return Measured(server.memory_mib)
