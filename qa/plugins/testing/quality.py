"""The four tiers of a plugin: what its ``quality.toml`` says of each rule, verified where that can be."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa.plugins.testing.child import BROKEN, PASSED, Result

DONE, OPEN, EXEMPT, CLAIMED_WRONGLY = "done", "open", "exempt", "not so"
CORE = tuple(f"c{number:02}" for number in range(1, 21))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a plugin: its folder, its package's files, what the kit said, what it declares."""

    folder: Path
    sources: Sequence[Path]
    results: Sequence[Result]
    lag_seconds: float = 0.0

    def passed(self, *numbers: str) -> bool:
        """Tell whether none of these checks failed and at least one was needed."""
        verdicts = [one.verdict for one in self.results if one.name[:3] in numbers]
        return PASSED in verdicts and BROKEN not in verdicts

    def not_broken(self, *numbers: str) -> bool:
        """Tell whether none of these checks failed."""
        return not [one for one in self.results if one.name[:3] in numbers and one.verdict == BROKEN]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a tier; ``holds`` is None where only the author can know."""

    tier: str
    words: str
    holds: Callable[[Evidence], bool] | None = None


def _defines(evidence: Evidence, name: str) -> bool:
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in evidence.sources)
    return any(
        isinstance(node, ast.FunctionDef) and node.name == name for tree in trees for node in ast.walk(tree)
    )


def _is_typed(evidence: Evidence) -> bool:
    for file in evidence.sources:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                named = [one for one in node.args.args if one.arg not in ("self", "cls")]
                if node.returns is None or any(one.annotation is None for one in named):
                    return False
    return any((file.parent / "py.typed").exists() for file in evidence.sources)


def _readme_has(word: str) -> Callable[[Evidence], bool]:
    def holds(evidence: Evidence) -> bool:
        readme = evidence.folder / "README.md"
        lines = readme.read_text("utf-8").splitlines() if readme.is_file() else []
        return any(word in line.lower() for line in lines if line.startswith("#"))

    return holds


RULES: Mapping[str, Rule] = {
    "kit": Rule("bronze", "Passes the checks c01 to c20", lambda e: e.passed("c01") and e.not_broken(*CORE)),
    "settings_form": Rule("bronze", "Has a settings form that refuses in words", lambda e: e.passed("c35")),
    "readme": Rule("bronze", "README tells set-up and removal", lambda e: e.passed("c37")),
    "credentials": Rule("silver", "Says when credentials expire", lambda e: e.passed("c14")),
    "quarantine": Rule("silver", "Sets bad records aside", lambda e: e.passed("c11")),
    "lag": Rule("silver", "Reads a little back, for what changes late", lambda e: e.lag_seconds > 0),
    "log_once": Rule("silver", "Logs once when down and once when back", lambda e: e.passed("c14")),
    "changelog": Rule("silver", "Has a changelog", lambda e: (e.folder / "CHANGELOG.md").is_file()),
    "owner": Rule("silver", "Somebody answers issues"),
    "diagnostics": Rule("gold", "Gives facts for a support request", lambda e: _defines(e, "diagnostics")),
    "counterpart": Rule("gold", "Tested against the vendor's description or a real server"),
    "write_back": Rule("gold", "Writes back, once", lambda e: e.passed("c18")),
    "webhook": Rule("gold", "Takes signed webhooks", lambda e: e.passed("c19")),
    "known_limits": Rule("gold", "README names known limits", _readme_has("limit")),
    "typed": Rule("gold", "Is typed", _is_typed),
    "strange_data": Rule("platinum", "Bears strange data", lambda e: e.passed("c25") and e.not_broken("c31")),
    "performance": Rule("platinum", "README tells figures of performance", _readme_has("performance")),
    "two_versions": Rule("platinum", "Tested with two versions of the host"),
}
"""Name in quality.toml: the rule."""

TIERS = ("bronze", "silver", "gold", "platinum")


@dataclass(frozen=True, slots=True)
class Standing:
    """How one rule stands: done, open, exempt with a reason, or claimed and not so."""

    rule: str
    tier: str
    words: str
    state: str
    reason: str = ""


class BadQuality(Exception):
    """quality.toml cannot be read; the message says where."""


def standings(evidence: Evidence) -> list[Standing]:
    """Return how every rule stands; raise ``BadQuality``."""
    claims = claims_in(evidence.folder)
    return [_standing(name, rule, claims.get(name, OPEN), evidence) for name, rule in RULES.items()]


def claims_in(folder: Path) -> dict[str, str]:
    """Return what quality.toml says of each rule, nothing without the file; raise ``BadQuality``."""
    file = folder / "quality.toml"
    if not file.is_file():
        return {}
    try:
        read: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadQuality(f"quality.toml cannot be read: {error}.") from None
    claims = {}
    for tier, rules in read.items():
        if tier == "exempt":
            continue
        for name, claim in rules.items() if isinstance(rules, dict) else ():
            known = RULES.get(name)
            if known is None or known.tier != tier:
                raise BadQuality(f"quality.toml: there is no rule {name!r} in {tier!r}.")
            claims[name] = str(claim)
    return claims


def _standing(name: str, rule: Rule, claim: str, evidence: Evidence) -> Standing:
    if claim == OPEN:
        return Standing(name, rule.tier, rule.words, OPEN)
    if claim != DONE:
        return Standing(name, rule.tier, rule.words, EXEMPT, claim)
    if rule.holds is not None and not rule.holds(evidence):
        return Standing(name, rule.tier, rule.words, CLAIMED_WRONGLY)
    return Standing(name, rule.tier, rule.words, DONE)


def tier_of(found: Sequence[Standing]) -> str:
    """Return the highest tier whose rules, and all below, are done or exempt; empty for none."""
    reached = ""
    for tier in TIERS:
        if any(one.state not in (DONE, EXEMPT) for one in found if one.tier == tier):
            return reached
        reached = tier
    return reached
