"""From what happened in the house to the event hooks of plugins, in order and at least once for each.

A reaction puts down which hook has to be told what, by ids; what plugins see is read when it is delivered,
so that something erased meanwhile is told to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.outbox import Reaction
from qa.extensions import outgoing_service as outgoing
from qa.extensions.outgoing_service import Parcel
from qa.extensions.runtime import Runtime
from qa.plugins.calling import Work
from qa.plugins.contract import HOOK

EVENT = "event"
HOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Happening:
    """One hook to tell about one or several subjects that changed in the same way."""

    hook: str
    change: str
    ids: tuple[int, ...]


ReadPayload = Callable[[Mapping[str, Any]], Iterator[Happening]]
MakeArguments = Callable[[Database, int], Mapping[str, Any] | None]
"""Returns what a hook is told about a subject, by argument; None when it is gone."""


def about(hook: str, change: str, field: str) -> ReadPayload:
    """Return what reads a payload that names one subject in ``field``."""

    def read(payload: Mapping[str, Any]) -> Iterator[Happening]:
        yield Happening(hook, change, (int(payload[field]),))

    return read


def reaction(runtime: Runtime, keys: Keys, read: ReadPayload) -> Reaction:
    """Return the reaction to an event for all plugins; one for the worker's table."""
    return partial(_put_down, runtime, keys, read)


def _put_down(
    runtime: Runtime,
    keys: Keys,
    read: ReadPayload,
    database: Database,
    payload: dict[str, Any],
    now: datetime,
) -> None:
    happenings = [one for one in read(payload) if one.ids]
    with database.reading() as session:
        told = {one.hook: runtime.hooked(session, one.hook) for one in happenings}
    if not any(told.values()):
        return
    with database.transaction() as session:
        for one in happenings:
            for plugin in told[one.hook]:
                outgoing.put(
                    session,
                    keys,
                    work=EVENT,
                    plugin=plugin,
                    target=f"{EVENT}:{plugin}",
                    key=f"{payload['event_id']}:{one.hook}:{one.change}",
                    contents={"hook": one.hook, "change": one.change, "ids": list(one.ids)},
                    now=now,
                )


def carry(makers: Mapping[str, MakeArguments], database: Database, runtime: Runtime, parcel: Parcel) -> None:
    """Tell a plugin's hook; ``makers`` make what each hook is told. For the worker's table of carriers."""
    hook, change = str(parcel.contents["hook"]), str(parcel.contents["change"])
    for subject_id in parcel.contents["ids"]:
        made = makers[hook](database, int(subject_id))
        if made is None:
            continue
        arguments = {**made, "key": f"{parcel.key}:{subject_id}"}
        if hook != "qa_transcript_ready":
            arguments["change"] = change
        work = Work(HOOK, "", hook, arguments, deadline_seconds=HOOK_SECONDS)
        runtime.call(database, parcel.plugin, work)
