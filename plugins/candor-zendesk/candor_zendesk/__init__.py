"""Zendesk for Candor: what this plugin registers."""

from __future__ import annotations

from candor_zendesk.connector import Zendesk
from qa.plugins.api import Connector, PluginInfo, hookimpl


@hookimpl
def qa_plugin_info() -> PluginInfo:
    """Say who made this."""
    return PluginInfo(
        "zendesk",
        "0.1.0",
        title="Zendesk",
        description="Tickets, calls, ratings and reply times of Zendesk; scores go back as private comments.",
    )


@hookimpl
def qa_connectors() -> list[type[Connector]]:
    """Register the source."""
    return [Zendesk]
