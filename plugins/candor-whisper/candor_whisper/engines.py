"""The two engines behind one face: a language for a piece of sound, and its text with times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from candor_whisper.settings import Choice
from qa.plugins.api import ConfigError

Audio = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RawWord:
    """A word as an engine tells it, blanks and punctuation included."""

    text: str
    start: float
    end: float
    conf: float


@dataclass(frozen=True, slots=True)
class RawSegment:
    """A segment as an engine tells it; seconds from the start of the piece."""

    start: float
    end: float
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float
    words: tuple[RawWord, ...] = field(default=())


class Engine(Protocol):
    """What both can do."""

    def language(self, audio: Audio) -> tuple[str, float]:
        """Return the most probable language and how probable it is."""

    def transcribe(
        self, audio: Audio, language: str, temperatures: Sequence[float], seed: int
    ) -> list[RawSegment]:
        """Return the text of a piece of at most 30 seconds, the same one each time."""


def engine_version(name: str) -> str:
    """Return the version of an engine. Raises ``ConfigError`` when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        raise ConfigError(
            f"The engine {name} is not installed. In a checkout run: make whisper; elsewhere: "
            f"pip install torch=={TORCH} and pip install {name}.",
            field="engine",
        ) from None


TORCH = "2.13.0"


def load(choice: Choice, path: str) -> Engine:
    """Return the engine with the model at ``path``, which must be there; kept for the next piece of work."""
    engine_version(choice.engine)
    if choice.engine == "faster-whisper":
        return _faster(path, choice.device, choice.compute_type, choice.threads)
    return _openai(path, choice.device, choice.threads)


@lru_cache(maxsize=1)
def _openai(path: str, device: str, threads: int) -> Engine:
    return OpenAI(path, device, threads)


@lru_cache(maxsize=1)
def _faster(path: str, device: str, compute_type: str, threads: int) -> Engine:
    return Faster(path, device, compute_type, threads)


class OpenAI:
    """openai-whisper on torch."""

    def __init__(self, path: str, device: str, threads: int) -> None:
        import torch
        import whisper

        if threads:
            torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._torch, self._whisper = torch, whisper
        self._fp16 = device != "cpu"  # on the CPU it would warn at every call
        self._model: Any = whisper.load_model(path, device=device)

    def language(self, audio: Audio) -> tuple[str, float]:
        """Return the most probable language and how probable it is."""
        if not self._model.is_multilingual:
            return "en", 1.0
        mel = self._whisper.log_mel_spectrogram(
            self._whisper.pad_or_trim(audio), n_mels=self._model.dims.n_mels
        ).to(self._model.device)
        _, odds = self._model.detect_language(mel.half() if self._fp16 else mel)
        best = max(odds, key=odds.__getitem__)
        return best, float(odds[best])

    def transcribe(
        self, audio: Audio, language: str, temperatures: Sequence[float], seed: int
    ) -> list[RawSegment]:
        """Return the text of a piece."""
        self._torch.manual_seed(seed)  # temperatures above 0 draw lots
        told = self._model.transcribe(
            audio,
            language=language or None,
            temperature=tuple(temperatures),
            fp16=self._fp16,
            condition_on_previous_text=False,
            word_timestamps=True,
            verbose=None,
        )
        return [
            RawSegment(
                start=float(one["start"]),
                end=float(one["end"]),
                text=one["text"].strip(),
                avg_logprob=float(one["avg_logprob"]),
                no_speech_prob=float(one["no_speech_prob"]),
                compression_ratio=float(one["compression_ratio"]),
                temperature=float(one["temperature"]),
                words=tuple(
                    RawWord(
                        word["word"], float(word["start"]), float(word["end"]), float(word["probability"])
                    )
                    for word in one.get("words", ())
                ),
            )
            for one in told["segments"]
        ]


class Faster:
    """faster-whisper on CTranslate2: several times as fast on a CPU."""

    def __init__(self, path: str, device: str, compute_type: str, threads: int) -> None:
        import ctranslate2
        from faster_whisper import WhisperModel

        self._seed = ctranslate2.set_random_seed
        self._model: Any = WhisperModel(
            path, device=device, compute_type=compute_type, cpu_threads=threads, local_files_only=True
        )

    def language(self, audio: Audio) -> tuple[str, float]:
        """Return the most probable language and how probable it is."""
        language, odds, _ = self._model.detect_language(audio)
        return str(language), float(odds)

    def transcribe(
        self, audio: Audio, language: str, temperatures: Sequence[float], seed: int
    ) -> list[RawSegment]:
        """Return the text of a piece."""
        self._seed(seed)
        told, _ = self._model.transcribe(
            audio,
            language=language or None,
            temperature=list(temperatures),
            beam_size=1,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=False,
        )
        return [
            RawSegment(
                start=float(one.start),
                end=float(one.end),
                text=one.text.strip(),
                avg_logprob=float(one.avg_logprob),
                no_speech_prob=float(one.no_speech_prob),
                compression_ratio=float(one.compression_ratio),
                temperature=float(one.temperature or 0.0),
                words=tuple(
                    RawWord(word.word, float(word.start), float(word.end), float(word.probability))
                    for word in one.words or ()
                ),
            )
            for one in told
        ]
