"""Mail: each notice once, to those who are there and want it, over a connection that is protected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from qa.accounts.models import User
from qa.accounts.notices_service import notify
from qa.config import Settings
from qa.core import clock, outbox
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import Invalid
from qa.extensions import mail_service
from qa.extensions import outgoing_service as outgoing
from qa.extensions.mail_service import MailChoice
from qa.extensions.models import MailSettings, Outgoing, SealedSecret
from qa.extensions.runtime import Runtime
from qa.worker import make_carriers, make_reactions
from tests.extensions.mail_server import MailServer, make_certificate, serving
from tests.factories import make_user, start_session

Send = Callable[[], None]
CALENDAR = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server without encryption."""
    with serving() as opened:
        yield opened


@pytest.fixture
def dana(database: Database) -> User:
    """Who gets mail."""
    with database.transaction() as session:
        return make_user(session, "agent")


@pytest.fixture
def send(database: Database, settings: Settings, runtime: Runtime, keys: Keys) -> Send:
    """Do what the worker does with what waits."""
    reachable = replace(settings, values={**settings.values, "public_url": "https://qa.example.org/"})
    carriers = make_carriers(reachable, keys)

    def sent() -> None:
        outbox.deliver(database, make_reactions(keys, runtime, settings.zone))
        with database.reading() as session:
            targets = set(session.scalars(select(Outgoing.target)))
        for target in targets:
            outgoing.deliver(database, runtime, keys, carriers, target)

    return sent


def set_up(database: Database, keys: Keys, port: int, **over: object) -> None:
    """Set mail up."""
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "qa@halden.example",
    }
    with database.transaction() as session:
        choice = MailChoice(**(values | over))  # type: ignore[arg-type]
        mail_service.set_up_mail(session, SYSTEM, keys, choice, now=clock.now())


def tell(database: Database, person: User, key: str = "a", **over: str) -> None:
    """Tell a person something."""
    with database.transaction() as session:
        notify(
            session,
            person_id=person.id,
            kind="test",
            words="Your session is on Thursday.",
            endpoint="accounts.my_account",
            values={},
            key=key,
            now=clock.now(),
            **over,
        )


def test_a_notice_goes_out_once_however_often_the_worker_looks(
    database: Database, keys: Keys, server: MailServer, dana: User, send: Send
) -> None:
    set_up(database, keys, server.port)
    tell(database, dana, calendar=CALENDAR)
    for _ in range(3):
        send()
    tell(database, dana)
    send()
    (mail,) = server.taken
    assert mail["Subject"] == "Your session is on Thursday."
    assert dana.email in mail["To"]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "https://qa.example.org/notices/" in body.get_content()
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "text/calendar"
    assert attached.get_content().splitlines() == CALENDAR.splitlines()


def test_nobody_gets_mail_who_left_or_switched_it_off_and_none_goes_before_it_is_set_up(
    database: Database, keys: Keys, server: MailServer, dana: User, send: Send
) -> None:
    tell(database, dana, "before")
    send()
    set_up(database, keys, server.port)
    with database.transaction() as session:
        off = make_user(session, "agent", name="Kofi")
        off.preferences = {"mail": False}
    tell(database, off)
    tell(database, dana, "late")
    outbox.deliver(database, {})
    send()
    tell(database, dana, "leaving")
    with database.transaction() as session:
        session.execute(update(User).where(User.id == dana.id).values(deactivated_at=clock.now()))
    send()
    assert server.taken == []


def test_a_second_try_is_known_as_the_same_mail_and_a_refusal_for_good_ends_it(
    database: Database, keys: Keys, server: MailServer, dana: User, send: Send
) -> None:
    set_up(database, keys, server.port)
    server.drops_after_taking = 1
    tell(database, dana)
    send()
    with clock.moved_to(datetime.now().astimezone() + timedelta(minutes=5)):
        send()
    first, second = server.taken
    assert first["Message-ID"] == second["Message-ID"]
    server.answers["RCPT"] = ["550 nobody of that name"]
    tell(database, dana, "b")
    send()
    with database.reading() as session:
        dead = session.scalars(select(Outgoing).where(Outgoing.state == "dead")).one()
    assert "550 nobody of that name" in dead.error


@pytest.mark.parametrize("security", ["starttls", "none"])
def test_a_password_goes_over_a_protected_connection_and_is_kept_sealed(
    database: Database,
    keys: Keys,
    dana: User,
    send: Send,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    security: str,
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as server:
        account = {"username": "candor", "password": "kite saddle"} if security == "starttls" else {}
        set_up(database, keys, server.port, security=security, **account)
        tell(database, dana)
        send()
        assert len(server.taken) == 1
        assert server.signed_in == (["PLAIN"] if security == "starttls" else [])
    with database.reading() as session:
        sealed = [row.sealed for row in session.scalars(select(SealedSecret))]
    assert all(b"kite" not in one for one in sealed)


def test_a_server_that_offers_no_protection_gets_nothing(
    database: Database, keys: Keys, server: MailServer, dana: User, send: Send
) -> None:
    set_up(database, keys, server.port, security="starttls")
    tell(database, dana)
    send()
    assert server.taken == []
    with database.reading() as session:
        assert "STARTTLS" in session.scalars(select(Outgoing.error)).one()


def test_what_cannot_be_kept_is_said_beside_the_field_and_a_password_stays_with_its_server(
    database: Database, keys: Keys
) -> None:
    for wrong, field in (
        ({"host": "a b"}, "host"),
        ({"port": 0}, "port"),
        ({"host": "smtp.example.org"}, "security"),
        ({"sender": "nobody"}, "sender"),
        ({"username": "x"}, "password"),
    ):
        with pytest.raises(Invalid) as refused:
            set_up(database, keys, **({"port": 2525} | wrong))  # type: ignore[arg-type]
        assert list(refused.value.errors) == [field]
    account = {"username": "x", "security": "tls"}
    set_up(database, keys, 465, password="kite", **account)
    set_up(database, keys, 587, **account)
    with pytest.raises(Invalid):
        set_up(database, keys, 587, host="elsewhere.example.org", **account)


def test_an_administrator_sets_mail_up_and_sends_a_test(
    database: Database, app: object, client: FlaskClient, server: MailServer, send: Send
) -> None:
    with database.transaction() as session:
        ilse, dana = make_user(session, "admin", name="Ilse"), make_user(session, "agent")
    start_session(app, client, dana)  # type: ignore[arg-type]
    assert client.get("/mail").status_code == 403
    start_session(app, client, ilse)  # type: ignore[arg-type]
    token = client.get("/mail").text.split('name="csrf_token" value="')[1].split('"')[0]
    typed = {
        "csrf_token": token,
        "host": "127.0.0.1",
        "port": "0",
        "security": "none",
        "sender": "qa@halden.example",
        "is_on": "y",
    }
    refused = client.post("/mail", data=typed)
    assert (refused.status_code, "A port is a number" in refused.text) == (422, True)
    assert client.post("/mail", data={**typed, "port": str(server.port)}).status_code == 303
    assert client.post("/mail/test", data={"csrf_token": token}).status_code == 303
    assert "on its way" in client.get("/mail").text
    send()
    assert "The server took the test mail" in client.get("/mail").text
    assert server.taken[0]["To"].endswith(f"<{ilse.email}>")
    with database.reading() as session:
        assert session.scalars(select(MailSettings.port)).one() == server.port
