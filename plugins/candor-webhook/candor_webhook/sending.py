"""One delivery: its body, its three headers, its signature. The scheme is that of Standard Webhooks.

Signed is ``id.timestamp.body`` with HMAC-SHA256, the key being the base64 behind ``whsec_``. The id is
made of the host's key, so a repeated delivery is known to be the same; the time is that of the attempt.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from qa.plugins.api import ConfigError, Context

PREFIX = "whsec_"
SECRET_BYTES = 32
SHORTEST_KEY, LONGEST_KEY = 24, 64


class BadSecret(ValueError):
    """The secret cannot sign; the message says why."""


def key_of(secret: str) -> bytes:
    """Return the key inside a secret; raise ``BadSecret``."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret("The secret is whsec_ and base64; `qa x webhook new-secret` makes one.") from None
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise BadSecret(f"The secret has {len(key)} bytes; it needs {SHORTEST_KEY} to {LONGEST_KEY}.")
    return key


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature, such as ``v1,g0hM9S…``; raise ``BadSecret``."""
    return "v1," + _signed(key_of(secret), message_id, timestamp, body)


def _signed(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    content = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def message_id_of(key: str) -> str:
    """Return the webhook-id of a host's key: the same for the same, without a dot inside."""
    return "msg_" + hashlib.sha256(key.encode()).hexdigest()[:32]


def plain(view: Any) -> dict[str, Any]:
    """Return a view as plain JSON values: times as ISO, decimals as text."""
    made: dict[str, Any] = json.loads(json.dumps(asdict(view), default=_text))
    return made


def _text(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be sent")


def deliver(ctx: Context, kind: str, change: str, facts: dict[str, Any], key: str) -> None:
    """Send an event when the settings want its kind."""
    url = str(ctx.config.get("url") or "")
    if url and kind in (ctx.config.get("events") or ()):
        post(ctx, url, f"{kind}.{change}", facts, key)


def post(ctx: Context, url: str, event: str, facts: dict[str, Any], key: str) -> None:
    """Post one signed event; errors of ``ctx.http`` pass, so that the host tries again."""
    now = ctx.clock.now()
    stamp, message_id = int(now.timestamp()), message_id_of(key)
    body = json.dumps({"type": event, "timestamp": now.isoformat(), "data": facts}).encode()
    secrets = [secret for secret in (ctx.secrets.get("secret"), ctx.secrets.get("old_secret")) if secret]
    try:
        signatures = " ".join(signature(secret, message_id, stamp, body) for secret in secrets)
    except BadSecret as error:
        raise ConfigError(str(error), "secret") from None
    if not signatures:
        raise ConfigError("There is no secret to sign with.", "secret")
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": signatures,
    }
    ctx.http.post(url, content=body, headers=headers, key=key, expect="any")
