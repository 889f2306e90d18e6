"""Every place a plugin can hook into, and the promise made at each.

Two kinds of hook exist. *Registration* hooks take no arguments, are called once per process, and return
classes; the product makes one object of a class for each piece of work. *Event* hooks are called in the
plugin's child process after the change is committed; they may be called twice for one event, with the same
``key``, and their return value is ignored. A hook that raises hurts only its own plugin: the failure is
kept with the plugin's name and shown on the plugins page.

A hook is added with ``versionadded``, deprecated with a warning for two minor releases and at least six
months, then removed. Arguments are only ever added: an implementation names the ones it wants. It may have
no defaults, no ``*args`` and be no wrapper: what a default means differs between pluggy's versions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from qa.plugins.api import (
    AutoScorer,
    CoachingView,
    Connector,
    Context,
    Enricher,
    EvaluationView,
    Exporter,
    InteractionView,
    Notifier,
    Panel,
    PluginInfo,
    Redactor,
    ScorecardImporter,
    TrainingProvider,
    Transcriber,
    Transcript,
)

if TYPE_CHECKING:
    import click

hookspec = pluggy.HookspecMarker("qa")


@hookspec
def qa_plugin_info() -> PluginInfo:
    """Say who you are. The only mandatory hook. ::

        @hookimpl
        def qa_plugin_info():
            return PluginInfo("helpdesk", "1.0", title="Helpdesk", issues_url="https://example.org/issues")

    .. versionadded:: 0.1
    """
    raise NotImplementedError


@hookspec
def qa_connectors() -> Iterable[type[Connector]]:
    """Register sources of conversations: CRMs, helpdesks, telephony.

    The product calls ``Connector.pull`` from a job, one at a time per source and stream, and keeps the
    cursor itself; a connector holds no state between calls. ::

        @hookimpl
        def qa_connectors():
            return [Helpdesk]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_transcribers() -> Iterable[type[Transcriber]]:
    """Register engines that turn recordings into text. ::

        @hookimpl
        def qa_transcribers():
            return [Whisper]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_enrichers() -> Iterable[type[Enricher]]:
    """Register what finds facts in conversations: topics, language, a customer's sentiment in words. ::

        @hookimpl
        def qa_enrichers():
            return [Topics]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_autoscorers() -> Iterable[type[AutoScorer]]:
    """Register what suggests answers to questions, with evidence. ::

        @hookimpl
        def qa_autoscorers():
            return [Phrases]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_redactors() -> Iterable[type[Redactor]]:
    """Register what finds text and sound to hide, beside the product's own finder. ::

        @hookimpl
        def qa_redactors():
            return [CaseNumbers]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_notifiers() -> Iterable[type[Notifier]]:
    """Register ways to send messages to people outside the product. ::

        @hookimpl
        def qa_notifiers():
            return [Chat]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_exporters() -> Iterable[type[Exporter]]:
    """Register places that tables are taken to: BI, a warehouse. ::

        @hookimpl
        def qa_exporters():
            return [Warehouse]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_training_providers() -> Iterable[type[TrainingProvider]]:
    """Register libraries of trainings outside the product. ::

        @hookimpl
        def qa_training_providers():
            return [Academy]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_scorecard_importers() -> Iterable[type[ScorecardImporter]]:
    """Register readers of other products' evaluation forms. ::

        @hookimpl
        def qa_scorecard_importers():
            return [OldSystem]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_panels() -> Iterable[type[Panel]]:
    """Register boxes on pages. Computed in a child process, drawn by the host from its own templates. ::

        @hookimpl
        def qa_panels():
            return [OpenOrders]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_commands() -> Iterable[click.Command]:
    """Register commands, mounted as ``qa x <plugin> <command>`` and loaded only when called. ::

        @hookimpl
        def qa_commands():
            return [fetch_model]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def qa_interaction_changed(ctx: Context, interaction: InteractionView, change: str, key: str) -> None:
    """React to a conversation that was created, updated, deleted or merged. ::

        @hookimpl
        def qa_interaction_changed(ctx, interaction, change):
            if change == "deleted":
                ctx.http.post("/forget", json={"id": interaction.external_id})

    .. versionadded:: 0.1
    """


@hookspec
def qa_transcript_ready(ctx: Context, interaction: InteractionView, transcript: Transcript, key: str) -> None:
    """React to a conversation that now has a text, hidden parts hidden. ::

        @hookimpl
        def qa_transcript_ready(ctx, interaction, transcript):
            ctx.log.info("%d segments in %s", len(transcript.segments), interaction.external_id)

    .. versionadded:: 0.1
    """


@hookspec
def qa_evaluation_changed(ctx: Context, evaluation: EvaluationView, change: str, key: str) -> None:
    """React to an evaluation that changed. ::

        @hookimpl
        def qa_evaluation_changed(ctx, evaluation, change, key):
            if change == "submitted":
                ctx.http.post("/scores", json={"percent": str(evaluation.percent)}, key=key)

    ``change`` is submitted, released, revised, acknowledged, disputed, calibrated or voided.

    .. versionadded:: 0.1
    """


@hookspec
def qa_coaching_changed(ctx: Context, item: CoachingView, change: str, key: str) -> None:
    """React to a plan, session, goal or training that was made, changed or completed. ::

        @hookimpl
        def qa_coaching_changed(ctx, item, change):
            ctx.log.info("%s %s", item.kind, change)

    .. versionadded:: 0.1
    """
