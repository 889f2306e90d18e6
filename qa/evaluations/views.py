"""The blueprint of this package with all its views: workspace, queue, reading."""

from __future__ import annotations

from qa.evaluations import queue_views, reading_views
from qa.evaluations.work_views import bp

__all__ = ["bp", "queue_views", "reading_views"]
