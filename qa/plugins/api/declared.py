"""What a plugin declares about itself and its far side; the host does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Any, Literal

from qa.plugins.api.value import Value


class Capability(StrEnum):
    """What a connector can do; each but the first two needs the method of its name."""

    LIVE = "live"
    BACKFILL = "backfill"
    MEDIA = "media"
    MESSAGES = "messages"
    PUSH_NOTE = "push_note"
    PUSH_FIELD = "push_field"
    WEBHOOK = "webhook"
    AGENTS = "agents"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """Who made the plugin, for which major versions of this API, and where to complain.

    ``settings`` is a form for the plugin as a whole (a connector's sources have forms of their own);
    ``needs`` says in short sentences what it wants from the machine, shown before it is enabled.
    """

    name: str
    version: str
    api: tuple[int, ...] = (1,)
    _: KW_ONLY
    title: str = ""
    description: str = ""
    homepage: str = ""
    issues_url: str = ""
    needs: Sequence[str] = ()
    settings: type[Any] | None = None


@dataclass(frozen=True, slots=True)
class ResetHeader(Value):
    """A header that tells when requests are welcome again, and how it counts."""

    name: str
    kind: Literal["delta_s", "epoch_s", "epoch_ms", "http_date", "iso"] = "delta_s"


@dataclass(frozen=True, slots=True)
class Quota(Value):
    """How often the far side may be asked, for instance ``Quota("10/min")``.

    ``codes`` are statuses that mean "too often", ``body_codes`` words in the body of a refusal (403)
    that mean the same. ``Retry-After`` is always understood, in seconds and as a date.
    """

    rate: str = ""
    _: KW_ONLY
    concurrency: int = 4
    headers: Sequence[ResetHeader] = ()
    codes: Sequence[int] = (429,)
    body_codes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Hmac(Value):
    """How the far side signs its deliveries. The host verifies the raw bytes, in constant time.

    ``over`` is what is signed, from the fields ``{id} {timestamp} {method} {url} {body}`` and ``{form}``
    (the sorted form fields, name and value). ``secret_field`` names the ``SecretField``. A header that holds
    several signatures names their ``separator``; ``prefix`` stands before each.
    """

    header: str
    _: KW_ONLY
    secret_field: str = "webhook_secret"
    key_encoding: Literal["text", "base64", "whsec"] = "text"
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    over: str = "{body}"
    prefix: str = ""
    separator: str = ""
    timestamp_header: str = ""
    timestamp_unit: Literal["s", "ms", "iso"] = "s"
    id_header: str = ""


@dataclass(frozen=True, slots=True)
class SharedSecret(Value):
    """A far side that cannot sign sends a fixed secret, in a header, a query field or a field of its JSON."""

    name: str
    place: Literal["header", "query", "json", "path"] = "header"
    _: KW_ONLY
    secret_field: str = "webhook_secret"
    id_header: str = ""
