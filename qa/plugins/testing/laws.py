"""The ten laws of connectors, and how a broken one is told: the law, the line, what happened, the cure."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

LAWS = {
    1: "Stateless: a new object for each run, nothing kept on self, on the class or in the module",
    2: "A page's cursor means “everything up to and including this page is yours”, never more",
    3: "Boundaries are inclusive: rather the same record twice than none",
    4: "Keyset, not offset, over anything sorted by a field that changes",
    5: "Pages stream: yield one before asking for the next; at most 500 records or 8 MB",
    6: "A record that cannot be mapped is yielded as BadRecord, never dropped, never raised",
    7: "Times are aware and in UTC; the vendor's zone is declared",
    8: "Network, time and secrets only through ctx; a secret is never told to anybody else",
    9: "The vendor's times are the high-water mark, never this machine's clock",
    10: "Media is a reference until somebody asks for it",
}
"""Number: the law. docs/plugins/laws.md says why."""

MACHINERY = Path(__file__).parents[1]


class Broken(Exception):
    """A check found a law broken."""

    def __init__(self, happened: str, *, where: str = "", cure: str = "", law: int | None = None) -> None:
        super().__init__(happened)
        self.happened, self.where, self.cure, self.law = happened, where, cure, law


class NotNeeded(Exception):
    """The check does not concern this connector; the message says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the kit. The docs page of a check is made of the same words.

    ``law`` is 0 for what no law says but the product needs. ``means`` says what is proven, ``cause`` what
    usually breaks it, ``cure`` what to do; ``wrong`` and ``right`` are short pieces of code.
    """

    name: str
    law: int
    title: str
    means: str
    cause: str
    cure: str
    wrong: str
    right: str
    run: Callable[[Any], None]

    @property
    def number(self) -> str:
        """For instance ``c06``."""
        return self.name.split("_")[0]

    @property
    def page(self) -> str:
        """The page of ``docs/plugins`` that says more."""
        return f"checks/{self.number}.md" if self.number.startswith("c") else "extensions.md"


def law_of(number: int) -> str:
    """Return a law in words."""
    return f"law {number} ({LAWS[number]})" if number else "a rule of the kit"


def message_of(check: Check, broken: Broken) -> str:
    """Return everything an author needs: the law, the line, what happened, the cure, where to read on."""
    lines = [
        f"{check.name}: {check.title}",
        f"  Broken:   {law_of(check.law if broken.law is None else broken.law)}",
        f"  Where:    {broken.where or 'nobody can tell'}",
        f"  Happened: {broken.happened}",
        f"  Cure:     {broken.cure or check.cure}",
        f"  Read on:  docs/plugins/{check.page}",
    ]
    return "\n".join(lines)


def line_of(thing: Any) -> str:
    """Return ``file.py:12 (name)`` of a function or class."""
    plain = inspect.unwrap(thing) if callable(thing) else thing
    try:
        file = inspect.getsourcefile(plain) or ""
        _, number = inspect.getsourcelines(plain)
    except (OSError, TypeError):
        return ""
    return f"{Path(file).name}:{number} ({getattr(plain, '__name__', '')})"


def source_of(thing: Any) -> Path | None:
    """Return the file a class stands in, None when it has none."""
    try:
        found = inspect.getsourcefile(thing)
    except TypeError:
        return None
    return Path(found).resolve() if found else None


def place_of(trace: TracebackType | None) -> str:
    """Return the innermost line of a traceback that is the author's."""
    return _place(traceback.extract_tb(trace))


def place_now() -> str:
    """Return the innermost line of the author's that is at work just now."""
    return _place(traceback.extract_stack())


def _place(frames: traceback.StackSummary) -> str:
    for frame in reversed(frames):
        file = Path(frame.filename)
        if not is_theirs(file):
            continue
        return f"{file.name}:{frame.lineno} ({frame.name})"
    return ""


def is_theirs(file: Path) -> bool:
    """Tell whether a source file is an author's: neither the product's, nor a library's."""
    if file.parts and file.parts[0].startswith("<"):
        return False
    inside = MACHINERY in file.parents
    return not inside and not {"site-packages", "dist-packages", "lib", "lib64"} & set(file.parts)
