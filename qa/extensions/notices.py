"""Messages to people outside, through the notifiers that plugins offer."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from qa.core.crypto import Keys
from qa.core.db import Database
from qa.extensions import outgoing_service as outgoing
from qa.extensions.outgoing_service import Parcel
from qa.extensions.runtime import Runtime
from qa.plugins.api import Notice
from qa.plugins.calling import Work

NOTICE = "notice"
SEND_SECONDS = 60.0


def send_notice(
    session: Session,
    keys: Keys,
    *,
    plugin: str,
    notifier: str,
    target: str,
    notice: Notice,
    key: str,
    now: datetime,
) -> bool:
    """Put a message down for a target of a notifier; False when the same key was put down before."""
    contents: dict[str, Any] = {"notifier": notifier, "target": target, "notice": asdict(notice)}
    return outgoing.put(
        session,
        keys,
        work=NOTICE,
        plugin=plugin,
        target=f"{NOTICE}:{plugin}:{notifier}:{target}"[:200],
        key=key,
        contents=contents,
        now=now,
    )


def carry(database: Database, runtime: Runtime, parcel: Parcel) -> None:
    """Send one message. For the worker's table of carriers."""
    contents = parcel.contents
    target = str(contents["target"])
    arguments = {"message": Notice(**contents["notice"]), "target": target, "key": parcel.key}
    base_url = target if target.startswith(("https://", "http://")) else ""
    work = Work(
        "notifier",
        str(contents["notifier"]),
        "send",
        arguments,
        deadline_seconds=SEND_SECONDS,
        base_url=base_url,
    )
    runtime.call(database, parcel.plugin, work)
