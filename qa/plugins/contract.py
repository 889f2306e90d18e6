"""What may be called in a plugin's child and what must come back, read off the public classes themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from typing_extensions import TypedDict

from qa.plugins import hookspecs
from qa.plugins.offers import REGISTRATIONS

CLASSES = dict(REGISTRATIONS.values())
HOOK = "hook"
"""The kind under which event hooks are called."""


@dataclass(frozen=True, slots=True)
class Method:
    """What is given behind ``ctx`` (a typed dict), and the answer; ``streams`` when it yields its answers."""

    given: Any
    answer: Any
    streams: bool = False
    takes_context: bool = True


@cache
def method_of(kind: str, name: str) -> Method:
    """Return what a method or hook takes and gives; raise ``KeyError`` when there is no such one."""
    function = getattr(hookspecs, name, None) if kind == HOOK else getattr(CLASSES[kind], name, None)
    if name.startswith("_") or not inspect.isfunction(function):
        raise KeyError(f"{kind} has no {name}")
    hints = get_type_hints(function)
    answer = hints.pop("return", None)
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    streams = get_origin(answer) is Iterator
    return Method(
        given=TypedDict(name, {each: hints[each] for each in names if each != "ctx"}),  # type: ignore[operator]
        answer=get_args(answer)[0] if streams else answer,
        streams=streams,
        takes_context="ctx" in names,
    )
