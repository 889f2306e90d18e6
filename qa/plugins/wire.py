"""Values as JSON and back: what may cross the pipe between the host and a plugin's child process.

Strict both ways: a wrong type, an unknown field, NaN, half a character, more than 8 MB or 64 levels is
refused with the place where it stands. Decimals are text, bytes are base64, times end in Z.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from qa.plugins import api
from qa.plugins.api import NotReady, PermissionMissing, PluginError, RateLimited
from qa.plugins.api.value import check_plain

MAX_BYTES = 8 * 1024**2
TYPED = (date, Decimal, bytes)
"""What has a way to be written as JSON where its type is known."""


class NotOfThisShape(Exception):
    """A value may not cross; the message names the place and what is wrong there."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind, config=ConfigDict(strict=True, allow_inf_nan=False))
    except PydanticUserError:  # our values bring their own
        return TypeAdapter(kind)


def encode(value: Any, kind: Any) -> bytes:
    """Return ``value`` as one line of JSON; raise ``NotOfThisShape`` when it is not of ``kind``.

    ``kind`` is a class of ``qa.plugins.api`` or any annotation made of them and plain types.
    """
    try:
        if not isinstance(value, api.Value):
            check_plain(value, "the answer", also=TYPED)
        line = _adapter(kind).dump_json(value, warnings="error")
    except (PydanticSerializationError, TypeError, ValueError, RecursionError) as error:
        raise NotOfThisShape(_first_line(error)) from error
    if len(line) > MAX_BYTES:
        raise NotOfThisShape(f"{len(line) / 1024**2:.0f} MB at once; {MAX_BYTES // 1024**2} MB are allowed")
    return line


def decode(line: bytes, kind: Any) -> Any:
    """Return the value of ``kind`` that a line of JSON holds; raise ``NotOfThisShape``."""
    if len(line) > MAX_BYTES:
        raise NotOfThisShape(f"{len(line) / 1024**2:.0f} MB at once; {MAX_BYTES // 1024**2} MB are allowed")
    try:
        value = _adapter(kind).validate_json(line)
        if not isinstance(value, api.Value):
            check_plain(value, "the answer", also=TYPED)
    except ValidationError as error:
        raise NotOfThisShape(_places(error)) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise NotOfThisShape(_first_line(error)) from error
    return value


def _places(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    # in a choice of shapes the longest path belongs to the shape that was meant
    nearest = max(found, key=lambda one: len(one["loc"]))
    place = ".".join(str(part) for part in nearest["loc"])
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{place or 'the answer'}: {nearest['msg']}{more}"


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:500]


def encode_error(error: PluginError) -> dict[str, Any]:
    """Return an error with a meaning as plain JSON; one of a class of their own as what it extends."""
    name = next(
        (kind.__name__ for kind in type(error).__mro__ if kind.__name__ in api.__all__), "PluginError"
    )
    facts: dict[str, Any] = {"error": name, "message": error.message[:2_000]}
    if isinstance(error, PermissionMissing):
        facts["scope"] = error.scope
    elif isinstance(error, RateLimited):
        facts["at"] = None if error.at is None else error.at.isoformat()
    elif isinstance(error, NotReady):
        facts["retry_in"] = error.retry_in.total_seconds()
    elif isinstance(error, api.ConfigError):
        facts["field"] = error.field
    return facts


def decode_error(facts: dict[str, Any]) -> PluginError:
    """Return the error again; an unknown name becomes a plain ``PluginError``."""
    message = str(facts.get("message", ""))
    kind = getattr(api, str(facts.get("error")), PluginError)
    if not (isinstance(kind, type) and issubclass(kind, PluginError)):
        return PluginError(message)
    if kind is PermissionMissing:
        return PermissionMissing(str(facts.get("scope", "")), message)
    if kind is RateLimited:
        at = facts.get("at")
        return RateLimited(None if at is None else datetime.fromisoformat(str(at)), message)
    if kind is NotReady:
        return NotReady(timedelta(seconds=float(facts.get("retry_in", 300))), message)
    if kind is api.ConfigError:
        return api.ConfigError(message, str(facts.get("field", "")))
    return kind(message)
