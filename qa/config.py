"""Settings: one ``qa.toml`` plus ``QA_*`` environment, read once into frozen values.

A key that is unknown or has the wrong shape stops the start with its name and the nearest
right one; nothing is guessed. The environment wins over the file.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class SettingsError(Exception):
    """The configuration cannot be used; the message names the key and the cure."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of ``qa.toml``: its reader, default and meaning."""

    read: Callable[[Any], Any]
    default: Any
    meaning: str


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")
    return value


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not (isinstance(value, int) or str(value).lstrip("-").isdigit()):
            raise ValueError(f"must be a whole number from {low} to {high}")
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return read


def _yes_no(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in {"true", "yes", "1", "on"}:
        return True
    if word in {"false", "no", "0", "off"}:
        return False
    raise ValueError("must be true or false")


def _zone(value: Any) -> str:
    try:
        ZoneInfo(_text(value))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError('must be a time zone such as "Europe/Berlin"') from error
    return str(value)


def _networks(value: Any) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(word, strict=False)) for word in _words(value))
    except ValueError as error:
        raise ValueError('must be a list of networks such as ["10.0.0.0/8", "127.0.0.1"]') from error


def _patterns(value: Any) -> tuple[str, ...]:
    written = tuple(word.strip() for word in _words(value))
    if not all(re.fullmatch(r"[A-Z][A-Z_]{1,19}:\s*\S.{2,79}", one) for one in written):
        raise ValueError('must be a list of labels and patterns such as ["CONTRACT: HM-######"]')
    return written


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ValueError("must be a list of texts")


SETTINGS: dict[str, Setting] = {
    "data_dir": Setting(_text, "data", "Folder for the database, recordings and keys."),
    "database_url": Setting(
        _text, "", "Database; empty means SQLite in data_dir. postgresql+psycopg://user@host/name"
    ),
    "key_file": Setting(_text, "", "File of the data key; empty means keys/data.key in data_dir."),
    "queue_url": Setting(
        _text, "", "Bell of the job queue; empty means SQLite in data_dir. redis://host:6379/0"
    ),
    "host": Setting(_text, "127.0.0.1", "Address to listen on."),
    "port": Setting(_whole(1, 65535), 8000, "Port to listen on."),
    "threads": Setting(_whole(1, 128), 8, "Threads that answer requests."),
    "trusted_proxy": Setting(_text, "", "Address of the proxy that ends TLS; empty means none."),
    "public_url": Setting(
        _text, "", "Address people type, such as https://qa.example.org; needed behind a proxy."
    ),
    "site_name": Setting(_text, "Candor", "Name of the site, shown on pages."),
    "time_zone": Setting(_zone, "UTC", "Time zone of the site: days and shown times."),
    "decimals": Setting(_whole(1, 2), 1, "Decimals of a shown score: 1 or 2."),
    "worker_threads": Setting(_whole(1, 64), 2, "Threads that take jobs."),
    "worker_children": Setting(_whole(1, 64), 2, "Processes for media and import work."),
    "server_timing": Setting(_yes_no, False, "Add a Server-Timing header (for measuring)."),
    "log_level": Setting(_text, "info", "debug, info, warning or error."),
    "private_networks": Setting(
        _networks, (), "Private networks that plugins may reach, without TLS too; no form can allow them."
    ),
    "plugins_dir": Setting(_text, "", "Folder of plugins that are single files; empty means none."),
    "plugins_strict": Setting(_yes_no, False, "A plugin that cannot run stops the start (for testing)."),
    "no_plugins": Setting(_yes_no, False, "Safe mode: no plugin runs. --no-plugins does the same."),
    "trusted_plugins": Setting(
        _words, (), "Plugins whose new versions run without being allowed again; * means all."
    ),
    "redaction_patterns": Setting(
        _patterns, (), "Numbers of your own to hide in every text: # is a digit, @ a letter."
    ),
    "site_words": Setting(_words, (), "Words that a password may not contain, such as the company's name."),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, checked. Paths are absolute."""

    values: Mapping[str, Any] = field(repr=False)
    source: str = "built-in defaults"
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """The tables ``[plugins.<name>]``: settings that win over what a page says."""

    def __getattr__(self, name: str) -> Any:
        """Return one setting by its key."""
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def data_path(self) -> Path:
        """Return the data folder."""
        return Path(self.values["data_dir"]).absolute()

    @property
    def database(self) -> str:
        """Return the database's URL."""
        url: str = self.values["database_url"]
        return url or f"sqlite:///{self.data_path / 'candor.db'}"

    @property
    def key_path(self) -> Path:
        """Return the data key's file."""
        given: str = self.values["key_file"]
        return Path(given).absolute() if given else self.data_path / "keys" / "data.key"

    @property
    def recordings_path(self) -> Path:
        """Return the folder of sealed recordings."""
        return self.data_path / "recordings"

    @property
    def plugins_path(self) -> Path | None:
        """Return the folder of single-file plugins, None when there is none."""
        given: str = self.values["plugins_dir"]
        return Path(given).absolute() if given else None

    @property
    def plugin_work_path(self) -> Path:
        """Return the folder in which plugins work."""
        return self.data_path / "plugin-work"

    @property
    def speech_path(self) -> Path:
        """Return the folder in which recordings are opened for the plugin that transcribes them."""
        return self.data_path / "transcribing"

    @property
    def zone(self) -> ZoneInfo:
        """Return the site's time zone."""
        return ZoneInfo(self.values["time_zone"])

    @property
    def over_tls(self) -> bool:
        """Tell whether people reach the site over TLS."""
        return str(self.values["public_url"]).startswith("https://")


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read ``qa.toml`` (or ``path``) and the environment; raise ``SettingsError`` on the first fault.

    ``QA_CONFIG`` names another file. Without a file the built-in defaults hold.
    """
    environment = os.environ if environment is None else environment
    chosen = path or Path(environment.get("QA_CONFIG", "qa.toml"))
    values = {key: setting.default for key, setting in SETTINGS.items()}
    source = "built-in defaults"
    plugins: dict[str, dict[str, Any]] = {}
    if chosen.exists():
        source = str(chosen)
        given = _parsed(chosen)
        plugins = _tables(given.pop("plugins", {}), str(chosen))
        values |= _checked(given, str(chosen), lambda key: key)
    elif path is not None or "QA_CONFIG" in environment:
        raise SettingsError(f"{chosen}: there is no such file. Name an existing qa.toml or leave it out.")
    values |= _checked(_from(environment), "the environment", lambda key: f"QA_{key.upper()}")
    for plugin, key, value in _plugins_from(environment):
        plugins.setdefault(plugin, {})[key] = value
    return Settings(values=values, source=source, plugins=plugins)


NOT_SETTINGS = {"QA_CONFIG", "QA_PARENT", "QA_CHROMIUM", "QA_TORTURE", "QA_UPDATE_GOLDEN"}
"""Variables that belong to commands and tests, not to the site."""


FOR_OTHERS = ("QA_TEST_", "QA_PLUGINS__")


def _from(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name[3:].lower(): value
        for name, value in environment.items()
        if name.startswith("QA_") and name not in NOT_SETTINGS and not name.startswith(FOR_OTHERS)
    }


PLUGIN_PREFIX = "QA_PLUGINS__"
"""``QA_PLUGINS__WHISPER__MODEL`` is the key ``model`` of ``[plugins.whisper]``."""


def _plugins_from(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, value in environment.items():
        plugin, found, key = name.removeprefix(PLUGIN_PREFIX).partition("__")
        if name.startswith(PLUGIN_PREFIX) and found:
            yield plugin.lower().replace("_", "-"), key.lower(), value


def _tables(given: Any, place: str) -> dict[str, dict[str, Any]]:
    if not isinstance(given, dict) or not all(isinstance(table, dict) for table in given.values()):
        raise SettingsError(f"{place}: plugins holds a table for each plugin, such as [plugins.whisper].")
    return {name: dict(table) for name, table in given.items()}


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}.") from error


def _checked(given: Mapping[str, Any], place: str, shown: Callable[[str], str]) -> dict[str, Any]:
    values = {}
    for key, value in given.items():
        if key not in SETTINGS:
            raise SettingsError(f"{place}: there is no setting {shown(key)!r}.{_nearest(key, shown)}")
        try:
            values[key] = SETTINGS[key].read(value)
        except ValueError as error:
            raise SettingsError(f"{place}: {shown(key)} {error}; it is {value!r}.") from error
    return values


def _nearest(key: str, shown: Callable[[str], str]) -> str:
    near = difflib.get_close_matches(key.lower(), SETTINGS, n=1, cutoff=0.5)
    return f" Did you mean {shown(near[0])!r}?" if near else f" Known are: {', '.join(map(shown, SETTINGS))}."
