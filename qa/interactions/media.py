"""What a sound file is: probed and decoded in a child process, never in the web process.

Only a list of containers is opened, from one file handle: a "recording" may be a playlist that
names other files. Every way in which it can be broken has its own sentence.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import av
import numpy as np
from av.error import FFmpegError

PEAKS_PER_SECOND = 20
PEAK_RATE = 8_000
WINDOW = PEAK_RATE // PEAKS_PER_SECOND
MAX_CHANNELS = 2
MAX_HOURS = 12
FORMATS = frozenset(
    [
        "wav",
        "mp3",
        "ogg",
        "flac",
        "aac",
        "mov",
        "mp4",
        "m4a",
        "3gp",
        "3g2",
        "mj2",
        "matroska",
        "webm",
        "amr",
        "gsm",
        "g729",
        "aiff",
        "au",
        "caf",
        "w64",
    ]
)
BROWSER_PLAYS = {
    ("wav", "pcm_s16le"): "audio/wav",
    ("wav", "pcm_u8"): "audio/wav",
    ("mp3", "mp3"): "audio/mpeg",
    ("mp3", "mp3float"): "audio/mpeg",
    ("ogg", "opus"): "audio/ogg",
    ("ogg", "libopus"): "audio/ogg",
    ("ogg", "vorbis"): "audio/ogg",
    ("flac", "flac"): "audio/flac",
    ("mov", "aac"): "audio/mp4",
    ("matroska", "opus"): "audio/webm",
}


class BrokenMedia(Exception):
    """The file cannot be heard; ``reason`` is a code, the message a sentence for people."""

    def __init__(self, reason: str, sentence: str) -> None:
        self.reason = reason
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Described:
    """What was found out: facts, and one list of peaks (0 to 127, twenty a second) per channel."""

    format: str
    codec: str
    channel_count: int
    duration_ms: int
    media_type: str | None
    peaks: tuple[bytes, ...]

    def peaks_json(self) -> dict[str, Any]:
        """Return the peaks as the player reads them."""
        return {
            "per_second": PEAKS_PER_SECOND,
            "duration_ms": self.duration_ms,
            "channels": [base64.b64encode(channel).decode() for channel in self.peaks],
        }


def describe(source: BinaryIO, size: int) -> Described:
    """Decode a whole file in constant memory and return what it is; raise ``BrokenMedia``."""
    if size == 0:
        raise BrokenMedia("empty", "The file is empty (0 bytes). Export it again from its source.")
    try:
        with av.open(source, mode="r", metadata_errors="ignore") as container:
            return _described(container)
    except FFmpegError as error:
        raise _as_broken(error) from None
    except (ValueError, UnicodeDecodeError):
        raise BrokenMedia("not_audio", "The file is not audio, whatever its name says.") from None


def _described(container: Any) -> Described:
    names = set(container.format.name.split(","))
    if not names & FORMATS:
        raise BrokenMedia("not_audio", "The file is not audio, whatever its name says.")
    if not container.streams.audio:
        raise BrokenMedia("no_sound", "The file holds no sound track.")
    stream = container.streams.audio[0]
    codec = stream.codec_context.name
    channels = stream.codec_context.channels or 0
    if not 1 <= channels <= MAX_CHANNELS:
        raise BrokenMedia("channels", f"The file has {channels} channels; one or two are taken.")
    peaks = [bytearray() for _ in range(channels)]
    samples = 0
    for block in _blocks(container, stream, channels):
        samples += block.shape[1]
        if samples > MAX_HOURS * 3600 * PEAK_RATE:
            raise BrokenMedia("too_long", f"The recording is longer than {MAX_HOURS} hours.")
        for channel in range(channels):
            peaks[channel] += _peaks(block[channel])
    if samples == 0:
        raise BrokenMedia("truncated", "The file breaks off before the first sound.")
    name = sorted(names & FORMATS)[0]
    kind = next((BROWSER_PLAYS[n, codec] for n in names if (n, codec) in BROWSER_PLAYS), None)
    milliseconds = samples * 1000 // PEAK_RATE
    return Described(name, codec, channels, milliseconds, kind, tuple(bytes(channel) for channel in peaks))


def _blocks(container: Any, stream: Any, channels: int) -> Iterator[np.ndarray]:
    """Yield 8 kHz samples in blocks of whole peak windows, the rest at the end."""
    layout = "stereo" if channels == 2 else "mono"
    resampler = av.AudioResampler(format="s16p", layout=layout, rate=PEAK_RATE)
    held = np.zeros((channels, 0), dtype=np.int16)
    heard = False
    try:
        for frame in container.decode(stream):
            for part in resampler.resample(frame):
                held = np.concatenate([held, part.to_ndarray()], axis=1)
                heard = True
            whole = held.shape[1] // WINDOW * WINDOW
            if whole >= WINDOW * PEAKS_PER_SECOND:
                yield held[:, :whole]
                held = held[:, whole:]
    except FFmpegError:
        if not heard:
            raise
        raise BrokenMedia(
            "truncated", "The file breaks off in the middle. Export it again from its source."
        ) from None
    for part in resampler.resample(None):
        held = np.concatenate([held, part.to_ndarray()], axis=1)
    if held.shape[1]:
        yield held


def _peaks(channel: np.ndarray) -> bytes:
    missing = -len(channel) % WINDOW
    padded = np.pad(channel, (0, missing)).astype(np.int32).reshape(-1, WINDOW)
    return bytes((np.abs(padded).max(axis=1) * 127 // 32768).astype(np.uint8).clip(0, 127))


def _as_broken(error: FFmpegError) -> BrokenMedia:
    name = type(error).__name__
    if "DecoderNotFound" in name or "Demuxer" in name or "PatchWelcome" in name:
        return BrokenMedia("codec", "The sound is stored in a way that cannot be decoded here.")
    if "EOF" in name:
        return BrokenMedia("truncated", "The file breaks off before the first sound.")
    return BrokenMedia("not_audio", "The file is not audio, whatever its name says, or it is damaged.")


def transcode(source: BinaryIO, target: BinaryIO) -> None:
    """Write the sound as Ogg/Opus, which every browser plays; channels stay apart."""
    with av.open(source, mode="r") as taken, av.open(target, mode="w", format="ogg") as made:
        stream = taken.streams.audio[0]
        layout = "stereo" if (stream.codec_context.channels or 1) == 2 else "mono"
        out: Any = made.add_stream("libopus", rate=48_000)
        out.codec_context.layout = layout
        out.codec_context.bit_rate = 32_000 if layout == "mono" else 48_000
        resampler = av.AudioResampler(format="s16", layout=layout, rate=48_000, frame_size=960)
        for frame in taken.decode(stream):
            for part in resampler.resample(frame):
                made.mux(out.encode(part))
        for part in resampler.resample(None):
            made.mux(out.encode(part))
        made.mux(out.encode(None))
