"""Pages and commands that bring scorecards in: drafts, activation, comparison, the same text out again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from qa.accounts.models import User
from qa.cli import qa
from qa.config import Settings
from qa.core.db import Database
from qa.scorecards.library import READY, ready_text
from tests.accounts.conftest import post
from tests.factories import make_user

SignIn = Callable[[FlaskClient, User], None]


@pytest.fixture
def people(database: Database) -> dict[str, User]:
    """One person for each role that matters here."""
    with database.transaction() as session:
        return {role: make_user(session, role) for role in ("manager", "agent", "evaluator")}


@pytest.fixture
def manager(client: FlaskClient, people: dict[str, User], sign_in: SignIn) -> FlaskClient:
    """A QA manager's browser."""
    sign_in(client, people["manager"])
    return client


def test_a_ready_made_scorecard_becomes_a_draft_and_then_active(manager: FlaskClient) -> None:
    assert manager.get("/scorecards").text.count("Use it") == len(READY)
    taken = post(manager, "/scorecards/ready/chat", "/scorecards")
    assert taken.headers["Location"].endswith("/scorecards/chat/v/1")
    page = manager.get("/scorecards/chat/v/1").text
    assert "Nothing to remark" in page
    assert post(manager, "/scorecards/chat/v/1/activate", "/scorecards/chat/v/1").status_code == 303
    page = manager.get("/scorecards/chat/v/1").text
    assert "version 1, active" in page
    assert "Activate</button>" not in page
    assert post(manager, "/scorecards/chat/v/1/activate", "/scorecards").status_code == 409
    assert manager.get("/scorecards").text.count("Use it") == len(READY) - 1


def test_a_second_version_shows_what_changed_and_retires_the_first(manager: FlaskClient) -> None:
    post(manager, "/scorecards/ready/chat", "/scorecards")
    post(manager, "/scorecards/chat/v/1/activate", "/scorecards/chat/v/1")
    text = ready_text("chat").replace("pass: 75", "pass: 85").replace("\n", "\r\n")
    assert post(manager, "/scorecards/new", yaml=text).status_code == 303
    page = manager.get("/scorecards/chat/compare/1/2").text
    assert "<del>75</del>" in page
    assert "<ins>85</ins>" in page
    post(manager, "/scorecards/chat/v/2/activate", "/scorecards/chat/v/2")
    assert "version 1, retired" in manager.get("/scorecards/chat/v/1").text


def test_what_cannot_be_used_says_so_with_its_line_and_keeps_the_typing(manager: FlaskClient) -> None:
    refused = post(manager, "/scorecards/new", yaml="form: x\ntitle: [\n")
    assert refused.status_code == 422
    assert "line" in refused.text.lower()
    assert "title: [" in refused.text
    broken = ready_text("chat").replace('score: "100"', 'score: "99"', 1)
    assert post(manager, "/scorecards/new", yaml=broken).status_code == 303
    failed = post(manager, "/scorecards/chat/v/1/activate", "/scorecards/chat/v/1")
    assert failed.status_code == 422
    assert "It cannot be activated yet" in failed.text
    assert "score is 100, not 99" in failed.text


@pytest.mark.parametrize("role", ["agent", "evaluator"])
def test_others_read_and_may_not_bring_in(
    client: FlaskClient, people: dict[str, User], sign_in: SignIn, role: str
) -> None:
    sign_in(client, people[role])
    page = client.get("/scorecards").text
    assert "Use it" not in page
    assert "A QA manager brings in the first one" in page
    assert client.get("/scorecards/new").status_code == 403
    assert post(client, "/scorecards/ready/chat", "/scorecards").status_code == 403


def test_the_command_line_brings_a_text_in_and_the_same_text_out(settings: Settings) -> None:
    env = {"QA_DATA_DIR": str(settings.data_path), "QA_DATABASE_URL": settings.database}
    run = CliRunner(env=env)
    file = settings.data_path / "chat.yaml"
    file.write_text(ready_text("chat"), encoding="utf-8")
    added = run.invoke(qa, ["scorecards", "add", str(file)])
    assert added.output == "Chat, version 1: draft.\n"
    assert run.invoke(qa, ["scorecards", "add", "--ready", "chat", "--activate"]).output.endswith("active.\n")
    assert run.invoke(qa, ["scorecards", "export", "chat"]).output == ready_text("chat")
    assert run.invoke(qa, ["scorecards", "export", "chat", "--version", "1"]).output == ready_text("chat")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["add"], "Name either a file or a ready-made scorecard"),
        (["add", "no-such-file.yaml"], "cannot be read"),
        (["export", "nothing"], "There is no such scorecard."),
    ],
)
def test_a_wrong_call_says_what_is_wrong(settings: Settings, arguments: list[str], sentence: str) -> None:
    env = {"QA_DATA_DIR": str(settings.data_path), "QA_DATABASE_URL": settings.database}
    done = CliRunner(env=env).invoke(qa, ["scorecards", *arguments])
    assert done.exit_code != 0
    assert sentence in (done.output + str(done.exception))
