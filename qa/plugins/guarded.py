"""The transport of production: TLS, and every connection only to an address that was looked at."""

from __future__ import annotations

import httpx

from qa.plugins.reach import Reach, Refused

POOL = httpx.Limits(max_connections=8, max_keepalive_connections=4, keepalive_expiry=30)


class GuardedTransport(httpx.BaseTransport):
    """Sends a request to the address that ``reach`` allows, under the name that was asked for.

    The certificate is checked against the name. Plain HTTP goes to allowed private networks only.
    """

    def __init__(self, reach: Reach, inner: httpx.BaseTransport | None = None) -> None:
        self._reach = reach
        self._inner = inner or httpx.HTTPTransport(limits=POOL, trust_env=False)

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
        return self._inner.handle_request(moved)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
