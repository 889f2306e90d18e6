"""A recording as samples: each channel a file of 16 kHz, 16 bits, decoded in bounded memory.

Only listed containers and codecs are opened, from one handle and without any protocol: a "recording" may
be a playlist that names other files or addresses. What cannot be heard is refused with its sentence.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.error import DecoderNotFoundError, FFmpegError

from qa.plugins.api import PluginError

RATE = 16_000
FRAME = RATE // 100
LEAST_S = 0.1
GAP_S = 0.05
EARLY_SHARE = 0.02
EARLY_S = 1.0
LOST_SHARE = 0.01
DAMAGED_PLACES = 100

_CONTAINERS = """
    wav w64 mp3 ogg flac aac mov mp4 m4a 3gp 3g2 mj2 matroska webm amr amrnb amrwb aiff au caf avi mpeg mpegts
"""
OPTIONS = {"format_whitelist": ",".join(sorted(_CONTAINERS.split())), "protocol_whitelist": "none"}

Samples = npt.NDArray[np.int16]
Levels = npt.NDArray[np.float32]


class CannotHear(PluginError):
    """The recording holds nothing that can be transcribed; trying again would not help."""


@dataclass(frozen=True, slots=True)
class Sound:
    """The decoded channels: a file of samples and the loudness of each 10 ms for each of them."""

    folder: str
    channels: tuple[int, ...]
    samples: int
    sha256: str
    truncated: bool
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How long the recording is."""
        return self.samples / RATE

    def pcm(self, channel: int, first: int = 0, count: int = -1) -> Samples:
        """Return a channel's samples, all or ``count`` from the ``first``."""
        file = Path(self.folder) / f"{channel}.pcm"
        return np.fromfile(file, dtype=np.int16, count=count, offset=2 * first)

    def levels(self, channel: int) -> Levels:
        """Return a channel's loudness, full scale 1, for each 10 ms."""
        return np.fromfile(Path(self.folder) / f"{channel}.levels", dtype=np.float32)

    def slice(self, channel: int, start: float, end: float) -> npt.NDArray[np.float32]:
        """Return the samples between two seconds, from -1 to 1."""
        first, last = round(start * RATE), min(round(end * RATE), self.samples)
        part = self.pcm(channel, first, max(last - first, 0))
        samples: npt.NDArray[np.float32] = part.astype(np.float32) / np.float32(32_768)
        return samples


def decoded(path: Path, folder: Path, *, max_hours: float, wanted: Sequence[int] | None = None) -> Sound:
    """Return the sound of a file; what an earlier, interrupted run decoded is taken as it is.

    ``wanted`` names the channels when there are more than two. Raises ``CannotHear``.
    """
    size = path.stat().st_size
    if size == 0:
        raise CannotHear("The recording is empty (0 bytes).")
    told = folder / "sound.json"
    mark = {"size": size, "mtime": path.stat().st_mtime_ns, "wanted": list(wanted or ()), "hours": max_hours}
    if told.exists():
        kept = json.loads(told.read_text(encoding="utf-8"))
        if kept.pop("mark") == mark and kept["folder"] == str(folder):
            return Sound(**kept | {"channels": tuple(kept["channels"]), "notes": tuple(kept["notes"])})
    folder.mkdir(parents=True, exist_ok=True)
    sound = _Decoder(path, folder, max_hours, wanted).run()
    half = folder / "sound.json.part"
    half.write_text(json.dumps(asdict(sound) | {"mark": mark}), encoding="utf-8")
    half.replace(told)
    return sound


class _Decoder:
    """Decodes one file once."""

    def __init__(self, path: Path, folder: Path, max_hours: float, wanted: Sequence[int] | None) -> None:
        self._path, self._folder = path, folder
        self._limit = round(max_hours * 3600 * RATE)
        self._hours = max_hours
        self._wanted = wanted
        self._channels: tuple[int, ...] = ()
        self._count = 0
        self._samples = 0
        self._packets = self._lost = 0
        self._digest = hashlib.sha256()
        self._first_time: float | None = None

    def run(self) -> Sound:
        """Return the sound."""
        promised = promised_by_riff(self._path)
        try:
            with (
                self._path.open("rb") as source,
                av.open(source, mode="r", options=dict(OPTIONS), metadata_errors="ignore") as container,
            ):
                if promised is None and container.duration:
                    promised = container.duration / av.time_base
                self._decode(container)
        except DecoderNotFoundError:
            raise CannotHear("The sound is stored in a way that cannot be decoded here.") from None
        except (FFmpegError, UnicodeDecodeError, IndexError):
            raise CannotHear("This is not an audio file we can read.") from None
        if self._samples < LEAST_S * RATE:
            raise CannotHear("The recording holds no sound.")
        notes, truncated = self._notes(promised)
        return Sound(
            str(self._folder), self._channels, self._samples, self._digest.hexdigest(), truncated, notes
        )

    def _notes(self, promised: float | None) -> tuple[tuple[str, ...], bool]:
        notes = []
        heard = self._samples / RATE
        missing = 0.0 if promised is None else promised - heard
        truncated = promised is not None and missing > EARLY_S and missing > EARLY_SHARE * promised
        if truncated:
            notes.append(f"The file ends early: {heard:.1f} of {promised:.1f} s.")
        if self._lost > LOST_SHARE * max(self._packets, 1):
            share = max(100 * self._lost / max(self._packets, 1), 1)
            notes.append(f"{share:.0f} % of the sound is damaged and was left out.")
        return tuple(notes), truncated

    def _decode(self, container: Any) -> None:
        if not container.streams.audio:
            raise CannotHear("The file has no audio track.")
        stream = container.streams.audio[0]
        self._count = stream.codec_context.channels or 0
        if self._count == 0:
            raise CannotHear("The recording holds no sound.")
        self._channels = self._chosen()
        outs = [(self._folder / f"{channel}.pcm").open("wb") for channel in self._channels]
        meters = [_Meter(self._folder / f"{channel}.levels") for channel in self._channels]
        try:
            for block in self._blocks(container, stream):
                self._digest.update(np.ascontiguousarray(block[list(self._channels)].T).tobytes())
                for place, channel in enumerate(self._channels):
                    row = np.ascontiguousarray(block[channel])
                    outs[place].write(row.tobytes())
                    meters[place].feed(row)
        finally:
            for out in outs:
                out.close()
            for meter in meters:
                meter.close()

    def _chosen(self) -> tuple[int, ...]:
        if self._wanted:
            if max(self._wanted) >= self._count:
                raise CannotHear(f"{self._count} channels; there is no channel {max(self._wanted) + 1}.")
            return tuple(self._wanted)
        if self._count > 2:
            raise CannotHear(f"{self._count} channels; say which is the agent and which the customer.")
        return tuple(range(self._count))

    def _blocks(self, container: Any, stream: Any) -> Iterator[Samples]:
        """Yield about ten seconds at a time, one row per channel of the file."""
        held: list[Samples] = []
        size = 0
        for part in self._parts(container, stream):
            self._samples += part.shape[1]
            if self._samples > self._limit:
                raise CannotHear(f"Longer than {self._hours:g} h.")
            held.append(part)
            size += part.shape[1]
            if size >= 10 * RATE:
                yield np.concatenate(held, axis=1)
                held, size = [], 0
        if held:
            yield np.concatenate(held, axis=1)

    def _parts(self, container: Any, stream: Any) -> Iterator[Samples]:
        resampler: Any = None
        setup: Any = None
        for frame in self._frames(container, stream):
            form = (frame.format.name, frame.layout.name, frame.sample_rate)
            if resampler is None or form != setup:
                yield from _rest(resampler)
                setup = form
                resampler = av.AudioResampler(format="s16p", layout=frame.layout, rate=RATE)
            yield from self._gap_before(frame)
            yield from (_rows(part) for part in resampler.resample(frame))
        yield from _rest(resampler)

    def _frames(self, container: Any, stream: Any) -> Iterator[Any]:
        for packet in self._demuxed(container, stream):
            self._packets += 1
            try:
                frames = packet.decode()
            except FFmpegError:
                self._lost += 1
                continue
            yield from frames

    def _demuxed(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield packets; where the file is damaged, look for the next good place a few times."""
        for _ in range(DAMAGED_PLACES):
            try:
                yield from container.demux(stream)
            except FFmpegError:
                self._lost += 1
            else:
                return

    def _gap_before(self, frame: Any) -> Iterator[Samples]:
        """Yield silence where the file skips time, as players do: seconds must agree with theirs."""
        if frame.time is None:
            return
        if self._first_time is None:
            self._first_time = frame.time
        missing = round((frame.time - self._first_time) * RATE) - self._samples
        while missing > GAP_S * RATE:
            length = min(missing, RATE * 10)
            yield np.zeros((self._count, length), dtype=np.int16)
            missing -= length


def _rest(resampler: Any) -> Iterator[Samples]:
    if resampler is not None:
        yield from (_rows(part) for part in resampler.resample(None))


def _rows(frame: Any) -> Samples:
    rows: Samples = frame.to_ndarray()
    return rows


class _Meter:
    """Writes the loudness of each full 10 ms."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("wb")
        self._left: Samples = np.zeros(0, dtype=np.int16)

    def feed(self, row: Samples) -> None:
        """Take samples."""
        row = np.concatenate([self._left, row])
        whole = len(row) // FRAME * FRAME
        frames = row[:whole].reshape(-1, FRAME).astype(np.float32) / 32_768
        self._out.write(np.sqrt((frames**2).mean(axis=1)).astype(np.float32).tobytes())
        self._left = row[whole:]

    def close(self) -> None:
        """End the file; what is shorter than 10 ms is left out."""
        self._out.close()


def promised_by_riff(path: Path) -> float | None:
    """Return the seconds that a WAV file's header promises; decoders believe the file's size instead."""
    with path.open("rb") as source:
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
