"""Everything the workspace does by one key, keys of one's own, long lists, templates and silence."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import qa.demo
from tests.e2e.conftest import SignedIn, open_voice_call, ready, saved
from tests.e2e.site import Site

pytestmark = pytest.mark.browser


def place(page: Page) -> float:
    """Where the recording stands, in seconds."""
    at: float = page.evaluate("document.querySelector('audio').currentTime")
    return at


def open_written_case(page: Page) -> None:
    """From the queue, open the first case that is judged by the form with a long list."""
    page.goto("/".join(page.url.split("/")[:3]) + "/queue")
    page.locator("tr", has_text="E-mail and ticket").first.get_by_role("button").click()
    ready(page)


def test_keys_move_in_the_recording(page_as: SignedIn) -> None:
    page = page_as("evaluator")
    open_voice_call(page)
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-clock]")).to_have_text("00:05")
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("j")
    page.keyboard.press("p")
    expect(page.locator("[data-marks] .pin-span")).to_have_count(2)
    clips = page.locator("[data-pins] [data-clip]")
    spans = [float(one) for one in clips.evaluate_all("all => all.map(one => one.dataset.start)")]
    page.keyboard.press("m")  # past the last one: round to the first
    assert place(page) * 1000 == pytest.approx(spans[0], abs=60)
    page.keyboard.press("m")
    assert place(page) * 1000 == pytest.approx(spans[1], abs=60)
    silences = json.loads(str(page.locator("[data-player]").get_attribute("data-silences")))
    following = next(end for start, end in silences if start > place(page) * 1000)
    page.keyboard.press("s")
    assert place(page) * 1000 == pytest.approx(following - 500, abs=60)
    page.keyboard.press("]")
    expect(page.locator("[data-speed]")).to_have_value("1.25")
    page.keyboard.press("[")
    expect(page.locator("[data-speed]")).to_have_value("1")


def test_silence_is_skipped_while_playing(page_as: SignedIn) -> None:
    page = page_as("evaluator")
    open_voice_call(page)
    silences = json.loads(str(page.locator("[data-player]").get_attribute("data-silences")))
    start, end = max(silences, key=lambda one: one[1] - one[0])
    page.get_by_role("button", name="Skip silence").click()
    page.evaluate("at => { document.querySelector('audio').currentTime = at }", start / 1000)
    page.keyboard.press("Space")
    expect(page.locator("[data-skipped]")).to_contain_text("of silence skipped")
    assert place(page) * 1000 >= end - 250


def test_the_sheet_of_keys_template_and_star(page_as: SignedIn) -> None:
    page = page_as("evaluator")
    page.locator(".next-up button").click()
    ready(page)
    page.keyboard.press("?")
    expect(page.locator("#keys[open]")).to_contain_text("Next silence")
    page.keyboard.press("Escape")
    expect(page.locator("#keys[open]")).to_have_count(0)
    first = page.locator(".question.is-current")
    page.keyboard.press("t")
    menu = page.locator("#template-menu")
    expect(menu).to_be_visible()
    expect(menu.get_by_role("button").first).to_be_focused()
    with saved(page):
        page.keyboard.press("Enter")
    expect(first.locator("[data-comment]")).to_have_value(re.compile("Name a day"))
    page.keyboard.press("Escape")
    with saved(page):
        page.keyboard.press("w")
    page.reload()
    ready(page)
    starred = page.locator("[data-star]:checked")
    expect(starred).to_have_count(1)
    expect(page.locator("[data-comment]", has_text="Name a day")).to_have_count(1)


def test_what_concerns_the_whole_conversation_is_kept_and_read_by_the_agent_without_the_private_note(
    page_as: SignedIn,
) -> None:
    page = page_as("evaluator")
    open_written_case(page)
    with saved(page):
        page.locator("#root_cause").select_option("knowledge")
        page.locator("#coaching_note").fill("Show where the rule stands.")
        page.locator("#private_note").fill("Ask Owen about this one.")
    page.reload()
    ready(page)
    expect(page.locator("#root_cause")).to_have_value("knowledge")
    expect(page.locator("#coaching_note")).to_have_value("Show where the rule stands.")
    page.keyboard.press("Control+Enter")
    sheet = page.locator("#sheet[open]")
    expect(sheet).to_contain_text("Show where the rule stands.")
    expect(sheet).not_to_contain_text("Ask Owen")


def test_a_long_list_is_found_by_typing(page_as: SignedIn) -> None:
    page = page_as("evaluator")
    open_written_case(page)
    question = page.locator("[data-ref=topic]")
    question.locator(".ask").click()
    page.keyboard.press("Enter")
    expect(question.locator("[data-narrow]")).to_be_focused()
    page.keyboard.type("pass acc")
    expect(question.locator("[data-long-list] .answer:visible")).to_have_count(1)
    expect(question.locator("[data-narrow-words]")).to_contain_text("1 of 14")
    with saved(page):
        page.keyboard.press("Enter")
    expect(question.locator("input[value=access]")).to_be_checked()
    expect(page.locator(".question.is-current")).not_to_have_attribute("data-ref", "topic")
    question.locator(".ask").click()
    page.keyboard.press("Enter")
    page.keyboard.type("c")
    page.keyboard.press("ArrowDown")
    with saved(page):
        page.keyboard.press("Enter")
    expect(question.locator("input[value=delivery], input[value=contract]")).to_have_count(2)
    expect(question.locator("input[value=access]")).not_to_be_checked()
    question.locator(".ask").click()
    page.keyboard.press("Enter")
    page.keyboard.type("zebra")
    expect(question.locator("[data-narrow-words]")).to_have_text("No option holds these words.")


def test_keys_can_be_changed_and_switched_off(page_as: SignedIn, site: Site) -> None:
    page_as.expected.append("422")  # type: ignore[attr-defined]
    page = page_as("evaluator")
    page.goto(f"{site.url}/account")
    page.get_by_text("Change single keys", exact=True).click()
    page.get_by_role("textbox", name="Next question").fill("h")
    page.get_by_role("textbox", name="Comment template").fill("h")
    page.get_by_role("button", name="Keep these choices").click()
    expect(page.locator("main")).to_contain_text("“Next question” has this key already.")
    page.get_by_role("textbox", name="Comment template").fill("t")
    page.get_by_role("button", name="Keep these choices").click()
    expect(page.locator("main")).to_contain_text("Your choices are kept")

    page.goto(f"{site.url}/queue")
    page.locator(".next-up button").click()
    ready(page)
    refs = page.locator(".question:visible").evaluate_all("all => all.map(one => one.dataset.ref)")
    page.locator(f"[data-ref={refs[0]}] .ask").click()
    page.keyboard.press("j")
    expect(page.locator(".question.is-current")).to_have_attribute("data-ref", refs[0])
    page.keyboard.press("h")
    expect(page.locator(".question.is-current")).to_have_attribute("data-ref", refs[1])
    expect(page.locator("#keys kbd", has_text=re.compile("^h$"))).to_have_count(1)

    page.goto(f"{site.url}/account")
    page.get_by_label(re.compile("Single letters act as keys")).uncheck()
    page.get_by_role("button", name="Keep these choices").click()
    page.goto(f"{site.url}/queue")
    page.locator(".next-up button").click()
    ready(page)
    before = page.locator(".question input:checked").count()
    for key in ("h", "1", "2", "c", "n"):
        page.keyboard.press(key)
    assert page.locator(".question input:checked").count() == before
    page.goto(f"{site.url}/account")
    page.get_by_text("Change single keys", exact=True).click()
    page.get_by_label(re.compile("Single letters act as keys")).check()
    page.get_by_role("button", name="Back to the first keys").click()
    page.get_by_text("Change single keys", exact=True).click()
    expect(page.get_by_role("textbox", name="Next question")).to_have_value("j")


def test_a_skipped_draw_leaves_its_place_to_the_next_one(page_as: SignedIn) -> None:
    page = page_as("evaluator")
    drawn = page.locator("tr", has=page.get_by_role("link", name=re.compile("^Replace Dana Ortiz")))
    before = page.locator("tbody tr").count()
    drawn.last.get_by_role("link").click()
    page.get_by_label("Too short to judge").check()
    page.get_by_role("button", name="Replace it").click()
    expect(page.locator("main")).to_contain_text("Replaced by the next one of the same draw")
    expect(page.locator("tbody tr")).to_have_count(before)
    expect(page.locator("main")).to_contain_text("in place of a skipped one")


def test_without_a_transcript_the_bands_come_from_the_sound(page_as: SignedIn, site: Site) -> None:
    folder = site.folder / "unheard"
    folder.mkdir()
    shutil.copy(Path(qa.demo.__file__).parent / "calls" / "refund.ogg", folder / "refund.ogg")
    line = {
        "external_id": "silent-1",
        "channel": "voice",
        "started_at": "2026-03-14T09:30:00+01:00",
        "subject": "Heard only",
        "agents": [{"email": site.users["agent"]["email"]}],
        "recordings": [{"file": "refund.ogg", "speakers": ["agent", "customer"]}],
    }
    (folder / "calls.jsonl").write_text(json.dumps(line), encoding="utf-8")
    site.command("import", str(folder / "calls.jsonl"), "--recordings", str(folder))
    site.command("jobs", "run", "--until-empty")
    page = page_as("agent")
    page.goto(f"{site.url}/interactions?q=Heard")
    page.get_by_role("link", name="Heard only").click()
    expect(page.locator(".lanes .band-silence").first).to_be_attached()
    expect(page.locator("main")).to_contain_text("No words yet")
