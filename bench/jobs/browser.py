"""A browser without scripts: one kept connection, cookies, the CSRF token of the last page."""

from __future__ import annotations

import html
import http.client
import json
import re
from typing import Any
from urllib.parse import urlencode

CSRF = re.compile(r'name="csrf(?:_token)?" (?:content|value)="([^"]+)"')
STATEMENTS = re.compile(r'db;dur=[\d.]+;desc="(\d+)"')


class Browser:
    """One person's browser on a loopback site."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookies: dict[str, str] = {}
        self.token = ""
        self.statements: int | None = None

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPResponse]:
        """Send one request and read its answer whole."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.connection.request(method, path, body, sent)
        answer = self.connection.getresponse()
        content = answer.read()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        told = STATEMENTS.search(answer.headers.get("Server-Timing", ""))
        self.statements = int(told[1]) if told else None
        return answer.status, content, answer

    def get(self, path: str) -> str:
        """Return a page; anything but 200 is an error of the bench."""
        status, content, _ = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"{path} answered {status}: {content[:500]!r}")
        page = content.decode()
        found = CSRF.search(page)
        self.token = html.unescape(found[1]) if found else self.token
        return page

    def post(self, path: str, **form: str) -> str:
        """Send a form and return where its answer leads; anything but 303 is an error of the bench."""
        body = urlencode({"csrf_token": self.token, **form}).encode()
        status, content, answer = self.ask(
            "POST", path, body, Content_Type="application/x-www-form-urlencoded"
        )
        if status != 303:
            raise RuntimeError(f"{path} answered {status}: {content[:500]!r}")
        return answer.headers["Location"]

    def put(self, path: str, data: Any) -> Any:
        """Send JSON as the workspace does and return the JSON of the answer."""
        body = json.dumps(data).encode()
        status, content, _ = self.ask("PUT", path, body, Content_Type="application/json", X_CSRF=self.token)
        if status != 200:
            raise RuntimeError(f"{path} answered {status}: {content[:500]!r}")
        return json.loads(content)

    def sign_in(self, user: dict[str, str]) -> Browser:
        """Sign in through the form, as a person does."""
        self.get("/sign-in")
        self.post("/sign-in", email=user["email"], password=user["password"])
        return self
