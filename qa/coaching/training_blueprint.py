"""The blueprint that the pages of trainings hang on."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("training", __name__, template_folder="templates")
