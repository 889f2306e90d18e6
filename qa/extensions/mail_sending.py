"""Sending one mail over SMTP. Called by the worker alone.

A mail's id is made from its key, so that a second try after a broken connection is known as the same mail.
"""

from __future__ import annotations

import hashlib
import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr

from qa.accounts.models import Notice, User
from qa.config import Settings
from qa.core import clock
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.extensions import secrets_service as secrets
from qa.extensions.mail_service import ONLY_ROW, OWNER, PASSWORD
from qa.extensions.models import MailSettings
from qa.extensions.outgoing_service import Parcel
from qa.extensions.runtime import Runtime
from qa.plugins.api import Gone, Transient

SECONDS = 20.0
REFUSED_FOR_GOOD = 500
LOST_PASSWORD = "The mail server refused the user name or password. Type the password again."  # noqa: S105


@dataclass(frozen=True, slots=True)
class Wire:
    """How to reach the server, opened."""

    host: str
    port: int
    security: str
    username: str
    password: str


def carry(settings: Settings, keys: Keys, database: Database, _runtime: Runtime, parcel: Parcel) -> None:
    """Send one mail. For the worker's table of carriers."""
    with database.reading() as session:
        row = session.get(MailSettings, ONLY_ROW)
        if row is None:
            raise Gone("Mail is not set up any more.")
        wire = Wire(
            row.host,
            row.port,
            row.security,
            row.username,
            secrets.open_secrets(session, keys, OWNER).get(PASSWORD, ""),
        )
        notice_id = parcel.contents.get("notice")
        notice = None if notice_id is None else session.get(Notice, notice_id)
        if notice_id is not None and notice is None:
            raise Gone("This notice is gone.")
        person = session.get(User, parcel.contents["person"] if notice is None else notice.person_id)
        if person is None or person.deactivated_at is not None:
            raise Gone("The person this mail is for has left.")
        message = _message(settings, row.sender, person, notice, parcel.key)
    _send(wire, message)


def _message(settings: Settings, sender: str, person: User, notice: Notice | None, key: str) -> EmailMessage:
    site, url = settings.site_name, settings.public_url.rstrip("/")
    message = EmailMessage(policy=SMTP)
    message["From"] = formataddr((site, sender))
    message["To"] = formataddr((person.name, person.email))
    message["Date"] = format_datetime(clock.now())
    domain = sender.rpartition("@")[2]
    message["Message-ID"] = f"<{hashlib.sha256(f'{person.id}:{key}'.encode()).hexdigest()[:40]}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if notice is None:
        message["Subject"] = f"Test mail from {site}"
        message.set_content(f"Mail from {site} arrives. Nothing else is to be done.\n")
        return message
    message["Subject"] = " ".join(notice.words.split())
    where = f"{url}/notices/{notice.id}" if url else f"the notices of {site}"
    away = "You can switch mail off under My account; the bell tells you all the same."
    message.set_content(f"{notice.words}\n\nOpen it: {where}\n\n{away}\n")
    if notice.calendar:
        message.add_attachment(notice.calendar, subtype="calendar", filename="session.ics")
        message.get_payload()[-1].set_param("method", "PUBLISH")  # type: ignore[index, union-attr]
    return message


def _send(wire: Wire, message: EmailMessage) -> None:
    try:
        with _connected(wire) as server:
            if wire.username:
                server.login(wire.username, wire.password)
            server.send_message(message)
    except smtplib.SMTPAuthenticationError:
        raise Transient(LOST_PASSWORD) from None
    except smtplib.SMTPRecipientsRefused as refused:
        code, words = next(iter(refused.recipients.values()))
        raise _refusal(code, words) from None
    except smtplib.SMTPResponseException as refused:
        raise _refusal(refused.smtp_code, refused.smtp_error) from None
    except smtplib.SMTPException as error:
        raise Transient(f"The mail server broke off: {error}") from None
    except ssl.SSLError as error:
        raise Transient(f"The connection could not be protected: {error.reason}") from None
    except OSError as error:
        raise Transient(
            f"{wire.host}, port {wire.port}, cannot be reached: {error.strerror or error}"
        ) from None


def _connected(wire: Wire) -> smtplib.SMTP:
    name = socket.gethostname()
    if wire.security == "tls":
        return smtplib.SMTP_SSL(
            wire.host, wire.port, name, timeout=SECONDS, context=ssl.create_default_context()
        )
    server = smtplib.SMTP(wire.host, wire.port, name, timeout=SECONDS)
    if wire.security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _refusal(code: int, words: bytes | str) -> Gone | Transient:
    said = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    sentence = f"The mail server refused it: {code} {said}"
    return Gone(sentence) if code >= REFUSED_FOR_GOOD else Transient(sentence)
