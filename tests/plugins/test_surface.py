"""What plugin authors see is frozen: a change shows here, is deliberate, and is named in the changelog."""

from __future__ import annotations

import enum
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from qa.plugins import api, hookspecs

FROZEN = Path(__file__).parent / "surface.txt"


def surface() -> str:
    """Every public name with its fields, methods and signatures."""
    lines = [f"API = {api.API}"]
    for name in sorted(api.__all__):
        lines += described(name, getattr(api, name))
    for name, hook in sorted(vars(hookspecs).items()):
        if name.startswith("qa_"):
            lines.append(f"hook {name}{inspect.signature(hook)}")
    return "\n".join(lines) + "\n"


def described(name: str, thing: Any) -> Iterator[str]:
    """The lines of one name."""
    if not inspect.isclass(thing):
        yield f"{name}: {thing}" if name in {"Channel", "Direction", "Speaker", "Place", "Expect"} else name
        return
    yield f"class {name}({', '.join(base.__name__ for base in thing.__bases__)})"
    if issubclass(thing, enum.Enum):
        yield from (f"    {member.name} = {member.value!r}" for member in thing)
        return
    if is_dataclass(thing):
        for field in fields(thing):
            default = "" if field.default is MISSING else f" = {field.default!r}"
            given = " = made anew" if field.default_factory is not MISSING else default
            yield f"    {field.name}: {field.type}{given}{' (named)' if field.kw_only else ''}"
        return
    for key, annotation in getattr(thing, "__annotations__", {}).items():
        yield f"    {key}: {annotation}"
    yield from methods(thing)


def methods(thing: type) -> Iterator[str]:
    """The lines of a class's own methods and properties."""
    for key, member in sorted(vars(thing).items()):
        call = member.__func__ if isinstance(member, classmethod) else member
        if key.startswith("_") and key != "__init__":
            continue
        if isinstance(call, property):
            yield f"    {key} -> {inspect.signature(call.fget or len).return_annotation}"
        elif inspect.isfunction(call) and call.__module__.startswith("qa.plugins"):
            must = " (abstract)" if getattr(call, "__isabstractmethod__", False) else ""
            yield f"    {key}{inspect.signature(call)}{must}"


def test_the_public_surface_is_the_frozen_one() -> None:
    now = surface()
    if os.environ.get("QA_UPDATE_GOLDEN"):
        FROZEN.write_text(now, encoding="utf-8")
    assert now == FROZEN.read_text(encoding="utf-8")


def test_every_public_name_and_hook_says_what_it_promises() -> None:
    for name in api.__all__:
        thing = getattr(api, name)
        if inspect.isclass(thing):
            assert thing.__doc__, name
            for key, member in vars(thing).items():
                if inspect.isfunction(member) and not key.startswith("_"):
                    assert member.__doc__, f"{name}.{key}"
    for name, hook in vars(hookspecs).items():
        if name.startswith("qa_"):
            assert "versionadded" in hook.__doc__, name
            assert "::" in hook.__doc__, f"{name} shows no example"


def test_importing_the_api_loads_nothing_heavy() -> None:
    heavy = ("flask", "sqlalchemy", "httpx", "numpy", "pydantic", "click")
    code = "import sys, qa.plugins.api, qa.plugins.hookspecs;"
    code += f"print([m for m in {heavy!r} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
