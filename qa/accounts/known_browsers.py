"""Browsers that signed in before: a signed cookie that names the accounts, for the throttle only.

It opens nothing. It lets a person's own browser in while strangers' failures make everybody else
wait for that account, and it tells a stranger nothing about which accounts exist.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from itsdangerous import BadSignature, URLSafeTimedSerializer

DAYS = 90
ACCOUNTS_MAX = 12
"""So many people may share one desk; the one who signed in longest ago is forgotten first."""


class KnownBrowsers:
    """Read and write the cookie with one site's secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._sealed = URLSafeTimedSerializer(secret, salt="known-browser")

    def browser_of(self, cookie: str | None, account: str) -> str | None:
        """Return this browser's name when the account signed in here before, else None."""
        name, accounts = self._read(cookie)
        return name if self._mark(account) in accounts else None

    def remember(self, cookie: str | None, account: str) -> str:
        """Return the cookie with this account as the latest one."""
        name, accounts = self._read(cookie)
        mark = self._mark(account)
        kept = [mark, *(other for other in accounts if other != mark)][:ACCOUNTS_MAX]
        return str(self._sealed.dumps([name or secrets.token_urlsafe(16), kept]))

    def _read(self, cookie: str | None) -> tuple[str | None, list[str]]:
        try:
            name, accounts = self._sealed.loads(cookie or "", max_age=DAYS * 86_400)
        except BadSignature:
            return None, []
        return name, accounts

    def _mark(self, account: str) -> str:
        return hmac.new(self._secret, account.encode(), hashlib.sha256).hexdigest()[:20]
