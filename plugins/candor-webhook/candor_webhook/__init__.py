"""Events and messages to your own systems, signed as Standard Webhooks: what this plugin registers."""

from __future__ import annotations

import base64
import secrets

import click

from candor_webhook.sending import SECRET_BYTES, deliver, plain
from candor_webhook.settings import Settings, WebhookNotifier
from qa.plugins.api import (
    CoachingView,
    Context,
    EvaluationView,
    InteractionView,
    Notifier,
    PluginInfo,
    Transcript,
    hookimpl,
)


@hookimpl
def qa_plugin_info() -> PluginInfo:
    """Say who made this."""
    return PluginInfo(
        "webhook",
        "0.1.0",
        title="Webhooks",
        description="Sends events and messages to your own systems, signed as Standard Webhooks.",
        settings=Settings,
    )


@hookimpl
def qa_notifiers() -> list[type[Notifier]]:
    """Register the way to send messages."""
    return [WebhookNotifier]


@hookimpl
def qa_commands() -> list[click.Command]:
    """Register the command that makes secrets."""
    return [new_secret]


@click.command("new-secret")
def new_secret() -> None:
    """Print a new secret to sign with; give it to the receiver as well."""
    click.echo("whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode())


@hookimpl
def qa_interaction_changed(ctx: Context, interaction: InteractionView, change: str, key: str) -> None:
    """Tell of a conversation that was created, updated, deleted or merged."""
    deliver(ctx, "interaction", change, plain(interaction), key)


@hookimpl
def qa_transcript_ready(ctx: Context, interaction: InteractionView, transcript: Transcript, key: str) -> None:
    """Tell that a conversation has a text; the text itself is not sent."""
    facts = {"interaction": plain(interaction), "segments": len(transcript.segments)}
    facts |= {"language": transcript.language, "duration": transcript.duration}
    deliver(ctx, "transcript", "ready", facts, key)


@hookimpl
def qa_evaluation_changed(ctx: Context, evaluation: EvaluationView, change: str, key: str) -> None:
    """Tell of an evaluation; its answers only when the settings say so."""
    facts = plain(evaluation)
    if not ctx.config.get("with_answers"):
        del facts["answers"]
    deliver(ctx, "evaluation", change, facts, key)


@hookimpl
def qa_coaching_changed(ctx: Context, item: CoachingView, change: str, key: str) -> None:
    """Tell of a plan, session, goal or training."""
    deliver(ctx, "coaching", change, plain(item), key)
