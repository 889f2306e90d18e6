"""Sound files made for tests: tones, talk-like bursts, and what breaks them."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
RATE = 8_000


def tone(seconds: float, *, rate: int = RATE, loud: float = 0.3, hertz: float = 440.0) -> Samples:
    """A steady tone."""
    times = np.arange(round(rate * seconds)) / rate
    return (np.sin(2 * np.pi * hertz * times) * loud * 32_767).astype(np.int16)


def bursts(spans: list[tuple[float, float]], seconds: float, *, noise: float = 0.0005) -> Samples:
    """Faint noise with loud tones in the given spans of seconds."""
    rng = np.random.default_rng(1)
    made = (rng.normal(0, noise, round(RATE * seconds)) * 32_767).astype(np.int16)
    for start, end in spans:
        made[round(start * RATE) : round(end * RATE)] = tone(end - start)
    return made


def encoded(
    container: str, codec: str, *channels: Samples, rate: int = RATE, bits: int | None = None
) -> bytes:
    """The channels as a file of this container and codec; the samples are at ``rate``."""
    target = io.BytesIO()
    layout = {1: "mono", 2: "stereo"}.get(len(channels), f"{len(channels)}.0")
    with av.open(target, "w", format=container) as made:
        stream: Any = made.add_stream(codec, rate=rate)
        stream.codec_context.layout = layout
        if bits is not None:
            stream.codec_context.bit_rate = bits
        interleaved = np.ascontiguousarray(np.stack(channels, axis=1)).reshape(1, -1)
        frame: Any = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
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


def opened(file: Path) -> wave.Wave_read:
    """A WAV file, to read its frames."""
    return wave.open(str(file), "rb")
