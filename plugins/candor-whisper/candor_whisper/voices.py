"""Where somebody speaks, on which channel, and whether two channels are two voices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from candor_whisper.settings import Choice
from candor_whisper.sound import RATE, Levels, Sound

FRAMES_PER_S = 100
JOIN_S = 0.25
LEAST_S = 0.15
PAD_S = 0.1
FLOOR, CEILING = 0.004, 0.02
SAME_CORRELATION = 0.98
SILENT_DBFS = -60.0
LONGEST_S = 28.0
"""An engine hears 30 s at a time; a region that is longer is cut."""
CUT_WITHIN_S = 5.0
BLOCK_S = 120
BLEED_OVERLAP, BLEED_WORDS, BLEED_DB = 0.8, 0.8, 12.0

Region = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is transcribed in one step."""

    channel: int
    start: float
    end: float


def has_silero() -> bool:
    """Tell whether the better finder of voices is installed; it comes with faster-whisper."""
    try:
        import faster_whisper.vad  # noqa: F401
    except ImportError:
        return False
    return True


def finder_of(choice: Choice) -> str:
    """Return which finder of voices is used: silero or energy."""
    if choice.voice_finder == "auto":
        return "silero" if has_silero() else "energy"
    return choice.voice_finder


def regions_of(sound: Sound, channel: int, finder: str) -> list[Region]:
    """Return where somebody speaks on a channel."""
    found = _by_silero(sound, channel) if finder == "silero" else by_energy(sound.levels(channel))
    return settled(found, sound.seconds)


def by_energy(levels: Levels) -> list[Region]:
    """Return the stretches that are louder than the channel's own quiet."""
    if not len(levels):
        return []
    border = np.clip(4 * np.percentile(levels, 20), FLOOR, CEILING)
    on = np.concatenate([[False], levels > border, [False]]).astype(np.int8)
    turns = np.flatnonzero(np.diff(on))
    return [(start / FRAMES_PER_S, end / FRAMES_PER_S) for start, end in turns.reshape(-1, 2).tolist()]


def _by_silero(sound: Sound, channel: int) -> list[Region]:
    """Return what Silero finds, two minutes at a time so that memory stays flat."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        min_speech_duration_ms=0, min_silence_duration_ms=int(JOIN_S * 1000), speech_pad_ms=0
    )
    found = []
    for start in range(0, int(sound.seconds) + 1, BLOCK_S):
        block = sound.slice(channel, start, min(start + BLOCK_S, sound.seconds))
        if len(block) >= RATE // 10:
            spans = get_speech_timestamps(block, options)
            found += [(start + span["start"] / RATE, start + span["end"] / RATE) for span in spans]
    return found


def settled(found: Sequence[Region], seconds: float) -> list[Region]:
    """Return regions joined over short gaps, without the shortest, with a little before and after."""
    joined: list[Region] = []
    for start, end in found:
        if joined and start - joined[-1][1] <= JOIN_S:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [
        (max(start - PAD_S, 0.0), min(end + PAD_S, seconds))
        for start, end in joined
        if end - start >= LEAST_S
    ]


def chunks_of(regions: Sequence[Region], channel: int, chunk_s: float, levels: Levels) -> list[Chunk]:
    """Return regions packed into chunks of at most ``chunk_s``, cut in silence only.

    A region longer than that stays whole while an engine can hear it at once; else it is cut where it is
    quietest.
    """
    packed: list[Region] = []
    for region in regions:
        for start, end in _pieces(region, max(chunk_s, LONGEST_S), levels):
            if packed and end - packed[-1][0] <= chunk_s:
                packed[-1] = (packed[-1][0], end)
            else:
                packed.append((start, end))
    return [Chunk(channel, start, end) for start, end in packed]


def _pieces(region: Region, longest: float, levels: Levels) -> Iterator[Region]:
    start, end = region
    while end - start > longest:
        latest = round((start + longest) * FRAMES_PER_S)
        earliest = round((start + longest - min(CUT_WITHIN_S, longest / 2)) * FRAMES_PER_S)
        quiet = levels[earliest:latest]
        cut = (earliest + int(quiet.argmin()) if len(quiet) else latest) / FRAMES_PER_S
        yield start, cut
        start = cut
    yield start, end


def is_one_voice(sound: Sound) -> bool:
    """Tell whether two channels carry the same sound, or one of them nothing."""
    if len(sound.channels) < 2:
        return True
    one, two = (sound.levels(channel) for channel in sound.channels)
    if min(loudness(one), loudness(two)) < SILENT_DBFS:
        return True
    if one.std() == 0 or two.std() == 0:
        return bool(one.std() == two.std())
    return bool(np.corrcoef(one, two)[0, 1] >= SAME_CORRELATION)


def loudness(levels: Levels) -> float:
    """Return the level of a stretch in dB below full scale."""
    power = float((levels.astype(np.float64) ** 2).mean()) if len(levels) else 0.0
    return 10 * float(np.log10(power)) if power > 0 else -200.0


def louder_channel(sound: Sound) -> int:
    """Return the channel that carries more."""
    return max(sound.channels, key=lambda channel: loudness(sound.levels(channel)))


def level_between(levels: Levels, start: float, end: float) -> float:
    """Return the level between two seconds."""
    return loudness(levels[round(start * FRAMES_PER_S) : max(round(end * FRAMES_PER_S), 1)])


def speech_share(regions: Sequence[Region], start: float, end: float) -> float:
    """Return how much of a stretch is speech, from 0 to 1."""
    if end <= start:
        return 0.0
    spoken = sum(max(min(end, last) - max(start, first), 0.0) for first, last in regions)
    return round(spoken / (end - start), 6)
