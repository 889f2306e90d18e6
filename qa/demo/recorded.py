"""The calls that can be heard: two channels, with true transcripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from importlib import resources
from typing import Any

from qa.core import jobs
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.storage import Storage, store_sealed
from qa.demo.centre import SOURCE, Centre
from qa.interactions.models import RECORDING_KEY, Interaction, Participant, Recording, Turn
from qa.interactions.service import MEDIA_JOB

CALLS = ("refund", "cancel", "outage")
CALL_SUBJECTS = {
    "refund": "Charged twice, wants a refund",
    "cancel": "Cancels and moves abroad",
    "outage": "No internet since this morning",
}


def add_recorded(database: Database, storage: Storage, keys: Keys, centre: Centre) -> list[int]:
    """Add the calls that can be heard and return their ids."""
    found = []
    for place, name in enumerate(CALLS):
        folder = resources.files("qa.demo") / "calls"
        spoken = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        with (folder / f"{name}.ogg").open("rb") as file:
            stored = store_sealed(storage, file)
        with database.transaction() as session:
            call = _call(centre, place, name, spoken)
            session.add(call)
            session.flush()
            session.add(Participant(interaction_id=call.id, user_id=call.agent_id))
            session.add_all(_turns(call.id, spoken["segments"]))
            recording = Recording(
                interaction_id=call.id,
                storage_key=stored.key,
                sealed_key=keys.seal(stored.content_key, purpose=RECORDING_KEY),
                original_name=f"{name}.ogg",
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                speakers=["agent", "customer"],
                is_demo=True,
                stored_at=centre.now,
            )
            session.add(recording)
            session.flush()
            jobs.enqueue(session, MEDIA_JOB, {"recording_id": recording.id}, now=centre.now, queue="media")
            found.append(call.id)
    return found


def _call(centre: Centre, place: int, name: str, spoken: dict[str, Any]) -> Interaction:
    started = datetime.combine(centre.until - timedelta(days=1 + place), time(10, 12 + place), tzinfo=UTC)
    return Interaction(
        source=SOURCE,
        external_id=f"HM-call-{name}",
        channel="voice",
        queue="Billing",
        language="en",
        subject=CALL_SUBJECTS[name],
        customer_reference=f"C-{20_000 + place}",
        customer_name=("Robert Hale", "Anna Reid", "Tom Baker")[place],
        agent_id=centre.people["Dana Ortiz"],
        team_id=centre.teams["Billing North"],
        started_at=started,
        ended_at=started + timedelta(seconds=spoken["duration"]),
        duration_ms=round(spoken["duration"] * 1000),
        turn_count=len(spoken["segments"]),
        talk_seconds=round(spoken["duration"]),
        hold_seconds=(12, 11, 9)[place],
        wrap_seconds=45,
        wait_seconds=20,
        csat=(2, 1, 4)[place],
        csat_max=5,
        sla_met=True,
        fields={},
        redaction="done",
        is_demo=True,
        imported_at=started + timedelta(hours=1),
    )


def _turns(interaction_id: int, segments: list[dict[str, Any]]) -> list[Turn]:
    return [
        Turn(
            interaction_id=interaction_id,
            position=number,
            speaker=part["speaker"],
            stored=part["text"],
            is_redacted=True,
            start_ms=round(part["start"] * 1000),
            end_ms=round(part["end"] * 1000),
        )
        for number, part in enumerate(segments, start=1)
    ]
