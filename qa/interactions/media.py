"""What a sound file is: probed and decoded in a child process, never in the web process.

Only listed containers and codecs are opened, from one handle and without any protocol: a "recording"
may be a playlist that names other files. Every way in which it can be broken has its own sentence.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePath
from typing import Any, BinaryIO

import av
import numpy as np
from av.error import DecoderNotFoundError, FFmpegError
from av.stream import Disposition

from qa.interactions.peaks import RATE, Lanes, Samples

MAX_CHANNELS = 2
MAX_HOURS = 12
LEAST_MS = 100
GAP_MS = 50
DAMAGED_PLACES = 100
LOST_PER_CENT = 1
EARLY_SECONDS, EARLY_PER_CENT = 1.0, 2

_CONTAINERS = """
    wav w64 mp3 ogg flac aac mov mp4 m4a 3gp 3g2 mj2 matroska webm
    amr amrnb amrwb gsm g729 aiff au caf
"""
_DECODERS = """
    pcm_alaw pcm_mulaw pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_u8 pcm_s8
    pcm_f32le pcm_f32be pcm_f64le adpcm_ima_wav adpcm_ms adpcm_g722 adpcm_g726 adpcm_g726le g722 g726 g726le
    mp1 mp1float mp2 mp2float mp3 mp3float aac opus libopus vorbis flac alac
    amrnb amrwb libopencore_amrnb libopencore_amrwb gsm gsm_ms g729
"""
FORMATS = frozenset(_CONTAINERS.split())
CODECS = frozenset(_DECODERS.split())
OPTIONS = {
    "format_whitelist": ",".join(sorted(FORMATS)),
    "codec_whitelist": ",".join(sorted(CODECS)),
    "protocol_whitelist": "none",
}
BARE = {".g729": "g729", ".gsm": "gsm"}
"""Streams without a header, which only the file's name tells."""

MAGIC = (b"RIFF", b"RF64", b"OggS", b"fLaC", b"ID3", b"\x1aE\xdf\xa3", b"#!AMR", b"FORM", b".snd", b"caff")

BROWSER_PLAYS = {
    ("wav", "pcm_s16le"): "audio/wav",
    ("wav", "pcm_u8"): "audio/wav",
    ("wav", "pcm_s24le"): "audio/wav",
    ("wav", "pcm_f32le"): "audio/wav",
    ("mp3", "mp3"): "audio/mpeg",
    ("mp3", "mp3float"): "audio/mpeg",
    ("ogg", "opus"): "audio/ogg",
    ("ogg", "libopus"): "audio/ogg",
    ("ogg", "vorbis"): "audio/ogg",
    ("flac", "flac"): "audio/flac",
    ("aac", "aac"): "audio/aac",
    ("mov", "aac"): "audio/mp4",
    ("webm", "opus"): "audio/webm",
    ("webm", "libopus"): "audio/webm",
    ("webm", "vorbis"): "audio/webm",
}
PLAYABLE_TYPE = "audio/ogg"
"""What ``transcode`` makes."""

Report = Callable[[int, int | None, str], None]


def _silent(_done: int, _total: int | None, _message: str) -> None:
    return


Change = Callable[[Samples, int, int], None]


def _unchanged(_block: Samples, _first: int, _rate: int) -> None:
    return


class BrokenMedia(Exception):
    """The file cannot be heard; ``reason`` is a code, the message a sentence for people."""

    def __init__(self, reason: str, sentence: str) -> None:
        self.reason = reason
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What a file is. ``media_type`` is None where browsers cannot play it as it is.

    ``warning`` says what is missing of a file that can be heard all the same.
    """

    format: str
    codec: str
    channels: int
    sample_rate: int
    duration_ms: int
    media_type: str | None
    warning: str | None


def describe(
    source: BinaryIO, size: int, *, name: str = "", report: Report = _silent
) -> tuple[MediaFacts, dict[str, Any]]:
    """Decode a whole file in bounded memory; return what it is and the lanes that the player draws.

    ``name`` is what people called the file; only the ending of headerless streams is looked at.
    Raises ``BrokenMedia``.
    """
    promised = _promised_by_riff(source)
    with _opened(source, size, name) as container:
        stream = _audio_of(container)
        lanes = Lanes(stream.codec_context.channels)
        sound = _Sound(container, stream)
        total = _seconds(container)
        for block in sound.blocks(RATE * 10):
            lanes.feed(block)
            report(sound.samples // RATE, total, "Listening")
        return _facts(container, stream, sound, promised), lanes.end(sound.duration_ms)


@contextmanager
def decoded(source: BinaryIO, size: int, *, name: str = "") -> Iterator[tuple[int, Iterator[Samples]]]:
    """Give the sound's own rate and its samples in blocks of a second, one row per channel, 16 bits.

    Raises ``BrokenMedia``, also while the blocks are taken.
    """
    with _opened(source, size, name) as container:
        stream = _audio_of(container)
        sound = _Sound(container, stream, stream.codec_context.sample_rate)
        yield sound.rate, _at_least_a_moment(sound)


def _at_least_a_moment(sound: _Sound) -> Iterator[Samples]:
    yield from sound.blocks(sound.rate)
    if sound.duration_ms < LEAST_MS:
        raise BrokenMedia("silent", "The recording holds no sound.")


@contextmanager
def _opened(source: BinaryIO, size: int, name: str) -> Iterator[Any]:
    if size == 0:
        raise BrokenMedia("empty", "The recording is empty (0 bytes).")
    bare = BARE.get(PurePath(name).suffix.lower())
    source.seek(0)
    looks_like_sound = _looks_like_sound(source.read(16))
    source.seek(0)
    try:
        with av.open(
            source, mode="r", format=bare, options=dict(OPTIONS), metadata_errors="ignore"
        ) as container:
            yield container
    except DecoderNotFoundError:
        raise BrokenMedia("codec", "The sound is stored in a way that cannot be decoded here.") from None
    except (FFmpegError, UnicodeDecodeError):
        if looks_like_sound or bare:
            raise BrokenMedia(
                "truncated", "The file breaks off before its first sound, or is damaged. Export it again."
            ) from None
        raise BrokenMedia("not_audio", "This is not an audio file we can read.") from None


def _looks_like_sound(head: bytes) -> bool:
    return head.startswith(MAGIC) or head[4:8] == b"ftyp"


def _promised_by_riff(source: BinaryIO) -> float | None:
    """Return the seconds that a WAV file's header promises; decoders believe the file's size instead."""
    source.seek(0)
    head = source.read(4096)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    place, bytes_per_second = 12, 0
    while place + 8 <= len(head):
        kind, length = struct.unpack_from("<4sI", head, place)
        if kind == b"fmt " and place + 20 <= len(head):
            bytes_per_second = struct.unpack_from("<I", head, place + 16)[0]
        if kind == b"data":
            known = bytes_per_second > 0 and 0 < length < 0x7FFFFFFF  # streamed files promise nothing
            return length / bytes_per_second if known else None
        place += 8 + length + length % 2
    return None


def _audio_of(container: Any) -> Any:
    if not container.streams.audio:
        raise BrokenMedia("no_track", "The file has no audio track.")
    stream = container.streams.audio[0]
    if stream.codec_context is None or stream.codec_context.name not in CODECS:
        raise BrokenMedia("codec", "The sound is stored in a way that cannot be decoded here.")
    channels = stream.codec_context.channels or 0
    if channels == 0:
        raise BrokenMedia("truncated", "The file breaks off before its first sound. Export it again.")
    if channels > MAX_CHANNELS:
        raise BrokenMedia("channels", f"{channels} channels; say which is the agent and which the customer.")
    return stream


def _facts(container: Any, stream: Any, sound: _Sound, promised: float | None) -> MediaFacts:
    if sound.duration_ms < LEAST_MS:
        raise BrokenMedia("silent", "The recording holds no sound.")
    names = set(container.format.name.split(","))
    codec = stream.codec_context.name
    plays = None if _has_pictures(container) else _plays(names, codec)
    return MediaFacts(
        format=next(iter(sorted(names & FORMATS)), container.format.name),
        codec=codec,
        channels=stream.codec_context.channels,
        sample_rate=stream.codec_context.sample_rate,
        duration_ms=sound.duration_ms,
        media_type=plays,
        warning=_warning(sound, promised if promised is not None else _promised(container)),
    )


def _plays(names: set[str], codec: str) -> str | None:
    return next(
        (BROWSER_PLAYS[name, codec] for name in sorted(names) if (name, codec) in BROWSER_PLAYS), None
    )


def _has_pictures(container: Any) -> bool:
    """Tell whether there is a film beside the sound; a cover picture is none."""
    return any(not stream.disposition & Disposition.attached_pic for stream in container.streams.video)


def _promised(container: Any) -> float | None:
    return container.duration / av.time_base if container.duration else None


def _seconds(container: Any) -> int | None:
    promised = _promised(container)
    return None if promised is None else int(promised)


def _warning(sound: _Sound, promised: float | None) -> str | None:
    heard = sound.duration_ms / 1000
    if promised is not None:
        missing = promised - heard
        if missing > EARLY_SECONDS and missing * 100 > promised * EARLY_PER_CENT:
            return f"The file ends early: {heard:.1f} of {promised:.1f} s."
    lost = 100 * sound.packets_lost / max(sound.packets, 1)
    if lost > LOST_PER_CENT:
        return f"{max(lost, 1):.0f} % of the sound is damaged and was left out."
    return None


class _Sound:
    """The samples of one stream at one rate, counted; damaged packets left out, gaps made silence."""

    def __init__(self, container: Any, stream: Any, rate: int = RATE) -> None:
        self._container, self._stream = container, stream
        self.rate = rate
        self._layout = "stereo" if stream.codec_context.channels == 2 else "mono"
        self._channels = stream.codec_context.channels
        self._resampler: Any = None
        self._setup: Any = None
        self._first_time: float | None = None
        self.samples = 0
        self.packets = 0
        self.packets_lost = 0

    @property
    def duration_ms(self) -> int:
        return self.samples * 1000 // self.rate

    def blocks(self, length: int) -> Iterator[Samples]:
        """Yield blocks of about ``length`` samples, one row per channel."""
        held: list[Samples] = []
        size = 0
        for part in self._parts():
            self.samples += part.shape[1]
            if self.samples > MAX_HOURS * 3600 * self.rate:
                raise BrokenMedia("too_long", f"Longer than {MAX_HOURS} h.")
            held.append(part)
            size += part.shape[1]
            if size >= length:
                yield np.concatenate(held, axis=1)
                held, size = [], 0
        if held:
            yield np.concatenate(held, axis=1)
        if self.samples == 0 and self.packets_lost:
            raise BrokenMedia("damaged", "The sound in the file is damaged. Export it again from its source.")

    def _parts(self) -> Iterator[Samples]:
        for frame in self._frames():
            if (setup := (frame.format.name, frame.layout.name, frame.sample_rate)) != self._setup:
                yield from self._rest()
                self._setup = setup
                self._resampler = av.AudioResampler(format="s16p", layout=self._layout, rate=self.rate)
            yield from self._gap_before(frame)
            yield from (part.to_ndarray() for part in self._resampler.resample(frame))
        yield from self._rest()

    def _rest(self) -> Iterator[Samples]:
        if self._resampler is not None:
            yield from (part.to_ndarray() for part in self._resampler.resample(None))

    def _frames(self) -> Iterator[Any]:
        for packet in self._packets():
            self.packets += 1
            try:
                frames = packet.decode()
            except FFmpegError:
                self.packets_lost += 1
                continue
            yield from frames

    def _packets(self) -> Iterator[Any]:
        """Yield packets; where the container is damaged, look for the next good place a few times."""
        tries = DAMAGED_PLACES
        while tries:
            try:
                yield from self._container.demux(self._stream)
            except FFmpegError:
                self.packets_lost += 1
                tries -= 1
            else:
                return

    def _gap_before(self, frame: Any) -> Iterator[Samples]:
        """Yield silence where the file skips time, as players do: positions must agree with theirs."""
        if frame.time is None:
            return
        if self._first_time is None:
            self._first_time = frame.time
        missing = round((frame.time - self._first_time) * self.rate) - self.samples
        while missing * 1000 > GAP_MS * self.rate:
            length = min(missing, self.rate * 10)
            yield np.zeros((self._channels, length), dtype=np.int16)
            missing -= length


class _Written:
    """A target that keeps what was written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def transcode(
    source: BinaryIO, size: int, *, name: str = "", change: Change = _unchanged, report: Report = _silent
) -> Iterator[bytes]:
    """Yield the sound as Ogg/Opus, which browsers play, in bounded memory; channels stay apart.

    ``change`` gets each block, the number of its first sample and the rate, before it is encoded.
    """
    target = _Written()
    with _opened(source, size, name) as taken:
        stream = _audio_of(taken)
        rate = _opus_rate(stream.codec_context.sample_rate)
        sound = _Sound(taken, stream, rate)
        with av.open(target, mode="w", format="ogg") as made:
            out = _opus(made, rate, stream.codec_context.channels)
            total = _seconds(taken)
            for block in sound.blocks(rate):
                change(block, sound.samples - block.shape[1], rate)
                made.mux(out.encode(_frame(block, rate, sound.samples)))
                yield target.taken()
                report(sound.samples // rate, total, "Converting")
            made.mux(out.encode(None))
    yield target.taken()


OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
OPUS_BITS_PER_CHANNEL = 20_000


def _opus_rate(rate: int) -> int:
    return next((known for known in OPUS_RATES if known >= rate), OPUS_RATES[-1])


def _opus(made: Any, rate: int, channels: int) -> Any:
    out = made.add_stream("libopus", rate=rate)
    out.codec_context.layout = "stereo" if channels == 2 else "mono"
    out.codec_context.bit_rate = OPUS_BITS_PER_CHANNEL * channels
    return out


def _frame(block: Samples, rate: int, reached: int) -> Any:
    interleaved = np.ascontiguousarray(block.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(
        interleaved, format="s16", layout="stereo" if len(block) == 2 else "mono"
    )
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = reached - block.shape[1]
    return frame
