"""``qa plugin new``: a plugin that works, to be changed into yours.

The files come from ``scaffold/*.txt`` (``string.Template``); what depends on how a vendor signs in and pages
stands in the two tables here.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from textwrap import indent

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NAME_MAX = 40


class CannotMake(Exception):
    """The plugin cannot be made; the message says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Auth:
    """How a vendor signs in: pieces of the connector and of its twin."""

    words: str
    imports: str
    fields: str
    config: str
    sign_in: str
    twin_settings: str = ""
    twin_token: str = ""


@dataclass(frozen=True, slots=True)
class Paging:
    """How a vendor pages: pieces of the connector and of its twin."""

    words: str
    pull: str
    twin_page: str


AUTHS: Mapping[str, Auth] = {
    "token": Auth(
        "a token in the Authorization header",
        "",
        "URLField",
        'token = SecretField("API token", validators=[InputRequired()])',
        'return {"Authorization": f"Bearer {ctx.secrets[\'token\']}"}',
    ),
    "basic": Auth(
        "HTTP Basic with a name and a token",
        "import base64\n",
        "StringField, URLField",
        'email = StringField("E-mail address", validators=[InputRequired()])\n'
        'token = SecretField("API token", validators=[InputRequired()])',
        "pair = f\"{ctx.config['email']}:{ctx.secrets['token']}\"\n"
        'return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}',
        'config = {"email": "quality@example.com"}',
    ),
    "oauth": Auth(
        "OAuth 2 client credentials",
        "",
        "StringField, URLField",
        'client_id = StringField("Client id", validators=[InputRequired()])\n'
        'client_secret = SecretField("Client secret", validators=[InputRequired()])',
        "form = {\n"
        '    "grant_type": "client_credentials",\n'
        '    "client_id": ctx.config["client_id"],\n'
        '    "client_secret": ctx.secrets["client_secret"],\n'
        "}\n"
        'token = ctx.http.post("/oauth/token", form=form, key="token").json()["access_token"]\n'
        'return {"Authorization": f"Bearer {token}"}',
        'config = {"client_id": "candor"}\n'
        'secrets = {"client_secret": "tw1n-s3cret-5d20b"}\n'
        "\n"
        "def is_signed_in(self, ask: Ask) -> bool:\n"
        '    """Tell whether a request carries the token, or asks for one with the right secret."""\n'
        '    if ask.path == "/oauth/token":\n'
        '        return ask.form()["client_secret"] == self.secrets["client_secret"]\n'
        '    return ask.headers.get("authorization") == "Bearer tw1n-4ccess-99"',
        'if ask.path == "/oauth/token":\n    return Reply(json={"access_token": "tw1n-4ccess-99"})\n',
    ),
}
"""Name on the command line: the pieces."""

_QUESTION = '"since": place["since"] or None, "until": until'
PAGINGS: Mapping[str, Paging] = {
    "cursor": Paging(
        "a cursor that the vendor gives",
        f'params = {{{_QUESTION}, "after": place.get("after")}}\n'
        'body = ctx.http.get("/api/tickets", params=params).json()\n'
        'records = [self.mapped(raw) for raw in body["tickets"]]\n'
        'seen = place.get("newest", place["since"])\n'
        'newest = max([seen, *(raw["updated_at"] for raw in body["tickets"])])\n'
        'if not body["after"]:\n'
        '    yield Page(records, {"since": newest}, done=True)\n'
        "    return\n"
        'place = {"since": place["since"], "after": body["after"], "newest": newest}\n'
        "yield Page(records, place)",
        'page, after = self.after(things, ask.query.get("after", ""))\n'
        'return Reply(json={"tickets": page, "after": after})',
    ),
    "page": Paging(
        "page numbers",
        "# a page number shifts when a ticket changes meanwhile: so go on from the newest time seen,\n"
        "# and count pages only as long as that time stands still\n"
        f'params = {{{_QUESTION}, "page": place.get("page", 1)}}\n'
        'body = ctx.http.get("/api/tickets", params=params).json()\n'
        'records = [self.mapped(raw) for raw in body["tickets"]]\n'
        'newest = max([place["since"], *(raw["updated_at"] for raw in body["tickets"])])\n'
        'if not body["more"]:\n'
        '    yield Page(records, {"since": newest}, done=True)\n'
        "    return\n"
        'stands_still = newest == place["since"]\n'
        'place = {"since": newest, "page": place.get("page", 1) + 1 if stands_still else 1}\n'
        "yield Page(records, place)",
        'page, more = self.numbered(things, int(ask.query["page"]))\n'
        'return Reply(json={"tickets": page, "more": more})',
    ),
    "link": Paging(
        "a link to the next page",
        f"params = {{{_QUESTION}}}\n"
        'next_url = place.get("next")\n'
        'answer = ctx.http.get(next_url) if next_url else ctx.http.get("/api/tickets", params=params)\n'
        "body = answer.json()\n"
        'records = [self.mapped(raw) for raw in body["tickets"]]\n'
        'seen = place.get("newest", place["since"])\n'
        'newest = max([seen, *(raw["updated_at"] for raw in body["tickets"])])\n'
        'if not body["next"]:\n'
        '    yield Page(records, {"since": newest}, done=True)\n'
        "    return\n"
        'place = {"since": place["since"], "next": body["next"], "newest": newest}\n'
        "yield Page(records, place)",
        'page, after = self.after(things, ask.query.get("after", ""))\n'
        'known = {"since": since, "until": until, "after": after}\n'
        "query = urlencode({name: value for name, value in known.items() if value})\n"
        'return Reply(json={"tickets": page, "next": f"/api/tickets?{query}" if after else None})',
    ),
}
"""Name on the command line: the pieces."""

FILES: Mapping[str, str] = {
    "setup.cfg.txt": "setup.cfg",
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "CHANGELOG.md.txt": "CHANGELOG.md",
    "quality.toml.txt": "quality.toml",
    "check.yml.txt": ".github/workflows/check.yml",
    "init.py.txt": "candor_$module/__init__.py",
    "connector.py.txt": "candor_$module/connector.py",
    "twin.py.txt": "candor_$module/twin.py",
    "test_connector.py.txt": "tests/test_connector.py",
}
"""Template: where its file goes in the new folder."""


def make_connector(name: str, folder: Path, *, auth: str, paging: str) -> list[Path]:
    """Write a plugin with a working connector into ``folder`` and return its files; raise ``CannotMake``."""
    checked_name(name)
    if folder.exists() and any(folder.iterdir()):
        raise CannotMake(f"{folder} exists and is not empty. Choose another folder with --into.")
    words = _words(name, AUTHS[auth], PAGINGS[paging])
    made = []
    for template, place in FILES.items():
        text = Template((files("qa.plugins") / "scaffold" / template).read_text("utf-8"))
        file = folder / Template(place).substitute(words)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.substitute(words), encoding="utf-8")
        made.append(file)
    typed = folder / f"candor_{words['module']}" / "py.typed"
    typed.touch()
    return [*made, typed]


def checked_name(name: str) -> str:
    """Return a plugin's name; raise ``CannotMake`` for one that cannot be."""
    if not NAME.fullmatch(name) or len(name) > NAME_MAX or keyword.iskeyword(name):
        raise CannotMake(
            f"{name!r} cannot be a plugin's name: write small letters, digits and hyphens, such as “my-desk”."
        )
    if name.startswith("candor-"):
        raise CannotMake(f"Leave “candor-” out: the package will be called candor-{name[7:]} anyway.")
    return name


def _words(name: str, auth: Auth, paging: Paging) -> dict[str, str]:
    parts = name.split("-")
    twin_imports = "from urllib.parse import urlencode\n" if "urlencode" in paging.twin_page else ""
    return {
        "name": name,
        "module": name.replace("-", "_"),
        "klass": "".join(part.capitalize() for part in parts),
        "title": " ".join(part.capitalize() for part in parts),
        "imports": auth.imports,
        "fields": auth.fields,
        "config": indent(auth.config, " " * 8),
        "sign_in": indent(auth.sign_in, " " * 8),
        "pull": indent(paging.pull, " " * 12),
        "twin_imports": twin_imports,
        "twin_settings": indent(f"\n{auth.twin_settings}", " " * 4) if auth.twin_settings else "",
        "twin_token": indent(auth.twin_token, " " * 8),
        "twin_page": indent(paging.twin_page, " " * 8),
    }
