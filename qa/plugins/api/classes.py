"""The classes a plugin extends. One object is made for each piece of work; keep nothing on ``self``.

All methods run in a child process of the worker, with a time limit. Those not marked abstract belong to
a capability: leave them out and do not declare it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, ClassVar

from wtforms import Form

from qa.plugins.api.context import Context
from qa.plugins.api.declared import Capability, Hmac, Quota, SharedSecret
from qa.plugins.api.errors import ConfigError
from qa.plugins.api.forms import NoConfig
from qa.plugins.api.records import (
    AgentRef,
    Channel,
    Check,
    ExternalRef,
    Media,
    MediaRef,
    Message,
    Page,
    PushItem,
    PushResult,
    RawRequest,
    WebhookResult,
    Window,
)
from qa.plugins.api.speech import (
    Abstain,
    Estimate,
    Finding,
    Hints,
    Interval,
    LocalFile,
    QuestionView,
    Scale,
    ScoredInteraction,
    Signal,
    Suggestion,
    Transcript,
)
from qa.plugins.api.views import (
    Batch,
    Course,
    FormRef,
    ImportedScorecard,
    Notice,
    PanelView,
    Place,
    Schema,
    Subject,
    TrainingStatus,
)


class Extension(ABC):
    """What all of them have: a short key, unique within its plugin, and a title for people."""

    key: ClassVar[str]
    title: ClassVar[str]


class Connector(Extension):
    """A source of conversations. Mandatory are ``check`` and ``pull``."""

    streams: ClassVar[tuple[str, ...]] = ("main",)
    channels: ClassVar[frozenset[Channel]] = frozenset({"voice", "chat", "email", "ticket"})
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.LIVE})
    Config: ClassVar[type[Form]] = NoConfig
    quota: ClassVar[Quota] = Quota()
    lag: ClassVar[timedelta] = timedelta(minutes=10)
    page_limit: ClassVar[int] = 500
    cursor_version: ClassVar[int] = 1
    webhook_auth: ClassVar[Hmac | SharedSecret | None] = None
    media_hosts: ClassVar[tuple[str, ...]] = ()
    """Other hosts that recordings come from, such as ``*.amazonaws.com``; they get no credentials."""

    @classmethod
    def base_url(cls, config: Mapping[str, Any]) -> str:
        """Return the address that requests go to, made of the settings; by default the field ``url``."""
        return str(config.get("url", ""))

    def sign_in(self, ctx: Context) -> Mapping[str, str]:
        """Return the headers that carry the credentials, such as ``Authorization``.

        Asked once before a run's first request, and once more after a 401, so a short-lived token may
        be fetched here. The host sends them to the host of ``base_url`` and to nobody else.
        """
        return {}

    @abstractmethod
    def check(self, ctx: Context) -> Check:
        """Make a real call and tell whether the credentials work and which rights are missing."""

    @abstractmethod
    def pull(
        self, ctx: Context, stream: str, cursor: dict[str, Any] | None, window: Window | None
    ) -> Iterator[Page]:
        """Yield pages from ``cursor`` on; from the beginning, or of ``window``, when it is None.

        Yield a page before asking for the next. Boundaries are inclusive: what came before may come
        again. With a ``window`` yield what changed inside it, and nothing newer.
        """

    def agents(self, ctx: Context, cursor: dict[str, Any] | None) -> Iterator[Page]:
        """Yield pages of ``AgentRef`` (capability AGENTS)."""
        raise NotImplementedError("declare AGENTS only with a method agents()")

    def fetch_media(self, ctx: Context, ref: MediaRef) -> Media:
        """Write a recording's bytes to ``ctx.sink`` (MEDIA). May raise ``NotReady`` or ``Gone``."""
        raise NotImplementedError("declare MEDIA only with a method fetch_media()")

    def fetch_messages(self, ctx: Context, ref: ExternalRef) -> list[Message]:
        """Return the messages of one conversation, when ``pull`` leaves them out (MESSAGES)."""
        raise NotImplementedError("declare MESSAGES only with a method fetch_messages()")

    def push(self, ctx: Context, target: ExternalRef, item: PushItem, key: str) -> PushResult:
        """Leave something at the far side (PUSH_NOTE, PUSH_FIELD); the same ``key`` twice leaves one."""
        raise NotImplementedError("declare PUSH_NOTE only with a method push()")

    def webhook(self, ctx: Context, request: RawRequest) -> WebhookResult:
        """Tell which things a delivery speaks of (WEBHOOK); they are read again, the delivery is not data."""
        raise NotImplementedError("declare WEBHOOK only with a method webhook()")

    def pull_one(self, ctx: Context, ref: ExternalRef) -> Page:
        """Return a page with one thing, read anew (WEBHOOK); a tombstone when it is gone."""
        raise NotImplementedError("declare WEBHOOK only with a method pull_one()")

    def erase(self, ctx: Context, ref: ExternalRef) -> None:
        """Delete what this product left at the far side about one conversation (ERASE)."""
        raise NotImplementedError("declare ERASE only with a method erase()")

    def migrate_cursor(self, cursor: dict[str, Any], from_version: int) -> dict[str, Any]:
        """Return the cursor as ``cursor_version`` writes it; raises when it cannot be carried over."""
        raise ConfigError(f"{type(self).__name__} cannot read a cursor of version {from_version}")

    def diagnostics(self, ctx: Context) -> dict[str, Any]:
        """Return facts for a support request: versions, limits, counts. No secrets, nobody's data."""
        return {}


class Transcriber(Extension):
    """An engine that turns a recording into text. Results are kept by the host and never asked for twice."""

    splits_channels: ClassVar[bool] = True
    diarises: ClassVar[bool] = False
    times_words: ClassVar[bool] = False
    languages: ClassVar[tuple[str, ...]] = ()
    memory_mb: ClassVar[int] = 1_024

    def estimate(self, ctx: Context, audio: LocalFile, seconds: float) -> Estimate | None:
        """Return what transcribing ``seconds`` of sound will take, None when unknown."""
        return None

    @abstractmethod
    def transcribe(self, ctx: Context, audio: LocalFile, hints: Hints) -> Transcript:
        """Return the text. Call ``ctx.progress`` and ``ctx.cancel.check`` at least every 30 seconds.

        Keep finished parts in ``ctx.scratch``: a run that was stopped goes on from there.
        """


class Enricher(Extension):
    """Adds facts about the customer or the conversation. Pure: the same text gives the same signals."""

    version: ClassVar[str] = "1"
    provides: ClassVar[tuple[str, ...]] = ()
    requires: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def enrich(
        self, ctx: Context, transcript: Transcript, needs: Mapping[str, Sequence[Signal]]
    ) -> list[Signal]:
        """Return signals; ``needs`` holds those that ``requires`` names."""


class AutoScorer(Extension):
    """Suggests an answer to a question; a person decides."""

    version: ClassVar[str] = "1"
    languages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def score(
        self, ctx: Context, question: QuestionView, scale: Scale, interaction: ScoredInteraction
    ) -> Suggestion | Abstain:
        """Return an answer with evidence, or abstain."""


class Redactor(Extension):
    """Finds what must not be seen or heard; the host hides it and shows nothing when this fails."""

    @abstractmethod
    def find(self, ctx: Context, text: str, language: str) -> list[Finding]:
        """Return what to hide in a text."""

    def find_audio(self, ctx: Context, audio: LocalFile, transcript: Transcript) -> list[Interval]:
        """Return what to silence; the host silences the seconds of hidden words by itself."""
        return []


class Notifier(Extension):
    """Sends messages to people: a chat, a pager, a mail service."""

    target_label: ClassVar[str] = "Address"

    @abstractmethod
    def send(self, ctx: Context, message: Notice, target: str, key: str) -> None:
        """Send one message; the same ``key`` may come again and should show up once."""


class Exporter(Extension):
    """Takes tables out: a warehouse, a BI tool. At least once, resumed by watermark."""

    @abstractmethod
    def open(self, ctx: Context, schema: Schema) -> str:
        """Get ready and return the last watermark that was committed, empty when there is none."""

    @abstractmethod
    def write(self, ctx: Context, batch: Batch, watermark: str) -> None:
        """Take rows; ``watermark`` is reached with them."""

    @abstractmethod
    def commit(self, ctx: Context) -> None:
        """Make what was written final."""


class TrainingProvider(Extension):
    """A library of trainings outside the product."""

    webhook_auth: ClassVar[Hmac | SharedSecret | None] = None

    @abstractmethod
    def search(self, ctx: Context, skill: str, level: str) -> list[Course]:
        """Return trainings for a skill."""

    @abstractmethod
    def assign(
        self, ctx: Context, agent: AgentRef, course: str, due: date | None, key: str
    ) -> TrainingStatus:
        """Give a training to somebody; the same ``key`` twice gives it once."""

    @abstractmethod
    def status(self, ctx: Context, ref: str) -> TrainingStatus:
        """Return how far an assigned training is."""

    def webhook(self, ctx: Context, request: RawRequest) -> WebhookResult:
        """Tell which assigned trainings to look at again."""
        raise NotImplementedError("name a webhook_auth only with a method webhook()")


class ScorecardImporter(Extension):
    """Reads scorecards of another product."""

    @abstractmethod
    def forms(self, ctx: Context) -> list[FormRef]:
        """Return the scorecards there are."""

    @abstractmethod
    def fetch(self, ctx: Context, ref: FormRef) -> ImportedScorecard:
        """Return one as this product's YAML."""


class Panel(Extension):
    """A box on a page. Computed in the worker and kept; the page never waits for it."""

    places: ClassVar[tuple[Place, ...]] = ("interaction.side",)

    @abstractmethod
    def show(self, ctx: Context, subject: Subject) -> PanelView | None:
        """Return what to show about a page's subject, None for nothing. At most 50 ms."""
