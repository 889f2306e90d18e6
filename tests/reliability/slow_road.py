"""A road to a TCP server on which every request takes its time, to see what waits for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def slow_road(host: str, port: int, delay: dict[str, float]) -> Iterator[int]:
    """Give a local port that leads to ``host:port``; what is sent there waits ``delay["seconds"]``."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_welcome, args=(door, host, port, delay), daemon=True).start()
        yield int(door.getsockname()[1])
        door.shutdown(socket.SHUT_RDWR)


def _welcome(door: socket.socket, host: str, port: int, delay: dict[str, float]) -> None:
    while True:
        try:
            near, _address = door.accept()
        except OSError:
            return
        far = socket.create_connection((host, port))
        for source, target, kept in ((near, far, delay), (far, near, {"seconds": 0.0})):
            threading.Thread(target=_carry, args=(source, target, kept), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, delay: dict[str, float]) -> None:
    with source, target:
        try:
            while piece := source.recv(65_536):
                time.sleep(delay["seconds"])
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return
