"""Model files: found in the models' folder, checked before a library sees their name, fetched by hand only.

Both libraries go to the network when they are given a name; a job never does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from candor_whisper.settings import Choice
from qa.plugins.api import ConfigError

CT2_FILES = ("model.bin", "config.json", "tokenizer.json")
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Model:
    """A model on this machine."""

    path: Path
    name: str
    sha256: str


def find(choice: Choice) -> Model:
    """Return the chosen model. Raises ``ConfigError`` that says how to get it."""
    path = path_of(choice)
    if choice.engine == "faster-whisper":
        missing = next((name for name in CT2_FILES if not (path / name).is_file()), None)
        if missing == CT2_FILES[0]:
            raise _missing(choice)
        if missing is not None:
            raise ConfigError(f"The model in {path} is not whole: {missing} is missing.", field="model")
        return Model(path, choice.model, sha256_of(path / "model.bin"))
    if not path.is_file():
        raise _missing(choice)
    return Model(path, choice.model, sha256_of(path))


def path_of(choice: Choice) -> Path:
    """Return where the model should be: the path that was given, or its place in the models' folder."""
    given = Path(choice.model).expanduser()
    if is_path(choice.model):
        return given
    if choice.engine == "faster-whisper":
        return choice.folder / f"faster-whisper-{choice.model}"
    return choice.folder / f"{FILES.get(choice.model, choice.model)}.pt"


FILES = {"large": "large-v3", "turbo": "large-v3-turbo"}
"""Names that openai-whisper keeps under another file name."""


def is_path(model: str) -> bool:
    """Tell whether a model was given as a path and not by its name."""
    return "/" in model or model.endswith((".pt", ".bin")) or Path(model).expanduser().is_dir()


def _missing(choice: Choice) -> ConfigError:
    if is_path(choice.model):
        return ConfigError(f"There is no {choice.engine} model at {choice.model}.", field="model")
    engine = "" if choice.engine == "openai-whisper" else f" --engine {choice.engine}"
    return ConfigError(
        f'Model "{choice.model}" is not in {choice.folder}. With network run: '
        f"qa x whisper fetch {choice.model}{engine}; then copy the file.",
        field="model",
    )


def sha256_of(path: Path) -> str:
    """Return the hash of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while piece := source.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def fetch(choice: Choice, download: Callable[[str, Path], str] | None = None) -> Path:
    """Download a model by its name into the models' folder, verify it and return its path.

    ``download(name, folder)`` returns the expected SHA-256 of the file that counts; by default the
    engine's own library does it. A file that fails the check is removed. Raises ``ConfigError``.
    """
    if is_path(choice.model):
        raise ConfigError("Give a model's name, such as base, not a path.", field="model")
    take = download or {"openai-whisper": _from_openai, "faster-whisper": _from_hub}[choice.engine]
    choice.folder.mkdir(parents=True, exist_ok=True)
    expected = take(choice.model, choice.folder)
    path = path_of(choice)
    counts = path / "model.bin" if choice.engine == "faster-whisper" else path
    if not counts.is_file() or sha256_of(counts) != expected:
        counts.unlink(missing_ok=True)
        raise ConfigError(
            f"{counts.name} did not arrive as published and was removed. Try again.", field="model"
        )
    return path


def _from_openai(name: str, folder: Path) -> str:
    """Download with openai-whisper; the hash stands in its table of addresses."""
    import whisper

    if name not in whisper._MODELS:
        known = ", ".join(whisper.available_models())
        raise ConfigError(f'openai-whisper has no model "{name}"; it has {known}.', field="model")
    address: str = whisper._MODELS[name]
    whisper._download(address, str(folder), in_memory=False)
    return address.split("/")[-2]


def _from_hub(name: str, folder: Path) -> str:
    """Download with faster-whisper; the hash is the one the hub keeps for its large file."""
    from faster_whisper.utils import _MODELS, download_model
    from huggingface_hub import HfApi

    if name not in _MODELS:
        raise ConfigError(
            f'faster-whisper has no model "{name}"; it has {", ".join(sorted(_MODELS))}.', field="model"
        )
    download_model(name, output_dir=str(folder / f"faster-whisper-{name}"))
    return _published(HfApi().model_info(_MODELS[name], files_metadata=True).siblings)


def _published(siblings: Any) -> str:
    hashes: Iterator[str] = (one.lfs.sha256 for one in siblings if one.rfilename == "model.bin" and one.lfs)
    return next(hashes, "")
