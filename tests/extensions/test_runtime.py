"""Plugins of a site: nothing runs unasked, what runs is the allowed version, and faults are counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from qa import config
from qa.config import Settings
from qa.core import clock
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import Conflict, NotFound
from qa.core.jobs import Job
from qa.extensions import look_service, queries, secrets_service, service
from qa.extensions.models import Plugin
from qa.extensions.runtime import NotRunning, PluginRests, Runtime
from qa.extensions.standing import standing_of
from qa.plugins.api import Check
from qa.plugins.calling import PluginFailed, Work
from tests.plugins import plugs

WITH_SETTINGS = """
class Settings(Form):
    model = StringField("Model", [InputRequired()], default="base")
    pace = IntegerField("Pace", [Optional(), NumberRange(1, 9)], default=3)
    token = SecretField("Token")

@hookimpl
def qa_plugin_info():
    return PluginInfo("{name}", "1.2", settings=Settings)

class Desk(Connector):
    key, title = "desk", "Desk"

    def check(self, ctx):
        if ctx.config.get("boom"):
            raise RuntimeError("boom")
        return Check(True, str(sorted(ctx.config.items())) + str(sorted(ctx.secrets)))

    def pull(self, ctx, stream, cursor, window):
        yield Page([], {{"n": 1}})
        yield Page([], {{"n": 2}}, done=True)

@hookimpl
def qa_connectors():
    return [Desk]
"""
CHECK = Work("connector", "desk", "check", deadline_seconds=20.0)


def desk(name: str) -> str:
    """A plugin with settings and a connector."""
    return WITH_SETTINGS.format(name=name)


def row_of(database: Database, name: str) -> Plugin:
    """A plugin's row as it is kept."""
    with database.reading() as session:
        return session.get_one(Plugin, name)


def code_of(database: Database, name: str, runtime: Runtime) -> str:
    """How a plugin stands."""
    row = row_of(database, name)
    return standing_of(
        row, now=clock.now(), trusted=runtime.trusted, is_safe_mode=runtime.settings.no_plugins
    ).code


def test_a_new_plugin_is_listed_and_not_run(folder: Path, database: Database, runtime: Runtime) -> None:
    plugs.write(folder, "eager", f"open({str(folder / 'ran')!r}, 'w').close()")
    look_service.look(database, runtime)
    assert code_of(database, "eager", runtime) == "new"
    assert look_service.load_one(database, runtime, "eager") is None
    with pytest.raises(NotRunning, match="not enabled"):
        runtime.call(database, "eager", CHECK)
    assert not (folder / "ran").exists()


def test_looking_again_writes_nothing(folder: Path, database: Database, runtime: Runtime) -> None:
    plugs.write(folder, "good", plugs.CONNECTOR)
    look_service.look(database, runtime)
    before = row_of(database, "good")
    writes: list[object] = []
    database.after_commit.append(writes.append)
    look_service.look(database, runtime)
    assert writes == []
    assert row_of(database, "good").found_at == before.found_at


def test_an_enabled_plugin_is_loaded_and_called_with_its_settings(
    add: Callable[..., Any], database: Database, runtime: Runtime, keys: Keys
) -> None:
    assert add("desk", desk("desk")).is_ok
    assert code_of(database, "desk", runtime) == "running"
    with database.transaction() as session:
        service.configure_plugin(
            session,
            SYSTEM,
            "desk",
            config={"model": "small"},
            given_secrets={"token": "marker-4711"},
            fixed=(),
            keys=keys,
            now=clock.now(),
        )
    look_service.load_one(database, runtime, "desk")
    work = replace(CHECK, config={"url": "x"}, secrets={"own": "s"})
    told = runtime.call(database, "desk", work).value
    assert told == Check(True, "[('model', 'small'), ('pace', 3), ('url', 'x')]['own', 'token']")
    pull = Work("connector", "desk", "pull", {"stream": "main", "cursor": None, "window": None})
    assert [page.cursor["n"] for page in runtime.stream(database, "desk", pull) if page] == [1, 2]
    with database.reading() as session:
        offered = runtime.offers(session, "connector")
    assert [(plugin, offer.key) for plugin, offer in offered] == [("desk", "desk")]


def test_the_file_wins_over_the_form_and_a_wrong_value_in_it_is_named(
    add: Callable[..., Any], database: Database, runtime: Runtime
) -> None:
    runtime.settings = replace(runtime.settings, plugins={"desk": {"model": "large", "token": "from-file"}})
    assert add("desk", desk("desk")).is_ok
    told = runtime.call(database, "desk", CHECK).value
    assert told.message == "[('model', 'large'), ('pace', 3)]['token']"
    runtime.settings = replace(runtime.settings, plugins={"desk": {"pace": 12}})
    report = look_service.load_one(database, runtime, "desk")
    assert report is not None
    assert report.reason == "qa.toml, [plugins.desk] pace: Number must be between 1 and 9."
    assert code_of(database, "desk", runtime) == "failed"
    runtime.settings = replace(runtime.settings, plugins={"desk": {"modle": "x"}})
    report = look_service.load_one(database, runtime, "desk")
    assert report is not None
    assert report.reason == "qa.toml, [plugins.desk]: there is no setting 'modle'."
    assert "model" in report.fix


def test_a_changed_plugin_stops_until_somebody_allows_it(
    add: Callable[..., Any], folder: Path, database: Database, runtime: Runtime
) -> None:
    add("desk", desk("desk"))
    plugs.write(folder, "desk", desk("desk"), "# changed")
    look_service.look(database, runtime)
    assert code_of(database, "desk", runtime) == "changed"
    with pytest.raises(NotRunning):
        runtime.call(database, "desk", CHECK)
    with database.reading() as session:
        assert runtime.offers(session, "connector") == []
    with database.transaction() as session, pytest.raises(Conflict, match="changed since"):
        service.enable_plugin(session, SYSTEM, "desk", fingerprint="f" * 64, now=clock.now())
    with database.transaction() as session:
        service.enable_plugin(session, SYSTEM, "desk", now=clock.now())
    look_service.load_one(database, runtime, "desk")
    assert runtime.call(database, "desk", CHECK).value.ok


def test_a_trusted_plugin_runs_in_each_new_version(
    add: Callable[..., Any], folder: Path, database: Database, runtime: Runtime
) -> None:
    runtime.trusted = frozenset({"desk"})
    add("desk", desk("desk"))
    plugs.write(folder, "desk", desk("desk"), "# changed")
    look_service.look(database, runtime)
    look_service.load_one(database, runtime, "desk")
    assert runtime.call(database, "desk", CHECK).value.ok


def test_three_failures_and_it_rests_until_woken(
    add: Callable[..., Any], database: Database, runtime: Runtime
) -> None:
    add("desk", desk("desk"))
    for _ in range(3):
        with pytest.raises(PluginFailed, match="boom"):
            runtime.call(database, "desk", replace(CHECK, config={"boom": True}))
    assert code_of(database, "desk", runtime) == "resting"
    with pytest.raises(PluginRests) as rests:
        runtime.call(database, "desk", CHECK)
    assert timedelta(minutes=4) < rests.value.until - clock.now() <= timedelta(minutes=5)
    row = row_of(database, "desk")
    assert (row.failure_count, row.call_count) == (3, 3)
    assert row.error.startswith("RuntimeError: boom (desk.py, line")
    with database.transaction() as session:
        service.wake_plugin(session, SYSTEM, "desk", now=clock.now())
    look_service.load_one(database, runtime, "desk")
    assert runtime.call(database, "desk", CHECK).value.ok


def test_timings_are_kept_without_a_write_for_each_call(
    add: Callable[..., Any], database: Database, runtime: Runtime
) -> None:
    add("desk", desk("desk"))
    for _ in range(5):
        runtime.call(database, "desk", CHECK)
    runtime.flush(database)
    row = row_of(database, "desk")
    assert row.call_count == 5
    (timing,) = queries.timings_of(row)
    assert (timing.what, timing.calls) == ("desk.check", 5)
    assert 0 < timing.typical <= timing.slowest


def test_in_safe_mode_nothing_runs(add: Callable[..., Any], database: Database, runtime: Runtime) -> None:
    add("desk", desk("desk"))
    runtime.settings = replace(runtime.settings, values={**runtime.settings.values, "no_plugins": True})
    assert code_of(database, "desk", runtime) == "safe"
    with pytest.raises(NotRunning, match="--no-plugins"):
        runtime.call(database, "desk", CHECK)
    with database.reading() as session:
        assert runtime.offers(session, "connector") == []


def test_a_removed_plugin_keeps_its_row_and_comes_back(
    add: Callable[..., Any], folder: Path, database: Database, runtime: Runtime
) -> None:
    add("desk", desk("desk"))
    file = folder / "desk.py"
    text = file.read_text()
    file.unlink()
    look_service.look(database, runtime)
    assert code_of(database, "desk", runtime) == "missing"
    with pytest.raises(NotRunning):
        runtime.call(database, "desk", CHECK)
    file.write_text(text)
    look_service.look(database, runtime)
    assert code_of(database, "desk", runtime) == "running"


def test_a_plugin_that_cannot_load_says_why_and_the_rest_run(
    add: Callable[..., Any], database: Database, runtime: Runtime
) -> None:
    add("broken", "raise RuntimeError('boom')")
    add("desk", desk("desk"))
    assert code_of(database, "broken", runtime) == "failed"
    assert runtime.call(database, "desk", CHECK).value.ok
    (fault,) = look_service.faults(database, runtime)
    assert fault.startswith("broken: Importing it failed: RuntimeError: boom (broken.py, line ")


def test_the_administrators_order_is_the_order_of_offers(
    add: Callable[..., Any], database: Database, runtime: Runtime
) -> None:
    for name in ("alpha", "beta", "gamma"):
        add(name, desk(name))

    def order() -> list[str]:
        with database.reading() as session:
            return [plugin for plugin, _ in runtime.offers(session, "connector")]

    assert order() == ["alpha", "beta", "gamma"]
    with database.transaction() as session:
        service.arrange_plugins(session, SYSTEM, ["gamma", "alpha"], now=clock.now())
    assert order() == ["gamma", "alpha", "beta"]
    with database.transaction() as session, pytest.raises(NotFound):
        service.arrange_plugins(session, SYSTEM, ["delta"], now=clock.now())


def test_another_host_clears_the_secrets_meant_for_the_former(
    add: Callable[..., Any], database: Database, keys: Keys
) -> None:
    add("desk", desk("desk"))

    def configure(config: dict[str, Any], **given: str) -> frozenset[str]:
        with database.transaction() as session:
            service.configure_plugin(
                session,
                SYSTEM,
                "desk",
                config=config,
                given_secrets=given,
                fixed=("token",) if "fixed" in given else (),
                keys=keys,
                now=clock.now(),
            )
            return secrets_service.set_names(session, "plugin:desk")

    assert configure({"url": "https://a.example/x"}, token="one-1", pin="two-2") == {"token", "pin"}
    assert configure({"url": "https://a.example/y"}) == {"token", "pin"}
    assert configure({"url": "https://b.example/y"}, pin="three-3") == {"pin"}
    assert configure({"url": "https://b.example:444/y"}) == frozenset()


def test_changes_are_audited_and_have_the_plugin_loaded(add: Callable[..., Any], database: Database) -> None:
    add("desk", desk("desk"))
    with database.transaction() as session:
        service.disable_plugin(session, SYSTEM, "desk", note="replaced", now=clock.now())
    with database.reading() as session:
        kinds = list(session.scalars(select(Job.kind)))
    assert kinds == [look_service.LOAD_JOB]
    assert row_of(database, "desk").note == "replaced"
    with database.transaction() as session, pytest.raises(Conflict, match="off already"):
        service.disable_plugin(session, SYSTEM, "desk", now=clock.now())


def test_tables_of_plugins_in_the_file_and_the_environment_are_read(tmp_path: Path) -> None:

    file = tmp_path / "qa.toml"
    file.write_text('private_networks = ["10.1.2.3/8"]\n[plugins.whisper]\nmodel = "base"\nthreads = 2\n')
    read = config.load(file, {"QA_PLUGINS__WHISPER__MODEL": "small", "QA_PLUGINS__BIG_ONE__X": "1"})
    assert read.plugins == {"whisper": {"model": "small", "threads": 2}, "big-one": {"x": "1"}}
    assert read.private_networks == ("10.0.0.0/8",)
    assert isinstance(read, Settings)
    file.write_text('private_networks = ["ten"]\n')
    with pytest.raises(config.SettingsError, match="list of networks"):
        config.load(file, {})
    file.write_text('plugins = "x"\n')
    with pytest.raises(config.SettingsError, match="a table for each plugin"):
        config.load(file, {})
