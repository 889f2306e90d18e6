"""A recording with tones where something must not be heard."""

from __future__ import annotations

import math
import os
import tempfile
import wave
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from qa.core.errors import Invalid
from qa.interactions.media import BrokenMedia, decoded
from qa.interactions.peaks import Samples
from qa.interactions.redaction import Tone

HERTZ = 1_000
LOUDNESS_DB = -20
_AMPLITUDE = round(32_767 * 10 ** (LOUDNESS_DB / 20))


def write_covered(source: Path, target: Path, tones: Sequence[Tone]) -> None:
    """Write the sound of ``source`` as a 16-bit WAV file in which 1 kHz tones stand for what is covered.

    Outside the tones each sample stays as it was decoded. Nothing is left behind when the source cannot
    be read: ``Invalid`` says why.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    made = Path(name)
    size = source.stat().st_size
    try:
        with (
            os.fdopen(handle, "wb") as out,
            source.open("rb") as taken,
            decoded(taken, size, name=source.name) as (rate, blocks),
        ):
            _write(out, rate, blocks, tones)
        made.replace(target)
    except BrokenMedia as error:
        raise Invalid(str(error)) from None
    finally:
        made.unlink(missing_ok=True)


def _write(out: BinaryIO, rate: int, blocks: Iterator[Samples], tones: Sequence[Tone]) -> None:
    first = next(blocks)
    with wave.open(out, "wb") as made:
        made.setnchannels(len(first))
        made.setsampwidth(2)
        made.setframerate(rate)
        reached = 0
        for block in chain([first], blocks):
            cover(block, reached, rate, tones)
            made.writeframes(np.ascontiguousarray(block.T).tobytes())
            reached += block.shape[1]


def cover(block: Samples, first: int, rate: int, tones: Sequence[Tone]) -> None:
    """Put tones into a block whose first sample is number ``first`` of the file.

    A tone goes on every channel when the voices are not kept apart or the file has no such channel.
    """
    length = block.shape[1]
    for tone in tones:
        start = max(math.floor(tone.start_ms * rate / 1000) - first, 0)
        end = min(math.ceil(tone.end_ms * rate / 1000) - first, length)
        if start < end:
            everywhere = tone.everywhere or tone.channel >= len(block)
            rows = slice(None) if everywhere else tone.channel
            block[rows, start:end] = _wave(first + start, first + end, rate)


def _wave(start: int, end: int, rate: int) -> npt.NDArray[np.int16]:
    turns = np.arange(start, end, dtype=np.int64) * HERTZ % rate
    return np.round(np.sin(2 * np.pi * turns / rate) * _AMPLITUDE).astype(np.int16)
