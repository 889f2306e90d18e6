"""Everybody can use it: no serious finding of axe, light and dark; nothing spills out on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import SignedIn, open_voice_call, ready
from tests.e2e.pages import PAGES

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "assets" / "node_modules" / "axe-core" / "axe.min.js"


def findings(page: Page) -> list[str]:
    """Return what axe calls serious or critical on the page as it stands."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations)")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}"
        for one in violations
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
@pytest.mark.parametrize("role", list(PAGES))
def test_axe_finds_nothing_serious_and_nothing_spills_out(
    page_as: SignedIn, site: object, role: str, scheme: str, width: int
) -> None:
    page = page_as(role, scheme=scheme, width=width)
    found: dict[str, object] = {}
    for path in PAGES[role].values():
        shown = page.goto(f"{site.url}{path}")  # type: ignore[attr-defined]
        assert shown is not None
        assert shown.ok, path
        if problems := findings(page):
            found[path] = problems
        elif (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            found[path] = f"{wide} pixels wide"
    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_workspace_and_its_sheet(page_as: SignedIn, scheme: str) -> None:
    page = page_as("evaluator", scheme=scheme)
    open_voice_call(page)
    page.keyboard.press("1")
    page.wait_for_timeout(900)
    assert findings(page) == []
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#sheet[open]")
    assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_evaluation_page(
    page_as: SignedIn, site: object, scheme: str
) -> None:
    page = page_as("agent", scheme=scheme)
    page.goto(f"{site.url}/evaluations")  # type: ignore[attr-defined]
    page.locator("table a.title").first.click()
    assert findings(page) == []


def test_the_workspace_fits_a_phone_with_form_and_conversation_as_tabs(page_as: SignedIn) -> None:
    page = page_as("evaluator", width=390, height=844)
    page.locator(".next-up button").click()
    ready(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("tab", name="Conversation").click()
    assert page.locator("[data-transcript]").is_visible()
    page.get_by_role("tab", name="Form").click()
    assert page.locator(".question").first.is_visible()
