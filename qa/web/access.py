"""Every route says which permission row it needs, or that it is public. Unclaimed ones fail the build."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Params = ParamSpec("Params")
Answer = TypeVar("Answer")

CLAIM = "permission_claim"
PUBLIC = "public"
SIGNED_IN = "signed-in"
MACHINE = "machine"


def claims(*permissions: str) -> Callable[[Callable[Params, Answer]], Callable[Params, Answer]]:
    """Mark a view with the permissions of which one must be held somewhere; the service still asks."""

    def mark(view: Callable[Params, Answer]) -> Callable[Params, Answer]:
        return _marked(view, permissions)

    return mark


def signed_in(view: Callable[Params, Answer]) -> Callable[Params, Answer]:
    """Mark a view that anybody who is signed in may open: it shows their own things only."""
    return _marked(view, (SIGNED_IN,))


def public(view: Callable[Params, Answer]) -> Callable[Params, Answer]:
    """Mark a view that needs nobody signed in."""
    return _marked(view, (PUBLIC,))


def machine(view: Callable[Params, Answer]) -> Callable[Params, Answer]:
    """Mark a view that machines post to: it checks a signature of its own, cookies play no part."""
    return _marked(view, (MACHINE,))


def claim_of(view: Callable[..., Any]) -> tuple[str, ...]:
    """Return what a view was marked with; empty when it was forgotten."""
    marked: tuple[str, ...] = getattr(view, CLAIM, ())
    return marked


def _marked(view: Callable[Params, Answer], claim: tuple[str, ...]) -> Callable[Params, Answer]:
    @wraps(view)
    def called(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
        return view(*args, **kwargs)

    setattr(called, CLAIM, claim)
    return called
