"""Two tabs, a dead server, a closed tab, an expired session: what was typed is still there."""

from __future__ import annotations

import random
import time

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.breaks import EXPECTED, KINDS, WORK
from tests.e2e.conftest import SignedIn, open_voice_call, ready, saved, sign_in
from tests.e2e.site import Site
from tests.reliability.scale import TORTURE, times

pytestmark = pytest.mark.browser

BREAKS = times(5, 50)
RESTORED_SECONDS = 2.0
CHOICES = {"greeting": ("y", "n"), "closing": ("y", "n"), "understood": ("fully", "partly", "n")}
NETWORK = ("Failed to load resource", "net::ERR")


def a_draft(page: Page) -> str:
    """Open the second playable call and return its address."""
    open_voice_call(page)
    return page.url


def test_two_tabs_that_answer_the_same_question_get_a_choice_and_different_questions_merge(
    page_as: SignedIn, site: Site
) -> None:
    page_as.expected.append("409")  # type: ignore[attr-defined]
    first = page_as("evaluator")
    address = a_draft(first)
    second = page_as("evaluator")  # another browser: no channel between the two
    second.goto(address)
    ready(second)

    with saved(first):
        first.locator("[data-ref=closing] input[value=y]").check(force=True)
    with saved(second):
        second.locator("[data-ref=greeting] input[value=n]").check(force=True)
    expect(second.locator("[data-ref=closing] input[value=y]")).to_be_checked()  # merged without a question

    first.locator("[data-ref=greeting] input[value=y]").check(force=True)
    dialog = first.locator("#conflict[open]")
    expect(dialog).to_contain_text("Question 1")
    expect(dialog).to_contain_text("There: No")
    expect(dialog).to_contain_text("Here: Yes")
    with saved(first):
        dialog.get_by_role("button", name="Keep what I chose").click()
    second.reload()
    ready(second)
    expect(second.locator("[data-ref=greeting] input[value=y]")).to_be_checked()


def test_a_server_killed_in_mid_typing_and_started_again_loses_nothing(page_as: SignedIn, site: Site) -> None:
    page_as.expected.extend(NETWORK)  # type: ignore[attr-defined]
    page = page_as("evaluator")
    a_draft(page)
    site.kill()
    text = "Typed while the server was dead: ümläut, 日本語, שלום."
    page.locator("[data-ref=understood] input[value=partly]").check(force=True)
    page.locator("[data-ref=understood] [data-open-comment]").click()
    page.locator("[data-ref=understood] [data-comment]").fill(text)
    expect(page.locator("[data-save-words]")).to_contain_text("Not saved yet")
    site.start()
    expect(page.locator("[data-save-state]")).to_have_attribute("data-state", "saved", timeout=40_000)
    page.reload()
    ready(page)
    expect(page.locator("[data-ref=understood] input[value=partly]")).to_be_checked()
    expect(page.locator("[data-ref=understood] [data-comment]")).to_have_value(text)


def test_a_closed_tab_with_unsaved_changes_gives_them_back(page_as: SignedIn, site: Site) -> None:
    page_as.expected.extend(NETWORK)  # type: ignore[attr-defined]
    page = page_as("evaluator")
    address = a_draft(page)
    page.route("**/draft", lambda route: route.abort())
    page.locator("[data-ref=next-step] input[value=n]").check(force=True)
    expect(page.locator("[data-save-words]")).to_contain_text("Not saved yet")
    kept = page.evaluate("Object.values(localStorage).join('')")
    assert "next-step" not in kept  # sealed, not readable on the disk
    page.close(run_before_unload=False)

    again = page_as_same(page, site, address)
    expect(again.locator("[data-notice]")).to_contain_text("restored")
    expect(again.locator("[data-ref=next-step] input[value=n]")).to_be_checked()
    expect(again.locator("[data-save-state]")).to_have_attribute("data-state", "saved", timeout=15_000)


def page_as_same(page: Page, site: Site, address: str) -> Page:
    """Open a new tab in the same browser profile."""
    again = page.context.new_page()
    again.goto(address)
    ready(again)
    return again


def test_an_expired_session_says_so_and_the_work_returns_after_sign_in(page_as: SignedIn, site: Site) -> None:
    page_as.expected.extend((*NETWORK, "401"))  # type: ignore[attr-defined]
    page = page_as("evaluator")
    address = a_draft(page)
    page.context.clear_cookies()
    page.locator("[data-ref=recording-notice] input[value=na]").check(force=True)
    expect(page.locator("[data-notice]")).to_contain_text("Your session has expired")
    page.close(run_before_unload=False)
    again = page.context.new_page()
    sign_in(again, site, "evaluator")
    again.goto(address)
    ready(again)
    expect(again.locator("[data-ref=recording-notice] input[value=na]")).to_be_checked()


def test_the_page_works_as_a_plain_form_without_scripts(page_as: SignedIn, site: Site) -> None:
    page = page_as("evaluator", java_script_enabled=False)
    page.locator(".next-up button").click()
    page.locator("[data-ref=hold] input[value=both]").check(force=True)
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator("[data-ref=hold] input[value=both]")).to_be_checked()
    page.get_by_role("button", name="Review and submit").click()
    expect(page.locator("h2#sheet-title")).to_be_visible()


def test_nothing_answered_is_lost_over_many_breaks(page_as: SignedIn, site: Site) -> None:
    page_as.expected.extend(EXPECTED)  # type: ignore[attr-defined]
    chance = random.Random(13)
    page = page_as("evaluator")
    open_voice_call(page)
    WORK[:] = [page.url]
    stands = "name => document.querySelector(`[data-ref=${name}] input:checked`)?.value"
    given: dict[str, str] = {name: found for name in CHOICES if (found := page.evaluate(stands, name))}
    slowest = 0.0
    for number in range(BREAKS):
        question = chance.choice(list(CHOICES))
        value = chance.choice([one for one in CHOICES[question] if one != given.get(question)])
        given[question] = value

        def act(page: Page, at: str = f"[data-ref={question}] input[value={value}]") -> None:
            page.locator(at).check(force=True)

        kind = KINDS[number] if number < len(KINDS) else chance.choice(KINDS)
        page = kind(page, site, act)
        healed = time.monotonic()
        for name, answer in given.items():
            expect(page.locator(f"[data-ref={name}] input[value={answer}]")).to_be_checked()
        slowest = max(slowest, time.monotonic() - healed)
        expect(page.locator("[data-save-state]")).to_have_attribute("data-state", "saved", timeout=40_000)
    if TORTURE:
        assert slowest <= RESTORED_SECONDS
    page.reload()
    ready(page)
    for name, answer in given.items():
        expect(page.locator(f"[data-ref={name}] input[value={answer}]")).to_be_checked()
