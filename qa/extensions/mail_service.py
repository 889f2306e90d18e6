"""Outgoing mail: its settings, and which mail is put down to be sent.

Every notice goes out once as a mail too, if mail is set up and the person wants it. What is put down names
the notice only; its words and the address are read when it is sent, so that whoever left meanwhile gets
none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa.accounts.models import User
from qa.accounts.permissions import Permission
from qa.accounts.policy import require
from qa.core import audit
from qa.core.actor import Actor, by
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import Conflict, Invalid
from qa.extensions import outgoing_service as outgoing
from qa.extensions import secrets_service as secrets
from qa.extensions.models import MailSettings, Outgoing

MAIL = "mail"
OWNER = "mail"
PASSWORD = "password"  # noqa: S105 - the name of a field
ONLY_ROW = 1
SECURITIES = {
    "starttls": "STARTTLS, usually port 587",
    "tls": "TLS from the first byte, usually port 465",
    "none": "No encryption: only for a server on this machine",
}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")
TEST_PAUSE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class MailChoice:
    """What a person chose; ``password`` None leaves the one that is set."""

    host: str
    port: int
    security: str
    sender: str
    username: str = ""
    password: str | None = None
    is_on: bool = True


def find_settings(session: Session, actor: Actor) -> MailSettings | None:
    """Return how mail goes out, None before it is set up. Only for those who may change it."""
    require(actor, Permission.SETTINGS_EDIT, by(actor.id))
    return session.get(MailSettings, ONLY_ROW)


def has_password(session: Session, actor: Actor) -> bool:
    """Tell whether a password is set; nobody reads it again."""
    require(actor, Permission.SETTINGS_EDIT, by(actor.id))
    return PASSWORD in secrets.set_names(session, OWNER)


def find_last_test(session: Session, actor: Actor) -> Outgoing | None:
    """Return how one's last test mail stands."""
    require(actor, Permission.SETTINGS_EDIT, by(actor.id))
    own = select(Outgoing).where(Outgoing.target == _test_target(actor.id))
    return session.scalar(own.order_by(Outgoing.id.desc()).limit(1))


def set_up_mail(session: Session, actor: Actor, keys: Keys, choice: MailChoice, *, now: datetime) -> None:
    """Keep how mail goes out. A password belongs to its host and account: others need it typed anew.

    Raises ``Invalid`` naming each field that cannot be kept.
    """
    require(actor, Permission.SETTINGS_EDIT, by(actor.id))
    _check(choice)
    row = session.get(MailSettings, ONLY_ROW)
    if row is not None and (row.host, row.username) != (choice.host, choice.username):
        secrets.drop_secrets(session, OWNER)
    if choice.password:
        given = {PASSWORD: choice.password}
        secrets.keep_secrets(session, keys, OWNER, given, changed_by_id=actor.id, now=now)
    if not choice.username:
        secrets.drop_secrets(session, OWNER)
    elif PASSWORD not in secrets.set_names(session, OWNER):
        raise Invalid("Type the password of this account on this server.", field="password")
    session.merge(
        MailSettings(
            id=ONLY_ROW,
            host=choice.host,
            port=choice.port,
            security=choice.security,
            username=choice.username,
            sender=choice.sender,
            is_on=choice.is_on,
            changed_by_id=actor.id,
            changed_at=now,
        )
    )
    after = {"host": choice.host, "port": choice.port, "security": choice.security, "is_on": choice.is_on}
    audit.record(session, actor, "mail:set_up", "mail_settings", ONLY_ROW, now=now, after=after)


def _check(choice: MailChoice) -> None:
    if not re.fullmatch(r"[A-Za-z0-9._:\-]{1,253}", choice.host):
        raise Invalid("Type the name of the mail server, such as smtp.example.org.", field="host")
    if not 1 <= choice.port <= 65_535:
        raise Invalid("A port is a number from 1 to 65535.", field="port")
    if choice.security not in SECURITIES:
        raise Invalid("Choose how the connection is protected.", field="security")
    if choice.security == "none" and choice.host not in LOOPBACK:
        raise Invalid("Without encryption only a server on this machine can be used.", field="security")
    if not ADDRESS.fullmatch(choice.sender):
        raise Invalid("Type the address that mail comes from, such as qa@example.org.", field="sender")


def ask_for_test(session: Session, actor: Actor, keys: Keys, *, now: datetime) -> None:
    """Have a test mail sent to oneself; ``Conflict`` before mail is set up or right after another one."""
    require(actor, Permission.SETTINGS_EDIT, by(actor.id))
    if session.get(MailSettings, ONLY_ROW) is None:
        raise Conflict("Set mail up first.")
    last = find_last_test(session, actor)
    if last is not None and now - last.put_at < TEST_PAUSE:
        raise Conflict("A test is on its way already. Wait ten seconds.")
    _put(session, keys, _test_target(actor.id), f"test:{now.isoformat()}", {"person": actor.id}, now)
    audit.record(session, actor, "mail:test", "mail_settings", ONLY_ROW, now=now)


def put_down(keys: Keys, database: Database, payload: dict[str, Any], now: datetime) -> None:
    """Put the mail of a new notice down to be sent. For the worker's table of reactions."""
    with database.transaction() as session:
        row = session.get(MailSettings, ONLY_ROW)
        person = session.get(User, payload["person_id"])
        if row is None or not row.is_on or person is None or not person.preferences.get("mail", True):
            return
        notice = int(payload["notice_id"])
        _put(session, keys, f"mail:{person.id}", f"notice:{notice}", {"notice": notice}, now)


def _put(
    session: Session, keys: Keys, target: str, key: str, contents: dict[str, Any], now: datetime
) -> None:
    outgoing.put(session, keys, work=MAIL, plugin=MAIL, target=target, key=key, contents=contents, now=now)


def _test_target(person_id: int | None) -> str:
    return f"mail-test:{person_id}"
