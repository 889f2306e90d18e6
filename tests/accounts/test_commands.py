"""``qa user``: the first administrator, one-time links and the list, on a real site."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select

from qa import cli
from qa.accounts import commands
from qa.accounts.models import User
from qa.accounts.queries import get_person
from qa.core.actor import SYSTEM
from qa.core.db import Database
from qa.core.errors import DomainError
from tests.accounts.conftest import NOW, make_team, make_user, post


@pytest.fixture
def toml(tmp_path: Path, database_url: str) -> str:
    file = tmp_path / "qa.toml"
    file.write_text(
        f'data_dir = "{tmp_path}"\ndatabase_url = "{database_url}"\nport = 8123\n', encoding="utf-8"
    )
    return str(file)


def run(toml: str, *words: str) -> Result:
    return CliRunner().invoke(commands.group, list(words), obj=toml)


ADD = ("add", "--name", "Ilse Verhoeven", "--email", "ilse@halden.example")


def test_the_first_administrator_is_added_and_chooses_a_password_by_the_printed_link(
    toml: str, app: Flask, database: Database
) -> None:
    printed = run(toml, *ADD, "--role", "admin", "--role", "manager")
    assert printed.exit_code == 0
    first, link = printed.output.strip().splitlines()
    assert first == "ilse@halden.example chooses a password here, once, within 30 minutes:"
    assert link.startswith("http://127.0.0.1:8123/welcome/")
    path = link.removeprefix("http://127.0.0.1:8123")
    with app.test_client() as ilse:
        assert post(ilse, path, password="another kite saddle").status_code == 303
        signed = post(ilse, "/sign-in", email="ilse@halden.example", password="another kite saddle")
        assert signed.status_code == 303
        assert ilse.get("/people").status_code == 200


def test_a_person_is_added_to_a_team_by_its_name(toml: str, database: Database) -> None:
    with database.transaction() as session:
        team = make_team(session, name="Billing North")
    printed = run(toml, *ADD, "--role", "agent", "--team", "Billing North", "--json")
    told = json.loads(printed.output)
    assert set(told) == {"email", "link"}
    with database.reading() as session:
        user = session.scalars(select(User)).one()
        assert get_person(session, SYSTEM, user.id).team_id == team.id


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--role", "agent", "--team", "Nowhere"), "There is no open team “Nowhere”"),
        (("--role", "agent", "--team", "Twin"), "2 teams are called “Twin”"),
        (("--role", "agent", "--name", "a\u202eb"), "text-direction"),
        (("--role", "agent", "--email", "nobody"), "This is no e-mail address"),
        (("--role", "agent", "--email", "taken@halden.example"), "Somebody has this address already"),
        (("--role", "agent", "--name", "\udce9"), "half of a character"),
        (("--role", "agent", "--team", "\udce9"), "half of a character"),
    ],
)
def test_what_cannot_be_added_is_told_in_a_sentence_and_leaves_nothing(
    toml: str, database: Database, words: tuple[str, ...], sentence: str
) -> None:
    with database.transaction() as session:
        make_user(session, email="taken@halden.example")
        above = make_team(session, name="Twin")
        make_team(session, name="Twin", parent_id=above.id)
    printed = run(toml, *ADD, *words)
    assert isinstance(printed.exception, DomainError)
    assert sentence in str(printed.exception)
    with database.reading() as session:
        assert len(session.scalars(select(User.id)).all()) == 1


def test_an_unknown_role_is_refused_with_the_known_ones(toml: str) -> None:
    printed = run(toml, *ADD, "--role", "root")
    assert printed.exit_code == 2
    assert "'agent', 'evaluator', 'coach', 'lead'" in printed.output


def test_another_link_ends_the_earlier_one(toml: str, app: Flask) -> None:
    first = run(toml, *ADD, "--role", "admin").output.split()[-1]
    second = run(toml, "link", "ILSE@halden.example").output.split()[-1]
    with app.test_client() as client:
        assert client.get(first.partition("8123")[2]).status_code == 409
        assert client.get(second.partition("8123")[2]).status_code == 200


@pytest.mark.parametrize("email", ["nobody@halden.example", "\udce9@halden.example"])
def test_a_link_for_nobody_is_refused_in_a_sentence(toml: str, email: str) -> None:
    printed = run(toml, "link", email)
    assert isinstance(printed.exception, DomainError)
    str(printed.exception).encode()


def test_people_are_listed_by_name_one_a_line(toml: str, database: Database) -> None:
    with database.transaction() as session:
        team = make_team(session, name="Billing")
        for number in range(60):
            make_user(session, "agent", "coach", team=team, name=f"Person {number:02}")
        make_user(session, name="Gone", deactivated_at=NOW)
    lines = run(toml, "list").output.splitlines()
    assert len(lines) == 60
    assert "Agent, Coach" in lines[0]
    assert "Billing" in lines[0]
    assert [line.rpartition("  ")[2].strip()[-2:] for line in lines] == [
        f"{number:02}" for number in range(60)
    ]
    everybody = [json.loads(line) for line in run(toml, "list", "--all", "--json").output.splitlines()]
    assert len(everybody) == 61
    assert everybody[0] | {"email": ""} == {
        "email": "",
        "name": "Gone",
        "roles": ["agent"],
        "team": None,
        "active": False,
    }


def test_the_command_is_found_by_its_name_and_a_refusal_is_one_line(
    toml: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--config", toml, "user", "link", "nobody@halden.example"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("qa: Nobody here has the address")
