"""One long conversation as a page, and its sound by ranges."""

from __future__ import annotations

import gzip
import json
import re
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.jobs.browser import Browser
from bench.jobs.importing import WORDS
from bench.measure import Measured, in_turns
from bench.stage import SIZES, SMALL, Stage

TURNS, HOURS = 2_160, 3
RATE, SECONDS = 8_000, 60
FIRST, LAST = 32_768, 32_768 + 262_143
RANGES = 200


def calls(stage: Stage) -> dict[str, str]:
    """Return the addresses of a three-hour call and of a recording, imported once a run."""
    found: dict[str, str] = stage.once("calls", lambda: bring_in(stage))
    return found


def bring_in(stage: Stage) -> dict[str, str]:
    """Import the two conversations through the command line and find their pages."""
    site, folder = stage.site(), stage.folder / "sound"
    folder.mkdir()
    sound(folder / "minute.wav")
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=4)
    agent = [{"email": site.users["agent"]["email"]}]
    common = {"channel": "voice", "agents": agent, "started_at": began.isoformat()}
    turns = [
        {
            "speaker": ("agent", "customer")[place % 2],
            "start": place * 5.0,
            "end": place * 5.0 + 4.2,
            "text": " ".join(WORDS[(place + step) % len(WORDS)] for step in range(14)),
        }
        for place in range(TURNS)
    ]
    heard = [{"file": "minute.wav", "speakers": ["agent", "customer"]}]
    lines = (
        {"external_id": "bench-long", "subject": "Three hours", "turns": turns, **common},
        {"external_id": "bench-sound", "subject": "One minute", "recordings": heard, **common},
    )
    file = stage.folder / "calls.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    site.command("import", str(file), "--recordings", str(folder))
    site.command("jobs", "run", "--until-empty", accept=(0, 1))  # without a plugin nothing is transcribed
    manager = Browser(site.port).sign_in(site.users["manager"])
    pages = {}
    for name in ("bench-long", "bench-sound"):
        found = re.search(r'href="(/interactions/\d+)"', manager.get(f"/interactions?q={name}"))
        assert found
        pages[name] = found[1]
    audio = re.search(r"/recordings/\d+/audio", manager.get(pages["bench-sound"]))
    assert audio
    return {"page": pages["bench-long"], "audio": audio[0]}


def sound(file: Path) -> None:
    """Write a minute of two channels: more than five sealed chunks."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(bytes((step * 37 + step // 251) % 256 for step in range(RATE * 4)) * SECONDS)


def manager(stage: Stage) -> Browser:
    """Return the manager's browser on the small instance."""
    site = stage.site()
    found: Browser = stage.once("calls' manager", lambda: Browser(site.port).sign_in(site.users["manager"]))
    return found


def long_page(stage: Stage) -> Measured:
    """Time the page of a three-hour call beside one loop over its turns."""
    path, browser, floor = calls(stage)["page"], manager(stage), Browser(stage.floor(SIZES[SMALL]).port)
    found = in_turns(lambda: floor.get("/long"), lambda: browser.get(path), calls=3)
    found.sql = browser.statements
    return found


def long_page_bytes(stage: Stage) -> Measured:
    """Return how large that page is when packed, in kB."""
    page = manager(stage).get(calls(stage)["page"])
    assert page.count("data-turn=") >= TURNS
    return Measured(len(gzip.compress(page.encode(), 6)) / 1000)


def audio(stage: Stage) -> Measured:
    """Time 256 kB of a recording beside five sealed chunks opened."""
    path, browser, floor = calls(stage)["audio"], manager(stage), Browser(stage.floor(SIZES[SMALL]).port)
    ask_range(browser, path)
    found = in_turns(lambda: ask_range(floor, "/audio"), lambda: ask_range(browser, path), calls=5)
    found.sql = browser.statements
    return found


def ask_range(browser: Browser, path: str) -> None:
    """Read one range; it crosses five chunks."""
    status, content, _ = browser.ask("GET", path, Range=f"bytes={FIRST}-{LAST}")
    if status != 206 or len(content) != LAST - FIRST + 1:
        raise RuntimeError(f"{path} answered {status} with {len(content)} bytes")


def audio_memory(stage: Stage) -> Measured:
    """Return by how much the server grows over two hundred ranges, in MiB."""
    path, browser, server = calls(stage)["audio"], manager(stage), stage.site().server
    assert server is not None
    for _ in range(20):
        ask_range(browser, path)
    before = server.memory_mib
    for _ in range(RANGES):
        ask_range(browser, path)
    return Measured(server.memory_mib - before)
