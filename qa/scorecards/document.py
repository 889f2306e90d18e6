"""A scorecard as YAML text: read with the place of every fault, written back as it came.

The text is the truth of a version. Reading refuses what a form never needs and an attacker might:
tags, anchors, aliases, duplicate keys, more than 256 kB.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from qa.scorecards.form import Form
from qa.scorecards.shape import ShapeError

TREE = "qa.scorecards.yaml_tree"
"""Loaded when it is needed."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One remark about a form; line and column count from 1."""

    line: int
    column: int
    severity: str
    rule: str
    message: str


class DocumentError(Exception):
    """The text is not a form; ``findings`` name each fault and its place."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        first = findings[0]
        super().__init__(f"line {first.line}, column {first.column}: {first.message}")


@dataclass(frozen=True, slots=True)
class Document:
    """A form, its text, and the tree that knows where each key stands."""

    form: Form
    text: str
    tree: Any

    def place(self, *path: str | int) -> tuple[int, int]:
        """Return line and column of the value at ``path``, of the nearest place above when it is absent."""
        return place_in(self.tree, path)


def load(text: str) -> Document:
    """Return the document, or raise ``DocumentError`` with every fault of its shape."""
    reader = import_module(TREE)
    tree = reader.tree_of(text)
    try:
        form = Form.read(reader.plain(tree))
    except ShapeError as error:
        raise DocumentError(sorted({reader.finding(tree, one) for one in error.faults})) from None
    return Document(form=form, text=text, tree=tree)


def place_in(tree: Any, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column, from 1, of the deepest part of ``path`` that is there."""
    place: tuple[int, int] = import_module(TREE).place_in(tree, path)
    return place


def dump(form: Form) -> str:
    """Return the form as YAML that reads back as the same form."""
    text: str = import_module(TREE).text_of(form.as_data())
    return text
