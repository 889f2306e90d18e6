"""The blueprint that all pages of accounts hang on; ``views.py`` gathers them."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("accounts", __name__, template_folder="templates")
