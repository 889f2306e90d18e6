"""A plugin loads step by step; whatever is wrong with it is its own, and said with a cure."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pluggy
import pytest

from qa.plugins import hookspecs, loading, report
from qa.plugins.deprecations import leaving
from qa.plugins.discovery import Candidate, find
from qa.plugins.loading import Loaded
from tests.plugins import plugs


def loaded(folder: Path, name: str, *parts: str) -> Loaded:
    """Load a plugin made of the parts."""
    plugs.write(folder, name, *parts)
    (candidate,) = [one for one in find(folder) if one.name == name]
    return loading.load(candidate)


@pytest.fixture(autouse=True)
def _forget_modules() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("qa_loose_plugin", "candor_")):
            del sys.modules[name]


def test_a_good_plugin_tells_who_it_is_and_what_it_offers(tmp_path: Path) -> None:
    good = loaded(tmp_path, "good", plugs.CONNECTOR)
    assert good.report.is_ok, good.report.reason
    assert (good.report.title, good.report.version) == ("Good one", "1.2")
    (offer,) = good.report.offers
    assert (offer.kind, offer.key, offer.about) == ("connector", "desk", "Reads tickets.")
    assert offer.facts["capabilities"] == ["live"]
    fields = {one["name"]: one for one in offer.facts["settings"]}
    assert fields["token"]["kind"] == "secret"
    assert fields["url"] == fields["url"] | {"required": True, "help": "As in the browser."}
    assert (fields["pace"]["lowest"], fields["pace"]["highest"], fields["pace"]["default"]) == ("1", "9", 3)
    assert fields["zone"]["choices"] == (("utc", "UTC"), ("cet", "Berlin"))
    assert good.classes["connector", "desk"].__name__ == "Desk"


def test_a_report_is_kept_as_plain_facts(tmp_path: Path) -> None:
    told = loaded(tmp_path, "good", plugs.CONNECTOR).report
    assert report.from_json(told.to_json()) == told
    assert report.from_json({**told.to_json(), "of_a_later_version": 1}) == told


HOOK = "@hookimpl\n"
BAD = [
    ("import", "raise RuntimeError('boom')", "RuntimeError: boom", "author"),
    ("import", "import sys; sys.exit(3)", "SystemExit: 3", "author"),
    ("import", "import no_such_package.part", "no_such_package", "Install what it needs: no_such_package."),
    ("import", "from qa.plugins.api import Nothing", "Nothing", "not public"),
    ("import", "x = (", "SyntaxError", "author"),
    ("hooks", HOOK + "def qa_conectors(): return []", "no hook qa_conectors", "Did you mean qa_connectors?"),
    ("hooks", HOOK + "def qa_panels(place='x'): return []", "gives place a default", "no defaults"),
    ("hooks", HOOK + "def qa_panels(*all): return []", "takes *all", "Name the arguments"),
    ("hooks", HOOK + "def qa_panels(place): return []", "wants place", "takes no arguments"),
    (
        "hooks",
        HOOK + "def qa_evaluation_changed(evalution): pass",
        "wants evalution",
        "Did you mean evaluation?",
    ),
    ("hooks", "@hookimpl(wrapper=True)\ndef qa_panels(): yield", "is a wrapper", "plainly"),
    ("hooks", HOOK + "async def qa_panels(): return []", "is async", "plain functions"),
    ("hooks", "def qa_panels(): return []", "qa_panels", "@hookimpl"),
    ("hooks", HOOK + "def qa_panels(): return 1/0", "ZeroDivisionError", "author"),
    ("hooks", HOOK + "def qa_panels():\n    yield Panel\n    1/0", "ZeroDivisionError", "author"),
    ("classes", HOOK + "def qa_panels(): return None", "returned NoneType", "list of classes"),
    ("classes", HOOK + "def qa_panels(): return [3]", "returned 3", "not objects"),
    ("classes", HOOK + "def qa_panels(): return [dict]", "dict is no Panel", "class dict(Panel)"),
    (
        "classes",
        "class P(Panel):\n    key = title = 'p'\n" + HOOK + "def qa_panels(): return [P]",
        "P lacks show",
        "missing methods",
    ),
    (
        "classes",
        "class P(Panel):\n    key = 'p'\n    def show(self, ctx, subject): pass\n"
        + HOOK
        + "def qa_panels(): return [P]",
        "P has no title",
        "title =",
    ),
    (
        "classes",
        plugs.CONNECTOR + "\nDesk.capabilities = {Capability.MEDIA}",
        "declares MEDIA without fetch_media()",
        "leave MEDIA out",
    ),
    ("classes", plugs.CONNECTOR + "\nDesk.capabilities = {'fly'}", "declares 'fly'", "Capability"),
    ("settings", plugs.CONNECTOR + "\nDesk.Config = dict", "no form", "author"),
    (
        "settings",
        plugs.CONNECTOR + "\nclass F(Form):\n    f = FileField()\nDesk.Config = F",
        "f is a FileField",
        "author",
    ),
    ("info", "def nothing(): pass\nqa_plugin_info = None", "qa_plugin_info", "author"),
]


@pytest.mark.parametrize(("step", "part", "reason", "fix"), BAD)
def test_what_is_wrong_is_said_with_its_cure(
    tmp_path: Path, step: str, part: str, reason: str, fix: str
) -> None:
    told = loaded(tmp_path, "bad", part).report
    if step == "info":
        assert (told.step, told.reason) == ("info", "No hooks are in it.")
        return
    assert told.step == step, told
    assert reason in told.reason
    assert fix in told.fix


def test_a_fault_names_the_plugins_file_and_line(tmp_path: Path) -> None:
    told = loaded(tmp_path, "bad", "\n\nraise ValueError('here')").report
    lines = (tmp_path / "bad.py").read_text(encoding="utf-8").splitlines()
    line = 1 + next(number for number, text in enumerate(lines) if "here" in text)
    assert f"(bad.py, line {line})" in told.reason


def test_a_plugin_must_say_who_it_is_and_for_which_api(tmp_path: Path) -> None:
    other = loaded(tmp_path, "other", 'qa_plugin_info = hookimpl(lambda: PluginInfo("mine", "1"))')
    assert "calls itself 'mine'" in other.report.reason
    old = loaded(tmp_path, "old", 'qa_plugin_info = hookimpl(lambda: PluginInfo("old", "1", api=(7,)))')
    assert old.report.step == "api"
    odd = loaded(tmp_path, "odd", "qa_plugin_info = hookimpl(lambda: 4)")
    assert odd.report.reason == "qa_plugin_info returned int."


def test_installed_packages_are_found_and_judged_without_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = plugs.source("far", "import sys; sys.far_was_imported = True")
    plugs.install(tmp_path, "far", text)
    plugs.install(tmp_path, "later", text, api="2:3")
    plugs.install(tmp_path, "odd", text, api="soon")
    there = {one.name: one for one in find()}
    far = there["far"]
    assert (far.distribution, far.version, far.summary) == ("candor-far", "1.2", "From afar.")
    assert (far.api, far.issues_url) == ((1, 1), "https://example.org/other")
    assert not hasattr(sys, "far_was_imported")
    assert "versions 2 to 3 of the plugin API" in loading.load(there["later"]).report.reason
    assert loading.load(there["odd"]).report.reason == "qa.api says 'soon'."
    assert loading.load(far).report.is_ok
    assert hasattr(sys, "far_was_imported")
    del sys.far_was_imported


def test_a_fingerprint_changes_with_every_edit_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    plugs.install(tmp_path, "far", plugs.source("far"))

    def now() -> str:
        return next(one for one in find() if one.name == "far").fingerprint

    first = now()
    (tmp_path / "candor_far" / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "candor_far" / "__pycache__" / "x.pyc").write_bytes(b"")
    assert now() == first
    (tmp_path / "candor_far" / "more.txt").write_text("data")
    assert now() != first


def test_of_two_plugins_with_one_name_the_later_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path / "site")
    plugs.install(tmp_path / "site", "twin", plugs.source("twin"))
    plugs.write(tmp_path / "files", "twin")
    first, second = [one for one in find(tmp_path / "files") if one.name.startswith("twin")]
    assert loading.load(first).report.is_ok
    assert "Another plugin is called 'twin', too" in loading.load(second).report.reason


def test_broken_metadata_of_one_package_hides_no_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    plugs.install(tmp_path, "far", plugs.source("far"))
    broken = tmp_path / "broken-1.dist-info"
    broken.mkdir()
    (broken / "entry_points.txt").write_bytes(b"[qa.plugins]\nbroken = \xff\xfe")
    assert "far" in {one.name for one in find()}


def test_what_leaves_the_api_is_told_with_place_date_and_replacement(tmp_path: Path) -> None:
    specs = types.ModuleType("specs")
    mark = pluggy.HookspecMarker("qa")

    def qa_old_ones() -> list[type]:
        """Register what once was."""
        return []

    specs.__dict__.update(
        {name: hook for name, hook in vars(hookspecs).items() if name.startswith("qa_")},
        qa_old_ones=mark(
            warn_on_impl=leaving("qa_old_ones", since="0.3", removed_in="0.5", instead="qa_panels")
        )(qa_old_ones),
    )
    file = plugs.write(tmp_path, "aged", HOOK + "def qa_old_ones(): return []")
    told = loading.load(Candidate("aged", "~aged.py", "", str(file), is_file=True), specs).report
    assert told.is_ok
    (note,) = told.notes
    assert note.startswith(
        "aged: qa_old_ones is deprecated since 0.3 and will be gone in 0.5. Use qa_panels."
    )
    assert "(aged.py, line " in note
    assert note.endswith("Tell its author: https://example.org/issues")
