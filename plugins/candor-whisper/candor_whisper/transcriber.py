"""Turns a recording into a transcript: each channel cut at silences, each chunk one step that is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from candor_whisper import models
from candor_whisper.engines import Engine, RawSegment, engine_version, load
from candor_whisper.guards import Dropped, Kept, Piece, guarded, loops, plain_words, shifted
from candor_whisper.settings import TEMPERATURES, Choice, choice_of
from candor_whisper.sound import Levels, Sound, decoded
from candor_whisper.steps import Steps
from candor_whisper.voices import (
    BLEED_DB,
    BLEED_OVERLAP,
    BLEED_WORDS,
    Chunk,
    Region,
    chunks_of,
    finder_of,
    is_one_voice,
    level_between,
    louder_channel,
    regions_of,
)
from qa.plugins.api import Context, Hints, LocalFile, Segment, Transcriber, Transcript, Word

ONE_CHANNEL = (
    "One channel: who spoke is not known; talk ratio, interruptions and agent rules are not computed."
)
NO_SPEECH = "No speech found."
UNSURE = "Language unsure."
VOTES = 3
SURE = 0.5


class Whisper(Transcriber):
    """Whisper on this machine, with openai-whisper or faster-whisper."""

    key = "whisper"
    title = "Whisper"
    times_words = True
    splits_channels = True
    diarises = False
    memory_mb = 4_096

    def transcribe(self, ctx: Context, audio: LocalFile, hints: Hints) -> Transcript:
        """Return the text; finished chunks stay in ``ctx.scratch``, keyed by sound, model and settings."""
        ctx.cancel.check()
        choice = choice_of(ctx.config)
        model = models.find(choice)
        engine_version(choice.engine)
        folder = ctx.scratch / "whisper"
        speakers = tuple(audio.speakers or hints.speakers)
        wanted = _wanted(speakers)
        sound = decoded(Path(audio.path), folder, max_hours=choice.max_hours, wanted=wanted)
        ctx.cancel.check()
        return _Work(ctx, choice, model, sound, speakers, hints, folder).run()


def _wanted(speakers: Sequence[str]) -> list[int] | None:
    """Return the channels of the two parties when a connector names them among more than two."""
    named = [place for place, who in enumerate(speakers) if who in ("agent", "customer")]
    return named if len(speakers) > 2 and len(named) == 2 else None


class _Work:
    """One recording."""

    def __init__(
        self,
        ctx: Context,
        choice: Choice,
        model: models.Model,
        sound: Sound,
        speakers: Sequence[str],
        hints: Hints,
        folder: Path,
    ) -> None:
        self._ctx, self._choice, self._model, self._sound, self._hints = ctx, choice, model, sound, hints
        self._finder = finder_of(choice)
        self._wish = choice.language if choice.language != "auto" else hints.language
        self.params_hash = choice.fingerprint(
            version=engine_version(choice.engine),
            model=model.sha256,
            finder=self._finder,
            language=self._wish,
            speakers=",".join(speakers),
        )
        self._steps = Steps(folder / f"steps-{sound.sha256[:16]}-{self.params_hash[:16]}.jsonl")
        self._mono = is_one_voice(sound)
        self._channels = (louder_channel(sound),) if self._mono else sound.channels
        self._speakers = speakers
        self._levels: dict[int, Levels] = {}
        self._regions: dict[int, list[Region]] = {}
        self._engine: Engine | None = None

    def run(self) -> Transcript:
        """Return the transcript."""
        chunks = self._chunks()
        notes = [*self._sound.notes]
        if self._mono:
            notes.append(ONE_CHANNEL)
        if not chunks:
            return self._transcript([], [], "", [*notes, NO_SPEECH])
        language, share = self._language(chunks)
        total = sum(chunk.end - chunk.start for chunk in chunks)
        spent = 0.0
        for number, chunk in enumerate(chunks):
            self._ctx.cancel.check()
            if not self._steps.has(chunk):
                self._steps.keep(chunk, self._step(chunk, language, number))
            spent += chunk.end - chunk.start
            self._ctx.progress(spent, total, "Transcribing")
        kept, dropped = self._gathered(chunks)
        if share < SURE:
            notes.append(UNSURE)
            language = ""
        return self._transcript(kept, dropped, language, notes)

    def _chunks(self) -> list[Chunk]:
        """Return all chunks in the order of time."""
        found: list[Chunk] = []
        for channel in self._channels:
            self._levels[channel] = self._sound.levels(channel)
            self._regions[channel] = regions_of(self._sound, channel, self._finder)
            found += chunks_of(self._regions[channel], channel, self._choice.chunk_s, self._levels[channel])
        return sorted(found, key=lambda chunk: (chunk.start, chunk.channel))

    def _load(self) -> Engine:
        if self._engine is None:
            self._engine = load(self._choice, str(self._model.path))
        return self._engine

    def _language(self, chunks: Sequence[Chunk]) -> tuple[str, float]:
        """Return the language and how sure it is: the vote of the first chunks of each channel."""
        if self._wish:
            return self._wish, 1.0
        if self._steps.language is not None:
            return self._steps.language
        votes: dict[str, float] = defaultdict(float)
        asked = 0
        for channel in self._channels:
            for chunk in [one for one in chunks if one.channel == channel][:VOTES]:
                self._ctx.cancel.check()
                language, odds = self._load().language(self._audio(chunk))
                votes[language] += odds
                asked += 1
        winner = max(sorted(votes), key=votes.__getitem__)
        self._steps.keep_language(winner, votes[winner] / asked)
        return winner, votes[winner] / asked

    def _audio(self, chunk: Chunk) -> Any:
        return self._sound.slice(chunk.channel, chunk.start, chunk.end)

    def _step(self, chunk: Chunk, language: str, number: int) -> Kept:
        """Transcribe one chunk; where the engine goes round in circles, once more and a little warmer."""
        audio = self._audio(chunk)
        found = self._load().transcribe(audio, language, TEMPERATURES, number)
        looped = loops(found)
        if looped:
            warmer = _warmer(found)
            if warmer:
                found = self._load().transcribe(audio, language, warmer, number)
        reached = max(
            (
                piece.end
                for done in self._steps.done.values()
                if done.chunk.channel == chunk.channel and done.chunk.start < chunk.start
                for piece in done.kept.pieces[-1:]
            ),
            default=0.0,
        )
        return guarded(
            [shifted(one, chunk.start) for one in found],
            self._regions[chunk.channel],
            (chunk.start, chunk.end),
            reached=reached,
            looped=looped,
        )

    def _gathered(self, chunks: Sequence[Chunk]) -> tuple[list[Segment], list[dict[str, Any]]]:
        """Return all segments in the order of time, and all that was left out."""
        pieces: list[tuple[int, Piece]] = []
        dropped: list[tuple[int, Dropped]] = []
        for chunk in chunks:
            kept = self._steps.done[chunk.channel, chunk.start, chunk.end].kept
            pieces += [(chunk.channel, piece) for piece in kept.pieces]
            dropped += [(chunk.channel, one) for one in kept.dropped]
        heard, bled = self._without_bleed(pieces)
        dropped += [(channel, Dropped(one.start, one.end, one.text, "bleed")) for channel, one in bled]
        heard.sort(key=lambda pair: (pair[1].start, pair[0]))
        dropped.sort(key=lambda pair: (pair[1].start, pair[0]))
        return (
            [self._segment(channel, piece) for channel, piece in heard],
            [
                {
                    "start": round(one.start, 3),
                    "end": round(one.end, 3),
                    "channel": channel,
                    "text": one.text,
                    "reason": one.reason,
                }
                for channel, one in dropped
            ],
        )

    def _without_bleed(
        self, pieces: Sequence[tuple[int, Piece]]
    ) -> tuple[list[tuple[int, Piece]], list[tuple[int, Piece]]]:
        """Part what was said from what one channel only overheard of the other."""
        heard: list[tuple[int, Piece]] = []
        bled: list[tuple[int, Piece]] = []
        for channel, piece in pieces:
            others = [other for place, other in pieces if place != channel]
            is_bleed = any(self._is_bleed(channel, piece, other) for other in others)
            (bled if is_bleed else heard).append((channel, piece))
        return heard, bled

    def _is_bleed(self, channel: int, piece: Piece, other: Piece) -> bool:
        overlap = min(piece.end, other.end) - max(piece.start, other.start)
        if overlap < BLEED_OVERLAP * (piece.end - piece.start):
            return False
        words, theirs = plain_words(piece.text), plain_words(other.text)
        equal = 0
        for word in words:
            if word in theirs:
                theirs.remove(word)
                equal += 1
        if equal < BLEED_WORDS * len(words):
            return False
        across = next(one for one in self._channels if one != channel)
        mine, louder = (level_between(self._levels[one], piece.start, piece.end) for one in (channel, across))
        return louder - mine >= BLEED_DB

    def _segment(self, channel: int, piece: Piece) -> Segment:
        return Segment(
            round(piece.start, 3),
            round(piece.end, 3),
            piece.text,
            channel=0 if self._mono else channel,
            speaker=self._speaker_of(channel),
            conf=round(piece.conf, 3),
            words=[
                Word(word.text, round(word.start, 3), round(word.end, 3), round(word.conf, 3))
                for word in piece.words
            ],
            flags=list(piece.flags),
        )

    def _speaker_of(self, channel: int) -> Any:
        if self._mono:
            return "unknown"
        if len(self._speakers) > channel and self._speakers[channel] in ("agent", "customer"):
            return self._speakers[channel]
        return "agent" if channel == self._choice.agent_channel else "customer"

    def _transcript(
        self, segments: list[Segment], dropped: list[dict[str, Any]], language: str, notes: list[str]
    ) -> Transcript:
        return Transcript(
            segments,
            duration=round(self._sound.seconds, 3),
            language=language,
            engine=self._choice.engine,
            model=Path(self._model.name).name,
            params_hash=self.params_hash,
            holds=self._hints.holds,
            truncated=self._sound.truncated,
            notes=notes,
            dropped=dropped,
        )


def _warmer(found: Sequence[RawSegment]) -> tuple[float, ...]:
    """Return the temperatures above those that were tried."""
    tried = max((one.temperature for one in found), default=0.0)
    return tuple(one for one in TEMPERATURES if one > tried + 1e-6)
