"""The door for webhooks: verified over the raw bytes, kept, answered; read later by a worker.

An address nobody has and a signature that is wrong are answered alike.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections import OrderedDict

from flask import Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from qa.core import clock
from qa.extensions import secrets_service
from qa.interactions.sources import inbox_service
from qa.interactions.sources.blueprint import bp
from qa.interactions.sources.connectors import find_facts, owner_of
from qa.interactions.sources.models import Source
from qa.plugins.api import Hmac, SharedSecret
from qa.plugins.signatures import Forged, Received, verified
from qa.web.access import machine
from qa.web.context import reading, settings, site, transaction

log = logging.getLogger(__name__)

MOST_BYTES = 1_000_000
FORGED_A_MINUTE = 60
MOST_ADDRESSES = 10_000
NOBODY = Hmac("x-signature")


class Forgeries:
    """Counts refused deliveries by address, a minute at a time; good ones are never held up by them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._minute, self._counts = 0, OrderedDict[str, int]()

    def note(self, address: str) -> int:
        """Count one more and return the seconds to wait, 0 while there are few."""
        now = time.time()
        with self._guard:
            minute = int(now // 60)
            if minute != self._minute:
                self._minute, self._counts = minute, OrderedDict()
            if len(self._counts) < MOST_ADDRESSES or address in self._counts:
                self._counts[address] = self._counts.get(address, 0) + 1
            return 60 - int(now % 60) if self._counts.get(address, 0) > FORGED_A_MINUTE else 0

    def forget(self) -> None:
        """Begin anew."""
        with self._guard:
            self._minute, self._counts = 0, OrderedDict()


forgeries = Forgeries()


@bp.post("/hooks/<token>")
@machine
def deliver(token: str) -> ResponseReturnValue:
    """Take a webhook."""
    body = request.get_data(cache=False)
    if len(body) > MOST_BYTES:
        return jsonify(error="too large"), 413
    received = Received(
        request.method,
        _called(),
        body,
        clock.now(),
        {name.lower(): value for name, value in request.headers.items()},
        dict(request.args.items()),
    )
    found = _hook(token)
    auth, kept, source = found or (NOBODY, [secrets.token_hex(16)], None)
    try:
        delivery_id = verified(auth, received, kept)
        if source is None:
            raise Forged("there is no such address")
    except Forged as error:
        return _refused(token, str(error))
    with transaction() as opened:
        actor = inbox_service.service_actor(source.id, source.key)
        inbox_service.take_delivery(
            opened,
            actor,
            source_id=source.id,
            delivery_id=delivery_id,
            received=received,
            keys=site().keys,
            now=received.at,
        )
    return jsonify(taken=True), 202


def _called() -> str:
    """Return the address as the vendor called it: signatures may cover it."""
    base = str(settings().public_url).rstrip("/") or request.host_url.rstrip("/")
    return f"{base}{request.full_path.rstrip('?')}"


def _hook(token: str) -> tuple[Hmac | SharedSecret, list[str], Source] | None:
    with reading() as opened:
        source = opened.scalar(select(Source).where(Source.hook_token == token))
        if source is None:
            return None
        facts = find_facts(opened, source.plugin, source.connector)
        auth = None if facts is None else facts.webhook_auth
        if auth is None:
            return None
        owner, field = owner_of(source.key), auth.secret_field
        kept = secrets_service.open_pair(opened, site().keys, owner, field, now=clock.now())
    return auth, kept, source


def _refused(token: str, reason: str) -> ResponseReturnValue:
    named = hashlib.sha256(token.encode()).hexdigest()[:8]
    log.warning("webhook refused", extra={"address": named, "reason": reason})
    wait = forgeries.note(request.remote_addr or "")
    answer: Response = jsonify(error="not taken")
    answer.status_code = 429 if wait else 401
    if wait:
        answer.headers["Retry-After"] = str(wait)
    return answer


def address_of(source: Source) -> str:
    """Return the address to give to the vendor, empty when the connector takes no webhooks."""
    if source.hook_token is None:
        return ""
    base = str(settings().public_url).rstrip("/") or request.host_url.rstrip("/")
    return f"{base}{url_for('sources.deliver', token=source.hook_token)}"
