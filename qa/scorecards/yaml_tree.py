"""YAML text as a tree that knows the place of each key, and a form as YAML text.

Loaded with the first form that is read: its library takes long, and most pages show no form.
"""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode

from qa.scorecards.document import DocumentError, Finding
from qa.scorecards.shape import Fault

MAX_BYTES = 256_000
MAX_DEPTH = 20


class _Exact(RoundTripConstructor):
    """Decimals stay as they are written: no number passes through a binary float."""

    def construct_yaml_float(self, node: ScalarNode) -> Any:
        """Return the decimal as typed."""
        text = str(node.value).replace("_", "").lower()
        if "inf" in text or "nan" in text:
            return float(text.replace(".inf", "inf").replace(".nan", "nan"))
        return Decimal(text)


_Exact.add_constructor("tag:yaml.org,2002:float", _Exact.construct_yaml_float)


class _Plain(Composer):
    """Takes only what a form needs: no tags, no anchors, no aliases, no great depth."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node, or raise ``DocumentError`` at the first trick."""
        event = self.parser.peek_event()
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        if getattr(event, "anchor", None):  # an alias carries the name of its anchor
            raise _fault(*place, "alias", "Anchors and aliases (& and *) are not taken. Write the part out.")
        if getattr(event, "tag", None) is not None and not _implied(event):
            raise _fault(*place, "tag", "Tags (!) are not taken. Remove it.")
        if self.depth >= MAX_DEPTH:
            raise _fault(*place, "depth", f"The form is nested deeper than {MAX_DEPTH} levels.")
        return super().compose_node(parent, index)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.Constructor = _Exact
    yaml.Composer = _Plain
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    return yaml


def tree_of(text: str) -> CommentedMap:
    """Return the text's tree, or raise ``DocumentError`` where it is no plain mapping."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _fault(1, 1, "size", f"The form is larger than {MAX_BYTES // 1000} kB. Split it into several.")
    try:
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


def _implied(event: Any) -> bool:
    implicit = getattr(event, "implicit", True)
    return bool(implicit if isinstance(implicit, bool) else any(implicit))


def _fault(line: int, column: int, rule: str, message: str) -> DocumentError:
    return DocumentError([Finding(line, column, "error", rule, message)])


def plain(node: Any) -> Any:
    """Return builtin containers and scalars; sequences as tuples, for the strict model."""
    if isinstance(node, CommentedMap):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return tuple(plain(value) for value in node)
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


def finding(tree: CommentedMap, fault: Fault) -> Finding:
    """Return a fault of the form's shape with its place."""
    path = fault.path
    if fault.rule == "unknown-key":
        return Finding(*_key_place(tree, path), "error", fault.rule, fault.message)
    where = ".".join(str(step + 1) if isinstance(step, int) else step for step in path)
    return Finding(*place_in(tree, path), "error", fault.rule, f"`{where}` {fault.message}.")


def _key_place(tree: Any, path: tuple[str | int, ...]) -> tuple[int, int]:
    node = tree
    for step in path[:-1]:
        node = node[step]
    written = next(key for key in node if str(key) == path[-1])
    line, column = node.lc.key(written)
    return line + 1, column + 1


def text_of(data: Any) -> str:
    """Return plain data as YAML text."""
    yaml = _yaml()
    yaml.representer.add_representer(Decimal, _represent_decimal)
    out = StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _represent_decimal(representer: Any, number: Decimal) -> Any:
    text = format(number, "f")
    kind = "float" if "." in text else "int"
    return representer.represent_scalar(f"tag:yaml.org,2002:{kind}", text)
