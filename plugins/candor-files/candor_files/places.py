"""Where files lie: one small protocol, a folder behind it. S3 and SFTP have modules of their own.

A place lists what lies in it and reads bytes from an offset; it never reads a whole file at once.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from qa.plugins.api import ConfigError, Context, Gone, Media, Transient

PIECE = 4_000_000
MOST_FILES = 200_000


@dataclass(frozen=True, slots=True)
class File:
    """One file as the place lists it; ``changed_at`` is the place's own time."""

    name: str
    size: int
    changed_at: datetime

    @property
    def seconds(self) -> int:
        """Return its time in whole seconds since 1970."""
        return max(0, int(self.changed_at.timestamp()))

    @property
    def mark(self) -> str:
        """Return twelve letters that stand for this very version of the file, its time first."""
        words = f"{self.name}\0{self.size}\0{self.changed_at.isoformat()}"
        digest = hashlib.blake2b(words.encode("utf-8", "surrogateescape"), digest_size=5).digest()
        return base64.urlsafe_b64encode(struct.pack(">I", self.seconds & 0xFFFFFFFF) + digest).decode()


def seconds_of(mark: str) -> int:
    """Return the time in a file's mark."""
    seconds: int = struct.unpack(">I", base64.urlsafe_b64decode(mark)[:4])[0]
    return seconds


class Place(Protocol):
    """What a connector asks of a place. Names are relative, with slashes."""

    def files(self, ctx: Context) -> Iterator[File]:
        """Yield every file below the place."""

    def read(self, ctx: Context, file: File, start: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` on in pieces; raise ``Gone`` when the file is no longer there."""

    def fetch(self, ctx: Context, name: str, media_type: str) -> Media:
        """Write a file to ``ctx.sink``."""


def checked_name(name: str) -> str:
    """Return a relative name without tricks; raise ``Gone`` for any other."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise Gone(f"{name!r} is no name of a file below the place.")
    return str(path)


class Folder:
    """A folder of this machine, with all folders below it. Links are not followed."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        if not self.root.is_absolute():
            raise ConfigError("Write the whole path of the folder, from / on.", "folder")

    def _walk(self) -> Iterator[tuple[str, os.stat_result]]:
        waiting = [self.root]
        while waiting:
            for entry in self._entries(waiting.pop()):
                if entry.name.startswith(".") or entry.is_symlink():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield str(Path(entry.path).relative_to(self.root)), entry.stat(follow_symlinks=False)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda one: one.name)
        except FileNotFoundError:
            if folder == self.root:
                raise ConfigError(f"There is no folder {self.root}.", "folder") from None
            return []  # removed while we looked
        except OSError as error:
            raise ConfigError(f"{folder} cannot be read: {error.strerror}.", "folder") from error

    def files(self, ctx: Context) -> Iterator[File]:
        """Yield every file; what was copied with its old time counts from when it came here."""
        for name, facts in self._walk():
            came_at = max(facts.st_mtime, facts.st_ctime)
            yield File(name, facts.st_size, datetime.fromtimestamp(came_at, tz=UTC))

    def _opened(self, name: str) -> BinaryIO:
        path = self.root / checked_name(name)
        if path.resolve() != self.root.resolve() / checked_name(name):
            raise Gone(f"{name!r} is a link.")
        try:
            return path.open("rb")
        except FileNotFoundError:
            raise Gone(f"{name!r} is no longer there.") from None
        except OSError as error:
            raise Transient(f"{name!r} cannot be read: {error.strerror}.") from error

    def read(self, ctx: Context, file: File, start: int) -> Iterator[bytes]:
        """Yield bytes from ``start`` on."""
        with self._opened(file.name) as opened:
            opened.seek(start)
            while piece := opened.read(PIECE):
                yield piece

    def fetch(self, ctx: Context, name: str, media_type: str) -> Media:
        """Write the file to ``ctx.sink``."""
        with self._opened(name) as opened:
            while piece := opened.read(65_536):
                ctx.cancel.check()
                ctx.sink.write(piece)
        return ctx.sink.done(media_type, PurePosixPath(name).name)
