"""Ways in which a page, its road or its server break while somebody answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Error, Page, expect

from tests.e2e.conftest import ready, sign_in
from tests.e2e.site import Site

EXPECTED = ("Failed to load resource", "net::ERR", "401", "Page crashed")


def network_gone(page: Page, site: Site, act: Callable[[Page], None]) -> Page:
    """The road is away while somebody answers, and comes back."""
    page.context.set_offline(True)
    act(page)
    expect(page.locator("[data-save-words]")).to_contain_text("Not saved yet")
    page.context.set_offline(False)
    return page


def server_killed(page: Page, site: Site, act: Callable[[Page], None]) -> Page:
    """The server dies, and is started again."""
    site.kill()
    act(page)
    site.start()
    return page


def tab_closed(page: Page, site: Site, act: Callable[[Page], None]) -> Page:
    """The tab is closed with what was not saved."""
    page.context.set_offline(True)
    act(page)
    page.wait_for_timeout(500)
    return opened_anew(page, site)


def tab_crashed(page: Page, site: Site, act: Callable[[Page], None]) -> Page:
    """The tab crashes with what was not saved."""
    page.context.set_offline(True)
    act(page)
    page.wait_for_timeout(500)
    with suppress(Error):
        page.goto("chrome://crash", timeout=2_000)
    return opened_anew(page, site)


def sign_in_expired(page: Page, site: Site, act: Callable[[Page], None]) -> Page:
    """The session ends while somebody answers."""
    page.context.clear_cookies()
    act(page)
    expect(page.locator("[data-notice]")).to_contain_text("Your session has expired")
    return opened_anew(page, site, signs_in=True)


def opened_anew(page: Page, site: Site, *, signs_in: bool = False) -> Page:
    """Open the same draft in a new tab of the same browser."""
    address = WORK[0]
    again = page.context.new_page()
    page.close(run_before_unload=False)
    again.context.set_offline(False)
    if signs_in:
        sign_in(again, site, "evaluator")
    again.goto(address)
    ready(again)
    return again


KINDS = (network_gone, tab_crashed, sign_in_expired, tab_closed, server_killed)
WORK: list[str] = []
