"""Registers what is no class of the right kind."""

from qa.plugins.api import PluginInfo, hookimpl


@hookimpl
def qa_plugin_info() -> PluginInfo:
    """Say who this is."""
    return PluginInfo("hostile-lies", "0.1.0")


@hookimpl
def qa_connectors() -> list:
    """Register nonsense."""
    return [dict, 3]
