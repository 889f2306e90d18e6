"""The classes a plugin registers, checked: complete, well named, and as able as they say."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from qa.plugins import api
from qa.plugins.api import Capability, Connector
from qa.plugins.discovery import NAME
from qa.plugins.report import Offer
from qa.plugins.settings_form import describe

REGISTRATIONS: dict[str, tuple[str, type[Any]]] = {
    "qa_connectors": ("connector", api.Connector),
    "qa_transcribers": ("transcriber", api.Transcriber),
    "qa_enrichers": ("enricher", api.Enricher),
    "qa_autoscorers": ("autoscorer", api.AutoScorer),
    "qa_redactors": ("redactor", api.Redactor),
    "qa_notifiers": ("notifier", api.Notifier),
    "qa_exporters": ("exporter", api.Exporter),
    "qa_training_providers": ("training_provider", api.TrainingProvider),
    "qa_scorecard_importers": ("scorecard_importer", api.ScorecardImporter),
    "qa_panels": ("panel", api.Panel),
}
"""Hook: the kind of what it registers, and the class that must be extended."""

METHODS = {
    Capability.MEDIA: ("fetch_media",),
    Capability.MESSAGES: ("fetch_messages",),
    Capability.PUSH_NOTE: ("push",),
    Capability.PUSH_FIELD: ("push",),
    Capability.WEBHOOK: ("webhook", "pull_one"),
    Capability.AGENTS: ("agents",),
    Capability.ERASE: ("erase",),
}
"""Capability: the methods it needs."""


DECLARED = (
    "version",
    "languages",
    "provides",
    "requires",
    "places",
    "memory_mb",
    "target_label",
    "times_words",
    "splits_channels",
    "diarises",
)
"""What classes other than connectors may declare."""


class BadOffer(Exception):
    """A class cannot be used; with the cure."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason, self.fix = reason, fix


def offers_of(hook: str, answer: Any) -> Iterator[tuple[Offer, type[Any]]]:
    """Yield what a registration hook returned, class by class; raise ``BadOffer``."""
    kind, base = REGISTRATIONS[hook]
    if not isinstance(answer, list | tuple):
        raise BadOffer(f"{hook} returned {type(answer).__name__}.", "Return a list of classes.")
    taken: set[str] = set()
    for one in answer:
        _check(hook, one, base)
        if one.key in taken:
            raise BadOffer(f"{hook} returned two classes with the key {one.key!r}.", "Give each its own key.")
        taken.add(one.key)
        about = (inspect.getdoc(one) or "").split("\n", 1)[0]
        yield (
            Offer(kind, one.key, one.title, "" if about == inspect.getdoc(base) else about, _facts(one)),
            one,
        )


def _check(hook: str, one: Any, base: type[Any]) -> None:
    if not isinstance(one, type):
        raise BadOffer(f"{hook} returned {one!r:.80}.", "Return classes, not objects.")
    name: str = one.__name__
    if not issubclass(one, base):
        raise BadOffer(f"{name} is no {base.__name__}.", f"Write class {name}({base.__name__}).")
    missing = sorted(getattr(one, "__abstractmethods__", ()))
    if missing:
        raise BadOffer(f"{name} lacks {' and '.join(missing)}.", "Write the missing methods.")
    key, title = getattr(one, "key", None), getattr(one, "title", None)
    for attribute, given in (("key", key), ("title", title)):
        if not isinstance(given, str) or not given:
            raise BadOffer(f"{name} has no {attribute}.", f'Write {attribute} = "…" in the class.')
    if not NAME.fullmatch(str(key).replace("_", "-")):
        raise BadOffer(f"{name} has the key {key!r}.", "Use small letters, digits and dashes.")
    if issubclass(one, Connector):
        _check_connector(one)


def _check_connector(one: type[Connector]) -> None:
    name = one.__name__
    for capability in one.capabilities:
        if capability not in set(Capability):
            known = ", ".join(Capability.__members__)
            raise BadOffer(f"{name} declares {capability!r}.", f"Declare members of Capability: {known}.")
        for method in METHODS.get(capability, ()):
            if getattr(one, method) is getattr(Connector, method):
                cure = f"Write the method, or leave {capability.name} out."
                raise BadOffer(f"{name} declares {capability.name} without {method}().", cure)
    if Capability.WEBHOOK in one.capabilities and one.webhook_auth is None:
        raise BadOffer(f"{name} declares WEBHOOK without webhook_auth.", "Say how deliveries are verified.")
    if not one.streams or not all(isinstance(stream, str) and stream for stream in one.streams):
        raise BadOffer(f"{name}.streams is {one.streams!r}.", 'Write streams = ("tickets",).')


def _facts(one: type[Any]) -> dict[str, Any]:
    if issubclass(one, Connector):
        auth = one.webhook_auth
        return {
            "streams": list(one.streams),
            "channels": sorted(one.channels),
            "capabilities": sorted(one.capabilities),
            "settings": describe(one.Config),
            "lag_seconds": one.lag.total_seconds(),
            "page_limit": one.page_limit,
            "cursor_version": one.cursor_version,
            "quota": asdict(one.quota),
            "webhook_auth": None if auth is None else {"is": type(auth).__name__, **asdict(auth)},
        }
    return {name: _plain(getattr(one, name)) for name in DECLARED if hasattr(one, name)}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | set | frozenset) else value
