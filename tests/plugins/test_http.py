"""The HTTP client of plugins: what is retried, waited for, refused, and who gets the credentials."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from qa.plugins.api import (
    AuthExpired,
    Cancelled,
    ConfigError,
    Gone,
    Media,
    NotReady,
    PermissionMissing,
    Quota,
    RateLimited,
    ResetHeader,
    Transient,
    VendorBug,
)
from qa.plugins.http import Client, Wiring
from qa.plugins.masking import Mask, MaskingFilter
from qa.plugins.testing.clock import START, VirtualClock

BASE = "https://desk.example"
Handler = Callable[[httpx.Request], httpx.Response]


class Sink:
    """Collects what is downloaded."""

    def __init__(self) -> None:
        self.kept = b""

    def write(self, chunk: bytes) -> int:
        self.kept += chunk
        return len(chunk)

    def done(self, media_type: str, name: str = "") -> Media:
        return Media(media_type, len(self.kept), hashlib.sha256(self.kept).hexdigest(), name)


class Cancel:
    """Whether the virtual clock's work is unwanted."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock

    def is_set(self) -> bool:
        return self.clock.is_cancelled()

    def check(self) -> None:
        if self.is_set():
            raise Cancelled


class Far:
    """A far side that answers by a script and remembers what it was asked."""

    def __init__(self, *script: Any, **over: Any) -> None:
        self.script = list(script)
        self.asked: list[httpx.Request] = []
        self.times: list[float] = []
        self.clock = VirtualClock()
        self.sinks: list[Sink] = []
        values: dict[str, Any] = {
            "base_url": BASE,
            "transport": httpx.MockTransport(self.answer),
            "clock": self.clock,
            "cancel": Cancel(self.clock),
            "sink": self.sink,
            "sign_in": lambda: {"Authorization": "Bearer tok-12345"},
            "mask": Mask(["tok-12345"]),
            "monotonic": self.clock.monotonic,
        }
        self.http = Client(Wiring(**(values | over)))

    def sink(self) -> Sink:
        self.sinks.append(Sink())
        return self.sinks[-1]

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.times.append(self.clock.passed)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return step(request) if callable(step) else step

    @property
    def calls(self) -> int:
        return len(self.asked)


class Unread(httpx.SyncByteStream):
    """A body that comes over the wire, once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks


def reply(status: int, value: Any = None, **headers: str) -> httpx.Response:
    names = {"content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    content = json.dumps({} if value is None else value).encode()
    return httpx.Response(status, headers=names, stream=Unread([content]))


def ok(value: Any = None) -> Handler:
    return lambda request: reply(200, value)


def refused(status: int, **headers: str) -> Handler:
    return lambda request: reply(status, {"error": "no"}, **headers)


def body(content: bytes | Iterable[bytes], status: int = 200, **headers: str) -> Handler:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    chunks = [content] if isinstance(content, bytes) else content
    return lambda request: httpx.Response(status, headers=names, stream=Unread(chunks))


def test_an_answer_is_read_with_credentials_and_parameters() -> None:
    far = Far(ok({"id": 1}))
    answer = far.http.get("/tickets.json", params={"page": 2, "none": None})
    assert (answer.json(), answer.status, answer.headers["Content-Type"]) == (
        {"id": 1},
        200,
        "application/json",
    )
    (asked,) = far.asked
    assert str(asked.url) == f"{BASE}/tickets.json?page=2"
    assert asked.headers["authorization"] == "Bearer tok-12345"


@pytest.mark.parametrize(
    ("base", "url", "whole"),
    [
        (BASE, "/a", f"{BASE}/a"),
        (BASE, "a?b=c", f"{BASE}/a?b=c"),
        (f"{BASE}/api/v2", "tickets", f"{BASE}/api/v2/tickets"),
        (f"{BASE}/api/v2/", "/tickets", f"{BASE}/api/v2/tickets"),
        (f"{BASE}/api/v2", "/api/v2/tickets?page=2", f"{BASE}/api/v2/tickets?page=2"),
        (f"{BASE}/api/v2", f"{BASE}/other", f"{BASE}/other"),
    ],
)
def test_an_address_is_taken_below_the_base(base: str, url: str, whole: str) -> None:
    far = Far(ok(), base_url=base)
    far.http.get(url)
    assert str(far.asked[0].url) == whole


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/a",
        "http://desk.example/a",
        "https://desk.example:8443/",
        "//evil.example/x",
    ],
)
def test_a_host_that_is_not_the_sources_is_not_asked(url: str) -> None:
    far = Far(ok())
    with pytest.raises(ConfigError):
        far.http.get(url)
    assert far.calls == 0


@pytest.mark.parametrize(
    "base", ["", "desk.example", "ftp://desk.example", "https://me:pw@desk.example", "https://"]
)
def test_a_base_that_is_no_address_is_a_setting_to_correct(base: str) -> None:
    with pytest.raises(ConfigError, match="address"):
        Far(ok(), base_url=base)


@pytest.mark.parametrize(
    ("status", "error", "calls"),
    [
        (400, VendorBug, 1),
        (401, AuthExpired, 2),
        (403, PermissionMissing, 1),
        (404, Gone, 1),
        (409, VendorBug, 1),
        (410, Gone, 1),
        (422, VendorBug, 1),
        (302, VendorBug, 1),
        (408, Transient, 4),
        (500, Transient, 4),
        (503, Transient, 4),
    ],
)
def test_a_status_becomes_an_error_after_the_tries_it_deserves(
    status: int, error: type[Exception], calls: int
) -> None:
    far = Far(refused(status))
    with pytest.raises(error, match=str(status)):
        far.http.get("/a?token=tok-12345")
    assert far.calls == calls


def test_what_is_accepted_is_returned() -> None:
    assert Far(refused(404)).http.get("/a", accept=(404,)).status == 404
    assert Far(refused(429)).http.get("/a", accept=(429,)).status == 429


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("cut"),
        refused(502),
        body(b'{"tickets": [{"id": 1'),
        body(b'{"a": 1}{"a": 1}'),
        body(b"<html>Sign in</html>", content_type="text/html"),
        body(b"\x1f\x8b\x08broken", content_encoding="gzip"),
        body(gzip.compress(b'{"a": 1}' * 99)[:-9], content_encoding="gzip"),
        body(b"[" * 100_000),
    ],
    ids=[
        "timeout",
        "no connection",
        "cut line",
        "502",
        "cut",
        "doubled",
        "html",
        "bad gzip",
        "cut gzip",
        "deep",
    ],
)
def test_a_fault_that_may_pass_is_tried_again_with_growing_pauses(fault: Any) -> None:
    far = Far(fault, fault, ok({"id": 1}))
    assert far.http.get("/a").json() == {"id": 1}
    assert far.times == [0, 0.5, 1.5]
    with pytest.raises(Transient):
        Far(fault).http.get("/a")


def test_writing_is_not_repeated_unless_it_carries_a_key() -> None:
    far = Far(httpx.ReadTimeout("the answer was lost"), ok())
    with pytest.raises(Transient):
        far.http.post("/notes", json={"text": "hello"})
    assert far.calls == 1
    far = Far(httpx.ReadTimeout("the answer was lost"), ok())
    far.http.post("/notes", json={"text": "hello"}, key="k1")
    assert [one.headers["idempotency-key"] for one in far.asked] == ["k1", "k1"]


NOW = START


@pytest.mark.parametrize(
    ("headers", "declared", "seconds"),
    [
        ({"Retry_After": "30"}, (), 30),
        ({"Retry_After": format_datetime(NOW + timedelta(seconds=40), usegmt=True)}, (), 40),
        ({"X_Reset": str(int(NOW.timestamp()) + 50)}, (ResetHeader("X-Reset", "epoch_s"),), 50),
        ({"X_Reset": "20"}, (ResetHeader("X-Reset", "delta_s"),), 20),
        ({}, (), 60),
    ],
)
def test_a_short_wait_that_the_vendor_asks_for_is_kept_exactly(
    headers: dict[str, str], declared: Any, seconds: int
) -> None:
    far = Far(refused(429, **headers), ok(), quota=Quota(headers=declared))
    far.http.get("/a")
    assert far.times == [0, seconds]


def test_a_long_wait_is_left_to_the_schedule() -> None:
    far = Far(refused(429, Retry_After="600"))
    with pytest.raises(RateLimited) as caught:
        far.http.get("/a")
    assert (caught.value.at, far.calls) == (NOW + timedelta(seconds=600), 1)


def test_a_vendor_that_never_stops_saying_wait_is_left_to_the_schedule() -> None:
    far = Far(refused(429, Retry_After="50"))
    with pytest.raises(RateLimited):
        far.http.get("/a")
    assert far.calls == 4


def test_a_refusal_that_means_too_much_is_no_missing_permission() -> None:
    limit = [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    said = body(json.dumps(limit).encode(), status=403)
    far = Far(said, ok(), quota=Quota(body_codes=("LIMIT_EXCEEDED",)))
    far.http.get("/a")
    assert far.times == [0, 60]


def test_an_unwell_server_that_names_a_time_is_given_it() -> None:
    far = Far(refused(503, Retry_After="9"), ok())
    far.http.get("/a")
    assert far.times == [0, 9]
    with pytest.raises(RateLimited):
        Far(refused(503, Retry_After="4000")).http.get("/a")


def test_the_declared_quota_is_kept_before_the_vendor_has_to_say_so() -> None:
    far = Far(ok(), quota=Quota("10/min"))
    for _ in range(25):
        far.http.get("/a")
    assert far.times == [0.0] * 10 + [60.0] * 10 + [120.0] * 5


def test_a_quota_that_is_used_up_for_long_ends_the_run() -> None:
    far = Far(ok(), quota=Quota("2/hour"))
    far.http.get("/a")
    far.http.get("/a")
    with pytest.raises(RateLimited) as caught:
        far.http.get("/a")
    assert caught.value.at == NOW + timedelta(hours=1)


def test_a_token_is_fetched_once_and_anew_after_a_401() -> None:
    tokens = iter(["old", "new"])

    def answer(request: httpx.Request) -> httpx.Response:
        return reply(200 if "new" in request.headers["authorization"] else 401)

    far = Far(answer, sign_in=lambda: {"Authorization": f"Bearer {next(tokens)}-token"})
    far.http.get("/a")
    far.http.get("/b")
    assert [one.headers["authorization"] for one in far.asked] == [
        "Bearer old-token",
        "Bearer new-token",
        "Bearer new-token",
    ]


def test_signing_in_may_ask_the_far_side_without_a_loop() -> None:
    holder: list[Client] = []

    def sign_in() -> dict[str, str]:
        token = (
            holder[0].post("/oauth/token", form={"grant_type": "client_credentials"}, key="t").json()["token"]
        )
        return {"Authorization": f"Bearer {token}"}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            assert "authorization" not in request.headers
            return reply(200, {"token": "fresh-token"})
        return reply(200 if "fresh" in request.headers["authorization"] else 401)

    far = Far(answer, sign_in=sign_in)
    holder.append(far.http)
    far.http.get("/a")
    assert [one.url.path for one in far.asked] == ["/oauth/token", "/a"]
    assert far.http.wiring.mask.text("fresh-token") == "•••"


def test_a_recording_goes_to_the_sink_whatever_its_size() -> None:
    far = Far(body(iter([b"RIFF", b"more"]), content_type="audio/wav; rate=8000"))
    media = far.http.download("/calls/1.wav", name="1.wav")
    assert (media.media_type, media.size_bytes, media.name) == ("audio/wav", 8, "1.wav")
    assert far.sinks[0].kept == b"RIFFmore"


def test_a_redirected_recording_loses_the_credentials_on_another_host() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "desk.example":
            return reply(302, location="https://cdn.example/x?signature=1")
        return reply(200)

    far = Far(answer, media_hosts=("cdn.example",))
    far.http.download("/calls/1.wav")
    assert [("authorization" in one.headers) for one in far.asked] == [True, False]


def test_a_recording_is_not_followed_to_a_host_nobody_named() -> None:
    far = Far(refused(302, location="https://169.254.169.254/latest"), media_hosts=("*.amazonaws.com",))
    with pytest.raises(ConfigError, match="media_hosts"):
        far.http.download("/calls/1.wav")
    assert far.calls == 1


def test_a_ring_of_redirects_ends() -> None:
    far = Far(refused(302, location="/again"))
    with pytest.raises(VendorBug, match="redirects"):
        far.http.download("/calls/1.wav")
    assert far.calls == 4


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer tok-12345"},
        {"X-Key": "tok-12345"},
        {"Authorization": "Basic " + base64.b64encode(b"me:tok-12345").decode()},
    ],
)
def test_credentials_given_by_hand_are_not_sent_to_another_host(headers: dict[str, str]) -> None:
    far = Far(ok(), media_hosts=("cdn.example",))
    with pytest.raises(ConfigError, match=r"cdn\.example"):
        far.http.download("https://cdn.example/1.wav", headers=headers)
    with pytest.raises(ConfigError, match=r"cdn\.example"):
        far.http.download("https://cdn.example/1.wav?key=tok-12345")
    assert far.calls == 0


def test_a_recording_that_is_still_made_is_not_ready() -> None:
    with pytest.raises(NotReady) as caught:
        Far(refused(202, Retry_After="45")).http.download("/calls/1.wav")
    assert caught.value.retry_in == timedelta(seconds=45)
    with pytest.raises(Gone):
        Far(refused(404)).http.download("/calls/1.wav")


def test_a_small_packet_that_unpacks_to_gigabytes_is_refused_in_little_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"0" * 1_000_000) for _ in range(200)) + packer.flush()
    far = Far(body(bomb, content_encoding="gzip"))
    with pytest.raises(VendorBug, match="50 MB"):
        far.http.get("/a")


def test_an_endless_answer_is_refused() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 1_000_000

    with pytest.raises(VendorBug, match="50 MB"):
        Far(body(endless())).http.get("/a")


def test_a_trickling_answer_is_cut_by_the_clock() -> None:
    far = Far(ok())

    def trickle() -> Iterator[bytes]:
        while True:
            far.clock.sleep(7)
            yield b" "

    far.script = [lambda request: body(trickle())(request)]
    with pytest.raises(Transient, match="60 s"):
        far.http.get("/a")


def test_an_unknown_packing_is_the_vendors_fault() -> None:
    with pytest.raises(VendorBug, match="zstd"):
        Far(body(b"{}", content_encoding="zstd")).http.get("/a")


def test_a_cancelled_piece_of_work_stops_before_the_next_request_and_while_it_waits() -> None:
    far = Far(refused(429, Retry_After="30"))
    far.clock.cancel_at = 2
    with pytest.raises(Cancelled):
        far.http.get("/a")
    assert (far.calls, far.clock.passed) == (1, 2)
    with pytest.raises(Cancelled):
        far.http.get("/a")
    assert far.calls == 1


def test_no_error_and_no_line_of_the_log_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    far = Far(refused(400))
    caplog.set_level(logging.DEBUG)
    with pytest.raises(VendorBug) as caught:
        far.http.get("/a?key=tok-12345", headers={"X-Other": "tok-12345"})
    lines = [one.getMessage() for one in caplog.records if one.name.startswith("qa")]
    assert lines
    assert "tok-12345" not in f"{caught.value} {lines}"


def test_the_masking_filter_settles_words_extras_and_tracebacks() -> None:
    mask = Mask(["tok-12345", "tok-12345-longer"])
    line = logging.LogRecord("x", logging.INFO, __file__, 1, "got %s", ("tok-12345-longer",), None)
    line.url = "https://x/?k=tok-12345"
    try:
        raise ValueError("tok-12345")
    except ValueError as error:
        line.exc_info = (ValueError, error, error.__traceback__)
    assert MaskingFilter(mask).filter(line)
    told = logging.Formatter("%(message)s %(url)s").format(line)
    assert "tok" not in told.split("Traceback")[0]
    assert "ValueError: •••" in told
    broken = logging.LogRecord("x", logging.INFO, __file__, 1, "got %s %s", ("tok-12345",), None)
    MaskingFilter(mask).filter(broken)
    assert "tok-12345" not in broken.getMessage()
