"""A folder of another machine over SFTP. The host's key is checked before anything is said."""

from __future__ import annotations

import base64
import hashlib
import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from candor_files.places import MOST_FILES, PIECE, File, checked_name
from qa.plugins.api import AuthExpired, ConfigError, Context, Gone, Media, PermissionMissing, Transient

try:
    import paramiko
except ImportError:  # said when somebody chooses SFTP
    paramiko = None


class Sftp:
    """One folder of one host."""

    def __init__(
        self, host: str, port: int, user: str, folder: str, fingerprint: str, password: str, key: str
    ) -> None:
        if paramiko is None:
            raise ConfigError("SFTP needs paramiko. Install candor-files[sftp].")
        if not fingerprint.startswith("SHA256:"):
            raise ConfigError(
                "Write the host's key as SHA256:…; ssh-keyscan and ssh-keygen -lf show it.", "host_key"
            )
        self.host, self.port, self.user = host, port, user
        self.folder = folder.rstrip("/") or "."
        self.fingerprint = fingerprint.removeprefix("SHA256:").rstrip("=")
        self.password, self.key = password, key

    @contextmanager
    def _connected(self, ctx: Context) -> Iterator[Any]:
        transport = paramiko.Transport(ctx.connect(self.host, self.port))
        try:
            self._sign_in(transport)
            yield paramiko.SFTPClient.from_transport(transport, max_packet_size=32_768)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise _meaning_of(error) from error
        finally:
            transport.close()

    def _sign_in(self, transport: Any) -> None:
        transport.banner_timeout = transport.auth_timeout = 15
        transport.start_client(timeout=15)
        shown = hashlib.sha256(transport.get_remote_server_key().asbytes()).digest()
        if base64.b64encode(shown).decode().rstrip("=") != self.fingerprint:
            raise ConfigError(
                "The host shows another key than the one that is kept. Nothing was sent.", "host_key"
            )
        try:
            if self.key:
                transport.auth_publickey(self.user, _private_key(self.key))
            else:
                transport.auth_password(self.user, self.password)
        except paramiko.AuthenticationException as error:
            raise AuthExpired(f"{self.host} does not let {self.user} in.") from error

    def files(self, ctx: Context) -> Iterator[File]:
        """Yield every file below the folder; links are not followed."""
        with self._connected(ctx) as client:
            waiting, seen = [""], 0
            while waiting:
                below = waiting.pop()
                ctx.cancel.check()
                for entry in client.listdir_attr(f"{self.folder}/{below}" if below else self.folder):
                    name = f"{below}/{entry.filename}" if below else entry.filename
                    mode = entry.st_mode or 0
                    if entry.filename.startswith(".") or stat.S_ISLNK(mode):
                        continue
                    if stat.S_ISDIR(mode):
                        waiting.append(name)
                    elif stat.S_ISREG(mode) and (seen := seen + 1) <= MOST_FILES:
                        yield File(
                            name, entry.st_size or 0, datetime.fromtimestamp(entry.st_mtime or 0, tz=UTC)
                        )

    def _read(self, ctx: Context, name: str, start: int) -> Iterator[bytes]:
        with (
            self._connected(ctx) as client,
            client.open(f"{self.folder}/{checked_name(name)}", "rb") as opened,
        ):
            opened.seek(start)
            opened.prefetch() if start == 0 else None
            while piece := opened.read(min(PIECE, 262_144)):
                ctx.cancel.check()
                yield piece

    def read(self, ctx: Context, file: File, start: int) -> Iterator[bytes]:
        """Yield bytes from ``start`` on."""
        yield from self._read(ctx, file.name, start)

    def fetch(self, ctx: Context, name: str, media_type: str) -> Media:
        """Write a file to ``ctx.sink``."""
        for piece in self._read(ctx, name, 0):
            ctx.sink.write(piece)
        return ctx.sink.done(media_type, PurePosixPath(name).name)


def _private_key(text: str) -> Any:
    lines = text.strip().replace("\r\n", "\n") + "\n"
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(lines))
        except (paramiko.SSHException, ValueError):
            continue
    raise ConfigError("That is no private key that can be read; it must have no passphrase.", "private_key")


def _meaning_of(error: Exception) -> Exception:
    if isinstance(error, FileNotFoundError):
        return Gone("That is no longer there.")
    if isinstance(error, PermissionError):
        return PermissionMissing("read", "The account may not read that folder or file.")
    return Transient(f"The connection broke: {type(error).__name__}: {error}")
