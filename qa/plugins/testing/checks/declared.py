"""Checks of what is declared and written: the settings form, the API in use, the README."""

from __future__ import annotations

import contextlib
import re
import warnings
from pathlib import Path
from urllib.parse import urlsplit

from qa.plugins.api import ConfigError, PluginError
from qa.plugins.deprecations import Leaving, note_of
from qa.plugins.settings_form import Unfit, describe, judge
from qa.plugins.testing.bench import Bench, typed_settings
from qa.plugins.testing.laws import Broken, Check, NotNeeded, line_of, source_of

SECRET_WORDS = re.compile(r"(^|_)(password|passwd|secret|token|api_?key|private_?key)($|_)")
NONSENSE = ("x" * 5_000, "\x00", "💥", "javascript:alert(1)", "../../etc/passwd", " ")


def _settings_form(bench: Bench) -> None:
    form, where = bench.kind.Config, line_of(bench.kind.Config)
    try:
        settings = describe(form)
    except Unfit as error:
        raise Broken(f"The form cannot be shown: {error}", where=where) from error
    kinds = {one["name"]: one["kind"] for one in settings}
    for name, kind in kinds.items():
        is_secret = bool(SECRET_WORDS.search(name.lower())) or name in bench.twin.secrets
        if is_secret and kind != "secret":
            raise Broken(
                f"{name} holds a secret and is a {kind} field.", where=where, cure="Make it a SecretField."
            )
    judged = bench.settings()
    if missing := set(bench.twin.secrets) - set(judged.secrets):
        raise Broken(
            f"The twin types {', '.join(sorted(missing))}, and the form has no such SecretField.", where=where
        )
    _says_what_is_missing(bench, [one["name"] for one in settings if one["required"]])
    _bears_nonsense(bench, list(kinds))
    host = urlsplit(bench.kind.base_url(judged.config)).hostname
    if bench.twin.secrets and host != urlsplit(bench.twin.url).hostname:
        raise Broken(f"base_url() leads to {host}, the twin lives at {bench.twin.url}.", where=where)


def _says_what_is_missing(bench: Bench, required: list[str]) -> None:
    errors = judge(bench.kind.Config, {}, frozenset()).errors
    silent = [name for name in required if not errors.get(name)]
    if silent or (bench.twin.api_secrets and not errors):
        words = ", ".join(silent) or "anything"
        raise Broken(f"An empty form is taken without {words}.", where=line_of(bench.kind.Config))


def _bears_nonsense(bench: Bench, names: list[str]) -> None:
    for name in names:
        for text in NONSENSE:
            typed = dict(typed_settings(bench.twin, bench.kind)) | {name: [text]}
            try:
                judged = judge(bench.kind.Config, typed, frozenset())
                if not judged.errors:
                    bench.kind.base_url(judged.config)
            except ConfigError:
                continue
            except Exception as error:
                raise Broken(
                    f"With {text[:20]!r} in {name} the form raises {type(error).__name__}: {error}",
                    where=line_of(bench.kind.Config),
                ) from error


c35 = Check(
    "c35_settings_form",
    8,
    "The settings form refuses what cannot be right, in words",
    "The form takes what the twin types, names each missing field, bears nonsense without an exception, and "
    "keeps every secret in a SecretField.",
    "A token in a StringField; required fields without a validator; a validator that raises.",
    "Use SecretField for secrets and InputRequired() for what cannot be left out.",
    'token = StringField("Token")',
    'token = SecretField("API token", validators=[InputRequired()])',
    _settings_form,
)


def _current_api(bench: Bench) -> None:
    bench.twin.seed(8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bench.run()
        with bench.context() as (connector, ctx), contextlib.suppress(PluginError):
            connector.check(ctx)
    leaving = [one for one in caught if issubclass(one.category, Leaving)]
    if leaving:
        raise Broken(note_of(leaving[0], plugin=bench.kind.key, issues_url=""), where=line_of(bench.kind))


c36 = Check(
    "c36_current_api",
    0,
    "Nothing is used that leaves the API",
    "A run and a check() give no deprecation warning.",
    "A name that was replaced is still used.",
    "Use what the warning names; docs/plugins/api_changes.md has the steps.",
    "(whatever the warning names)",
    "(what it says to use)",
    _current_api,
)

SECTIONS = {
    "Set up": r"set[- ]?up|install",
    "Permissions": r"permission|right|scope",
    "Known limits": r"limit",
    "Removal": r"remov|uninstall",
}


def _readme(bench: Bench) -> None:
    source = source_of(bench.kind)
    folder = _distribution_of(source) if source else None
    if folder is None:
        raise NotNeeded("The connector lies in no distribution (no setup.cfg or pyproject.toml above it).")
    readme = folder / "README.md"
    if not readme.is_file():
        raise Broken(f"{folder.name} has no README.md.", where=folder.name)
    headings = [line.lstrip("# ") for line in readme.read_text("utf-8").splitlines() if line.startswith("#")]
    for title, pattern in SECTIONS.items():
        if not any(re.search(pattern, heading, re.IGNORECASE) for heading in headings):
            raise Broken(f"README.md has no section “{title}”.", where=f"{folder.name}/README.md")
    if not (folder / "CHANGELOG.md").is_file():
        raise Broken(f"{folder.name} has no CHANGELOG.md.", where=folder.name)


def _distribution_of(source: Path) -> Path | None:
    for folder in source.parents:
        if (folder / "qa" / "plugins" / "api").is_dir():
            return None  # the product's own tree: a connector of its tests
        if (folder / "setup.cfg").is_file() or (folder / "pyproject.toml").is_file():
            return folder
    return None


c37 = Check(
    "c37_documentation",
    0,
    "People find out how to set it up, what it may do, and how to get rid of it",
    "The distribution has a README with sections on set-up, permissions, known limits and removal, and a "
    "CHANGELOG.",
    "The README is the one of the template.",
    "Write the four sections; each may be three lines.",
    "# My connector",
    "## Set up · ## Permissions · ## Known limits · ## Removal",
    _readme,
)
