"""The blueprint of trainings with all its views."""

from __future__ import annotations

from qa.coaching import training_task_views, training_views
from qa.coaching.training_blueprint import bp

__all__ = ["bp", "training_task_views", "training_views"]
