"""From a sound file on the disk to a suggested answer whose evidence can be played."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from qa.accounts.models import User
from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.evaluations import assign_service
from qa.evaluations.autoscorer_models import Scorer
from qa.interactions.models import Interaction
from qa.scorecards import service as scorecards
from tests.e2e.conftest import ready
from tests.e2e.site import Site
from tests.interactions.sounds import tone, wav
from tests.interactions.speech_plugins import SCORER, TRANSCRIBER
from tests.plugins import plugs

SignedIn = Callable[..., Page]
LINES = [
    [0.5, 2.0, "agent", "Which card shall I use?"],
    [2.5, 4.0, "customer", "It is 5500 0000 0000 0004."],
    [4.5, 6.0, "agent", "Thank you, that is done."],
]
FORM = """
form: thanks
title: Thanks
mode: weighted_questions
sections:
  - ref: all
    title: All
    questions:
      - ref: thanked
        text: Thanked the customer
        type: single
        weight: 100
        options: [{ref: y, text: "Yes", points: 1}, {ref: n, text: "No", points: 0}]
        auto: {say: ["thank you"], who: agent, answer: {met: y, not_met: n}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A served site with a transcriber and a scorer, and one call that came in as sound only."""
    folder = tmp_path_factory.mktemp("site")
    made = Site(folder)
    made.env["QA_PLUGINS_DIR"] = str(folder / "plugins")
    filled = {"lines": json.dumps(LINES), "log": str(folder / "log.txt"), "pause": 0}
    plugs.write(folder / "plugins", "knows", TRANSCRIBER.format(**filled))
    plugs.write(folder / "plugins", "looks", SCORER)
    made.command("upgrade")
    made.command("demo", "--interactions", "40", "--evaluations", "4", "--transcripts", "10", "--agents", "6")
    for name in ("knows", "looks"):
        made.command("plugin", "enable", name)
    (folder / "call.wav").write_bytes(wav(tone(8), tone(8, hertz=300)))
    line = {
        "external_id": "W-1",
        "channel": "voice",
        "language": "en",
        "subject": "Paid by card",
        "started_at": "2026-03-14T09:30:00Z",
        "agents": [{"email": "dana@example.org", "name": "Dana Fox"}],
        "recordings": [{"file": "call.wav", "speakers": ["agent", "customer"]}],
    }
    (folder / "call.jsonl").write_text(json.dumps(line))
    made.command("import", str(folder / "call.jsonl"), "--recordings", str(folder), "--create-agents")
    work(made)
    made.start()
    yield made
    made.stop()


def work(site: Site) -> None:
    """Do everything that is due, and what that brings about."""
    site.command("jobs", "run", "--until-empty")


def test_a_sound_file_becomes_a_suggested_answer_with_evidence_that_plays(
    page_as: SignedIn, site: Site
) -> None:
    with Database(f"sqlite:///{site.folder / 'candor.db'}") as database:
        with database.transaction() as session:
            draft = scorecards.draft_version(session, SYSTEM, text=FORM, now=clock.now())
            version = scorecards.activate_version(session, SYSTEM, draft.id, now=clock.now())
            session.add(
                Scorer(
                    scorecard_id=version.scorecard_id,
                    question="thanked",
                    mode="suggest",
                    changed_at=clock.now(),
                )
            )
            call = session.scalars(select(Interaction).where(Interaction.external_id == "W-1")).one()
            evaluator = session.scalars(
                select(User).where(User.email == site.users["evaluator"]["email"])
            ).one()
            assign_service.assign(
                session,
                SYSTEM,
                interaction_id=call.id,
                agent_id=call.agent_id or 0,
                scorecard_id=version.scorecard_id,
                evaluator_id=evaluator.id,
                due_at=clock.now() - timedelta(days=90),
                now=clock.now(),
            )
        page = page_as("evaluator")
        page.goto(f"{site.url}/queue")
        page.get_by_role("button", name="Start").and_(page.locator(".next-up button")).click()
        ready(page)
        expect(page.locator("[data-transcript]")).to_contain_text("It is [CARD].")
        expect(page.locator("body")).not_to_contain_text("5500 0000")
        expect(page.get_by_text("A suggestion shows after you have answered")).to_be_visible()
        work(site)
        page.keyboard.press("2")
        expect(page.locator("[data-save-state]")).to_have_attribute("data-state", "saved", timeout=15_000)
        panel = page.get_by_role("region", name="Suggestion for question 1")
        expect(panel).to_contain_text("It suggests Yes; you answered No.")
        expect(panel.locator("q")).to_have_text("Thank you")
        panel.get_by_role("button", name="Play from").click()
        page.wait_for_function("document.querySelector('audio').currentTime >= 4.4")
        panel.get_by_role("button", name="Take its answer").click()
        ready(page)
        expect(page.get_by_role("radio", name="Yes")).to_be_checked()
        expect(page.get_by_role("region", name="Suggestion for question 1")).to_contain_text(
            "you accepted it"
        )
