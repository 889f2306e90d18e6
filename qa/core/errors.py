"""What can go wrong in words a person can act on.

Services raise these; one handler in ``qa.web`` and one in the command line turn them into
an answer. Nobody else maps an error to a status.
"""

from __future__ import annotations

from collections.abc import Mapping


class DomainError(Exception):
    """A refusal with a sentence for the person who asked."""

    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(DomainError):
    """The thing does not exist, or this actor may not know that it does."""

    status = 404


class Forbidden(DomainError):
    """The actor sees the thing but may not do this to it."""

    status = 403


class Conflict(DomainError):
    """Somebody or something was faster, or the state does not allow it."""

    status = 409


class Invalid(DomainError):
    """The input cannot be taken; ``errors`` maps fields to sentences."""

    status = 422

    def __init__(
        self, message: str, *, field: str | None = None, errors: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.errors: dict[str, str] = dict(errors or {})
        if field is not None:
            self.errors.setdefault(field, message)


class TooMany(DomainError):
    """A limit was reached; ``retry_after`` is in seconds."""

    status = 429

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """A part the answer needs is out for the moment; nothing was changed."""

    status = 503
