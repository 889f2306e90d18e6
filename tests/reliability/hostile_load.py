"""Plugin calls gone wrong, in two threads until it is ended: run as a program."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import sys
import threading
from pathlib import Path

from qa.core.children import Unwanted
from qa.plugins.api import PluginError
from qa.plugins.calling import PluginFailed, Work
from qa.plugins.discovery import Candidate
from qa.plugins.hosting import Host


def main(folder: Path, ways: list[str]) -> None:
    """Misbehave in each way in turn; print one line for each call that ended."""
    host = Host(folder)
    ends = threading.Event()
    guard = threading.Lock()
    turns = itertools.cycle(ways)
    candidate = Candidate("hostile", "candor-hostile", "0.1.0", "candor_hostile")

    def work() -> None:
        while not ends.is_set():
            with guard:
                way = next(turns)
            with contextlib.suppress(PluginFailed, PluginError, Unwanted):
                host.call(
                    candidate,
                    Work("connector", "hostile", "check", config={"way": way}, deadline_seconds=1.0),
                )
            with guard:
                print(way, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: ends.set())
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    ends.wait()
    host.close()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
