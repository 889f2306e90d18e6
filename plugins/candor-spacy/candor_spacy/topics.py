"""Topics: named lists of phrases. A conversation has a topic when one is surely said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from candor_spacy.heard import Heard
from candor_spacy.matching import Hit, Matcher
from candor_spacy.rules import Rule, RuleError, rule_of, yaml_of
from candor_spacy.verdicts import STRONG, same_language

MAX_TOPICS = 200
KEYS = frozenset({"say", "who", "unless", "languages"})


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that was found, and where it was said."""

    name: str
    hits: tuple[Hit, ...]


def read(text: str) -> tuple[Rule, ...]:
    """Return the topics in a YAML document ``topics: {name: {say: […]}}``. Raises ``RuleError``."""
    given = yaml_of(text)
    if given is None:
        return ()
    if not isinstance(given, Mapping) or set(given) != {"topics"} or not isinstance(given["topics"], Mapping):
        raise RuleError('The topics must be a document with the one key "topics": names and their phrases.')
    if len(given["topics"]) > MAX_TOPICS:
        raise RuleError(f"More than {MAX_TOPICS} topics.")
    return tuple(_topic(name, one) for name, one in given["topics"].items())


def _topic(name: Any, given: Any) -> Rule:
    if not isinstance(name, str) or not name.strip():
        raise RuleError(f"The name of a topic must be text, not {name!r}.")
    if isinstance(given, str | list):
        given = {"say": given}
    if not isinstance(given, Mapping) or set(given) - KEYS:
        raise RuleError(f'Topic "{name}" takes the keys {", ".join(sorted(KEYS))}.')
    try:
        return rule_of({**given, "ref": name}, "Topic")
    except RuleError as error:
        raise RuleError(str(error).replace("Rule", "Topic", 1)) from None


def ready(language: str) -> tuple[Rule, ...]:
    """Return the topics that come with the plugin for a language."""
    file = resources.files("candor_spacy") / "words" / f"topics.{language}.yaml"
    return read(file.read_text(encoding="utf-8")) if file.is_file() else ()


def topics_of(topics: tuple[Rule, ...], heard: Heard) -> list[Topic]:
    """Return the topics of a conversation, each with its hits."""
    matcher = Matcher(heard)
    found = []
    for topic in topics:
        spoken = heard.transcript.language
        if topic.languages and not any(same_language(spoken, one) for one in topic.languages):
            continue
        excused = {
            (hit.chain, place)
            for hit in (matcher.every(topic.unless) if topic.unless else ())
            for place in range(hit.first, hit.end)
        }
        hits = tuple(
            hit
            for hit in matcher.hits(topic.say, topic.who)
            if hit.conf >= STRONG
            and not any((hit.chain, place) in excused for place in range(hit.first, hit.end))
        )
        if hits:
            found.append(Topic(topic.ref, hits))
    return found
