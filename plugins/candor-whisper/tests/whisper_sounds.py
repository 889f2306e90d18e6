"""Sounds for tests: tones, talk-like bursts, and files of them."""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from qa.plugins.api import Cancelled

DATA = Path(__file__).parent / "data"
RATE = 16_000
Samples = npt.NDArray[np.int16]


def tone(seconds: float, *, rate: int = RATE, loud: float = 0.3, hertz: float = 440.0) -> Samples:
    """A steady tone."""
    return (np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate) * loud * 32_767).astype(
        np.int16
    )


def bursts(spans: list[tuple[float, float]], seconds: float, *, loud: float = 0.3, seed: int = 1) -> Samples:
    """Faint noise with loud noise in the given spans of seconds."""
    rng = np.random.default_rng(seed)
    made = rng.normal(0, 0.0005, round(RATE * seconds))
    for start, end in spans:
        length = round(end * RATE) - round(start * RATE)
        made[round(start * RATE) : round(end * RATE)] = rng.normal(0, loud / 3, length)
    return (np.clip(made, -1, 1) * 32_767).astype(np.int16)


def encoded(container: str, codec: str, *channels: Samples, rate: int = RATE) -> bytes:
    """The channels as a file of this container and codec."""
    target = io.BytesIO()
    layout = {1: "mono", 2: "stereo"}.get(len(channels), f"{len(channels)}.0")
    with av.open(target, "w", format=container) as made:
        stream: Any = made.add_stream(codec, rate=rate)
        stream.codec_context.layout = layout
        frame: Any = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(np.stack(channels, axis=1)).reshape(1, -1), format="s16", layout=layout
        )
        frame.sample_rate = rate
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate, frame_size=size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            made.mux(stream.encode(part))
        made.mux(stream.encode(None))
    return target.getvalue()


def wav(*channels: Samples, rate: int = RATE) -> bytes:
    """A plain PCM wave file."""
    return encoded("wav", "pcm_s16le", *channels, rate=rate)


def film(with_sound: bool) -> bytes:
    """A second of moving pictures, perhaps with a tone."""
    target = io.BytesIO()
    with av.open(target, "w", format="matroska") as made:
        pictures: Any = made.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound: Any = made.add_stream("pcm_s16le", rate=RATE, layout="mono") if with_sound else None
        for _ in range(10):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            made.mux(pictures.encode(picture))
        if sound is not None:
            frame: Any = av.AudioFrame.from_ndarray(tone(1.0)[None, :], format="s16", layout="mono")
            frame.sample_rate = RATE
            made.mux(sound.encode(frame))
            made.mux(sound.encode(None))
        made.mux(pictures.encode(None))
    return target.getvalue()


def call(name: str, folder: Path) -> Path:
    """One of the sample calls as a file."""
    file = folder / f"{name}.wav"
    file.write_bytes(lzma.decompress((DATA / f"{name}.wav.xz").read_bytes()))
    return file


def faster_model(folder: Path) -> Path:
    """The test model for faster-whisper."""
    with tarfile.open(DATA / "whisper-test-ct2.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return folder / "whisper-test-ct2"


@dataclass
class Stop:
    """Cancels after so many looks."""

    after: int = 1_000_000

    def is_set(self) -> bool:
        """Tell it."""
        return self.after <= 0

    def check(self) -> None:
        """Count, and raise in the end."""
        self.after -= 1
        if self.after < 0:
            raise Cancelled("Stopped.")


@dataclass
class Ctx:
    """As much of a host as a transcription needs."""

    scratch: Path
    config: Mapping[str, Any]
    cancel: Stop = field(default_factory=Stop)
    told: list[tuple[float, float | None]] = field(default_factory=list)

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Keep how far it is."""
        self.told.append((done, total))
