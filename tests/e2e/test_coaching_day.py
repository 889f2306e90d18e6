"""The coach's day: a plan from a template, a session with a clip, notes of both kinds; the agent confirms."""

from __future__ import annotations

import re
import time
from datetime import date, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignedIn
from tests.e2e.site import Site

pytestmark = pytest.mark.browser

SECRET = "confidence is better than in october"


def test_a_coach_makes_a_plan_holds_a_session_and_the_agent_confirms(page_as: SignedIn, site: Site) -> None:
    coach, agent = page_as("coach"), page_as("agent")
    begun = time.monotonic()
    new_plan(coach, site)
    assert time.monotonic() - begun < 60
    pull_a_clip(coach, site)
    hold(coach)
    agent.goto(f"{site.url}/notices")
    agent.get_by_role("link", name=re.compile("Read and confirm your session")).first.click()
    expect(agent.get_by_text("She heard it herself.")).to_be_visible()
    expect(agent.get_by_text("A private note exists.")).to_be_visible()
    assert SECRET not in agent.content()
    agent.get_by_role("button", name="I confirm").click()
    expect(agent.get_by_text("Confirmed.")).to_be_visible()
    agent.goto(f"{site.url}/coaching")
    agent.get_by_role("button", name=re.compile("Done.*Use the sentence")).click()
    expect(agent.get_by_text("Use the sentence")).to_have_count(0)


def new_plan(page: Page, site: Site) -> None:
    """From a template, begun at once, with its first session on a coming Wednesday."""
    page.goto(f"{site.url}/coaching")
    page.get_by_role("link", name="New plan").click()
    page.get_by_role("link", name="A calm ending").click()
    page.get_by_label("Agent", exact=True).select_option(label="Dana Ortiz, Billing North")
    page.get_by_label("First session on").fill(next_wednesday())
    page.get_by_label("at", exact=True).fill("10:00")
    page.get_by_role("button", name="Begin now").click()
    expect(page.get_by_text("The plan runs.")).to_be_visible()


def next_wednesday() -> str:
    """A Wednesday to come, as the field takes it."""
    today = date.today()
    return str(today + timedelta(days=(9 - today.weekday()) % 7 or 7))


def pull_a_clip(page: Page, site: Site) -> None:
    """Three clicks from the agent's evaluation."""
    page.goto(f"{site.url}/evaluations")
    page.locator("tr", has_text="Dana Ortiz").first.get_by_role("link").first.click()
    page.get_by_role("link", name="Into a session").click()
    page.get_by_label(re.compile("A calm ending")).check()
    page.get_by_role("button", name="Pull it in").click()
    expect(page.get_by_text("The clip is in the session.")).to_be_visible()


def hold(page: Page) -> None:
    """Notes, a to-do, the end."""
    page.get_by_label(re.compile("^Shared")).fill("She heard it herself.")
    page.get_by_role("button", name="Save what is shared").click()
    page.get_by_label(re.compile("^Private")).fill(SECRET)
    page.get_by_role("button", name="Save the private note").click()
    page.get_by_label("Who", exact=True).select_option(label="Dana Ortiz")
    page.get_by_label("What is to be done").fill("Use the sentence")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="End and send to confirm").click()
    expect(page.get_by_text("Closed. Everybody in it is asked to confirm.")).to_be_visible()
