"""Errors with a meaning: what a plugin raises decides what the product does next.

Anything else that a plugin raises is a fault of the plugin: the piece of work fails, is tried again
as jobs are, and the plugins page names the plugin, the file and the line.
"""

from __future__ import annotations

from datetime import datetime, timedelta


class PluginError(Exception):
    """Base of all errors with a meaning."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").split(":")[0].split("\n")[0])
        self.message = str(self)


class AuthExpired(PluginError):
    """The credentials are no longer accepted: the source waits for new ones, nothing is retried."""


class PermissionMissing(PluginError):
    """The credentials lack a right: the source shows which one."""

    def __init__(self, scope: str, message: str = "") -> None:
        super().__init__(message or f"The account lacks the permission {scope}.")
        self.scope = scope


class RateLimited(PluginError):
    """The far side asks to wait: the work goes on at ``at``, which is no failure. None: the host decides."""

    def __init__(self, at: datetime | None = None, message: str = "") -> None:
        super().__init__(message or "The far side asks to wait.")
        self.at = at


class Transient(PluginError):
    """A fault that may pass, such as a time-out: the work is tried again with growing pauses."""


class ConfigError(PluginError):
    """A setting cannot be right: shown beside ``field``, not retried until somebody changes it."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class VendorBug(PluginError):
    """The far side broke its own rules: shown as theirs, retried at the next regular run only."""


class NotReady(PluginError):
    """What was asked for is not made yet, such as a recording: asked again after ``retry_in``."""

    def __init__(self, retry_in: timedelta = timedelta(minutes=5), message: str = "") -> None:
        super().__init__(message or "Not ready yet.")
        self.retry_in = retry_in


class Gone(PluginError):
    """What was asked for no longer exists at the far side: noted, never asked again."""


class StuckCursor(PluginError):
    """The far side answers the same page for ever: the run stops and says so."""


class Cancelled(PluginError):
    """A person stopped the work, or the worker ends: clean up and let it pass."""
