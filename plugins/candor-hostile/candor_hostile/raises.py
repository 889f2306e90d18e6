"""Raises when it is imported."""

raise RuntimeError("raised at import")
