"""The whole day with scripts switched off: score with evidence, replace, submit, read, revise, release."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignedIn
from tests.e2e.site import Site

pytestmark = pytest.mark.browser


def open_case(page: Page, words: str) -> None:
    """From the queue, open the first case of this scorecard."""
    page.locator("tr", has_text=words).first.get_by_role("button").click()
    expect(page.locator("[data-form]")).to_be_visible()


def choose(page: Page, ref: str, value: str) -> None:
    """Tick an answer."""
    page.locator(f"[data-ref={ref}] [data-answers] input[value='{value}']").check(force=True)


def test_a_written_case_is_scored_with_evidence_and_read_by_its_agent(page_as: SignedIn, site: Site) -> None:
    page_as.expected.append("422")  # type: ignore[attr-defined]
    page = page_as("evaluator", java_script_enabled=False)
    open_case(page, "E-mail and ticket")
    for ref, value in {
        "concern": "fully",
        "correct": "n",
        "steps": "history",
        "privacy": "y",
        "topic": "refund",
        "structure": "y",
        "plain": "5",
        "courtesy": "4",
        "spelling": "y",
        "reopened": "na",
        "notes": "na",
        "kept": "na",
        "cause": "n",
    }.items():
        choose(page, ref, value)
    wrong = page.locator("[data-ref=correct]")
    wrong.locator("[data-comment]").fill("The refund was already on its way.")
    wrong.locator("input[name$=-evidence]").fill("999")
    page.locator("#coaching_note").fill("Show where the state of a refund stands.")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".error-summary")).to_contain_text("type the number of a line")
    expect(wrong.locator("[data-comment]")).to_have_value("The refund was already on its way.")
    wrong.locator("input[name$=-evidence]").fill("2")
    page.get_by_role("button", name="Review and submit").click()

    expect(page.locator("h2#sheet-title")).to_be_visible()
    expect(page.locator("main")).to_contain_text("The solution is correct: Wrong")
    expect(page.locator("main")).to_contain_text("Show where the state of a refund stands.")
    evaluation = re.search(r"/evaluations/(\d+)/", page.url)
    assert evaluation is not None
    page.get_by_role("button", name=re.compile("^Submit")).click()
    expect(page).not_to_have_url(re.compile(f"/evaluations/{evaluation[1]}/"))

    page.goto(f"{site.url}/evaluations/{evaluation[1]}")
    expect(page.locator("main")).to_contain_text("The refund was already on its way.")
    expect(page.locator("#coaching")).to_contain_text("Show where the state of a refund stands.")
    expect(page.locator(".clip").first).to_be_visible()


def test_a_pinned_line_is_taken_away_again(page_as: SignedIn) -> None:
    page = page_as("evaluator", java_script_enabled=False)
    open_case(page, "Chat")
    first = page.locator(".question").first
    first.locator("input[name$=-evidence]").fill("1")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".question").first.locator(".clip")).to_have_count(1)
    page.locator(".question").first.get_by_label(re.compile("^Remove")).check()
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".question").first.locator(".clip")).to_have_count(0)


def test_replace_filter_and_keys_work_as_plain_forms(page_as: SignedIn, site: Site) -> None:
    page = page_as("evaluator", java_script_enabled=False)
    page.get_by_role("link", name=re.compile("^Replace")).last.click()
    page.get_by_label("Too short to judge").check()
    page.get_by_role("button", name="Replace it").click()
    expect(page.locator("main")).to_contain_text(re.compile("Replaced|Skipped"))
    page.goto(f"{site.url}/interactions")
    page.get_by_label("Channel").select_option("voice")
    page.get_by_role("button", name="Filter").click()
    assert "channel=voice" in page.url
    page.goto(f"{site.url}/account")
    page.get_by_text("Change single keys", exact=True).click()
    page.get_by_role("textbox", name="Pin evidence").fill("e")
    page.get_by_role("button", name="Keep these choices").click()
    expect(page.locator("main")).to_contain_text("Your choices are kept")


def test_agent_and_lead_go_their_way(page_as: SignedIn, site: Site) -> None:
    agent = page_as("agent", java_script_enabled=False)
    agent.get_by_role("link", name=re.compile("^Read it")).click()
    evaluation = agent.url
    agent.get_by_label("Comment").fill("I had the old process in mind.")
    agent.get_by_role("button", name="I have read it").click()
    expect(agent.locator("main")).to_contain_text("Acknowledged")

    lead = page_as("lead", java_script_enabled=False)
    lead.goto(f"{evaluation}/revise")
    lead.locator("[data-comment]").first.fill("Heard again together.")
    lead.locator("textarea[name=reason]").fill("The comment said too little.")
    lead.get_by_role("button", name="Revise").click()
    expect(lead.locator("main")).to_contain_text("The comment said too little.")
    lead.goto(f"{site.url}/interactions?channel=chat")
    lead.locator("table a.title").first.click()
    lead.get_by_role("link", name=re.compile("^Show them")).click()
    expect(lead.locator("h1")).to_contain_text("Evaluations of this conversation")
