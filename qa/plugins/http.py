"""``ctx.http``: the one HTTP client that plugins have, in production and in the kit.

What an author would get wrong is done here: time limits, size limits, quota, retries of what may be
repeated, waiting as told, credentials for one host only. The kit runs this very code; only what lies
behind ``transport`` differs.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import httpx

from qa.plugins.answers import JSON_BYTES, Answer, error_of, told, unpacked
from qa.plugins.api import (
    Cancel,
    Clock,
    ConfigError,
    Media,
    NotReady,
    PluginError,
    Quota,
    RateLimited,
    Sink,
    Transient,
    VendorBug,
)
from qa.plugins.api.context import Expect, Params
from qa.plugins.masking import Mask
from qa.plugins.quota import Budget, budget_of, free_at, says_too_much
from qa.plugins.reach import Reach

log = logging.getLogger(__name__)

TIMEOUTS = httpx.Timeout(connect=10, read=30, write=30, pool=10)
TOTAL_SECONDS = 60.0
DOWNLOAD_BYTES = 2 * 1024**3
SHORT_WAIT_SECONDS = 60.0
LONGEST_WAITS_SECONDS = 180.0
PAUSES_SECONDS = (0.5, 1.0, 2.0)
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 3
AGENT = "candor"


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the client stands on.

    ``transport`` sends one request; ``qa.plugins.guarded`` makes the one for production. ``sign_in``
    returns the headers with the credentials; ``mask`` learns what is in them. Runs of one source share
    a ``budget``; without one it is made from the quota's rate.
    """

    base_url: str
    transport: httpx.BaseTransport
    clock: Clock
    cancel: Cancel
    sink: Callable[[], Sink]
    sign_in: Callable[[], Mapping[str, str]] = dict
    quota: Quota = field(default_factory=Quota)
    media_hosts: tuple[str, ...] = ()
    mask: Mask = field(default_factory=Mask)
    monotonic: Callable[[], float] = time.monotonic
    budget: Budget | None = None


@dataclass(slots=True)
class Traffic:
    """What went over the wire, for the sources page."""

    requests: int = 0
    retries: int = 0
    bytes_in: int = 0
    waited_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Call:
    """One request as the plugin asked for it."""

    method: str
    url: str
    sends: Mapping[str, Any]
    headers: Mapping[str, str]
    accept: tuple[int, ...]
    expect: Expect
    may_repeat: bool


class Client:
    """Satisfies ``qa.plugins.api.Http``; close it when the piece of work is over."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.traffic = Traffic()
        self._base = _base_of(wiring.base_url)
        self._media = Reach(hosts=wiring.media_hosts)
        self._budget = wiring.budget or budget_of(wiring.quota, wiring.monotonic)
        self._room = threading.BoundedSemaphore(max(1, wiring.quota.concurrency))
        self._credentials: dict[str, str] | None = None
        self._is_signing_in = False

    def close(self) -> None:
        """Close the connections."""
        self.wiring.transport.close()

    def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        expect: Expect = "json",
    ) -> Answer:
        """Read something."""
        return self.request("GET", url, params=params, headers=headers, accept=accept, expect=expect)

    def post(
        self,
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        key: str = "",
        accept: tuple[int, ...] = (),
        expect: Expect = "json",
    ) -> Answer:
        """Make something."""
        return self.request(
            "POST",
            url,
            json=json,
            form=form,
            content=content,
            params=params,
            headers=headers,
            key=key,
            accept=accept,
            expect=expect,
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        key: str = "",
        accept: tuple[int, ...] = (),
        expect: Expect = "json",
    ) -> Answer:
        """Send any request; see ``qa.plugins.api.Http`` for what is retried and raised."""
        sends: dict[str, Any] = {"json": json, "data": form, "content": content}
        extra = dict(headers or {}) | ({"Idempotency-Key": key} if key else {})
        may_repeat = bool(key) or method.upper() in ("GET", "HEAD", "OPTIONS")
        address = self._address_of(url, params)
        call = _Call(method.upper(), address, sends, extra, accept, expect, may_repeat)
        return self._settled(call, partial(self._read, call))

    def download(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        name: str = "",
        accept: tuple[int, ...] = (),
    ) -> Media:
        """Stream a body into the sink; 202 raises ``NotReady``, a redirect is followed up to three times."""
        address = self._address_of(url, params)
        for _ in range(MOST_REDIRECTS + 1):
            call = _Call("GET", address, {}, dict(headers or {}), (*accept, *REDIRECTS, 202), "any", True)
            kept: list[Media] = []
            answer = self._settled(call, partial(self._stream, call, kept, name))
            if answer.status in REDIRECTS:
                onward = httpx.URL(answer.url).join(answer.headers.get("location", ""))
                address = self._address_of(str(onward), None)
                headers = None
                continue
            if answer.status == 202 and 202 not in accept:
                at = free_at(answer.headers, self.wiring.quota, self.wiring.clock.now())
                known = "retry-after" in answer.headers
                raise NotReady(at - self.wiring.clock.now() if known else timedelta(minutes=5))
            return kept[0]
        raise VendorBug(f"{told(call.method, call.url)} redirects more than {MOST_REDIRECTS} times.")

    def _address_of(self, url: str, params: Params | None) -> str:
        """Return the whole address; raise ``ConfigError`` for one the source may not talk to."""
        try:
            address = httpx.URL(_joined(self._base, url))
            if params:
                given = {name: value for name, value in params.items() if value is not None}
                address = address.copy_merge_params(given)
        except (httpx.InvalidURL, TypeError, ValueError):
            raise ConfigError("The plugin asked for an address that is none.") from None
        if not self._is_home(address) and not self._media.allows_host(address.host):
            raise ConfigError(
                f"{address.host} is neither the host of the source's address nor one of media_hosts."
            )
        return str(address)

    def _is_home(self, address: httpx.URL) -> bool:
        return (address.scheme, address.host, address.port) == (
            self._base.scheme,
            self._base.host,
            self._base.port,
        )

    def _settled(self, call: _Call, once: Callable[[], Answer]) -> Answer:
        """Send until there is an acceptable answer; raise the error the last one means."""
        waited, is_fresh = 0.0, False
        for attempt in itertools.count():
            answer, failure = self._attempt(call, once)
            if answer is None:
                waited += self._pause(call, attempt, failure, 0.0)
            elif answer.status in call.accept or answer.status < 300:
                return answer
            elif says_too_much(self.wiring.quota, answer.status, answer.text):
                waited += self._wait_as_told(answer, waited)
            elif answer.status == 401 and not (is_fresh or self._is_signing_in):
                is_fresh, self._credentials = True, None
            elif answer.status == 408 or answer.status >= 500:
                waited += self._pause(call, attempt, error_of(call.method, answer), self._asked(answer))
            else:
                raise error_of(call.method, answer)
            self.traffic.retries += 1
        raise AssertionError  # the loop has no end

    def _attempt(self, call: _Call, once: Callable[[], Answer]) -> tuple[Answer | None, PluginError]:
        """Send once; a fault of the network is returned, not raised."""
        self.wiring.cancel.check()
        self._keep_to_quota()
        where = told(call.method, call.url)
        try:
            answer = once()
            if call.expect == "json" and answer.status < 300:
                answer.json()
        except Transient as error:
            return None, error
        except httpx.TimeoutException:
            return None, Transient(f"{where} did not answer in time.")
        except (httpx.TransportError, httpx.StreamError) as error:
            return None, Transient(f"{where} failed: {self.wiring.mask.text(type(error).__name__)}.")
        return answer, Transient()

    def _pause(self, call: _Call, attempt: int, failure: PluginError, asked: float) -> float:
        """Wait before the next try; raise the failure when there is none."""
        if not call.may_repeat or attempt >= len(PAUSES_SECONDS):
            raise failure
        if asked > SHORT_WAIT_SECONDS:
            raise RateLimited(self.wiring.clock.now() + timedelta(seconds=asked)) from failure
        return self._sleep(max(PAUSES_SECONDS[attempt], asked))

    def _asked(self, answer: Answer) -> float:
        """Return the seconds an answer asks to wait, 0 when it says nothing."""
        if "retry-after" not in answer.headers:
            return 0.0
        now = self.wiring.clock.now()
        return (free_at(answer.headers, self.wiring.quota, now) - now).total_seconds()

    def _wait_as_told(self, answer: Answer, waited: float) -> float:
        """Wait until the quota is free again; raise ``RateLimited`` when that is long."""
        now = self.wiring.clock.now()
        at = free_at(answer.headers, self.wiring.quota, now)
        seconds = (at - now).total_seconds()
        if seconds > SHORT_WAIT_SECONDS or waited + seconds > LONGEST_WAITS_SECONDS:
            raise RateLimited(at)
        return self._sleep(seconds)

    def _keep_to_quota(self) -> None:
        if self._budget is None:
            return
        seconds = self._budget.take(SHORT_WAIT_SECONDS)
        if seconds > SHORT_WAIT_SECONDS:
            raise RateLimited(self.wiring.clock.now() + timedelta(seconds=seconds))
        if seconds > 0:
            self._sleep(seconds)

    def _sleep(self, seconds: float) -> float:
        self.traffic.waited_seconds += seconds
        self.wiring.clock.sleep(seconds)
        return seconds

    def _read(self, call: _Call) -> Answer:
        with self._sent(call) as response:
            return self._whole(response)

    def _stream(self, call: _Call, kept: list[Media], name: str) -> Answer:
        with self._sent(call) as response:
            if response.status_code != 200:
                return self._whole(response)
            sink, size = self.wiring.sink(), 0
            for chunk in unpacked(response.iter_raw(), response.headers.get("content-encoding", "")):
                size += len(chunk)
                if size > DOWNLOAD_BYTES:
                    raise VendorBug(f"{told(call.method, call.url)} is larger than 2 GB.")
                self.wiring.cancel.check()
                sink.write(chunk)
            self.traffic.bytes_in += size
            media_type = response.headers.get("content-type", "application/octet-stream").split(";")[0]
            kept.append(sink.done(media_type.strip(), name))
            return Answer(200, response.headers, call.url, b"")

    def _whole(self, response: httpx.Response) -> Answer:
        """Read an answer to its end, within its limits."""
        started, pieces, size = self.wiring.monotonic(), [], 0
        where = told(response.request.method, str(response.request.url))
        for piece in unpacked(response.iter_raw(), response.headers.get("content-encoding", "")):
            size += len(piece)
            if size > JSON_BYTES:
                raise VendorBug(f"{where} answered with more than {JSON_BYTES // 1024**2} MB.")
            if self.wiring.monotonic() - started > TOTAL_SECONDS:
                raise Transient(f"{where} took longer than {TOTAL_SECONDS:.0f} s.")
            pieces.append(piece)
        self.traffic.bytes_in += size
        return Answer(response.status_code, response.headers, str(response.request.url), b"".join(pieces))

    @contextmanager
    def _sent(self, call: _Call) -> Iterator[httpx.Response]:
        """Send one request and give its answer, unread."""
        headers = {"Accept": "application/json, */*;q=0.5", "Accept-Encoding": "gzip", "User-Agent": AGENT}
        headers |= dict(call.headers) | self._credentials_for(call)
        sends = {name: value for name, value in call.sends.items() if value is not None}
        extensions = {"timeout": TIMEOUTS.as_dict()}
        request = httpx.Request(call.method, call.url, headers=headers, extensions=extensions, **sends)
        self.traffic.requests += 1
        started = self.wiring.monotonic()
        with self._room:
            # the transport itself: httpx's client would add cookies, and log whole addresses
            response = self.wiring.transport.handle_request(request)
            response.request = request
            try:
                yield response
            finally:
                response.close()
        took = round(1000 * (self.wiring.monotonic() - started))
        log.debug("%s answered %s in %s ms", told(call.method, call.url), response.status_code, took)

    def _credentials_for(self, call: _Call) -> dict[str, str]:
        """Return the headers that carry credentials: for the source's own host, and for nobody else."""
        address = httpx.URL(call.url)
        if self._is_home(address):
            return {} if self._is_signing_in else self._signed_in()
        if self.wiring.mask.finds(call.url) or any(map(self._is_secret, call.headers.values())):
            raise ConfigError(f"The plugin would send credentials to {address.host}; nothing was sent.")
        return {}

    def _is_secret(self, value: str) -> bool:
        return self.wiring.mask.finds(value) or self.wiring.mask.finds(_decoded(value))

    def _signed_in(self) -> dict[str, str]:
        if self._credentials is None:
            self._is_signing_in = True
            try:
                self._credentials = dict(self.wiring.sign_in())
            finally:
                self._is_signing_in = False
            self.wiring.mask.learn(value.split(" ", 1)[-1] for value in self._credentials.values())
        return self._credentials


def _base_of(base_url: str) -> httpx.URL:
    """Return the source's address; raise ``ConfigError`` when it is none."""
    try:
        base = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        raise ConfigError("The address of the source is not one.", "url") from None
    if base.scheme not in ("https", "http") or not base.host or base.userinfo:
        raise ConfigError("The address of the source must be like https://example.com.", "url")
    return base


def _joined(base: httpx.URL, url: str) -> str:
    """Return ``url`` as a whole address, below the base unless it holds that path already."""
    if "://" in url:
        return url
    path = base.path.rstrip("/")
    if url.startswith("//") or "\\" in url:
        raise ValueError
    if path and (url == path or url.startswith(f"{path}/")):
        path = ""
    return f"{base.copy_with(raw_path=b'/')!s}".rstrip("/") + f"{path}/{url.lstrip('/')}"


def _decoded(value: str) -> str:
    """Return what a header like ``Basic dXNlcjpwYXNz`` says in clear, empty for others."""
    try:
        return base64.b64decode(value.split(" ")[-1], validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
