"""A quiz by keyboard alone, marked by the lead, passed: the whole path in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignedIn

pytestmark = pytest.mark.browser

STEPS = ("Greet with company", "Look whether the screen", "Ask for two of", "Open the account")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the field of this name has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == name:
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_a_quiz_is_done_by_keyboard_alone_and_its_own_words_are_marked(
    page_as: SignedIn, site: object
) -> None:
    page = page_as("agent")
    page.goto(f"{site.url}/training/1")  # type: ignore[attr-defined]
    tab_to(page, "q1")
    page.keyboard.press("ArrowDown")
    tab_to(page, "q2")
    page.keyboard.press("Space")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    names = [page.locator(".place-list li").nth(place).inner_text() for place in range(len(STEPS))]
    for shown in names:
        page.keyboard.press("Tab")
        while not str(page.evaluate("document.activeElement.name")).startswith("q3-"):
            page.keyboard.press("Tab")
        right = next(place for place, step in enumerate(STEPS, start=1) if step in shown)
        page.keyboard.type(str(right))
    tab_to(page, "q4")
    page.keyboard.type("Thank you. One thing more, because we change where your money goes.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Handed in.").first).to_be_visible()

    lead = page_as("lead")
    lead.goto(f"{site.url}/training")  # type: ignore[attr-defined]
    lead.get_by_role("link", name="Dana Ortiz").first.click()
    lead.fill("input[name^=points]", "3")
    lead.keyboard.press("Enter")
    expect(lead.get_by_text("10 of 10")).to_be_visible()

    page.reload()
    expect(page.get_by_text("10 of 10")).to_be_visible()
    page.get_by_role("link", name="Certificate").click()
    expect(page.get_by_text("has completed this training")).to_be_visible()
