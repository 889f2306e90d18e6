"""Lists of fifty: the first page, a deep one, a team's, one's own queue; and the same grown."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import quote

from bench.jobs.browser import Browser
from bench.measure import Measured, in_turns
from bench.stage import SIZES, SMALL, Site, Stage

CALLS = 6
DEEP_DAYS = 60


def first(stage: Stage) -> Measured:
    """Time the newest fifty conversations."""
    return beside_floor(stage, "manager", "/interactions", "/list")


def deep(stage: Stage) -> Measured:
    """Time fifty conversations two months back."""
    return beside_floor(stage, "manager", deep_path(stage), f"/list?before={stage.rows // 3}")


def team(stage: Stage) -> Measured:
    """Time the newest fifty of one team."""
    return beside_floor(stage, "manager", team_path(stage.site(stage.rows)), "/list?team=7")


def queue(stage: Stage) -> Measured:
    """Time one's own queue."""
    return beside_floor(stage, "evaluator", "/queue", "/list")


def first_grown(stage: Stage) -> Measured:
    """Time the first page over ten thousand rows and over the larger instance."""
    return grown(stage, "manager", "/interactions", "/interactions")


def deep_grown(stage: Stage) -> Measured:
    """Time a deep page over both."""
    return grown(stage, "manager", deep_path(stage), deep_path(stage))


def team_grown(stage: Stage) -> Measured:
    """Time a team's page over both."""
    return grown(
        stage,
        "manager",
        team_path(stage.site(SIZES[SMALL])),
        team_path(stage.site(stage.rows)),
    )


def queue_grown(stage: Stage) -> Measured:
    """Time one's queue over both."""
    return grown(stage, "evaluator", "/queue", "/queue")


def beside_floor(stage: Stage, role: str, path: str, floor_path: str) -> Measured:
    """Time a page of the larger instance beside the floor over as many rows."""
    browser, floor = person(stage, stage.rows, role), Browser(stage.floor(stage.rows).port)
    found = in_turns(lambda: floor.get(floor_path), lambda: browser.get(path), calls=CALLS)
    found.sql = browser.statements
    return found


def grown(stage: Stage, role: str, small_path: str, large_path: str) -> Measured:
    """Time the same page over few and over many rows; its statements must be the same."""
    few, many = person(stage, SIZES[SMALL], role), person(stage, stage.rows, role)
    found = in_turns(lambda: few.get(small_path), lambda: many.get(large_path), calls=CALLS)
    if few.statements != many.statements:
        found.note = f"{few.statements} statements became {many.statements}"
        found.value = float("inf")
    return found


def person(stage: Stage, rows: int, role: str) -> Browser:
    """Return a signed-in browser, one for each role and size."""

    def make() -> Browser:
        site = stage.site(rows)
        return Browser(site.port).sign_in(site.users[role])

    found: Browser = stage.once(f"{role} over {rows}", make)
    return found


def deep_path(stage: Stage) -> str:
    """Return the page that begins two months before the instance's last day."""
    newest = person(stage, stage.rows, "manager").get("/interactions")
    shown = re.search(r"after=(\d{4}-\d\d-\d\d)", newest)
    last = datetime.fromisoformat(shown[1]) if shown else datetime.now()
    key = f"{last - timedelta(days=DEEP_DAYS):%Y-%m-%d}T12:00:00+00:00~1"
    return f"/interactions?after={quote(key)}"


def team_path(site: Site) -> str:
    """Return the list of one team of fifteen."""
    page = Browser(site.port).sign_in(site.users["manager"]).get("/interactions")
    teams = re.findall(r'<option value="(\d+)"[^>]*>(?:&[^;]+;|\s)*Orders North 2<', page) or re.findall(
        r'<option value="(\d+)"[^>]*>[^<]*Orders North<', page
    )
    return f"/interactions?team={teams[0]}"
