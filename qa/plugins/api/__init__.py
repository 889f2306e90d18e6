"""The one module plugins import: every value, class, error and marker of the plugin API, version 1.

    from qa.plugins.api import Capability, Check, Connector, Page, Record, SecretField, hookimpl

What is promised. Everything in ``__all__`` is public and kept for the whole of a major version ``API``:
names, fields, arguments and what a method may raise. A minor release only adds: new fields have
defaults and are named (keyword-only), new methods have a body, new hook arguments are optional to name.
What is to go is announced for two minor releases and at least six months, in a warning that names
the plugin, the file and line, the replacement and the removal. Nothing else of ``qa`` is public but
``qa.plugins.testing``.

How it is used. Hooks only register classes (``qa.plugins.hookspecs``); objects of those classes are
made for one piece of work in a child process, get everything from ``ctx`` and keep nothing. Values are
frozen and checked where they are made. The host owns retries, HTTP, secrets, cursors and commits.

Importing this loads WTForms and pluggy, never Flask, SQLAlchemy or an HTTP library.
"""

from __future__ import annotations

import pluggy

from qa.plugins.api.classes import (
    AutoScorer,
    Connector,
    Enricher,
    Exporter,
    Extension,
    Notifier,
    Panel,
    Redactor,
    ScorecardImporter,
    TrainingProvider,
    Transcriber,
)
from qa.plugins.api.context import (
    Blobs,
    Cancel,
    Clock,
    Context,
    Expect,
    Http,
    Params,
    Response,
    Sink,
    SourceInfo,
)
from qa.plugins.api.declared import Capability, Hmac, PluginInfo, Quota, ResetHeader, SharedSecret
from qa.plugins.api.errors import (
    AuthExpired,
    Cancelled,
    ConfigError,
    Gone,
    NotReady,
    PermissionMissing,
    PluginError,
    RateLimited,
    StuckCursor,
    Transient,
    VendorBug,
)
from qa.plugins.api.forms import NoConfig, SecretField
from qa.plugins.api.records import (
    AgentRef,
    BadRecord,
    Channel,
    Check,
    Direction,
    ExternalRef,
    Kpi,
    Media,
    MediaRef,
    Message,
    Page,
    PushItem,
    PushResult,
    RawRequest,
    Record,
    Speaker,
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
    OptionView,
    QuestionView,
    Scale,
    ScoredInteraction,
    Searched,
    Segment,
    Signal,
    Span,
    Suggestion,
    Transcript,
    Word,
)
from qa.plugins.api.value import Value
from qa.plugins.api.views import (
    AnswerView,
    Batch,
    CoachingView,
    Column,
    Course,
    EvaluationView,
    FormRef,
    ImportedScorecard,
    InteractionView,
    Notice,
    PanelView,
    Place,
    Schema,
    Subject,
    TrainingStatus,
)

API = 1
"""The major version of this API; a plugin names those it works with in its metadata."""

hookimpl = pluggy.HookimplMarker("qa")
"""Marks a function as an implementation of the hook of its name."""

__all__ = [
    "API",
    "Abstain",
    "AgentRef",
    "AnswerView",
    "AuthExpired",
    "AutoScorer",
    "BadRecord",
    "Batch",
    "Blobs",
    "Cancel",
    "Cancelled",
    "Capability",
    "Channel",
    "Check",
    "Clock",
    "CoachingView",
    "Column",
    "ConfigError",
    "Connector",
    "Context",
    "Course",
    "Direction",
    "Enricher",
    "Estimate",
    "EvaluationView",
    "Expect",
    "Exporter",
    "Extension",
    "ExternalRef",
    "Finding",
    "FormRef",
    "Gone",
    "Hints",
    "Hmac",
    "Http",
    "ImportedScorecard",
    "InteractionView",
    "Interval",
    "Kpi",
    "LocalFile",
    "Media",
    "MediaRef",
    "Message",
    "NoConfig",
    "NotReady",
    "Notice",
    "Notifier",
    "OptionView",
    "Page",
    "Panel",
    "PanelView",
    "Params",
    "PermissionMissing",
    "Place",
    "PluginError",
    "PluginInfo",
    "PushItem",
    "PushResult",
    "QuestionView",
    "Quota",
    "RateLimited",
    "RawRequest",
    "Record",
    "Redactor",
    "ResetHeader",
    "Response",
    "Scale",
    "Schema",
    "ScorecardImporter",
    "ScoredInteraction",
    "Searched",
    "SecretField",
    "Segment",
    "SharedSecret",
    "Signal",
    "Sink",
    "SourceInfo",
    "Span",
    "Speaker",
    "StuckCursor",
    "Subject",
    "Suggestion",
    "TrainingProvider",
    "TrainingStatus",
    "Transcriber",
    "Transcript",
    "Transient",
    "Value",
    "VendorBug",
    "WebhookResult",
    "Window",
    "Word",
    "hookimpl",
]
