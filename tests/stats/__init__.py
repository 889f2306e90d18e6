"""Tests of the statistics: published tables, other libraries, and properties that must always hold."""
