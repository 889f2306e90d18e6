"""Work in a plugin's process: what it is given, what it may do, and how it ends with its worker."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from qa.core.children import Progress, Unwanted
from qa.plugins.api import (
    AgentRef,
    AuthExpired,
    Check,
    ConfigError,
    EvaluationView,
    InteractionView,
    MediaRef,
    NotReady,
    RateLimited,
    SourceInfo,
)
from qa.plugins.discovery import Candidate, find
from qa.plugins.hosting import Host, Outcome, PluginFailed, Work
from tests.plugins import plugs
from tests.plugins.far_side import serving

BUSY = """
import os, time, logging

class Busy(Connector):
    key = "busy"
    title = "Busy"
    capabilities = {Capability.LIVE, Capability.MEDIA}

    class Config(Form):
        url = URLField("Address", [InputRequired()])
        token = SecretField("Token", [InputRequired(), Length(max=40)])
        pace = IntegerField("Pace", [Optional(), NumberRange(1, 9)], default=3)

        def validate_url(self, field):
            if "evil" in field.data:
                raise ValidationError("Not that one.")

    def sign_in(self, ctx):
        return {"Authorization": "Bearer " + ctx.secrets["token"]}

    def check(self, ctx):
        return globals()["do_" + ctx.config["do"]](ctx)

    def diagnostics(self, ctx):
        return {"config": dict(ctx.config), "secrets": repr(ctx.secrets), "state": dict(ctx.state),
                "source": ctx.source.name, "lane": ctx.source.lane, "pid": os.getpid()}

    def pull(self, ctx, stream, cursor, window):
        if stream == "torn":
            now = ctx.clock.now()
            torn = Record("2", "chat", now, subject="half " + chr(0xD83D))
            yield Page([Record("1", "chat", now), torn], {"n": 1}, done=True)
            return
        yield Page([Record("1", "chat", ctx.clock.now(), raw_ref=ctx.blob.put(b"original"))], {"n": 1})
        yield Page([], {"n": 2, "was": cursor}, done=True)

    def fetch_media(self, ctx, ref):
        if ref.ref == "late":
            raise NotReady()
        if ref.ref == "own":
            ctx.sink.write(b"sound")
            return ctx.sink.done("audio/wav", "own.wav")
        return ctx.http.download(ref.ref)


def do_ask(ctx):
    return Check(True, str(ctx.http.get("/x").json()))

def do_log(ctx):
    ctx.log.warning("token %s of %s", ctx.secrets["token"], "them")
    logging.getLogger("library").error("also %s", ctx.secrets["token"])
    logging.getLogger("library").debug("never seen")
    return Check(True)

def do_work(ctx):
    for done in range(200):
        ctx.progress(done, 200, "token " + ctx.secrets["token"])
        ctx.clock.sleep(0.05)
    return Check(True)

def do_expire(ctx):
    raise AuthExpired("gone with " + ctx.secrets["token"])

def do_limit(ctx):
    raise RateLimited(datetime(2030, 1, 1, tzinfo=UTC))

def do_missing(ctx):
    return Check(True, ctx.secrets["nothing"])

def do_connect(ctx):
    ctx.connect("127.0.0.1", int(ctx.config["port"])).close()
    return Check(True)

def do_blob(ctx):
    return Check(True, ctx.blob.get("kept").decode())

def do_leave(ctx):
    (ctx.scratch / "part").write_text("half")
    return Check(True, str(ctx.scratch))

def do_print(ctx):
    print("last words: " + ctx.secrets["token"], flush=True)
    os._exit(1)

@hookimpl
def qa_connectors():
    return [Busy]

@hookimpl
def qa_evaluation_changed(ctx, change, evaluation, key):
    ctx.log.warning("%s %s %s %s", evaluation.id, change, key, ctx.config["who"])
"""
HANG = """
def do_hang(ctx):
    import subprocess
    subprocess.Popen(["sleep", "3600"])
    time.sleep(3600)
"""
TOKEN = "tok-4711-secret"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """A plugin that does what its settings say."""
    folder = tmp_path_factory.mktemp("busy")
    plugs.write(folder, "busy", BUSY)
    return next(one for one in find(folder) if one.name == "busy")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with one kept original and one private network."""
    made = Host(
        tmp_path_factory.mktemp("work"),
        private_networks=("127.0.0.0/8",),
        find_blob=lambda ref: b"from the host" if ref == "kept" else None,
    )
    yield made
    made.close()


@pytest.fixture
def do(host: Host, busy: Candidate) -> Callable[..., Outcome]:
    """Do one thing in the plugin's process."""

    def done(what: str, is_wanted: Any = lambda _progress: True, **more: Any) -> Outcome:
        config = {"do": what, **more.pop("config", {})}
        work = Work("connector", "busy", "check", {}, config, {"token": TOKEN}, 20.0, **more)
        return host.call(busy, work, is_wanted)

    return done


def test_it_asks_the_far_side_with_its_own_credentials(do: Callable[..., Outcome]) -> None:
    with serving(lambda _asked: (200, {"content-type": "application/json"}, b'{"a": 1}')) as far:
        outcome = do("ask", config={"url": far.url})
        assert outcome.value == Check(True, "{'a': 1}")
        assert far.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert outcome.traffic["requests"] == 1
        assert outcome.seconds > 0


def test_without_the_operators_leave_it_reaches_no_private_address(busy: Candidate, tmp_path: Path) -> None:
    host = Host(tmp_path)
    try:
        with serving(lambda _asked: (200, {}, b"{}")) as far:
            config = {"do": "ask", "url": far.url}
            with pytest.raises(ConfigError, match="not public"):
                host.call(busy, Work("connector", "busy", "check", {}, config, {"token": TOKEN}))
            config = {"do": "connect", "port": str(far.port)}
            with pytest.raises(ConfigError, match="not public"):
                host.call(busy, Work("connector", "busy", "check", {}, config, {"token": TOKEN}))
            assert far.asked == []
    finally:
        host.close()


def test_a_connection_of_another_kind_is_guarded_too(do: Callable[..., Outcome]) -> None:
    with serving(lambda _asked: (200, {}, b"{}")) as far:
        assert do("connect", config={"port": str(far.port)}).value == Check(True)


def test_log_lines_arrive_without_secrets(
    do: Callable[..., Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="qa.plugin"):
        do("log")
    assert [record.getMessage() for record in caplog.records] == ["token ••• of them", "also •••"]
    assert {record.__dict__["plugin"] for record in caplog.records} == {"busy"}


def test_progress_arrives_and_a_stop_is_heard(do: Callable[..., Outcome]) -> None:
    heard: list[Progress] = []

    def is_wanted(progress: Progress | None) -> bool:
        if progress is not None:
            heard.append(progress)
        return len(heard) < 2

    with pytest.raises(Unwanted):
        do("work", is_wanted=is_wanted)
    assert heard[0].total == 200
    assert heard[0].message == "token •••"
    assert do("leave").value.ok  # the process heard it and takes the next call


def test_errors_with_a_meaning_keep_it_and_lose_secrets(do: Callable[..., Outcome]) -> None:
    with pytest.raises(AuthExpired, match="gone with •••"):
        do("expire")
    with pytest.raises(RateLimited) as limited:
        do("limit")
    assert limited.value.at == datetime(2030, 1, 1, tzinfo=UTC)
    with pytest.raises(ConfigError) as missing:
        do("missing")
    assert missing.value.field == "nothing"


def test_last_words_are_kept_without_secrets(do: Callable[..., Outcome]) -> None:
    with pytest.raises(PluginFailed) as failed:
        do("print")
    assert failed.value.detail.strip() == "last words: •••"


def test_originals_come_from_the_host(do: Callable[..., Outcome]) -> None:
    assert do("blob").value == Check(True, "from the host")


def test_its_folder_goes_with_the_call_unless_the_caller_keeps_one(
    do: Callable[..., Outcome], tmp_path: Path
) -> None:
    assert not Path(do("leave").value.message).exists()
    do("leave", folder=tmp_path)
    assert (tmp_path / "part").read_text() == "half"


def test_it_sees_settings_state_and_source_and_no_secret_in_print(host: Host, busy: Candidate) -> None:
    source = SourceInfo("desk-1", "busy", "main", "backfill", "Europe/Berlin")
    work = Work(
        "connector", "busy", "diagnostics", {}, {"a": 1}, {"token": TOKEN}, source=source, state={"last": "x"}
    )
    seen = host.call(busy, work).value
    assert seen == seen | {"config": {"a": 1}, "state": {"last": "x"}, "source": "desk-1", "lane": "backfill"}
    assert seen["secrets"] == "{'token': '•••'}"


def test_pages_come_one_by_one_with_their_originals(host: Host, busy: Candidate, tmp_path: Path) -> None:
    given = {"stream": "main", "cursor": {"n": 0}, "window": None}
    work = Work("connector", "busy", "pull", given, {}, {"token": TOKEN}, folder=tmp_path)
    pages = [page for page in host.stream(busy, work) if page is not None]
    assert [page.cursor["n"] for page in pages] == [1, 2]
    assert pages[1].cursor["was"] == {"n": 0}
    assert (tmp_path / "blobs" / pages[0].records[0].raw_ref).read_bytes() == b"original"


def test_a_record_that_cannot_cross_hurts_only_itself(host: Host, busy: Candidate) -> None:
    asked = {"stream": "torn", "cursor": None, "window": None}
    (page,) = filter(None, host.stream(busy, Work("connector", "busy", "pull", asked)))
    assert [type(one).__name__ for one in page.records] == ["Record", "BadRecord"]
    assert page.records[1].external_id == "2"


def test_media_lies_in_the_callers_folder(host: Host, busy: Candidate, tmp_path: Path) -> None:
    def fetch(ref: str, url: str = "") -> Any:
        given = {"ref": MediaRef(ref)}
        config = {"url": url}
        work = Work("connector", "busy", "fetch_media", given, config, {"token": TOKEN}, folder=tmp_path)
        return host.call(busy, work).value

    media = fetch("own")
    assert (media.media_type, media.size_bytes, media.name) == ("audio/wav", 5, "own.wav")
    assert (tmp_path / "media").read_bytes() == b"sound"
    with serving(lambda _asked: (200, {"content-type": "audio/ogg"}, b"ogg" * 1_000)) as far:
        assert fetch("/recording", far.url).size_bytes == 3_000
    with pytest.raises(NotReady):
        fetch("late")


def test_an_event_hook_gets_what_it_names(
    host: Host, busy: Candidate, caplog: pytest.LogCaptureFixture
) -> None:
    interaction = InteractionView(1, "desk", "x", "chat", datetime.now(UTC), agent=AgentRef("7"))
    evaluation = EvaluationView(9, interaction, "Support", 2, 1, "submitted", "standard")
    given = {"evaluation": evaluation, "change": "submitted", "key": "k-9"}
    with caplog.at_level(logging.INFO, logger="qa.plugin"):
        host.call(busy, Work("hook", "", "qa_evaluation_changed", given, {"who": "me"}))
    assert [record.getMessage() for record in caplog.records] == ["9 submitted k-9 me"]


def test_a_settings_form_judges_in_the_plugins_process(host: Host, busy: Candidate) -> None:
    fine = host.judge(
        busy, "busy", {"url": ["https://a.example"], "token": [TOKEN], "pace": [""]}, frozenset()
    )
    assert fine.errors == {}
    assert fine.config == {"url": "https://a.example", "pace": None}
    assert fine.secrets == {"token": TOKEN}
    typed = {"url": ["https://evil.example"], "token": [""], "pace": ["11"]}
    wrong = host.judge(busy, "busy", typed, frozenset())
    assert wrong.errors["url"] == "Not that one."
    assert set(wrong.errors) == {"url", "token", "pace"}
    kept = host.judge(
        busy, "busy", typed | {"url": ["https://a.example"], "pace": ["1"]}, frozenset({"token"})
    )
    assert (kept.errors, kept.secrets) == ({}, {})


def test_one_process_serves_many_calls_and_is_renewed(host: Host, busy: Candidate) -> None:
    work = Work("connector", "busy", "diagnostics", secrets={"token": TOKEN})
    pids = {host.call(busy, work).value["pid"] for _ in range(20)}
    assert len(pids) == 1


def test_calls_at_once_do_not_wait_for_each_other(host: Host, busy: Candidate) -> None:
    given = {"stream": "main", "cursor": None, "window": None}
    work = Work("connector", "busy", "pull", given, {}, {"token": TOKEN})
    first = host.stream(busy, work)
    next(first)
    assert host.call(busy, Work("connector", "busy", "diagnostics")).value["pid"]
    first.close()


def test_a_changed_plugin_gets_a_new_process(host: Host, tmp_path: Path) -> None:
    def pid() -> int:
        one = next(one for one in find(tmp_path) if one.name == "busy")
        answer: int = host.call(one, Work("connector", "busy", "diagnostics")).value["pid"]
        return answer

    plugs.write(tmp_path, "busy", BUSY)
    first = pid()
    assert pid() == first
    plugs.write(tmp_path, "busy", BUSY, "# changed")
    assert pid() != first


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_plugins_end_with_their_worker_however_it_ends(tmp_path: Path, number: int) -> None:
    hang = BUSY + HANG
    plugs.write(tmp_path / "plugins", "busy", hang)
    worker = f"""
    from pathlib import Path
    from qa.plugins.discovery import find
    from qa.plugins.hosting import Host, Work
    one = [one for one in find(Path({str(tmp_path / "plugins")!r})) if one.name == "busy"][0]
    host = Host(Path({str(tmp_path / "work")!r}))
    print("ready", flush=True)
    host.call(one, Work("connector", "busy", "check", {{}}, {{"do": "hang"}}, deadline_seconds=600.0))
    """
    started = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(worker)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    try:
        wait_for(lambda: any("sleep" in line for line in working_in(tmp_path / "work")))
        os.kill(started.pid, number)
        started.wait(10)
        wait_for(lambda: working_in(tmp_path / "work") == [])
    finally:
        started.kill()
        started.wait()
        if started.stdout is not None:
            started.stdout.close()


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it is so."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.05)


def working_in(folder: Path) -> list[str]:
    """The command lines of all processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found
