"""Tests of the pages that put facts together."""
