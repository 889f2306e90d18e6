"""The webhook door under forgeries and floods: nothing forged is kept, nothing good is lost or kept twice.

Under QA_TORTURE ten thousand deliveries come, and a burst of a thousand is held against the floor of the same
run: the same signature, the same row, a bare 202.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from sqlalchemy import func, insert, select

from qa.core import clock
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.jobs import Job
from qa.interactions.sources.models import Delivery
from tests.interactions.test_webhooks import SECRET, Door, door
from tests.reliability.scale import TORTURE, times

__all__ = ["door"]
FLOOD = times(150, 10_000)
BURST = times(60, 1_000)
ALLOWED = 3.0
BODY = b'{"ids": [1]}'
Headers = dict[str, str]


def without(name: str) -> Callable[[Headers], Headers]:
    """Leave a header out."""
    return lambda headers: {key: value for key, value in headers.items() if key != name}


def with_(name: str, change: Callable[[str], str]) -> Callable[[Headers], Headers]:
    """Change a header."""
    return lambda headers: {**headers, name: change(headers[name])}


def signed_by(key: bytes, digest: str = "sha256") -> Callable[[Headers], Headers]:
    """Sign with another key or in another way."""

    def changed(headers: Headers) -> Headers:
        content = f"{headers['X-Twin-Time']}.{headers['X-Twin-Id']}.".encode() + BODY
        return {**headers, "X-Twin-Signature": hmac.new(key, content, digest).hexdigest()}

    return changed


def bare_body(headers: Headers) -> Headers:
    """Sign the body alone, without time and id."""
    made = hmac.new(SECRET.encode(), BODY, "sha256").hexdigest()
    return {**headers, "X-Twin-Signature": made}


SIGNATURE, STAMP, NUMBER = "X-Twin-Signature", "X-Twin-Time", "X-Twin-Id"
FORGED: dict[str, Callable[[Headers], Headers]] = {
    "no signature": without(SIGNATURE),
    "an empty signature": with_(SIGNATURE, lambda _text: ""),
    "half a signature": with_(SIGNATURE, lambda text: text[:32]),
    "one letter of it changed": with_(SIGNATURE, lambda text: ("0" if text[0] != "0" else "1") + text[1:]),
    "more behind it": with_(SIGNATURE, lambda text: text + "00"),
    "no hex": with_(SIGNATURE, lambda _text: "zz" * 32),
    "base64 for hex": with_(SIGNATURE, lambda text: base64.b64encode(bytes.fromhex(text)).decode()),
    "another secret": signed_by(b"guess"),
    "no secret": signed_by(b""),
    "SHA-1": signed_by(SECRET.encode(), "sha1"),
    "only the body signed": bare_body,
    "no time": without(STAMP),
    "a time that is none": with_(STAMP, lambda _text: "soon"),
    "another time": with_(STAMP, lambda text: str(int(text) + 1)),
    "no id": without(NUMBER),
    "another id": with_(NUMBER, lambda text: text + "x"),
    "plain SHA-256": with_(SIGNATURE, lambda _text: hashlib.sha256(BODY).hexdigest()),
}


def deliver(door: Door, delivery_id: str, forged: str = "") -> int:
    """Send one delivery, as it should be or forged; return the status."""
    headers = door.signed(BODY, delivery_id)
    if forged:
        headers = FORGED[forged](headers)
    return int(door.client.post(door.path, data=BODY, headers=headers).status_code)


@pytest.mark.parametrize("how", FORGED)
def test_forged_in_any_way_it_is_refused_and_nothing_is_kept(door: Door, how: str) -> None:
    assert deliver(door, "d-1", how) == 401
    assert door.kept() == []
    assert deliver(door, "d-1") == 202


def test_a_flood_of_good_repeated_and_forged_ones_keeps_each_good_one_once(door: Door) -> None:
    draw = random.Random(10)
    good: set[str] = set()
    taken = 0
    for _ in range(FLOOD):
        number = f"d-{draw.randrange(FLOOD)}"
        if draw.random() < 0.3:
            assert deliver(door, number, draw.choice(list(FORGED))) in {401, 429}
        else:
            assert deliver(door, number) == 202
            good.add(number)
            taken += 1
    assert sorted(row.delivery_id for row in door.kept()) == sorted(good)
    assert taken > len(good), "some came twice"
    with door.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1, "one piece of work for all"


def test_the_same_at_the_same_moment_is_kept_once(door: Door, app: Flask) -> None:
    statuses: list[int] = []

    def send() -> None:
        with app.test_client() as client:
            headers = door.signed(BODY, "twice")
            statuses.append(client.post(door.path, data=BODY, headers=headers).status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 4
    assert len(door.kept()) == 1


def floor(database: Database, keys: Keys, source_id: int) -> FlaskClient:
    """The least that can be done: verify, seal, one row in one transaction, 202."""
    app = Flask("floor")

    @app.post("/hook")
    def take() -> ResponseReturnValue:
        body, headers = request.get_data(cache=False), request.headers
        content = f"{headers[STAMP]}.{headers[NUMBER]}.".encode() + body
        wanted = hmac.new(SECRET.encode(), content, "sha256").hexdigest()
        if not hmac.compare_digest(wanted, headers[SIGNATURE]):
            return "", 401
        row: dict[str, Any] = {
            "source_id": source_id,
            "delivery_id": f"floor-{headers[NUMBER]}",
            "sealed": keys.seal(body, purpose="floor"),
            "size_bytes": len(body),
            "received_at": clock.now(),
        }
        with database.transaction() as session:
            session.execute(insert(Delivery).values(row))
        return "", 202

    return app.test_client()


def test_a_burst_is_answered_nearly_as_quickly_as_can_be(door: Door, app: Flask) -> None:
    bare = floor(door.database, app.extensions["candor"].keys, door.source_id)
    seconds: dict[str, list[float]] = {"floor": [], "door": []}
    for number in range(BURST):
        headers = door.signed(BODY, f"d-{number}")
        for name, client, path in (("floor", bare, "/hook"), ("door", door.client, door.path)):
            begun = time.perf_counter()
            assert client.post(path, data=BODY, headers=headers).status_code == 202
            seconds[name].append(time.perf_counter() - begun)
    assert len(door.kept()) == 2 * BURST
    least, taken = (sorted(seconds[name])[int(BURST * 0.95)] for name in ("floor", "door"))
    print(
        f"p95 of {BURST}: floor {least * 1000:.2f} ms, door {taken * 1000:.2f} ms, {taken / least:.2f} times"
    )
    if TORTURE:
        assert taken <= ALLOWED * least
