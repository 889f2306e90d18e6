"""What ``qa speech match`` calls."""

from __future__ import annotations

from typing import Any

from candor_spacy.heard import Heard
from candor_spacy.rules import RuleError, read
from candor_spacy.verdicts import as_json, judge_all
from qa.plugins.api import ConfigError, Transcript


def match(rules: str, transcript: Transcript) -> dict[str, Any]:
    """Return ``{"rules": […]}``: what a YAML document of rules says about a transcript.

    Raises ``ConfigError`` with one sentence when the rules cannot be read.
    """
    try:
        found = read(rules)
    except RuleError as error:
        raise ConfigError(str(error)) from None
    heard = Heard(transcript)
    return {"rules": [as_json(outcome, heard) for outcome in judge_all(found, heard)]}
