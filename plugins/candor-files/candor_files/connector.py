"""The connector: which files are new, read from where the last page ended, their recordings by name.

A file counts as new when its name, size or time is. What was read lately is remembered by short marks in
the cursor; a file that is read twice harms nobody, because the host knows each record by its content.
"""

from __future__ import annotations

import mimetypes
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wtforms import Form, IntegerField, SelectField, StringField, TextAreaField, ValidationError
from wtforms.validators import URL, DataRequired, NumberRange, Optional

from candor_files.mapping import FLAT, Rules, record_of
from candor_files.place_s3 import Bucket
from candor_files.place_sftp import Sftp
from candor_files.places import File, Folder, Place, seconds_of
from candor_files.reading import SAMPLE, csv_rows, json_rows
from qa.plugins.api import (
    BadRecord,
    Capability,
    Check,
    Connector,
    Context,
    Gone,
    Media,
    MediaRef,
    Page,
    Quota,
    Record,
    SecretField,
    Window,
)

ENDINGS = (".jsonl", ".ndjson", ".csv", ".tsv")
MOST_MARKS = 500
PAGE_BYTES = 3_000_000
SETTLED = timedelta(seconds=5)
OVERLAP = 86_400
MARK = 12
MEDIA_TYPES = {".opus": "audio/ogg", ".m4a": "audio/mp4", ".gsm": "audio/x-gsm"}


class Common(Form):
    """How the files are written, wherever they lie."""

    channel = SelectField(
        "Channel",
        choices=[("voice", "Calls"), ("chat", "Chats"), ("email", "E-mails"), ("ticket", "Tickets")],
        description="For rows that name none.",
    )
    zone = StringField("Time zone", default="UTC", description="For times that are written without one.")
    encoding = SelectField("Encoding", choices=[("utf-8", "UTF-8"), ("cp1252", "Windows-1252")])
    columns = TextAreaField("Columns", description="ours = theirs, a line each, for CSV with other names.")

    def validate_zone(self, field: Any) -> None:
        """Refuse a zone nobody knows."""
        _zone(field.data)

    def validate_columns(self, field: Any) -> None:
        """Refuse names that are not ours."""
        for ours in columns_of(field.data or ""):
            if ours not in FLAT:
                raise ValidationError(f"There is no column {ours}. Known are {', '.join(sorted(FLAT))}.")


class FolderConfig(Common):
    """A folder of this machine."""

    folder = StringField("Folder", [DataRequired()], description="The whole path, from / on.")

    def validate_folder(self, field: Any) -> None:
        """Refuse a path that depends on where the program was started."""
        if not str(field.data or "").startswith("/"):
            raise ValidationError("Write the whole path, from / on.")


class S3Config(Common):
    """A bucket and who may read it."""

    bucket = StringField("Bucket", [DataRequired()])
    folder = StringField("Prefix", description="Only what begins so is read; empty means all.")
    region = StringField("Region", [DataRequired()], default="us-east-1")
    url = StringField(
        "Address", [Optional(), URL(require_tld=False)], description="Empty means Amazon's own."
    )
    key_id = StringField("Access key id", [DataRequired()])
    secret_key = SecretField("Secret access key", [DataRequired()])


class SftpConfig(Common):
    """A host, its key, and who signs in."""

    host = StringField("Host", [DataRequired()])
    port = IntegerField("Port", [Optional(), NumberRange(1, 65535)], default=22)
    host_key = StringField(
        "The host's key", [DataRequired()], description="SHA256:…, as ssh-keygen -lf shows it."
    )
    user = StringField("User", [DataRequired()])
    password = SecretField("Password")
    private_key = SecretField("Private key", description="In place of a password; without a passphrase.")
    folder = StringField("Folder", default=".", description="On that host.")

    def validate_host_key(self, field: Any) -> None:
        """Refuse what is no fingerprint."""
        if not str(field.data or "").startswith("SHA256:"):
            raise ValidationError("Write it as SHA256:…; ssh-keyscan HOST | ssh-keygen -lf - shows it.")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise ValidationError(f"{name!r} is no time zone; write one such as Europe/Berlin.") from None


def columns_of(text: str) -> dict[str, str]:
    """Return our name of a column: theirs, from lines such as ``started_at = Begin``."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs if theirs.strip()}


class Files(Connector):
    """What the connectors share: a place with CSV and JSON Lines files and recordings."""

    streams = ("files",)
    capabilities = frozenset({Capability.LIVE, Capability.MEDIA})
    quota = Quota("3000/min")

    @abstractmethod
    def place(self, ctx: Context) -> Place:
        """Return where the files lie."""

    def check(self, ctx: Context) -> Check:
        """List the place and read a byte of a file, so that both rights are tried."""
        place = self.place(ctx)
        files = list(place.files(ctx))
        wanted = [file for file in files if _is_table(file)]
        if wanted:
            next(iter(place.read(ctx, wanted[0], 0)), b"")
        return Check(True, f"{len(wanted)} files to read, {len(files)} in all.")

    def pull(
        self, ctx: Context, stream: str, cursor: dict[str, Any] | None, window: Window | None
    ) -> Iterator[Page]:
        """Yield the records of files that are new, oldest file first, from where ``cursor`` stands."""
        place, known = self.place(ctx), Known(cursor)
        for file in known.new_ones(place.files(ctx), ctx.clock.now(), window):
            try:
                yield from self._pages(ctx, place, file, known)
            except Gone as error:
                ctx.log.info("left out: %s", error)
        yield Page([], known.cursor(), done=True)

    def _pages(self, ctx: Context, place: Place, file: File, known: Known) -> Iterator[Page]:
        records: list[Record | BadRecord] = []
        size = 0
        for offset, record, length in self._records(ctx, place, file, known.offset_in(file)):
            records.append(record)
            size += length
            if len(records) == self.page_limit or size > PAGE_BYTES:
                yield Page(records, known.cursor(file, offset))
                records, size = [], 0
        known.add(file)
        yield Page(records, known.cursor())

    def _records(
        self, ctx: Context, place: Place, file: File, start: int
    ) -> Iterator[tuple[int, Record | BadRecord, int]]:
        rules = Rules(
            channel=str(ctx.config.get("channel") or "voice"),
            zone=_zone(str(ctx.config.get("zone") or "UTC")),
            columns=columns_of(str(ctx.config.get("columns") or "")),
        )
        encoding, folder = str(ctx.config.get("encoding") or "utf-8"), str(PurePosixPath(file.name).parent)
        if file.name.lower().endswith((".csv", ".tsv")):
            head = next(iter(place.read(ctx, file, 0)), b"")[:SAMPLE]
            if not head.strip():
                return
            rows = csv_rows(place.read(ctx, file, start), start, encoding, head)
        else:
            rows = json_rows(place.read(ctx, file, start), start, encoding)
        for offset, values, raw, fault in rows:
            made = BadRecord(raw[:100_000], fault) if values is None else record_of(values, rules, folder)
            yield offset, made, len(raw)

    def fetch_media(self, ctx: Context, ref: MediaRef) -> Media:
        """Write a recording's bytes to ``ctx.sink``."""
        ending = PurePosixPath(ref.ref).suffix.lower()
        media_type = MEDIA_TYPES.get(ending) or mimetypes.guess_type(ref.ref)[0] or "application/octet-stream"
        return self.place(ctx).fetch(ctx, ref.ref, media_type)


class FolderFiles(Files):
    """CSV and JSON Lines files with recordings, in a folder of this machine."""

    key = "folder"
    title = "Files in a folder"
    Config = FolderConfig

    def place(self, ctx: Context) -> Place:
        """Return the folder."""
        return Folder(str(ctx.config.get("folder") or ""))


class S3Files(Files):
    """CSV and JSON Lines files with recordings, in a bucket of S3 or of anything that speaks its language."""

    key = "s3"
    title = "Files in S3"
    Config = S3Config

    @classmethod
    def base_url(cls, config: Mapping[str, Any]) -> str:
        """Return the address of the bucket's service."""
        return str(config.get("url") or f"https://s3.{config.get('region') or 'us-east-1'}.amazonaws.com")

    def place(self, ctx: Context) -> Place:
        """Return the bucket."""
        said = {name: str(value or "") for name, value in ctx.config.items()}
        secret = ctx.secrets.get("secret_key", "")
        address = self.base_url(ctx.config)
        return Bucket(address, said["bucket"], said.get("folder", ""), said["region"], said["key_id"], secret)


class SftpFiles(Files):
    """CSV and JSON Lines files with recordings, on another machine over SFTP."""

    key = "sftp"
    title = "Files over SFTP"
    Config = SftpConfig

    @classmethod
    def base_url(cls, config: Mapping[str, Any]) -> str:
        """Return nothing: no HTTP is spoken."""
        return ""

    def place(self, ctx: Context) -> Place:
        """Return the folder of the host."""
        said = {name: str(value or "") for name, value in ctx.config.items()}
        secrets = ctx.secrets
        return Sftp(
            said["host"],
            int(ctx.config.get("port") or 22),
            said["user"],
            said.get("folder", "."),
            said["host_key"],
            secrets.get("password", ""),
            secrets.get("private_key", ""),
        )


def _is_table(file: File) -> bool:
    return file.name.lower().endswith(ENDINGS)


class Known:
    """What the cursor says: how far in time, which files lately, and how far in the file in hand.

    Files are remembered as time and mark, in one text of twelve letters each. When there are too many the
    oldest fall out, and what is as old as they were counts as read.
    """

    def __init__(self, cursor: dict[str, Any] | None) -> None:
        kept = cursor or {}
        self.reached, self.floor = int(kept.get("reached", 0)), int(kept.get("floor", 0))
        packed = str(kept.get("marks", ""))
        self.marks = [packed[place : place + MARK] for place in range(0, len(packed), MARK)]
        self.mark, self.offset = str(kept.get("file", "")), int(kept.get("offset", 0))

    def new_ones(self, files: Iterator[File], now: datetime, window: Window | None) -> list[File]:
        """Return the files to read, oldest first; one that may still be growing waits for the next run."""
        seen, since = set(self.marks), max(self.reached - OVERLAP, self.floor)
        found = [
            file
            for file in files
            if _is_table(file)
            and file.mark not in seen
            and file.seconds >= since
            and (window is None or window.start <= file.changed_at <= window.end)
            and (file.changed_at <= now - SETTLED or file.changed_at > now + SETTLED)
        ]
        return sorted(found, key=lambda file: (file.changed_at, file.name))

    def offset_in(self, file: File) -> int:
        """Return where to begin: behind the last page, if it ended in this very file."""
        return self.offset if file.mark == self.mark else 0

    def add(self, file: File) -> None:
        """Note that a file was read to its end."""
        self.reached = max(self.reached, file.seconds)
        self.marks.append(file.mark)
        while len(self.marks) > MOST_MARKS:
            self.floor = max(self.floor, seconds_of(self.marks.pop(0)))

    def cursor(self, file: File | None = None, offset: int = 0) -> dict[str, Any]:
        """Return the cursor: everything up to here is read."""
        kept: dict[str, Any] = {"reached": self.reached, "floor": self.floor, "marks": "".join(self.marks)}
        if file is not None:
            kept |= {"file": file.mark, "offset": offset}
        return kept
