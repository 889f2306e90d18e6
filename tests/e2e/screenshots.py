"""Pictures of every page at three sizes, light and dark, into ``screenshots/``; some for the docs."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e import chromium
from tests.e2e.conftest import open_voice_call, ready, sign_in
from tests.e2e.pages import PAGES
from tests.e2e.site import Site

SIZES = {"wide": (1440, 900), "medium": (1024, 768), "phone": (390, 844)}
ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
DOCUMENTED = {"workspace", "my-queue", "evaluation", "agent", "team", "training-quiz"} | {
    "coaching-plan",
    "coaching-session",
}
"""What the pages of the documentation show, wide and light."""


def main() -> None:
    """Take every picture."""
    path = chromium.find()
    if path is None:
        sys.exit(chromium.MISSING)
    folder = ROOT / "screenshots"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        site = Site(Path(data))
        site.fill()
        site.start()
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        try:
            for scheme in ("light", "dark"):
                for size in SIZES:
                    take(browser, site, folder, size, scheme)
        finally:
            browser.close()
            site.stop()
    print(f"{len(list(folder.iterdir()))} pictures in {folder}")


def take(browser: Browser, site: Site, folder: Path, size: str, scheme: str) -> None:
    """Take all pages at one size and in one scheme."""
    width, height = SIZES[size]
    for role, pages in PAGES.items():
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page = context.new_page()

        def keep(name: str, page: Page = page) -> None:
            picture = page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
            if name in DOCUMENTED and (size, scheme) == ("wide", "light"):
                (PICTURES / f"{name}.png").write_bytes(picture)

        page.goto(f"{site.url}/sign-in")
        keep("sign-in")
        sign_in(page, site, role)
        for name, address in pages.items():
            page.goto(f"{site.url}{address}")
            keep(name)
        if role == "evaluator":
            workspace(page, site, keep)
        if role == "coach":
            coached(page, site, keep)
        if role == "agent":
            page.goto(f"{site.url}/evaluations")
            page.locator("table a.title").first.click()
            page.wait_for_load_state("networkidle")
            keep("evaluation")
        context.close()


def coached(page: Page, site: Site, keep: Callable[[str], None]) -> None:
    """Show a plan that is due for review and the next session."""
    for name, kind in (("coaching-plan", "plans"), ("coaching-session", "sessions")):
        page.goto(f"{site.url}/coaching")
        page.locator("li", has_text="Dana Ortiz").locator(f"a.title[href*='/{kind}/']").first.click()
        page.wait_for_load_state("networkidle")
        keep(name)


def workspace(page: Page, site: Site, keep: Callable[[str], None]) -> None:
    """Show a call half answered, and its submit sheet."""
    page.goto(f"{site.url}/queue")
    row = page.locator("tr", has_text="Dana Ortiz").first
    if row.count():
        row.get_by_role("button").first.evaluate("button => button.click()")
        ready(page)
    else:
        open_voice_call(page)
    for key in ("1", "1", "2", "k"):
        page.keyboard.press(key)
    conversation = page.get_by_role("tab", name="Conversation")
    if conversation.is_visible():
        conversation.click()
        page.wait_for_timeout(300)
        keep("conversation")
    page.locator("[data-seek-to]").nth(6).click()
    page.wait_for_timeout(600)
    page.keyboard.press("Space")
    if conversation.is_visible():
        page.get_by_role("tab", name="Form").click()
    page.locator("[data-form]").click(position={"x": 5, "y": 5})
    page.wait_for_timeout(1_200)
    keep("workspace")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#sheet[open]")
    page.wait_for_timeout(300)
    keep("submit-sheet")


if __name__ == "__main__":
    main()
