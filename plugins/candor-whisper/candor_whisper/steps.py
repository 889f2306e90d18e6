"""Finished chunks on the disk: a run that was killed goes on behind the last one.

One line of JSON for each chunk, written whole and flushed; half a line at the end, from a power cut, is cut
off and that chunk done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from candor_whisper.engines import RawWord
from candor_whisper.guards import Dropped, Kept, Piece
from candor_whisper.voices import Chunk


@dataclass(frozen=True, slots=True)
class Done:
    """A chunk and what came of it."""

    chunk: Chunk
    kept: Kept


class Steps:
    """The record of one transcription."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.language: tuple[str, float] | None = None
        self.done: dict[tuple[int, float, float], Done] = {}
        self._read()

    def has(self, chunk: Chunk) -> bool:
        """Tell whether a chunk is finished."""
        return (chunk.channel, chunk.start, chunk.end) in self.done

    def keep_language(self, language: str, share: float) -> None:
        """Keep the language that was found."""
        self.language = (language, share)
        self._write({"language": language, "share": share})

    def keep(self, chunk: Chunk, kept: Kept) -> None:
        """Keep a finished chunk."""
        self.done[chunk.channel, chunk.start, chunk.end] = Done(chunk, kept)
        self._write({"chunk": asdict(chunk), **asdict(kept)})

    def _write(self, line: Mapping[str, Any]) -> None:
        with self._path.open("ab") as out:
            out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())

    def _read(self) -> None:
        if not self._path.exists():
            return
        raw = self._path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            with self._path.open("r+b") as out:
                out.truncate(len(whole))
        for line in whole.splitlines():
            given = json.loads(line)
            if "language" in given:
                self.language = (given["language"], given["share"])
            else:
                chunk = Chunk(**given["chunk"])
                self.done[chunk.channel, chunk.start, chunk.end] = Done(chunk, _kept(given))


def _kept(given: Mapping[str, Any]) -> Kept:
    pieces = [
        Piece(
            **one | {"words": tuple(RawWord(**word) for word in one["words"]), "flags": tuple(one["flags"])}
        )
        for one in given["pieces"]
    ]
    return Kept(pieces, [Dropped(**one) for one in given["dropped"]])
