"""What the worker does for plugins: looks at what is installed, loads it, delivers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from qa.core import clock
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.working import Kind, Payload
from qa.extensions import look_service, outgoing_service
from qa.extensions.outgoing_service import Carrier
from qa.extensions.runtime import Runtime


def kinds(runtime: Runtime, keys: Keys, carriers: Mapping[str, Carrier]) -> dict[str, Kind]:
    """Return the kinds of work of this package by name."""
    return {
        look_service.LOOK_JOB: Kind(partial(_look, runtime)),
        look_service.LOAD_JOB: Kind(partial(_load, runtime)),
        outgoing_service.DELIVER_JOB: Kind(partial(_deliver, runtime, keys, carriers)),
    }


def _look(runtime: Runtime, database: Database, _payload: Payload) -> None:
    look_service.look(database, runtime)
    outgoing_service.ask_for_waiting(database, now=clock.now())
    runtime.tidy(database)


def _load(runtime: Runtime, database: Database, payload: Payload) -> None:
    look_service.load_one(database, runtime, str(payload["plugin"]))


def _deliver(
    runtime: Runtime, keys: Keys, carriers: Mapping[str, Carrier], database: Database, payload: Payload
) -> None:
    outgoing_service.deliver(database, runtime, keys, carriers, str(payload["target"]))
