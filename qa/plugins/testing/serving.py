"""A twin on a real port of this machine: for `qa plugin twin`, and to try a connector as in production."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from qa.plugins.testing.clock import VirtualClock
from qa.plugins.testing.twin import Ask, Reply, Twin

LOOPBACK = "127.0.0.1"
MOST_BYTES = 10_000_000


class RealTwinClock(VirtualClock):
    """The machine's time, for a twin that real requests reach."""

    def true_now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)


def started(kind: type[Twin], *, count: int) -> Twin:
    """Return a twin that lives in real time, with some conversations."""
    twin = kind(RealTwinClock())
    twin.seed(count)
    return twin


@contextmanager
def served(twin: Twin, *, port: int = 0) -> Iterator[str]:
    """Answer requests for ``twin`` on this machine inside the block; give the address."""
    guard = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            size = min(int(self.headers.get("content-length") or 0), MOST_BYTES)
            headers = {name.lower(): value for name, value in self.headers.items()}
            url = f"http://{self.headers.get('host', LOOPBACK)}{self.path}"
            with guard:
                reply = _reply(twin, Ask(self.command, url, headers, self.rfile.read(size)))
            self.send_response(reply.status)
            for name, value in ({"Content-Type": "application/json"} | dict(reply.headers)).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  the server's own names

        def log_message(self, *_arguments: object) -> None:
            """Say nothing: the connector's own log tells enough."""

    server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _reply(twin: Twin, ask: Ask) -> Reply:
    if not twin.is_signed_in(ask):
        return Reply(401, {"error": "not signed in"})
    return twin.handle(ask)
