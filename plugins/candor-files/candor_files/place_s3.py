"""A bucket of S3, or of anything that speaks its language. Signed by botocore, sent by ``ctx.http``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from candor_files.places import PIECE, File, checked_name
from qa.plugins.api import ConfigError, Context, Gone, Media, PermissionMissing, Response, VendorBug

try:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:  # said when somebody chooses S3
    S3SigV4Auth = None


class Bucket:
    """One prefix of one bucket."""

    def __init__(
        self, endpoint: str, bucket: str, prefix: str, region: str, key_id: str, secret: str
    ) -> None:
        if S3SigV4Auth is None:
            raise ConfigError("S3 needs botocore. Install candor-files[s3].")
        self.base = f"{endpoint.rstrip('/')}/{quote(bucket)}"
        self.prefix = prefix
        self.region = region
        self.credentials = Credentials(key_id, secret)

    def _headers(self, method: str, url: str, more: dict[str, str] | None = None) -> dict[str, str]:
        asked = AWSRequest(method=method, url=url, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
        for name, value in (more or {}).items():
            asked.headers[name] = value
        S3SigV4Auth(self.credentials, "s3", self.region).add_auth(asked)
        return dict(asked.headers.items())

    def _get(self, ctx: Context, url: str, right: str, *, span: str = "") -> Response:
        more = {"Range": span} if span else {}
        try:
            return ctx.http.get(url, headers=self._headers("GET", url, more), accept=(206, 416), expect="any")
        except PermissionMissing as error:
            raise PermissionMissing(right, f"The key lacks {right}. {error}") from error

    def files(self, ctx: Context) -> Iterator[File]:
        """Yield every object below the prefix, a thousand a request."""
        token = ""
        while True:
            asked = {"list-type": "2", "max-keys": "1000", "prefix": self.prefix}
            if token:
                asked["continuation-token"] = token
            url = f"{self.base}?{urlencode(sorted(asked.items()), quote_via=quote)}"
            listing = _parsed(self._get(ctx, url, "s3:ListBucket").content)
            for one in listing.iterfind("Contents"):
                name = (one.findtext("Key") or "").removeprefix(self.prefix).lstrip("/")
                if name and not name.endswith("/"):
                    changed_at = datetime.fromisoformat(
                        (one.findtext("LastModified") or "").replace("Z", "+00:00")
                    )
                    yield File(name, int(one.findtext("Size") or 0), changed_at)
            token = listing.findtext("NextContinuationToken") or ""
            if not token:
                return

    def _url(self, name: str) -> str:
        between = "" if not self.prefix or self.prefix.endswith("/") else "/"
        return f"{self.base}/{quote(self.prefix + between + checked_name(name), safe='/~')}"

    def read(self, ctx: Context, file: File, start: int) -> Iterator[bytes]:
        """Yield bytes from ``start`` on, by ranges."""
        while start < file.size:
            last = min(start + PIECE, file.size) - 1
            answer = self._get(ctx, self._url(file.name), "s3:GetObject", span=f"bytes={start}-{last}")
            if answer.status == 416 or not answer.content:
                raise Gone(f"{file.name!r} is shorter than it was.")
            yield answer.content
            start += len(answer.content)

    def fetch(self, ctx: Context, name: str, media_type: str) -> Media:
        """Write an object to ``ctx.sink``."""
        url = self._url(name)
        media = ctx.http.download(url, headers=self._headers("GET", url), name=PurePosixPath(name).name)
        return Media(media_type, media.size_bytes, media.sha256, media.name)


def _parsed(content: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise VendorBug("The listing holds declarations, which no S3 sends.")
    try:
        root = ElementTree.fromstring(content)  # noqa: S314  declarations were refused above
    except ElementTree.ParseError as error:
        raise VendorBug(f"The listing is no XML: {error}") from error
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
    return root
