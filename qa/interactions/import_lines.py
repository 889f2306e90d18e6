"""Bring in JSON Lines: streamed, in small transactions with a pause, each broken row set aside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from qa.accounts.people_service import create_person
from qa.accounts.queries import find_person_by_email
from qa.core.actor import SYSTEM
from qa.core.crypto import Keys
from qa.core.db import Database
from qa.core.errors import DomainError
from qa.core.storage import Storage, Stored, store_sealed
from qa.extensions.queries import has_redactors
from qa.interactions import service
from qa.interactions.lines import AgentPart, BrokenLine, Line, Parsed, parse
from qa.interactions.models import RECORDING_KEY
from qa.interactions.redacting import SafeLine, safe_line
from qa.interactions.storing_service import Counts, store_lines

BATCH = 200
PAUSE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that was not taken, and why."""

    line: int
    reason: str
    raw: bytes


@dataclass(slots=True)
class Imported:
    """What came of a file."""

    counts: Counts = field(default_factory=Counts)
    recordings: int = 0
    set_aside: int = 0


class Importer:
    """One file into one source."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        keys: Keys,
        *,
        source: str,
        recordings: Path | None,
        creates_agents: bool,
        patterns: tuple[str, ...] = (),
        now: datetime,
    ) -> None:
        self.database, self.storage, self.keys = database, storage, keys
        self.source = service.checked_source(source)
        self.recordings = None if recordings is None else recordings.resolve()
        self.creates_agents = creates_agents
        self.patterns = patterns
        self.now = now
        self.result = Imported()

    def run(self, file: BinaryIO) -> Iterator[SetAside]:
        """Take the file in; yield each row that was set aside."""
        batch: list[tuple[int, bytes, Parsed]] = []
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                parsed = parse(raw)
                self._check_files(parsed.line)
            except BrokenLine as error:
                yield self._aside(number, str(error), raw)
                continue
            batch.append((number, raw, parsed))
            if len(batch) == BATCH:
                yield from self._store(batch)
                batch = []
        yield from self._store(batch)

    def _aside(self, number: int, reason: str, raw: bytes) -> SetAside:
        self.result.set_aside += 1
        return SetAside(number, reason, raw)

    def _store(self, batch: list[tuple[int, bytes, Parsed]]) -> list[SetAside]:
        aside = []
        files = {
            parsed.line.external_id: self._stored_files(parsed.line)
            for _, _, parsed in batch
            if parsed.line.recordings
        }
        lines = self._safe([parsed for _, _, parsed in batch])
        with self.database.transaction() as session:
            sound = []
            for (number, raw, parsed), line in zip(batch, lines, strict=True):
                broken = self._create_agents(session, parsed.line) if self.creates_agents else None
                if broken is None:
                    sound.append(line)
                else:
                    aside.append(self._aside(number, broken, raw))
            kept = store_lines(
                session, SYSTEM, source=self.source, lines=sound, counts=self.result.counts, now=self.now
            )
            for external_id, interaction_id in kept.items():
                self._attach(session, interaction_id, files.get(external_id, []))
        time.sleep(PAUSE_SECONDS)  # people who score come first
        return aside

    def _safe(self, parsed: list[Parsed]) -> list[SafeLine]:
        """Take out what may not be read, before the transaction begins: it takes a moment."""
        with self.database.reading() as session:
            waits = has_redactors(session, SYSTEM)
        return [safe_line(one, self.keys, patterns=self.patterns, waits=waits) for one in parsed]

    def _attach(
        self, session: Session, interaction_id: int, files: list[tuple[Stored, str, list[str]]]
    ) -> None:
        for stored, name, speakers in files:
            row = service.attach_recording(
                session,
                SYSTEM,
                interaction_id=interaction_id,
                stored=stored,
                sealed_key=self.keys.seal(stored.content_key, purpose=RECORDING_KEY),
                name=name,
                speakers=speakers,
                now=self.now,
            )
            self.result.recordings += row is not None

    def _create_agents(self, session: Session, line: Line) -> str | None:
        """Add the agents nobody knows; return why that cannot be, then none of the line's is added."""
        with session.begin_nested() as point:
            try:
                for part in line.agents:
                    self._create_agent(session, part)
            except DomainError as error:
                point.rollback()
                return str(error)
        return None

    def _create_agent(self, session: Session, part: AgentPart) -> None:
        if part.email and find_person_by_email(session, SYSTEM, part.email) is None:
            made = create_person(
                session,
                SYSTEM,
                name=part.name or part.email.split("@")[0],
                email=part.email,
                roles=["agent"],
                team_id=None,
                now=self.now,
                today=self.now.date(),
            )
            made.can_sign_in = False
            made.external_id = part.external_id

    def _check_files(self, line: Line) -> None:
        for number, part in enumerate(line.recordings, start=1):
            place = f"“recordings.{number}.file” {part.file!r}"
            if self.recordings is None:
                raise BrokenLine(f"{place} needs --recordings FOLDER.")
            path = self.recordings / part.file
            if path.is_symlink() or not path.resolve().is_relative_to(self.recordings):
                raise BrokenLine(f"{place} points outside the recordings folder.")
            if not path.is_file():
                raise BrokenLine(f"{place} is not in the recordings folder.")

    def _stored_files(self, line: Line) -> list[tuple[Stored, str, list[str]]]:
        assert self.recordings is not None
        kept = []
        for part in line.recordings:
            with (self.recordings / part.file).open("rb") as file:
                stored = store_sealed(self.storage, file)
            kept.append((stored, Path(part.file).name, [str(speaker) for speaker in part.speakers]))
        return kept
