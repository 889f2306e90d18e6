"""An evaluator's day in a real browser, and what agent and lead make of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignedIn, open_voice_call, ready, saved

pytestmark = pytest.mark.browser


def answer_whole_call(page: Page) -> None:
    """Answer the voice form by keys only, failing question 3 with comment and evidence."""
    for key in ("1", "1", "2"):
        page.keyboard.press(key)
    page.keyboard.press("k")
    page.keyboard.press("p")
    page.keyboard.press("c")
    page.keyboard.type("No second question before the account is opened.")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    with saved(page):
        page.keyboard.press("1")  # understood
        page.keyboard.press("1")  # about a refund: opens two questions
    for _ in range(4):  # refund steps, date, next step, hold
        with saved(page):
            page.keyboard.press("1")
    page.keyboard.press("4")  # empathy
    page.locator("[data-ref=interruptions] input").first.fill("0")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("1")  # closing
    with saved(page):
        page.keyboard.press("2")  # nothing beyond


def test_an_evaluator_scores_a_call_by_keyboard_the_agent_acknowledges_and_a_lead_revises(
    page_as: SignedIn,
) -> None:
    page = page_as("evaluator")
    expect(page.locator("h1")).to_contain_text("Mara")
    open_voice_call(page)

    page.keyboard.press("Space")
    expect(page.locator("[data-clock]")).not_to_have_text("00:00")
    page.keyboard.press("Space")
    expect(page.locator("[data-transcript] [aria-current]")).to_have_count(1)

    answer_whole_call(page)
    expect(page.locator("[data-fail-banner]")).to_contain_text("Verified identity")
    expect(page.locator("[data-raw]")).to_have_text("90.0")
    expect(page.locator("[data-ref=identity] .clip")).to_have_count(1)
    expect(page.locator("[data-marks] .pin-span")).to_have_count(1)

    page.keyboard.press("Control+Enter")
    sheet = page.locator("#sheet[open]")
    expect(sheet).to_contain_text("because question 3 was answered “No”")
    expect(sheet.locator("svg.wide")).to_have_attribute("aria-label", re.compile("Score waterfall"))
    address = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != address)
    ready(page)  # the next one in the queue is open
    evaluation = address.removesuffix("/work")

    agent = page_as("agent")
    agent.goto(evaluation)
    expect(agent.locator(".verdict").first).to_contain_text("The score is 0.0 for one reason")
    expect(agent.locator(".clip").first).to_be_visible()
    agent.fill("textarea[name=comment]", "I will ask for two facts.")
    agent.get_by_role("button", name="I have read it").click()
    expect(agent.locator("main")).to_contain_text("Acknowledged")

    lead = page_as("lead")
    lead.goto(f"{evaluation}/revise")
    lead.locator("[data-ref=identity] input[value=y]").check(force=True)
    lead.fill("textarea[name=reason]", "The phone menu had verified the caller.")
    lead.get_by_role("button", name="Revise").click()
    expect(lead.locator(".figure-large")).to_have_text("100.0")

    agent.reload()
    expect(agent.locator("#acknowledge")).to_be_visible()  # asked again
    agent.get_by_role("link", name="Version 1 and what changed").click()
    expect(agent.locator("main")).to_contain_text("The phone menu had verified the caller.")


def test_a_newcomer_has_a_conversation_open_within_two_clicks(page_as: SignedIn) -> None:
    page = page_as("evaluator")
    page.locator(".next-up button").click()
    ready(page)
    expect(page.locator(".question").first).to_be_visible()


def test_single_letters_do_nothing_while_somebody_types(page_as: SignedIn) -> None:
    page = page_as("evaluator")
    page.locator(".next-up button").click()
    ready(page)
    page.locator("#private_note").fill("")
    before = page.locator(".question input:checked").count()
    page.locator("#private_note").press_sequentially("1 n c p j 2")
    expect(page.locator("#private_note")).to_have_value("1 n c p j 2")
    assert page.locator(".question input:checked").count() == before
