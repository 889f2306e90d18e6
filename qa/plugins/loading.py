"""Loading one plugin, step by step: the first step that fails says why and how to mend it.

This imports third-party code, so it runs in a child process, in the conformance kit and for ``qa x``; never
in the web process. No fault of a plugin leaves here as an exception.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from qa.plugins import hookspecs
from qa.plugins.api import API, PluginInfo
from qa.plugins.deprecations import Leaving, note_of
from qa.plugins.discovery import Candidate, Fault
from qa.plugins.dispatch import Implementation
from qa.plugins.offers import REGISTRATIONS, BadOffer, offers_of
from qa.plugins.report import Offer, Report
from qa.plugins.settings_form import Unfit, describe

Specs = dict[str, Callable[..., Any]]
SLOW_IMPORT_MS = 1_000


class _Failed(Exception):
    def __init__(self, step: str, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.fault = Fault(step, reason, fix)


@dataclass
class Loaded:
    """A plugin in this process: what it registers and implements, and the report about it."""

    candidate: Candidate
    report: Report
    info: PluginInfo | None = None
    classes: dict[tuple[str, str], type[Any]] = field(default_factory=dict)
    implementations: dict[str, Implementation] = field(default_factory=dict)
    commands: list[Any] = field(default_factory=list)
    leaving: tuple[str, ...] = ()
    """What it uses that leaves the plugin API; a part of the report's notes."""


def load(candidate: Candidate, specs: Any = hookspecs) -> Loaded:
    """Import and check a plugin; read ``report`` for how it went. ``specs`` is the module of the hooks."""
    loaded = Loaded(candidate, Report(candidate.name, version=candidate.version))
    try:
        _take(loaded, specs)
    except _Failed as failed:
        fault = failed.fault
        loaded.report = replace(loaded.report, step=fault.step, reason=fault.reason, fix=fault.fix)
    return loaded


def _take(loaded: Loaded, specs: Any) -> None:
    candidate = loaded.candidate
    _check_candidate(candidate)
    module, import_ms = _imported(candidate)
    notes = [f"Importing it takes {import_ms / 1000:.1f} s."] if import_ms > SLOW_IMPORT_MS else []
    loaded.report = replace(loaded.report, import_ms=import_ms, notes=tuple(notes))
    known = {name: hook for name, hook in vars(specs).items() if name.startswith("qa_")}
    loaded.implementations = _hooks_of(module, candidate.name, known)
    leaving = _registered(module, candidate, specs)
    info = loaded.info = _info_of(loaded)
    issues_url = info.issues_url or candidate.issues_url
    loaded.leaving = tuple(
        note_of(warning, plugin=candidate.name, issues_url=issues_url) for warning in leaving
    )
    notes += loaded.leaving
    loaded.report = replace(
        loaded.report,
        version=info.version,
        title=info.title or candidate.name,
        description=info.description or candidate.summary,
        homepage=info.homepage or candidate.homepage,
        issues_url=issues_url,
        needs=tuple(map(str, info.needs)),
        hooks=tuple(loaded.implementations),
        settings=() if info.settings is None else tuple(_form_of(info.settings)),
        notes=tuple(notes),
    )
    loaded.report = replace(loaded.report, offers=tuple(_offers(loaded)))


def _check_candidate(candidate: Candidate) -> None:
    if candidate.fault is not None:
        raise _Failed(candidate.fault.step, candidate.fault.reason, candidate.fault.fix)
    if candidate.api is not None and not candidate.api[0] <= API <= candidate.api[1]:
        first, last = candidate.api
        wanted = f"version {first}" if first == last else f"versions {first} to {last}"
        newer = "Install a newer version of the plugin." if last < API else "Upgrade Candor."
        raise _Failed("api", f"It is made for {wanted} of the plugin API; this is version {API}.", newer)


def _imported(candidate: Candidate) -> tuple[ModuleType, int]:
    started = time.perf_counter()
    try:
        module = _from_file(candidate) if candidate.is_file else _from_package(candidate.target)
    except BaseException as error:  # a border: a module may raise anything, SystemExit too
        raise _Failed("import", f"Importing it failed: {told(error)}", _cure_of(error)) from error
    return module, round((time.perf_counter() - started) * 1_000)


def _from_package(target: str) -> ModuleType:
    name, _, attribute = target.partition(":")
    module: Any = import_module(name.strip())
    for part in filter(None, attribute.strip().split(".")):
        module = getattr(module, part)
    return module  # type: ignore[no-any-return]  # an object with hooks serves as well


def _from_file(candidate: Candidate) -> ModuleType:
    name = f"qa_loose_plugin_{candidate.name.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(name, candidate.target)
    if spec is None or spec.loader is None:
        raise ImportError(f"{candidate.target} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def told(error: BaseException) -> str:
    """Return an error in one line, with the file and line of the plugin that raised it."""
    try:
        words = f"{type(error).__name__}: {error}".strip().split("\n", 1)[0][:400]
    except BaseException:  # a border: even its own text may raise
        words = f"{type(error).__name__}, which has no text"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_theirs(frame.filename)]
    return f"{words} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else words


def _is_theirs(filename: str) -> bool:
    return not filename.startswith("<") and str(Path(hookspecs.__file__).parent) not in filename


def _cure_of(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"Install what it needs: {error.name.partition('.')[0]}."
    if isinstance(error, ImportError) and "qa." in str(error):
        return "It uses a part of Candor that is not public, or of another version."
    return "Tell its author."


# --- hooks -------------------------------------------------------------------


def _hooks_of(module: Any, plugin: str, specs: Specs) -> dict[str, Implementation]:
    found = {}
    for name in dir(module):
        thing = getattr(module, name, None)
        options = getattr(thing, "qa_impl", None)
        if options is None:
            if name.startswith("qa_") and inspect.isfunction(thing) and thing.__module__ == module.__name__:
                raise _Failed("hooks", f"{_where(thing)} is not marked.", "Write @hookimpl above it.")
            continue
        if callable(thing) and isinstance(options, dict):
            hook = str(options.get("specname") or name)
            found[hook] = Implementation(
                plugin, thing, _arguments_of(hook, thing, options, specs), _rank(options)
            )
    return found


def _rank(options: dict[str, Any]) -> int:
    return -1 if options.get("tryfirst") else 1 if options.get("trylast") else 0


def _where(thing: Any) -> str:
    code = getattr(thing, "__code__", None)
    place = f" ({Path(code.co_filename).name}, line {code.co_firstlineno})" if code else ""
    return f"{getattr(thing, '__name__', 'a hook')}{place}"


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(known)}."


def _arguments_of(
    hook: str, thing: Callable[..., Any], options: dict[str, Any], specs: Specs
) -> tuple[str, ...]:
    where = _where(thing)
    if hook not in specs:
        raise _Failed("hooks", f"There is no hook {hook}: {where}.", _nearest(hook, list(specs)))
    if options.get("wrapper") or options.get("hookwrapper"):
        raise _Failed("hooks", f"{where} is a wrapper.", "Only the host wraps hooks; implement it plainly.")
    if inspect.iscoroutinefunction(thing):
        raise _Failed("hooks", f"{where} is async.", "Hooks are plain functions.")
    known = list(inspect.signature(specs[hook]).parameters)
    names = []
    for name, parameter in inspect.signature(thing).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise _Failed(
                "hooks", f"{where} takes *{name}.", "Name the arguments you want, without * and **."
            )
        if parameter.default is not parameter.empty:
            raise _Failed("hooks", f"{where} gives {name} a default.", "Hook arguments have no defaults.")
        if name not in known:
            cure = _nearest(name, known) if known else f"{hook} takes no arguments."
            raise _Failed("hooks", f"{where} wants {name}, which {hook} does not have.", cure)
        names.append(name)
    return tuple(names)


def _registered(module: Any, candidate: Candidate, specs: Any) -> list[warnings.WarningMessage]:
    """Let pluggy register it: what it still refuses fails, what is deprecated is returned."""
    manager = pluggy.PluginManager("qa")
    manager.add_hookspecs(specs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            manager.register(module, candidate.name)
            manager.check_pending()
        except Exception as error:  # a border: whatever pluggy finds is the plugin's fault
            raise _Failed("hooks", str(error).split("\n", 1)[0], "See the hook reference.") from error
    return [warning for warning in caught if issubclass(warning.category, Leaving)]


# --- what it says and offers -------------------------------------------------


def _asked(loaded: Loaded, hook: str) -> Any:
    one = loaded.implementations[hook]
    try:
        answer = one.call()
        return list(answer) if inspect.isgenerator(answer) else answer
    except BaseException as error:  # a border
        raise _Failed("hooks", f"{hook} raised {told(error)}", "Tell its author.") from error


def _info_of(loaded: Loaded) -> PluginInfo:
    name = loaded.candidate.name
    if "qa_plugin_info" not in loaded.implementations:
        if not loaded.implementations:
            raise _Failed(
                "info", "No hooks are in it.", f"Is {loaded.candidate.target!r} the module with the hooks?"
            )
        raise _Failed("info", "It lacks the hook qa_plugin_info.", "Add it: who you are, and which version.")
    info = _asked(loaded, "qa_plugin_info")
    if not isinstance(info, PluginInfo):
        raise _Failed("info", f"qa_plugin_info returned {type(info).__name__}.", "Return a PluginInfo.")
    if info.name != name:
        raise _Failed("info", f"It calls itself {info.name!r} but is installed as {name!r}.", "Use one name.")
    if API not in tuple(info.api):
        versions = ", ".join(map(str, info.api))
        raise _Failed(
            "api", f"It is made for plugin API {versions}; this is {API}.", "Install another version."
        )
    return info


def _form_of(form: Any) -> list[dict[str, Any]]:
    try:
        return describe(form)
    except Unfit as error:
        raise _Failed("settings", str(error), "Tell its author.") from error
    except BaseException as error:  # a border
        raise _Failed("settings", f"Its settings form fails: {told(error)}", "Tell its author.") from error


def _offers(loaded: Loaded) -> list[Offer]:
    offers: list[Offer] = []
    for hook in loaded.implementations:
        if hook == "qa_commands":
            loaded.commands = list(_asked(loaded, hook) or ())
        if hook not in REGISTRATIONS:
            continue
        try:
            for offer, kind in offers_of(hook, _asked(loaded, hook)):
                loaded.classes[offer.kind, offer.key] = kind
                offers.append(offer)
        except BadOffer as error:
            raise _Failed("classes", error.reason, error.fix) from error
        except Unfit as error:
            raise _Failed("settings", str(error), "Tell its author.") from error
    return offers
