"""Takes known secrets out of text: of log lines, errors, rejected records, cursors."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 4
MASKED = "•••"


class Mask:
    """Knows secrets and replaces them; values shorter than four characters are not looked for."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Know these, too: a token made of the secrets, for instance."""
        for one in secrets:
            if len(one) >= SHORTEST:
                self._secrets |= _written(one)
        # the longest first: a secret may hold another
        ordered = sorted(self._secrets, key=lambda one: (-len(one), one))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, words: str) -> str:
        """Return the text with each secret replaced."""
        return words if self._pattern is None else self._pattern.sub(MASKED, words)

    def value(self, value: Any) -> Any:
        """Return plain values with each secret replaced in every text."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value

    def finds(self, words: str) -> bool:
        """Tell whether a secret stands in the text."""
        return self._pattern is not None and self._pattern.search(words) is not None


def _written(secret: str) -> set[str]:
    """Return the ways in which a secret comes to stand in a log: plain, in an address, in JSON, encoded."""
    raw = secret.encode("utf-8", "surrogatepass")
    encoded = base64.b64encode(raw).decode().rstrip("=")
    ways = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], raw.hex()}
    return ways | {quote(raw, safe=""), quote_plus(raw), encoded, encoded.translate(_URL_SAFE)}


_URL_SAFE = str.maketrans("+/", "-_")


class MaskingFilter(logging.Filter):
    """Masks a log line before any handler sees it; hang it on the logger or on the handlers."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def filter(self, record: logging.LogRecord) -> bool:
        """Settle the line's words, its extra values and its traceback without secrets; always True."""
        try:
            words = record.getMessage()
        except (TypeError, ValueError):  # a wrong number of arguments is no reason to lose the line
            words = f"{record.msg} {record.args}"
        record.msg, record.args = self._mask.text(words), ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self._mask.text(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        for name, value in vars(record).items():
            if name not in _SETTLED and isinstance(value, str | dict | list):
                setattr(record, name, self._mask.value(value))
        return True


_SETTLED = frozenset(vars(logging.makeLogRecord({}))) - {"exc_text"}
