"""What a recording looks like: peaks to draw and stretches of speech, met block by block.

Every meter takes samples of any block length and keeps a few bytes per second, never the sound.
Samples are int16 at ``RATE``. Energy is used for timing only, never to guess at a feeling.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from qa.stats import intervals
from qa.stats.intervals import Span

RATE = 8_000
PER_SECOND = 20
PEAK_SAMPLES = RATE // PER_SECOND
FRAME_MS = 10
FRAME_SAMPLES = RATE * FRAME_MS // 1000

FLOOR_PERCENTILE = 20
ABOVE_FLOOR = 4.0
LEAST, MOST = 0.004, 0.02
JOIN_MS, DROP_MS, PAD_MS = 250, 150, 100
SILENT = 0.001
"""-60 dBFS: a channel below is not used."""
SAME_CORRELATION = 0.98

Samples = npt.NDArray[np.int16]
Energies = npt.NDArray[np.float32]


class _Windows:
    """Cuts a stream of samples into windows of equal length; the last one is filled up with silence."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._held: Samples = np.zeros(0, dtype=np.int16)

    def cut(self, samples: Samples) -> Samples:
        """Return whole windows as rows, keeping the rest for later."""
        joined = np.concatenate([self._held, samples])
        whole = len(joined) // self._length * self._length
        self._held = joined[whole:].copy()
        return joined[:whole].reshape(-1, self._length)

    def rest(self) -> Samples:
        """Return what is left as at most one window."""
        missing = -len(self._held) % self._length
        return np.pad(self._held, (0, missing)).reshape(-1, self._length)


class PeakMeter:
    """Twenty peaks a second of one channel, 0 to 127."""

    def __init__(self) -> None:
        self._windows = _Windows(PEAK_SAMPLES)
        self._peaks = bytearray()

    def feed(self, samples: Samples) -> None:
        """Take the next samples."""
        self._peaks += _peaks(self._windows.cut(samples))

    def end(self) -> bytes:
        """Return all peaks, one byte each."""
        return bytes(self._peaks + _peaks(self._windows.rest()))


def _peaks(windows: Samples) -> bytes:
    if not windows.size:
        return b""
    loudest = np.maximum(windows.max(axis=1).astype(np.int32), -windows.min(axis=1).astype(np.int32))
    return bytes((loudest * 127 // 32_768).clip(0, 127).astype(np.uint8))


class SpeechMeter:
    """The energy of one channel in frames of 10 ms, and where it rises above the channel's own floor."""

    def __init__(self) -> None:
        self._windows = _Windows(FRAME_SAMPLES)
        self._energies: list[Energies] = []

    def feed(self, samples: Samples) -> None:
        """Take the next samples."""
        self._energies.append(_energies(self._windows.cut(samples)))

    def end(self) -> Energies:
        """Return the root mean square of each frame, full scale = 1."""
        self._energies.append(_energies(self._windows.rest()))
        return np.concatenate(self._energies)


def _energies(windows: Samples) -> Energies:
    scaled = windows.astype(np.float32) / 32_768
    energies: Energies = np.sqrt((scaled * scaled).mean(axis=1), dtype=np.float32)
    return energies


def speech_of(energies: Energies) -> list[Span]:
    """Return where one channel speaks, in milliseconds.

    A frame is on above four times the channel's 20th percentile, kept within 0.004 and 0.02. Gaps up
    to a quarter of a second are joined, bursts below 0.15 s dropped, the rest padded by 0.1 s.
    """
    if not energies.size:
        return []
    floor = float(np.percentile(energies, FLOOR_PERCENTILE))
    on = energies > min(max(ABOVE_FLOOR * floor, LEAST), MOST)
    edges = np.flatnonzero(np.diff(on.astype(np.int8), prepend=0, append=0)) * FRAME_MS
    bursts = [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    length = len(energies) * FRAME_MS
    kept = [span for span in _bridged(bursts) if span[1] - span[0] >= DROP_MS]
    return intervals.clipped(((start - PAD_MS, end + PAD_MS) for start, end in kept), length)


def _bridged(bursts: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in bursts:
        if found and start - found[-1][1] <= JOIN_MS:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def is_mono_in_disguise(one: Energies, other: Energies) -> bool:
    """Tell whether two channels carry one sound: nearly equal energies, or one of them unused."""
    if not one.size or min(float(one.max()), float(other.max())) < SILENT:
        return True
    if float(one.std()) == 0.0 or float(other.std()) == 0.0:
        return False
    return float(np.corrcoef(one, other)[0, 1]) >= SAME_CORRELATION


class Lanes:
    """Everything the player draws of one recording."""

    def __init__(self, channels: int) -> None:
        self._peaks = [PeakMeter() for _ in range(channels)]
        self._speech = [SpeechMeter() for _ in range(channels)]

    def feed(self, block: Samples) -> None:
        """Take the next samples, one row per channel."""
        for row, peaks, speech in zip(block, self._peaks, self._speech, strict=True):
            peaks.feed(row)
            speech.feed(row)

    def end(self, duration_ms: int) -> dict[str, Any]:
        """Return the lanes as the player reads them; overlaps only where two channels are two people."""
        energies = [meter.end() for meter in self._speech]
        spoken = [intervals.clipped(speech_of(channel), duration_ms) for channel in energies]
        two_sided = len(energies) == 2 and not is_mono_in_disguise(*energies)
        both = intervals.overlaps(*spoken) if two_sided else []
        quiet = intervals.silences((span for spans in spoken for span in spans), duration_ms)
        return {
            "per_second": PER_SECOND,
            "duration_ms": duration_ms,
            "channels": [base64.b64encode(meter.end()).decode() for meter in self._peaks],
            "speech": [[list(span) for span in spans] for spans in spoken],
            "silences": [list(span) for span in quiet],
            "overlaps": [list(span) for span in both],
            "two_sided": two_sided,
        }
