"""What is known about an installed plugin after it was loaded once: plain facts, kept in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Offer:
    """One class a plugin registers: its kind (``connector``, ``notifier`` …), key, title and facts."""

    kind: str
    key: str
    title: str
    about: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of loading a plugin. ``step`` is "ok" or the step that failed, with reason and cure."""

    name: str
    step: str = "ok"
    reason: str = ""
    fix: str = ""
    version: str = ""
    title: str = ""
    description: str = ""
    homepage: str = ""
    issues_url: str = ""
    needs: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    settings: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    import_ms: int = 0

    @property
    def is_ok(self) -> bool:
        """Tell whether the plugin can be used."""
        return self.step == "ok"

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return asdict(self)


def from_json(facts: Mapping[str, Any]) -> Report:
    """Return the report again; fields of another version are left out."""
    known = {name: value for name, value in facts.items() if name in Report.__dataclass_fields__}
    known["offers"] = tuple(Offer(**offer) for offer in known.get("offers", ()))
    for name in ("needs", "hooks", "settings", "notes"):
        known[name] = tuple(known.get(name, ()))
    return Report(**known)
