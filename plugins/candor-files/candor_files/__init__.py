"""Conversations from files: CSV and JSON Lines with recordings, in a folder, in S3 or over SFTP."""

from __future__ import annotations

from candor_files.connector import FolderFiles, S3Files, SftpFiles
from qa.plugins.api import Connector, PluginInfo, hookimpl


@hookimpl
def qa_plugin_info() -> PluginInfo:
    """Say who this is."""
    return PluginInfo(
        "files",
        "0.1.0",
        title="Files",
        description="CSV and JSON Lines with recordings, from a folder, S3 or SFTP.",
        needs=("Reads the folder you name, or reaches the bucket or host you name.",),
    )


@hookimpl
def qa_connectors() -> list[type[Connector]]:
    """Register a connector for each kind of place."""
    return [FolderFiles, S3Files, SftpFiles]
