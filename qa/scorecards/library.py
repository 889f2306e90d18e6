"""The ready-made scorecards that come with the product."""

from __future__ import annotations

from importlib import resources

READY = ("voice-support", "sales-compliance", "chat", "email-ticket")


def ready_text(name: str) -> str:
    """Return the text of a ready-made scorecard."""
    return (resources.files("qa.scorecards") / "ready" / f"{name}.yaml").read_text(encoding="utf-8")
