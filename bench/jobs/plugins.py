"""What plugins cost: the way to their hooks, and twenty that have nothing to do."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

from bench.jobs.browser import Browser
from bench.jobs.evaluating import worked_on
from bench.measure import Measured, Samples, in_turns
from bench.stage import ROOT, Site, Stage, clean, qa, serve

TURNS = 5
IDLE = 20
PLUGIN = '''"""A plugin that reacts to conversations with nothing."""

from qa.plugins.api import PluginInfo, hookimpl


@hookimpl
def qa_plugin_info():
    """Say who this is."""
    return PluginInfo("{name}", "1.0", title="{name}", issues_url="https://bench.example")


@hookimpl
def qa_interaction_changed(ctx, interaction, change):
    """Do nothing."""
'''


def dispatch(_stage: Stage) -> Measured:
    """Return what calling a hook of five plugins costs beside calling the five functions."""
    told = [dispatch_bench() for _ in range(TURNS)]
    samples = Samples([one["direct"] for one in told], [one["dispatched"] for one in told])
    ratios = [one["ratio"] for one in told]
    value = min(samples.job) / min(samples.floor)
    return Measured(value, (min(ratios), max(ratios)), samples)


def dispatch_bench() -> dict[str, Any]:
    """Return seconds of a call, direct and dispatched, timed in turns in one process by our own door."""
    command = [sys.executable, "-m", "qa.plugins.testing", "dispatch-bench"]
    done = subprocess.run(command, env=clean(), cwd=ROOT, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def with_plugins(stage: Stage) -> Site:
    """Return a copy of the small instance with its draft, not served, in which twenty plugins are enabled."""
    plain = stage.site()
    made = Site(stage.folder / "with-plugins")
    shutil.copytree(plain.folder, made.folder, ignore=shutil.ignore_patterns("candor.db*", "*.log"))
    with (
        closing(sqlite3.connect(plain.folder / "candor.db")) as source,
        closing(sqlite3.connect(made.folder / "candor.db")) as target,
    ):
        source.backup(target)  # it is being served meanwhile
    plugins = made.folder / "plugins"
    plugins.mkdir()
    made.more["QA_PLUGINS_DIR"] = str(plugins)
    names = [f"idle{number}" for number in range(IDLE)]
    for name in names:
        (plugins / f"{name}.py").write_text(PLUGIN.format(name=name), encoding="utf-8")
    for name in names:
        made.command("plugin", "enable", name)
    return made


def idle_open(stage: Stage) -> Measured:
    """Time the workspace with twenty idle plugins beside the same without."""
    evaluator, draft = worked_on(stage)
    made: Site = stage.once("with plugins", lambda: with_plugins(stage))
    evaluator.browser.connection.close()  # it was silent for longer than the server waits
    server = serve(qa("serve"), made.folder, made.environment())
    try:
        beside = Browser(server.port)
        beside.cookies = dict(evaluator.browser.cookies)
        path = f"{draft}/work"
        found = in_turns(lambda: evaluator.browser.get(path), lambda: beside.get(path), calls=10)
        if evaluator.browser.statements != beside.statements:
            found.note = f"{evaluator.browser.statements} statements became {beside.statements}"
            found.value = float("inf")
        return found
    finally:
        server.stop()


def idle_start(stage: Stage) -> Measured:
    """Return by how many milliseconds each of twenty idle plugins delays the start."""
    plain = stage.empty("start-without")
    made: Site = stage.once("with plugins", lambda: with_plugins(stage))
    found = in_turns(
        lambda: serve(qa("serve"), plain.folder, plain.environment(), "/sign-in").stop(),
        lambda: serve(qa("serve"), made.folder, made.environment(), "/sign-in").stop(),
        turns=TURNS,
    )
    more = min(found.samples.job) - min(found.samples.floor)
    return Measured(max(0.0, more) * 1000 / IDLE, None, found.samples, note=found.note)
