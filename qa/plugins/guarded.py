"""The transport of production: TLS, and every connection only to an address that was looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import httpx

from qa.plugins.reach import Reach, Refused

POOL = httpx.Limits(max_connections=8, max_keepalive_connections=4, keepalive_expiry=30)
MOST_HOSTS = 16


def pool() -> httpx.BaseTransport:
    """Return the connections to one host."""
    return httpx.HTTPTransport(limits=POOL, trust_env=False)


class GuardedTransport(httpx.BaseTransport):
    """Sends a request to the address that ``reach`` allows, under the name that was asked for.

    The certificate is checked against the name. Plain HTTP goes to allowed private networks only. Each host
    has connections of its own: of two at one address, one never gets what was opened for the other.
    """

    def __init__(self, reach: Reach, make_pool: Callable[[], httpx.BaseTransport] = pool) -> None:
        self._reach = reach
        self._make_pool = make_pool
        self._pools: OrderedDict[str, httpx.BaseTransport] = OrderedDict()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raise ``Refused`` for an address that may not be reached."""
        url = request.url
        address = self._reach.address_of(url.host, url.port or (443 if url.scheme == "https" else 80))
        if url.scheme != "https" and not self._reach.is_private(address):
            raise Refused(f"{url.host} is asked for without TLS. Write the source's address with https.")
        moved = httpx.Request(
            request.method,
            url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions=dict(request.extensions) | {"sni_hostname": url.host},
        )
        return self._pool_of(url.host).handle_request(moved)

    def _pool_of(self, host: str) -> httpx.BaseTransport:
        found = self._pools.pop(host, None)
        if found is None:
            found = self._make_pool()
            if len(self._pools) >= MOST_HOSTS:
                self._pools.popitem(last=False)[1].close()
        self._pools[host] = found
        return found

    def close(self) -> None:
        """Close the connections."""
        for one in self._pools.values():
            one.close()
