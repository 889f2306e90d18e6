"""Who asks, and about what: the two values every permission is decided from.

Both are plain frozen values. ``qa.accounts`` builds the actor once per request; every
model that can be protected says its own ``scope``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qa.core.db import Clause


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person, or the product itself.

    ``team_ids`` are the teams the person belongs to today; ``teams_below`` are those and
    every team nested below them. ``theme``, ``single_keys`` and ``keys`` (pairs
    of act and key) are how the person likes pages to be, ``unread`` is how many notices wait; no permission
    looks at them.
    """

    id: int | None
    name: str
    roles: frozenset[str]
    team_ids: frozenset[int] = frozenset()
    teams_below: frozenset[int] = frozenset()
    session_id: int | None = None
    request_id: str | None = None
    address: str | None = None
    theme: str = "system"
    single_keys: bool = True
    keys: tuple[tuple[str, str], ...] = ()
    unread: int = 0


SYSTEM = Actor(id=None, name="Candor", roles=frozenset({"system"}))
"""The product's own hand: the worker, the command line, the demo. It may do everything."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The facts of one record that rules look at."""

    agent_ids: frozenset[int] = frozenset()
    author_ids: frozenset[int] = frozenset()
    assigned_ids: frozenset[int] = frozenset()
    team_ids: frozenset[int] = frozenset()
    state: str | None = None


def about(*agent_ids: int | None, author: int | None = None, state: str | None = None) -> Scope:
    """Return the scope of a record about these agents."""
    agents = frozenset(i for i in agent_ids if i is not None)
    return Scope(
        agent_ids=agents, author_ids=frozenset() if author is None else frozenset({author}), state=state
    )


def by(user_id: int | None) -> Scope:
    """Return the scope of a record that this person writes, opens or owns."""
    return Scope(author_ids=frozenset() if user_id is None else frozenset({user_id}))


@dataclass(frozen=True, slots=True)
class ScopeColumns:
    """The same facts as SQL: each entry turns a value into a condition on the table."""

    about: Callable[[int], Clause] | None = None
    by: Callable[[int], Clause] | None = None
    assigned: Callable[[int], Clause] | None = None
    in_teams: Callable[[frozenset[int]], Clause] | None = None
    in_states: Callable[[frozenset[str]], Clause] | None = None
