"""Which plugins are installed, found out without running any of their code.

An installed package announces itself by an entry point in the group ``qa.plugins``; which versions of
the API it is written for stands in the group ``qa.api`` under the same name, ``1`` or ``1:2`` for a
range. Beside those, each ``*.py`` file of the plugins folder is one plugin.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, EntryPoint, distributions
from importlib.util import find_spec
from pathlib import Path

GROUP = "qa.plugins"
API_GROUP = "qa.api"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_FILES = 5_000


@dataclass(frozen=True)
class Fault:
    """Why a plugin does not run, and what would cure it."""

    step: str
    reason: str
    fix: str = ""


@dataclass(frozen=True)
class Candidate:
    """A plugin that is installed; nothing of it was run yet.

    ``target`` is the module (with an attribute, perhaps) or the file that holds its hooks.
    """

    name: str
    distribution: str
    version: str
    target: str
    is_file: bool = False
    api: tuple[int, int] | None = None
    summary: str = ""
    homepage: str = ""
    issues_url: str = ""
    fault: Fault | None = None

    @property
    def origin(self) -> str:
        """Say in words where it comes from."""
        return f"file {self.target}" if self.is_file else f"package {self.distribution} {self.version}"

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256 over all files of its module or package; changes with each edit."""
        digest = hashlib.sha256()
        for name, file in _files_of(self):
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()


def find(folder: Path | None = None) -> list[Candidate]:
    """Return all installed plugins, by distribution and name; of two with one name the later has a fault."""
    found = [*_installed(distributions()), *_loose(folder)]
    found.sort(key=lambda one: (one.distribution, one.name))
    taken: dict[str, Candidate] = {}
    named = []
    for one in found:
        earlier = taken.setdefault(one.name, one)
        named.append(one if earlier is one else _doubled(one, earlier))
    return named


def _doubled(one: Candidate, earlier: Candidate) -> Candidate:
    reason = f"Another plugin is called {one.name!r}, too: {earlier.origin}."
    return replace(
        one, name=f"{one.name}-from-{one.distribution}"[:60], fault=Fault("name", reason, "Remove one.")
    )


def _installed(all_there: Iterable[Distribution]) -> Iterator[Candidate]:
    seen = set()
    for distribution in all_there:
        try:
            entries = distribution.entry_points
            mine = [entry for entry in entries if entry.group == GROUP]
            if not mine or distribution.name in seen:
                continue
            seen.add(distribution.name)
            ranges = {entry.name: entry.value for entry in entries if entry.group == API_GROUP}
        except Exception:  # a border: another package's broken metadata  # noqa: S112
            continue
        yield from (_candidate(distribution, entry, ranges.get(entry.name)) for entry in mine)


def _candidate(distribution: Distribution, entry: EntryPoint, api: str | None) -> Candidate:
    facts = distribution.metadata
    links = dict(_link(line) for line in facts.get_all("Project-URL") or ())
    first, last, fault = _range_of(api)
    if not NAME.fullmatch(entry.name):
        words = "A plugin's name is made of small letters, digits and dashes."
        fault = Fault("name", f"{entry.name!r} cannot be a plugin's name.", words)
    return Candidate(
        name=entry.name,
        distribution=distribution.name,
        version=distribution.version,
        target=entry.value,
        api=None if first == 0 else (first, last),
        summary=facts["Summary"] or "",
        homepage=facts["Home-page"] or links.get("homepage", ""),
        issues_url=links.get("issues", ""),
        fault=fault,
    )


def _link(line: str) -> tuple[str, str]:
    label, _, url = line.partition(",")
    return label.strip().lower(), url.strip()


def _range_of(text: str | None) -> tuple[int, int, Fault | None]:
    if text is None:
        return 0, 0, None
    match = re.fullmatch(r"(\d+)(?::(\d+))?", text.strip())
    if match is None:
        return (
            0,
            0,
            Fault("api", f"qa.api says {text!r}.", "Write a version such as 1, or a range such as 1:2."),
        )
    return int(match[1]), int(match[2] or match[1]), None


def _loose(folder: Path | None) -> Iterator[Candidate]:
    if folder is None or not folder.is_dir():
        return
    for file in sorted(folder.glob("*.py")):
        name = file.stem.replace("_", "-").lower()
        fault = None if NAME.fullmatch(name) else Fault("name", f"{file.name!r} cannot be a plugin's name.")
        yield Candidate(name, f"~{file.name}", "", str(file), is_file=True, fault=fault)


def _files_of(candidate: Candidate) -> list[tuple[str, Path]]:
    """Return the files that make it up, found without importing a package to look inside."""
    if candidate.is_file:
        return [(Path(candidate.target).name, Path(candidate.target))]
    top = candidate.target.partition(":")[0].partition(".")[0].strip()
    spec = PathFinder.find_spec(top) or find_spec(top)
    if spec is None or spec.origin is None:
        return []
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        return [(origin.name, origin)]
    root = origin.parent
    files = (file for file in sorted(root.rglob("*")) if file.is_file() and "__pycache__" not in file.parts)
    return [(str(file.relative_to(root)), file) for file, _ in zip(files, range(MAX_FILES), strict=False)]
