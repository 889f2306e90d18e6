"""What evaluators do all day: open, save, submit; alone and eight at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from bench.jobs.browser import Browser
from bench.jobs.commands import GOOD
from bench.jobs.importing import WORDS
from bench.measure import Measured, in_turns, speed
from bench.stage import Stage

TURNS, SECONDS = 60, 360
USERS, ROUNDS, EACH = 8, 5, 2
BATCH = 50
PASSWORD = "kettle orbit plum saddle"
TITLE = "Bench call"
RECORDS = ("account", "topic", "notes", "follow-up", "tags")
"""Five questions more than the ready-made form has: twenty."""


@dataclass(slots=True)
class Evaluator:
    """One person who evaluates, signed in."""

    name: str
    browser: Browser


class Desk:
    """Evaluators with drafts to work on, made through the product's doors."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.site = stage.site()
        self.floor_port = stage.floor().port
        self.manager = Browser(self.site.port).sign_in(self.site.users["manager"])
        self._add_form()
        self._calls = self._bring_in()

    def _add_form(self) -> None:
        """Use a form of twenty questions: the ready-made one for calls, and what is written down after it."""
        ready = self.site.command("scorecards", "export", "voice-support")
        text = ready.split("\ntests:")[0].replace("form: voice-support", "form: bench-call")
        text = text.replace("title: Voice support", f"title: {TITLE}")
        options = '[{ref: y, text: "Yes", points: 1}, {ref: n, text: "No", points: 0, treat_as: fail}]'
        kept = "\n".join(
            f"      - {{ref: {ref}, text: The {ref} in the record, help: As the customer said it.,"
            f" type: single, na: allowed, options: {options}}}"
            for ref in RECORDS
        )
        file = self.stage.folder / "bench-call.yaml"
        section = "  - ref: records\n    title: Records\n    weight: 20\n    questions:"
        file.write_text(f"{text}\n{section}\n{kept}\n", encoding="utf-8")
        self.site.command("scorecards", "add", str(file), "--activate")

    def _bring_in(self) -> Iterator[str]:
        """Yield the addresses of six-minute calls of the demo agent, imported fifty at a time."""
        began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
        agent = self.site.users["agent"]["email"]
        for batch in count():
            name = f"bench-work-{batch}-"
            file = self.stage.folder / f"{name}.jsonl"
            lines = (json.dumps(six_minutes(f"{name}{place}", agent, began)) for place in range(BATCH))
            file.write_text("\n".join(lines), encoding="utf-8")
            self.site.command("import", str(file))
            page = self.manager.get(f"/interactions?q={name}")
            found = re.findall(r'class="title" href="(/interactions/\d+)"', page)
            assert len(found) == BATCH, f"{len(found)} of {BATCH} calls found"
            yield from found

    def hire(self, name: str) -> Evaluator:
        """Return a new evaluator, who has chosen a password by a one-time link and signed in."""
        email = f"{name.lower().replace(' ', '.')}@bench.example"
        told = self.site.command(
            "user", "add", "--name", name, "--email", email, "--role", "evaluator", "--json"
        )
        link = urlsplit(json.loads(told)["link"]).path
        browser = Browser(self.site.port)
        browser.get(link)
        browser.post(link, password=PASSWORD)
        return Evaluator(name, browser.sign_in({"email": email, "password": PASSWORD}))

    def assign(self, evaluator: Evaluator) -> None:
        """Put the next call into somebody's queue."""
        call = next(self._calls)
        page = self.manager.get(f"{call}/assign")
        options = {words: value for value, words in re.findall(r'<option[^>]*value="(\d+)">([^<]+)<', page)}
        agent = re.search(r'id="agent_id".*?value="(\d+)"', page, re.DOTALL)
        assert agent
        self.manager.post(
            f"{call}/assign",
            once=uuid4().hex,
            agent_id=agent[1],
            evaluator_id=options[evaluator.name],
            scorecard_id=next(value for words, value in options.items() if words.startswith(TITLE)),
            due=f"{datetime.now(UTC):%Y-%m-%d}",
        )

    def start(self, evaluator: Evaluator) -> str:
        """Open what is due first in somebody's queue and return the draft's address."""
        evaluator.browser.get("/queue")
        return evaluator.browser.post("/queue/next", once=uuid4().hex).removesuffix("/work")

    def start_last(self, evaluator: Evaluator) -> str:
        """Open what was assigned last and return the draft's address."""
        page = evaluator.browser.get("/queue")
        rows = re.findall(r'action="(/queue/\d+/start)"', page)
        return evaluator.browser.post(rows[-1] if rows else "/queue/next", once=uuid4().hex).removesuffix(
            "/work"
        )

    def answer(self, evaluator: Evaluator, draft: str) -> None:
        """Answer every question well, as autosave does."""
        evaluator.browser.get(f"{draft}/work")
        changes = [
            {"question": ref, "field": "answer", "was": None, "value": good}
            for ref, good in (GOOD | dict.fromkeys(RECORDS, "y")).items()
        ]
        saved = evaluator.browser.put(f"{draft}/draft", {"changes": changes, "worked_seconds": 5})
        assert (saved["live"]["missing"], saved["live"]["needs"]) == ([], []), saved["live"]


def six_minutes(external_id: str, agent: str, began: datetime) -> dict[str, Any]:
    """Return one call of six minutes."""
    step = SECONDS / TURNS
    turns = [
        {
            "speaker": ("agent", "customer")[turn % 2],
            "start": turn * step,
            "end": turn * step + step * 0.8,
            "text": " ".join(WORDS[(turn + word) % len(WORDS)] for word in range(14)),
        }
        for turn in range(TURNS)
    ]
    return {
        "external_id": external_id,
        "channel": "voice",
        "subject": "Charged twice",
        "started_at": began.isoformat(),
        "agents": [{"email": agent}],
        "turns": turns,
    }


def desk(stage: Stage) -> Desk:
    """Return the run's desk."""
    found: Desk = stage.once("desk", lambda: Desk(stage))
    return found


def worked_on(stage: Stage) -> tuple[Evaluator, str]:
    """Return an evaluator and the draft that is opened and saved."""

    def make() -> tuple[Evaluator, str]:
        evaluator = desk(stage).hire("Bench One")
        desk(stage).assign(evaluator)
        return evaluator, desk(stage).start(evaluator)

    found: tuple[Evaluator, str] = stage.once("draft", make)
    return found


def open_(stage: Stage) -> Measured:
    """Time the workspace beside four reads and a page."""
    (evaluator, draft), floor = worked_on(stage), Browser(desk(stage).floor_port)
    found = in_turns(lambda: floor.get("/open/1"), lambda: evaluator.browser.get(f"{draft}/work"), calls=5)
    found.sql = evaluator.browser.statements
    return found


def autosave(stage: Stage) -> Measured:
    """Time one answer saved and the live score back, beside a revision check and an update."""
    (evaluator, draft), floor = worked_on(stage), Browser(desk(stage).floor_port)
    browser = evaluator.browser
    browser.get(f"{draft}/work")
    values, revisions = count(), count()

    def save() -> None:
        number = next(values)
        before = "yn"[number % 2] if number else None
        change = {"question": "greeting", "field": "answer", "was": before, "value": "ny"[number % 2]}
        browser.put(f"{draft}/draft", {"changes": [change], "worked_seconds": 1})

    def plain() -> None:
        number = next(revisions)
        floor.put("/save/2", {"revision": number, "question": 1, "value": str(number % 2)})

    save()
    found = in_turns(plain, save, calls=5)
    found.sql = browser.statements
    return found


def submit(stage: Stage) -> Measured:
    """Time a submit, the next draft opened with it, beside its rows, audit and outbox in one commit."""
    at, floor, numbers = desk(stage), Browser(desk(stage).floor_port), count(3)
    evaluator = at.hire("Bench Two")
    at.assign(evaluator)
    draft = at.start(evaluator)

    def prepare() -> None:
        at.assign(evaluator)
        at.answer(evaluator, draft)

    def hand_in() -> None:
        nonlocal draft
        draft = evaluator.browser.post(f"{draft}/submit", once=uuid4().hex).removesuffix("/work")

    found = in_turns(lambda: floor.post(f"/submit/{next(numbers)}"), hand_in, before=prepare)
    found.sql = evaluator.browser.statements
    return found


def eight_users(stage: Stage) -> Measured:
    """Return how fast eight people open and submit at once beside the floor doing the same."""
    at, numbers = desk(stage), count(1_000)
    people = [at.hire(f"Bench User {number}") for number in range(USERS)]
    plain = [Browser(at.floor_port) for _ in range(USERS)]
    drafts: dict[str, list[str]] = {}

    def prepare() -> None:
        for one in people:
            drafts[one.name] = []
            for _ in range(EACH):
                at.assign(one)
                drafts[one.name].append(at.start_last(one))
                at.answer(one, drafts[one.name][-1])

    def floor_work(browser: Browser) -> None:
        for number in [next(numbers) for _ in range(EACH)]:
            browser.get(f"/open/{number}")
            browser.post(f"/submit/{number}")

    def work(one: Evaluator) -> None:
        for draft in drafts[one.name]:
            one.browser.get(f"{draft}/work")
            one.browser.post(f"{draft}/submit", once=uuid4().hex, then="queue")

    with ThreadPoolExecutor(USERS) as pool:
        return speed(
            lambda: list(pool.map(floor_work, plain)),
            lambda: list(pool.map(work, people)),
            turns=ROUNDS,
            before=prepare,
        )
