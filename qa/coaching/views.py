"""All pages of coaching under one blueprint: lists, plans, sessions, what is set up once."""

from __future__ import annotations

from qa.coaching import list_views, plan_views, session_views, set_up_views
from qa.coaching.blueprint import bp

__all__ = ["bp", "list_views", "plan_views", "session_views", "set_up_views"]
