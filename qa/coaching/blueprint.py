"""The blueprint that all pages of coaching hang on; ``views.py`` gathers them."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("coaching", __name__, template_folder="templates")
