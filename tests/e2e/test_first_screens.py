"""What each role sees first: the right next act, and no link that leads nowhere."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignedIn, ready
from tests.e2e.site import Site

pytestmark = pytest.mark.browser

FIRST = {
    "evaluator": ("/queue", "to do"),
    "agent": ("/", "for you to read"),
    "lead": ("/", "Who has what"),
    "manager": ("/", "Who has what"),
    "coach": ("/", "All coaching"),
    "ops": ("/", "Newest evaluations"),
    "calibrator": ("/", "Runs calibrations"),
    "privacy": ("/", "Decides on retention"),
    "auditor": ("/", "Reads the audit log"),
    "admin": ("/people", "Add a person"),
}
NOISE = re.compile(r"\b(None|undefined|NaN|null)\b|\{\{|<function|object at 0x")


def links(page: Page) -> set[str]:
    """The addresses of this site that a page leads to."""
    found = page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
    return {one.split("#")[0] for one in found if urlsplit(one).netloc == urlsplit(page.url).netloc}


@pytest.mark.parametrize("role", list(FIRST))
def test_the_first_screen_is_right_and_every_link_on_it_and_in_the_menu_leads_somewhere(
    page_as: SignedIn, site: Site, role: str
) -> None:
    page = page_as(role)
    path, words = FIRST[role]
    assert urlsplit(page.url).path == path
    expect(page.locator("main")).to_contain_text(words)
    seen, waiting = set(), links(page)
    for menu in page.eval_on_selector_all("nav.side-nav a", "all => all.map(one => one.href)"):
        page.goto(menu)
        assert not NOISE.search(page.locator("main").inner_text()), menu
        waiting |= links(page)
    for address in sorted(waiting - seen)[:80]:
        answer = page.request.get(address, max_redirects=2)
        assert answer.status < 400, f"{address} of {role}: {answer.status}"


def test_a_newcomer_has_a_conversation_open_and_scorable_within_two_clicks(page_as: SignedIn) -> None:
    page = page_as("evaluator")
    page.locator(".next-up button").click()  # the first click
    ready(page)
    page.locator(".question.is-current .answer").first.click()  # the second one scores
    expect(page.locator(".question input:checked")).not_to_have_count(0)


def test_nothing_moves_for_those_who_asked_for_less_motion(page_as: SignedIn) -> None:
    page = page_as("evaluator", reduced_motion="reduce")
    page.locator(".next-up button").click()
    ready(page)
    moving = page.evaluate(
        """() => [...document.querySelectorAll('*')].filter((one) => {
          const style = getComputedStyle(one);
          return style.transitionDuration.split(',').some((time) => parseFloat(time) > 0)
            || (style.animationName !== 'none' && parseFloat(style.animationDuration) > 0);
        }).map((one) => one.className)"""
    )
    assert moving == []


def test_the_focus_is_never_lost(page_as: SignedIn) -> None:
    page = page_as("evaluator")
    page.locator(".next-up button").click()
    ready(page)
    focused = "document.activeElement === document.body ? 'lost' : document.activeElement.tagName"
    page.get_by_role("button", name="Keyboard help").click()
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "BUTTON"
    page.locator("[data-submit]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#sheet[open]")
    page.keyboard.press("Escape")
    assert page.evaluate(focused) == "BUTTON"
    message = page.locator(".message[data-turn], .utterance").first
    message.click()
    question = page.locator(".question").first
    question.locator("[data-pin]").focus()
    page.keyboard.press("Enter")
    remove = question.locator("[data-remove-pin]")
    remove.focus()
    page.keyboard.press("Enter")
    expect(remove).to_have_count(0)
    expect(question.locator("[data-pin]")).to_be_focused()
    expect(page.locator("[data-told]")).to_have_text("Evidence removed")
