"""Browser tests: a real Chromium on a real site; every page must leave the console empty."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.e2e import chromium
from tests.e2e.site import Site

SignedIn = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; without one these tests fail, they never skip."""
    path = chromium.find()
    if path is None:
        pytest.fail(chromium.MISSING)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo site that nobody serves: each test file gets a copy."""
    folder = tmp_path_factory.mktemp("filled")
    size = ("--interactions", "220", "--evaluations", "60", "--transcripts", "220", "--agents", "12")
    Site(folder).fill(*size)
    return folder


@pytest.fixture(scope="module")
def site(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A served demo site, one for each test file."""
    folder = tmp_path_factory.mktemp("site") / "data"
    shutil.copytree(filled, folder)
    made = Site(folder)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def page_as(browser: Browser, site: Site) -> Iterator[SignedIn]:
    """Open a page signed in as a role, in a browser profile of its own."""
    contexts: list[BrowserContext] = []
    said: list[str] = []
    expected: list[str] = []

    def opened(
        role: str, *, width: int = 1440, height: int = 900, scheme: str = "light", **options: object
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: note(said, message))
        page.on("pageerror", lambda error: said.append(str(error)))
        sign_in(page, site, role)
        return page

    opened.expected = expected  # type: ignore[attr-defined]
    yield opened
    for context in contexts:
        context.close()
    unexpected = [line for line in said if not any(part in line for part in expected)]
    assert unexpected == []


def note(said: list[str], message: ConsoleMessage) -> None:
    """Keep what a browser complains about."""
    if message.type in {"error", "warning"}:
        said.append(message.text)


def sign_in(page: Page, site: Site, role: str) -> None:
    """Sign in through the form, as a person does."""
    user = site.users[role]
    page.goto(f"{site.url}/sign-in")
    page.fill("input[name=email]", user["email"])
    page.fill("input[name=password]", user["password"])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.wait_for_load_state("networkidle")


@contextmanager
def saved(page: Page) -> Iterator[None]:
    """Do something, then wait until the page says it is saved."""
    yield
    page.wait_for_timeout(200)
    expect(page.locator("[data-save-state]")).to_have_attribute("data-state", "saved", timeout=15_000)


def open_voice_call(page: Page) -> None:
    """From the queue, open the first call that can be heard."""
    following = page.locator(".next-up", has_text="voice")
    if following.count():
        following.get_by_role("button").click()
    else:
        heard = page.locator("td").filter(has_text=re.compile(r"\b1:(12|02|20),"))
        page.locator("tr", has=heard).first.get_by_role("button").click()
    ready(page)


def ready(page: Page) -> None:
    """Wait until the workspace answers to keys."""
    page.wait_for_selector("body[data-ready]")
