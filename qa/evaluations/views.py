"""The blueprint of this package with all its views: workspace, queue, reading."""

from __future__ import annotations

from qa.evaluations import assignment_views, queue_views, reading_views, template_views
from qa.evaluations.work_views import bp

__all__ = ["assignment_views", "bp", "queue_views", "reading_views", "template_views"]
