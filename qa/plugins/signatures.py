"""Who sent a webhook: the declared scheme held against the raw bytes, in constant time.

Pure: bytes, secrets and a moment in, a delivery id out, or ``Forged``. Every refusal looks the same from
outside; its reason is for our own log only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from qa.plugins.api import Hmac, SharedSecret

TOLERANCE = timedelta(minutes=5)
NAMELESS_WINDOW = timedelta(minutes=10)
MOST_SIGNATURES = 10
ID_MAX = 200
_FIELD = re.compile(r"\{(id|timestamp|method|url|body|form)\}")
_FORM = "application/x-www-form-urlencoded"


class Forged(Exception):
    """The delivery is not the vendor's, or too old; the message is for the log."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came. Header names are lower case; ``url`` is the address the vendor called."""

    method: str
    url: str
    body: bytes
    at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """Return a header, or raise ``Forged``."""
        value = self.headers.get(name.lower(), "")
        if not value:
            raise Forged(f"the header {name} is missing")
        return value

    @property
    def is_form(self) -> bool:
        """Tell whether the body is a form."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower() == _FORM


def verified(auth: Hmac | SharedSecret, received: Received, secrets: Sequence[str]) -> str:
    """Return the delivery's id when one of the secrets signed it; raise ``Forged``.

    Two secrets are good while one replaces the other. A delivery without an id of its own gets one of its
    bytes, good for ten minutes: the same again within them is the same delivery.
    """
    usable = [secret for secret in secrets if secret]
    if isinstance(auth, SharedSecret):
        _check_shared(auth, received, usable)
    else:
        _check_hmac(auth, received, usable)
    return delivery_id(auth, received)


def delivery_id(auth: Hmac | SharedSecret, received: Received) -> str:
    """Return by what a repeated delivery is known."""
    named = received.headers.get(auth.id_header.lower(), "") if auth.id_header else ""
    if named:
        return named if len(named) <= ID_MAX else hashlib.sha256(named.encode()).hexdigest()
    stamp = received.headers.get(auth.timestamp_header.lower(), "") if isinstance(auth, Hmac) else ""
    if not stamp:
        stamp = str(int(received.at.timestamp() // NAMELESS_WINDOW.total_seconds()))
    return hashlib.sha256(stamp.encode() + b"\0" + received.body).hexdigest()


# --- a signature -------------------------------------------------------------


def _check_hmac(auth: Hmac, received: Received, secrets: Sequence[str]) -> None:
    given = _given(auth, received.header(auth.header))
    if auth.timestamp_header:
        _check_time(auth, received)
    _check_cover(auth, received)
    content = _signed_content(auth, received)
    expected = [_signature(auth, secret, content) for secret in secrets]
    matches = [hmac.compare_digest(one, known) for one in given for known in expected]
    if not any(matches):
        raise Forged("the signature is wrong")


def _given(auth: Hmac, header: str) -> list[bytes]:
    parts = header.split(auth.separator) if auth.separator else [header]
    given = []
    for part in parts[:MOST_SIGNATURES]:
        words = part.strip()
        if words.startswith(auth.prefix):
            bare = words.removeprefix(auth.prefix)
            given.append((bare.lower() if auth.encoding == "hex" else bare).encode())
    return given


def _signature(auth: Hmac, secret: str, content: bytes) -> bytes:
    digest = hmac.new(_key(auth, secret), content, auth.algorithm).digest()
    return digest.hex().encode() if auth.encoding == "hex" else base64.b64encode(digest)


def _key(auth: Hmac, secret: str) -> bytes:
    if auth.key_encoding == "text":
        return secret.encode()
    bare = secret.removeprefix("whsec_") if auth.key_encoding == "whsec" else secret
    try:
        return base64.b64decode(bare, validate=True)
    except (binascii.Error, ValueError):
        raise Forged("the kept secret is not base64") from None


def _signed_content(auth: Hmac, received: Received) -> bytes:
    return b"".join(_pieces(auth, received))


def _pieces(auth: Hmac, received: Received) -> Iterator[bytes]:
    reached = 0
    for match in _FIELD.finditer(auth.over):
        yield auth.over[reached : match.start()].encode()
        reached = match.end()
        yield _piece(match[1], auth, received)
    yield auth.over[reached:].encode()


def _piece(name: str, auth: Hmac, received: Received) -> bytes:
    if name == "body":
        return received.body
    if name == "form":
        return "".join(f"{key}{value}" for key, value in sorted(_form(received))).encode()
    if name == "id":
        return received.header(auth.id_header).encode()
    if name == "timestamp":
        return received.header(auth.timestamp_header).encode()
    return (received.method if name == "method" else received.url).encode()


def _form(received: Received) -> list[tuple[str, str]]:
    if not received.is_form:
        return []
    try:
        return parse_qsl(received.body.decode(), keep_blank_values=True, strict_parsing=False)
    except (UnicodeDecodeError, ValueError):
        raise Forged("the form cannot be read") from None


def _check_cover(auth: Hmac, received: Received) -> None:
    """Refuse a body that the signature says nothing about: a form is covered by its fields, other bodies
    by their hash in the signed address."""
    if "{body}" in auth.over or not received.body or ("{form}" in auth.over and received.is_form):
        return
    named = received.query.get("bodySHA256", "").lower().encode()
    is_named = "{url}" in auth.over and f"bodySHA256={named.decode()}" in received.url.replace("%3D", "=")
    if not (is_named and hmac.compare_digest(named, hashlib.sha256(received.body).hexdigest().encode())):
        raise Forged("the signature does not cover the body")


def _check_time(auth: Hmac, received: Received) -> None:
    sent = _moment(received.header(auth.timestamp_header), auth.timestamp_unit)
    if abs(received.at - sent) > TOLERANCE:
        raise Forged("the delivery is too old, or from the future")


def _moment(text: str, unit: str) -> datetime:
    try:
        if unit == "iso":
            sent = datetime.fromisoformat(text.replace("Z", "+00:00"))
            return sent if sent.tzinfo else sent.replace(tzinfo=UTC)
        return datetime.fromtimestamp(int(text) / (1000 if unit == "ms" else 1), tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise Forged("the time of the delivery cannot be read") from None


# --- a shared secret ---------------------------------------------------------


def _check_shared(auth: SharedSecret, received: Received, secrets: Sequence[str]) -> None:
    if auth.place == "path":
        return  # the address itself is the secret, and was found by it
    given = _shared(auth, received).encode()
    if not any([hmac.compare_digest(given, secret.encode()) for secret in secrets]):
        raise Forged("the shared secret is wrong")


def _shared(auth: SharedSecret, received: Received) -> str:
    if auth.place == "header":
        return received.header(auth.name)
    if auth.place == "query":
        return received.query.get(auth.name, "")
    try:
        told = json.loads(received.body)
    except (ValueError, RecursionError):
        raise Forged("the body is not JSON") from None
    value = told.get(auth.name) if isinstance(told, dict) else None
    return value if isinstance(value, str) else ""
