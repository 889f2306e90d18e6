"""``qa plugin check``: everything that can be said of a plugin in a folder, installed or not."""

from __future__ import annotations

import configparser
import importlib
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from qa.plugins import hookspecs
from qa.plugins.api import Connector
from qa.plugins.discovery import Candidate
from qa.plugins.loading import load
from qa.plugins.testing.child import BROKEN, Result
from qa.plugins.testing.quality import (
    CLAIMED_WRONGLY,
    BadQuality,
    Evidence,
    Standing,
    claims_in,
    standings,
    tier_of,
)
from qa.plugins.testing.static_rules import Finding, findings_in
from qa.plugins.testing.suite import run_checks
from qa.plugins.testing.twin import Twin


class NoPlugin(Exception):
    """There is no plugin to check; the message says what is missing."""


@dataclass(slots=True)
class Verdict:
    """What was found out about a plugin."""

    name: str
    folder: Path
    load_fault: str = ""
    findings: list[Finding] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    leaving: Sequence[str] = ()
    is_next: bool = False
    """Whether what leaves the plugin API counts as broken, as it will be in a later version."""

    @property
    def tier(self) -> str:
        """The tier it has reached, empty for none."""
        return tier_of(self.standings)

    @property
    def is_good(self) -> bool:
        """Tell whether nothing is broken."""
        broken = [one for one in self.results if one.verdict == BROKEN]
        wrong = [one for one in self.standings if one.state == CLAIMED_WRONGLY]
        leaving = self.is_next and self.leaving
        return not (self.load_fault or self.findings or broken or wrong or leaving)


def check_plugin(
    folder: Path, *, only: Sequence[str] = (), is_next: bool = False, specs: Any = hookspecs
) -> Iterator[Result | Verdict]:
    """Check the plugin in ``folder``: yield each result as it comes, the verdict last; raise ``NoPlugin``.

    ``is_next`` looks at it as the version after the next will; ``specs`` is the module of the hooks.
    """
    candidate = candidate_in(folder)
    verdict = Verdict(candidate.name, folder, is_next=is_next)
    loaded = load(candidate, specs)
    verdict.leaving = loaded.leaving
    if not loaded.report.is_ok:
        verdict.load_fault = f"{loaded.report.reason} {loaded.report.fix}".strip()
        yield verdict
        return
    try:
        claims_in(folder)
    except BadQuality as error:
        verdict.load_fault = str(error)
        yield verdict
        return
    package = _package_of(candidate)
    verdict.findings = [one for one in findings_in(package) if one.rule not in _exempt(folder)]
    connectors = [kind for kind in loaded.classes.values() if issubclass(kind, Connector)]
    for connector in connectors:
        twin = twin_of(candidate, connector)
        if twin is None:
            verdict.notes.append(
                f"{connector.__name__} has no twin: write {candidate.target}/twin.py with a class that "
                f"extends Twin."
            )
            continue
        for result in run_checks(connector, twin, only=only, exempt=_exempt(folder)):
            verdict.results.append(result)
            yield result
    if not only:
        verdict.standings = standings(_evidence(verdict, package, connectors))
    yield verdict


def _evidence(verdict: Verdict, package: Path, connectors: Sequence[type[Connector]]) -> Evidence:
    sources = [file for file in package.rglob("*.py") if file.stem != "twin"]
    lag = min((kind.lag.total_seconds() for kind in connectors), default=0.0)
    return Evidence(verdict.folder, sources, verdict.results, lag)


def candidate_in(folder: Path) -> Candidate:
    """Return the plugin that a folder's metadata names, ready to be imported; raise ``NoPlugin``."""
    entries = _entries(folder)
    plugins = entries.get("qa.plugins", {})
    if not plugins:
        raise NoPlugin(
            f"{folder} holds no plugin: neither setup.cfg nor pyproject.toml names an entry point in "
            f"“qa.plugins”."
        )
    name, target = next(iter(plugins.items()))
    for place in (folder, folder / "src"):
        if place.is_dir() and str(place.resolve()) not in sys.path:
            sys.path.insert(0, str(place.resolve()))
    first, _, last = entries.get("qa.api", {}).get(name, "1").partition(":")
    return Candidate(name, folder.name, "", target, api=(int(first), int(last or first)))


def _entries(folder: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(folder / "setup.cfg", encoding="utf-8")
    if setup.has_section("options.entry_points"):
        for group, lines in setup["options.entry_points"].items():
            pairs = (line.partition("=") for line in lines.splitlines() if "=" in line)
            found[group] = {name.strip(): value.strip() for name, _, value in pairs}
    if (folder / "pyproject.toml").is_file():
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
        for group, pairs_of in project.get("entry-points", {}).items():
            found.setdefault(group, {}).update(pairs_of)
    return found


def _package_of(candidate: Candidate) -> Path:
    module = sys.modules[candidate.target.partition(":")[0]]
    return Path(str(module.__file__)).parent


def twin_of(candidate: Candidate, connector: type[Connector]) -> type[Twin] | None:
    """Return the twin of a connector from the module ``twin`` beside it, None when there is none."""
    top = candidate.target.partition(":")[0]
    try:
        module: ModuleType = importlib.import_module(f"{top}.twin")
    except ModuleNotFoundError as error:
        if error.name != f"{top}.twin":
            raise
        return None
    twins = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Twin) and one.__module__ == module.__name__
    ]
    named = [one for one in twins if one.__name__.startswith(connector.__name__)]
    return next(iter([*named, *twins]), None)


def _exempt(folder: Path) -> Mapping[str, str]:
    """Return the checks and rules that ``[exempt]`` of quality.toml takes out, each with its reason."""
    file = folder / "quality.toml"
    if not file.is_file():
        return {}
    try:
        read = tomllib.loads(file.read_text("utf-8")).get("exempt", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}
    return {str(name): str(reason) for name, reason in read.items() if str(reason).strip()}
