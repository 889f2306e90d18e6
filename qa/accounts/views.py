"""All pages of accounts under one blueprint: sign-in, one's own account, people, teams."""

from __future__ import annotations

from qa.accounts import account_views, notice_views, people_views, person_views, sign_in_views, teams_views
from qa.accounts.blueprint import bp
from qa.accounts.sign_in_views import confirm_first, own_path, token_of_cookie

__all__ = [
    "account_views",
    "bp",
    "confirm_first",
    "notice_views",
    "own_path",
    "people_views",
    "person_views",
    "sign_in_views",
    "teams_views",
    "token_of_cookie",
]
