"""Who sent a webhook: every vendor's way of signing, and every way of forging it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from qa.plugins.api import Hmac, SharedSecret
from qa.plugins.signatures import Forged, Received, verified
from tests.factories import NOW

VECTORS = {
    one["vendor"]: one
    for one in json.loads(
        (Path(__file__).parent / "webhooks" / "signature_vectors.json").read_text(encoding="utf-8")
    )["vectors"]
}
SCHEMES = {
    "twilio": Hmac("X-Twilio-Signature", algorithm="sha1", encoding="base64", over="{url}{form}"),
    "github-style X-Hub-Signature-256": Hmac("X-Hub-Signature-256", prefix="sha256="),
    "slack": Hmac(
        "X-Slack-Signature",
        over="v0:{timestamp}:{body}",
        prefix="v0=",
        timestamp_header="X-Slack-Request-Timestamp",
    ),
    "standard-webhooks": Hmac(
        "webhook-signature",
        key_encoding="whsec",
        encoding="base64",
        over="{id}.{timestamp}.{body}",
        prefix="v1,",
        separator=" ",
        timestamp_header="webhook-timestamp",
        id_header="webhook-id",
    ),
    "zendesk": Hmac(
        "X-Zendesk-Webhook-Signature",
        encoding="base64",
        over="{timestamp}{body}",
        timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
        timestamp_unit="iso",
        id_header="X-Zendesk-Webhook-Invocation-Id",
    ),
    "hubspot v3": Hmac(
        "X-HubSpot-Signature-v3",
        encoding="base64",
        over="{method}{url}{body}{timestamp}",
        timestamp_header="X-HubSpot-Request-Timestamp",
        timestamp_unit="ms",
    ),
    "intercom": Hmac("X-Hub-Signature", algorithm="sha1", prefix="sha1="),
    "zammad": Hmac("X-Hub-Signature", algorithm="sha1", prefix="sha1=", id_header="X-Zammad-Delivery"),
    "freescout": Hmac("X-FreeScout-Signature", algorithm="sha1", encoding="base64"),
    "chatwoot": Hmac(
        "X-Chatwoot-Signature",
        over="{timestamp}.{body}",
        prefix="sha256=",
        timestamp_header="X-Chatwoot-Timestamp",
        id_header="X-Chatwoot-Delivery",
    ),
}


def sent_at(vector: dict[str, Any]) -> datetime:
    stamp = str(vector.get("timestamp", ""))
    if not stamp:
        return NOW
    if "T" in stamp:
        return datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    return datetime.fromtimestamp(int(stamp) / (1000 if len(stamp) > 11 else 1), tz=UTC)


def delivery(vendor: str) -> Received:
    """The vendor's published request as it would arrive."""
    vector, scheme = VECTORS[vendor], SCHEMES[vendor]
    headers = {scheme.header.lower(): vector["expected"]}
    if scheme.timestamp_header:
        headers[scheme.timestamp_header.lower()] = str(vector["timestamp"])
    if scheme.id_header:
        headers[scheme.id_header.lower()] = vector.get("id", "d-1")
    body = vector.get("body", "").encode()
    if "form" in vector:
        body = urlencode(vector["form"]).encode()
        headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
    url = vector.get("url", "https://qa.example.org/hooks/x")
    return Received(vector.get("method", "POST"), url, body, sent_at(vector), headers)


def forged(scheme: Hmac | SharedSecret, received: Received, *secrets: str) -> bool:
    try:
        verified(scheme, received, secrets)
    except Forged:
        return True
    return False


def test_every_vector_has_its_scheme() -> None:
    assert set(VECTORS) == set(SCHEMES)


@pytest.mark.parametrize("vendor", SCHEMES)
def test_the_vendors_own_signature_is_taken(vendor: str) -> None:
    assert verified(SCHEMES[vendor], delivery(vendor), [VECTORS[vendor]["secret"]])


@pytest.mark.parametrize("vendor", SCHEMES)
def test_both_secrets_are_good_while_one_replaces_the_other(vendor: str) -> None:
    assert verified(SCHEMES[vendor], delivery(vendor), ["bmV3", VECTORS[vendor]["secret"]])


def without(received: Received, *names: str) -> Received:
    return replace(received, headers={k: v for k, v in received.headers.items() if k not in names})


def with_header(received: Received, name: str, value: str) -> Received:
    return replace(received, headers={**received.headers, name.lower(): value})


@pytest.mark.parametrize("vendor", SCHEMES)
def test_a_forged_delivery_is_refused(vendor: str) -> None:
    scheme, good, secret = SCHEMES[vendor], delivery(vendor), VECTORS[vendor]["secret"]
    header = scheme.header.lower()
    signed = good.headers[header]
    swapped = signed[:-3] + ("abc" if signed[-3:] != "abc" else "abd")
    changed_body = good.body.replace(b"1", b"2", 1) if b"1" in good.body else good.body + b" "
    bad = {
        "a changed body": replace(good, body=changed_body),
        "an emptied body": replace(good, body=b""),
        "a longer body": replace(good, body=good.body + b"&x=1"),
        "no signature": without(good, header),
        "an empty signature": with_header(good, header, ""),
        "only the prefix": with_header(good, header, scheme.prefix or " "),
        "another signature": with_header(good, header, swapped),
        "half a signature": with_header(good, header, signed[: len(signed) // 2]),
        "no ASCII": with_header(good, header, "ü" * 20),
        "many signatures": with_header(good, header, " ".join(["v1,x"] * 5_000)),
    }
    if "{url}" in scheme.over:
        bad["another address"] = replace(good, url=good.url + "x")
    if "{method}" in scheme.over:
        bad["another method"] = replace(good, method="PUT")
    for name, received in bad.items():
        assert forged(scheme, received, secret), name
    for name, secrets in {
        "a wrong secret": ["d3Jvbmc="],
        "no secret": [],
        "an empty secret": [""],
    }.items():
        assert forged(scheme, good, *secrets), name


STAMPED = [name for name, scheme in SCHEMES.items() if scheme.timestamp_header]


@pytest.mark.parametrize("vendor", STAMPED)
@pytest.mark.parametrize(("minutes", "is_refused"), [(-6, True), (-4, False), (4, False), (6, True)])
def test_an_old_delivery_is_refused_where_the_vendor_signs_the_time(
    vendor: str, minutes: int, is_refused: bool
) -> None:
    good = delivery(vendor)
    late = replace(good, at=good.at + timedelta(minutes=minutes))
    assert forged(SCHEMES[vendor], late, VECTORS[vendor]["secret"]) is is_refused


@pytest.mark.parametrize("vendor", STAMPED)
@pytest.mark.parametrize("stamp", ["", "soon", "9" * 40, "-1", "NaN", "2026-99-99T00:00:00Z"])
def test_a_time_that_is_none_is_refused(vendor: str, stamp: str) -> None:
    scheme = SCHEMES[vendor]
    received = with_header(delivery(vendor), scheme.timestamp_header, stamp)
    assert forged(scheme, received, VECTORS[vendor]["secret"])


def test_a_fresh_time_on_an_old_signature_is_refused() -> None:
    scheme, old = SCHEMES["slack"], delivery("slack")
    fresh = replace(with_header(old, scheme.timestamp_header, str(int(NOW.timestamp()))), at=NOW)
    assert forged(scheme, fresh, VECTORS["slack"]["secret"])


def test_an_id_is_signed_where_the_scheme_says_so() -> None:
    scheme, good = SCHEMES["standard-webhooks"], delivery("standard-webhooks")
    secret = VECTORS["standard-webhooks"]["secret"]
    assert verified(scheme, good, [secret]) == VECTORS["standard-webhooks"]["id"]
    assert forged(scheme, with_header(good, "webhook-id", "another"), secret)
    assert forged(scheme, without(good, "webhook-id"), secret)


def test_one_good_signature_among_several_is_enough() -> None:
    scheme, good = SCHEMES["standard-webhooks"], delivery("standard-webhooks")
    signed = good.headers["webhook-signature"]
    several = with_header(good, "webhook-signature", f"v2,zzz v1,AAAA {signed}")
    assert verified(scheme, several, ["whsec_" + VECTORS["standard-webhooks"]["secret"]])


def test_a_body_the_signature_says_nothing_about_is_refused() -> None:
    scheme, good = SCHEMES["twilio"], delivery("twilio")
    secret = VECTORS["twilio"]["secret"]
    unsigned_json = replace(without(good, "content-type"), body=b'{"evil": 1}')
    assert forged(scheme, unsigned_json, secret)


def test_a_body_named_by_its_hash_in_the_signed_address_is_taken() -> None:
    body = b'{"CallSid": "CA1"}'
    digest = hashlib.sha256(body).hexdigest()
    scheme = SCHEMES["twilio"]
    url = f"https://qa.example.org/hooks/x?bodySHA256={digest}"
    signature = sign_twilio(url, "12345")
    headers = {"x-twilio-signature": signature, "content-type": "application/json"}
    good = Received("POST", url, body, NOW, headers, {"bodySHA256": digest})
    assert verified(scheme, good, ["12345"])
    assert forged(scheme, replace(good, body=b"{}"), "12345")
    elsewhere = {"bodySHA256": hashlib.sha256(b"{}").hexdigest()}
    assert forged(scheme, replace(good, body=b"{}", query=elsewhere), "12345")


def sign_twilio(url: str, secret: str) -> str:
    import base64
    import hmac

    return base64.b64encode(hmac.new(secret.encode(), url.encode(), "sha1").digest()).decode()


@pytest.mark.parametrize(
    ("auth", "received"),
    [
        (SharedSecret("X-Token"), {"headers": {"x-token": "s3cret"}}),
        (SharedSecret("token", "query"), {"query": {"token": "s3cret"}}),
        (SharedSecret("token", "json"), {"body": b'{"token": "s3cret"}'}),
    ],
)
def test_a_shared_secret_is_found_where_it_belongs(auth: SharedSecret, received: dict[str, Any]) -> None:
    values: dict[str, Any] = {"body": b"{}", "headers": {}, "query": {}}
    good = Received("POST", "https://x.example", at=NOW, **(values | received))
    assert verified(auth, good, ["s3cret"])
    assert forged(auth, good, "other")
    assert forged(auth, good)
    for body in (b"{}", b"[]", b"nonsense", b'{"token": null}', b"[" * 100_000):
        assert forged(auth, Received("POST", "https://x.example", body, NOW), "s3cret")


def test_without_an_id_the_same_bytes_are_one_delivery_for_some_minutes() -> None:
    scheme, good = SCHEMES["freescout"], delivery("freescout")
    secret = VECTORS["freescout"]["secret"]
    first = verified(scheme, good, [secret])
    assert verified(scheme, replace(good, at=good.at + timedelta(seconds=30)), [secret]) == first
    assert verified(scheme, replace(good, at=good.at + timedelta(hours=1)), [secret]) != first
