"""Tables of people: users, their roles, teams and sign-ins.

A membership has dates and is never deleted; ``User.team_id`` is the team the person works in
today, kept beside it so that a permission is one join away.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    exists,
    text,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column, relationship

from qa.core.actor import Scope, ScopeColumns
from qa.core.db import Base, Clause, UtcDateTime
from qa.core.text import sort_key

NAME_MAX = 200
EMAIL_MAX = 254
PASSWORD_MIN = 12
PASSWORD_MAX = 1000
WORDS_MAX = 300

_UNREAD = text("read_at IS NULL")


class Team(Base):
    """A group of people; teams nest."""

    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    parent: Mapped[Team | None] = relationship(remote_side="Team.id", lazy="raise")

    __table_args__ = (Index("uq_team_parent_name", "parent_id", "name", unique=True),)

    @property
    def scope(self) -> Scope:
        """In itself: whoever may see a team's people may see the team."""
        return Scope(team_ids=frozenset({self.id}))

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(in_teams=lambda ids: cls.id.in_(ids))


def _key_of_name(context: Any) -> str:
    return sort_key(context.get_current_parameters()["name"])[: NAME_MAX * 4]


class User(Base):
    """A person. Agents are users whose sign-in may be off; ``coach_id`` is who coaches them today."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_MAX))
    name_key: Mapped[str] = mapped_column(String(NAME_MAX * 4), default=_key_of_name)
    email: Mapped[str] = mapped_column(String(EMAIL_MAX))
    email_folded: Mapped[str] = mapped_column(String(EMAIL_MAX * 2), unique=True)
    external_id: Mapped[str | None] = mapped_column(String(NAME_MAX), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(300))
    can_sign_in: Mapped[bool] = mapped_column(Boolean, default=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    coach_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    preferences: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    draft_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deactivated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    team: Mapped[Team | None] = relationship(lazy="raise")
    coach: Mapped[User | None] = relationship(lazy="raise", remote_side="User.id")
    roles: Mapped[list[UserRole]] = relationship(lazy="raise", cascade="all, delete-orphan")
    memberships: Mapped[list[Membership]] = relationship(lazy="raise", order_by="Membership.since")

    __table_args__ = (Index("ix_user_name_key", "name_key", "id"),)

    @property
    def scope(self) -> Scope:
        """About and by the person, in today's team, assigned to today's coach."""
        mine = frozenset({self.id})
        teams = frozenset() if self.team_id is None else frozenset({self.team_id})
        return Scope(agent_ids=mine, author_ids=mine, team_ids=teams, assigned_ids=coach_ids(self))

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(
            about=lambda user_id: cls.id == user_id,
            by=lambda user_id: cls.id == user_id,
            assigned=lambda user_id: cls.coach_id == user_id,
            in_teams=lambda ids: cls.team_id.in_(ids),
        )


class UserRole(Base):
    """One role of one person."""

    __tablename__ = "user_role"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20), primary_key=True)


class Membership(Base):
    """A person in a team from ``since`` up to, not including, ``until``."""

    __tablename__ = "membership"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), index=True)
    since: Mapped[date] = mapped_column(Date)
    until: Mapped[date | None] = mapped_column(Date)

    team: Mapped[Team] = relationship(lazy="raise")

    __table_args__ = (
        CheckConstraint("until IS NULL OR until >= since", name="ends_after_start"),
        UniqueConstraint("user_id", "team_id", "since"),
    )


class SignInSession(Base):
    """A signed-in browser. The cookie holds a random token, this row its hash."""

    __tablename__ = "sign_in_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    browser: Mapped[str] = mapped_column(String(300), default="")
    address: Mapped[str] = mapped_column(String(64), default="")

    user: Mapped[User] = relationship(lazy="raise")

    @property
    def scope(self) -> Scope:
        """About and by the person who signed in."""
        return own_scope(self.user_id)

    @classmethod
    def scope_columns(cls) -> ScopeColumns:
        """The same as SQL."""
        return ScopeColumns(
            about=lambda user_id: cls.user_id == user_id, by=lambda user_id: cls.user_id == user_id
        )


class SignInAttempt(Base):
    """A try to sign in that has not (yet) succeeded, counted per account, address and known browser.

    All three are hashes; a browser that signed in to this account before is counted by itself.
    """

    __tablename__ = "sign_in_attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    browser: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    __table_args__ = (
        Index("ix_sign_in_attempt_account_at", "account", "at"),
        Index("ix_sign_in_attempt_address_at", "address", "at"),
    )


class SignInLink(Base):
    """A one-time link that lets a person choose a password."""

    __tablename__ = "sign_in_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OnceKey(Base):
    """A form that was already taken, with the answer it got: a repeat gets the same one."""

    __tablename__ = "once_key"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    location: Mapped[str | None] = mapped_column(String(2000))
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Notice(Base):
    """Something a person should know, kept once for each ``key``, and where it leads.

    ``endpoint`` and ``values`` name the page; ``calendar`` is an iCalendar file that goes along by mail.
    """

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    words: Mapped[str] = mapped_column(String(WORDS_MAX))
    endpoint: Mapped[str] = mapped_column(String(80))
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    key: Mapped[str] = mapped_column(String(160))
    calendar: Mapped[str] = mapped_column(Text, default="")
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("person_id", "key"),
        Index("ix_notice_person", "person_id", "id"),
        Index("ix_notice_unread", "person_id", sqlite_where=_UNREAD, postgresql_where=_UNREAD),
    )


def own_scope(user_id: int | None) -> Scope:
    """Return the scope of what is a person's very own, whatever their role: sessions, preferences."""
    mine = frozenset() if user_id is None else frozenset({user_id})
    return Scope(agent_ids=mine, author_ids=mine)


_person = aliased(User)


def works_in(user_id: Any, team_ids: frozenset[int]) -> Clause:
    """Return the condition that whoever a column names works in one of these teams today.

    Asked row by row on purpose: a page walks along the index that sorts it until it is full. Given a
    list of people, SQLite would collect and sort all they ever did.
    """
    return exists().where(_person.id == user_id, _person.team_id.in_(team_ids))


def coached_by(user_id: Any, coach_id: int) -> Clause:
    """Return the condition that whoever a column names is coached by this person today."""
    return exists().where(_person.id == user_id, _person.coach_id == coach_id)


def coach_ids(person: User) -> frozenset[int]:
    """Return who coaches this person today, as a scope takes it."""
    return frozenset() if person.coach_id is None else frozenset({person.coach_id})
