"""A scorecard as YAML text: read with the place of every fault, written back as it came.

The text is the truth of a version. Reading refuses what a form never needs and an attacker might:
tags, anchors, aliases, duplicate keys, more than 256 kB.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import ScalarNode

from qa.scorecards.form import Form

MAX_BYTES = 256_000
MAX_DEPTH = 20


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
    tree: CommentedMap

    def place(self, *path: str | int) -> tuple[int, int]:
        """Return line and column of the value at ``path``, of the nearest place above when it is absent."""
        return place_in(self.tree, path)


class _Exact(RoundTripConstructor):
    """Decimals stay as they are written: no number passes through a binary float."""

    def construct_yaml_float(self, node: ScalarNode) -> Any:
        """Return the decimal as typed."""
        text = str(node.value).replace("_", "").lower()
        if "inf" in text or "nan" in text:
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
        return Decimal(text)


_Exact.add_constructor("tag:yaml.org,2002:float", _Exact.construct_yaml_float)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.Constructor = _Exact
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    return yaml


def load(text: str) -> Document:
    """Return the document, or raise ``DocumentError`` with every fault of its shape."""
    tree = _tree(text)
    try:
        form = Form.model_validate(_plain(tree))
    except ValidationError as error:
        faults = error.errors()
        # a list is "too short" only because its parts are wrong: those are named already
        told = [one for one in faults if one["type"] != "too_short"] or faults
        raise DocumentError(sorted({_finding(tree, one) for one in told})) from None
    return Document(form=form, text=text, tree=tree)


def _tree(text: str) -> CommentedMap:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _fault(1, 1, "size", f"The form is larger than {MAX_BYTES // 1000} kB. Split it into several.")
    try:
        _refuse_tricks(text)
        tree = _yaml().load(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        message = str(error.problem).split("\n")[0].replace("found ", "")
        raise _fault(
            mark.line + 1, mark.column + 1, "duplicate-key", f"{message}. Keep one of the two."
        ) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _fault(
            line, column, "yaml", f"This is not valid YAML: {error.problem or error.context}."
        ) from None
    except YAMLError as error:
        where = str(error).split("\n")[0]
        raise _fault(1, 1, "yaml", f"This is not valid YAML: {where}.") from None
    if not isinstance(tree, CommentedMap):
        raise _fault(1, 1, "yaml", "A form is a mapping that starts with `form:`, `title:`, `mode:`.")
    return tree


def _refuse_tricks(text: str) -> None:
    depth = 0
    for event in YAML(typ="rt").parse(StringIO(text)):
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1)
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise _fault(*place, "alias", "Anchors and aliases (& and *) are not taken. Write the part out.")
        if getattr(event, "tag", None) is not None and not _implied(event):
            raise _fault(*place, "tag", "Tags (!) are not taken. Remove it.")
        name = type(event).__name__
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        if depth > MAX_DEPTH:
            raise _fault(*place, "depth", f"The form is nested deeper than {MAX_DEPTH} levels.")


def _implied(event: Any) -> bool:
    implicit = getattr(event, "implicit", True)
    return bool(implicit if isinstance(implicit, bool) else any(implicit))


def _fault(line: int, column: int, rule: str, message: str) -> DocumentError:
    return DocumentError([Finding(line, column, "error", rule, message)])


def _plain(node: Any) -> Any:
    """Return builtin containers and scalars; sequences as tuples, for the strict model."""
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return tuple(_plain(value) for value in node)
    if isinstance(node, bool) or node is None or isinstance(node, Decimal):
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def place_in(tree: Any, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column, from 1, of the deepest part of ``path`` that is there."""
    line, column, node = 1, 1, tree
    for step in path:
        try:
            place = node.lc.value(step) if isinstance(node, CommentedMap) else node.lc.item(step)
            line, column = place[0] + 1, place[1] + 1
            node = node[step]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line, column


def _finding(tree: CommentedMap, error: Any) -> Finding:
    path = tuple(step for step in error["loc"] if not str(step).startswith("function-"))
    kind = error["type"]
    if kind == "extra_forbidden":
        line, column = _key_place(tree, path)
        return Finding(line, column, "error", "unknown-key", _unknown_key(tree, path))
    line, column = place_in(tree, path)
    where = ".".join(str(step + 1) if isinstance(step, int) else str(step) for step in path)
    if kind == "missing":
        return Finding(line, column, "error", "missing-key", f"`{where}` is missing.")
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return Finding(line, column, "error", "wrong-value", f"`{where}` {_sentence(message)}")


def _sentence(message: str) -> str:
    message = message[0].lower() + message[1:]
    return message if message.endswith(".") else message + "."


def _key_place(tree: Any, path: tuple[Any, ...]) -> tuple[int, int]:
    node = tree
    for step in path[:-1]:
        node = node[step]
    line, column = node.lc.key(path[-1])
    return line + 1, column + 1


def _unknown_key(tree: Any, path: tuple[Any, ...]) -> str:
    return f"There is no key `{path[-1]}` here. Remove it, or correct its spelling."


def dump(form: Form) -> str:
    """Return the form as YAML that reads back as the same form."""
    yaml = _yaml()
    yaml.representer.add_representer(Decimal, _represent_decimal)
    out = StringIO()
    yaml.dump(as_data(form), out)
    return out.getvalue()


def _represent_decimal(representer: Any, number: Decimal) -> Any:
    text = format(number, "f")
    kind = "float" if "." in text else "int"
    return representer.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


def as_data(form: Form) -> dict[str, Any]:
    """Return the form as plain data with the keys people write, and only those that were set."""
    data = form.model_dump(by_alias=True, exclude_unset=True)
    return {key: _listed(value) for key, value in data.items()}


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_listed(part) for part in value]
    return value
