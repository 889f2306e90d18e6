"""A source's state in words: what it is, what it means, which picture goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qa.interactions.sources.models import SyncRun
from qa.interactions.sources.queries import Standing
from qa.plugins.store import Stop


@dataclass(frozen=True, slots=True)
class State:
    """A badge: its words, tone and icon; and the sentence beside it."""

    words: str
    tone: str
    icon: str
    sentence: str


def state_of(standing: Standing, shown: Any) -> State:
    """Return how a source stands; ``shown`` writes a moment in the site's zone."""
    source = standing.source
    if not source.progress:
        return State("Not started", "", "clock", "Test it, try it, then start it.")
    if source.is_paused:
        return State(
            "Paused", "", "pause", "A person paused it. Nothing is lost: it goes on from where it stood."
        )
    if standing.is_running and source.state in {"new", "ok"}:
        return State("Pulling", "accent", "history", _good(standing, shown))
    return _found(standing, shown)


def _found(standing: Standing, shown: Any) -> State:
    source = standing.source
    reason = " ".join(words for words in (source.reason, source.cure) if words)
    match source.state:
        case "limited":
            until = "" if source.until is None else f" until {shown(source.until)}"
            return State(f"Limited{until}", "warn", "clock", f"{reason} It goes on by itself.")
        case "degraded":
            return State("Having trouble", "warn", "warn", f"{reason} Nothing is lost: it is tried again.")
        case "needs_reauth":
            sentence = f"{reason} Nothing is lost: what was missed is fetched when they work."
            return State("Needs new credentials", "fail", "x", sentence)
        case "paused":
            return State("Stopped", "fail", "warn", reason)
        case "new":
            return State("Waiting for its first run", "", "clock", "It starts within a minute.")
    return State("Up to date", "pass", "check", _good(standing, shown))


def _good(standing: Standing, shown: Any) -> str:
    source = standing.source
    if source.good_at is None:
        return "The first records are on their way."
    return f"Last good sync {shown(source.good_at)}."


RUN_WORDS = {
    "": "at work",
    str(Stop.DONE): "done",
    str(Stop.MORE): "took its share, went on",
    str(Stop.HELD): "waited: too much is waiting to be worked on here",
    str(Stop.CANCELLED): "stopped by a person or a restart",
    str(Stop.LIMITED): "stopped: the other side asked to wait",
    str(Stop.FAILED): "failed",
    str(Stop.LOST): "another run took over",
    "interrupted": "ended by a crash; went on from its last page",
}


def run_words(run: SyncRun) -> str:
    """Return how a run ended."""
    return RUN_WORDS.get(run.ended, run.ended)


def took(run: SyncRun, now: datetime) -> str:
    """Return how long a run took."""
    seconds = ((run.ended_at or now) - run.started_at).total_seconds()
    if seconds < 1:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def every(seconds: int) -> str:
    """Return how often in words."""
    for span, one, many in ((86_400, "day", "days"), (3_600, "hour", "hours"), (60, "minute", "minutes")):
        if seconds % span == 0:
            count = seconds // span
            return f"every {one}" if count == 1 else f"every {count} {many}"
    return f"every {seconds} seconds"
