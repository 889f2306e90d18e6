"""The blueprint of this package with all its views: homes, agents, teams."""

from __future__ import annotations

from qa.insights import agent_views, home_views, team_views
from qa.insights.blueprint import bp

__all__ = ["agent_views", "bp", "home_views", "team_views"]
