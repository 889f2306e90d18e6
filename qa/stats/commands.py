"""``qa stats``: any statistic of the product from JSON to JSON, so that anybody can check it.

It loads neither Flask nor the database, and builds the schema of one function only, unless asked for all.
"""

from __future__ import annotations

import difflib
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any, get_type_hints

import click
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from qa.stats.arguments import RefusedArgument
from qa.stats.functions import FUNCTIONS

MAX_INPUT_BYTES = 64_000_000


class Refused(click.ClickException):
    """One sentence on standard error and exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence."""
        click.echo(f"qa stats: {self.message}", file=file, err=True)


@click.command()
@click.argument("name", required=False)
@click.option("--list", "as_list", is_flag=True, help="Print every function with its JSON Schemas.")
def stats(name: str | None, as_list: bool) -> None:
    """Compute one statistic: JSON arguments on standard input, the result as JSON on standard output.

    \b
    echo '{"k": 4, "n": 5}' | qa stats wilson
    """
    if as_list:
        click.echo(json.dumps({one: described(one) for one in FUNCTIONS}, ensure_ascii=False, indent=2))
        return
    if name is None:
        raise Refused("name a function; `qa stats --list` prints them all.")
    if name not in FUNCTIONS:
        raise Refused(f'there is no function "{name}"; {_suggestion(name)}')
    try:
        result = answer(name, sys.stdin.buffer.read(MAX_INPUT_BYTES + 1))
    except ValueError as error:
        raise Refused(f"{name}: {error}") from None
    click.echo(json.dumps(result, ensure_ascii=False, allow_nan=False))


def _suggestion(name: str) -> str:
    near = difflib.get_close_matches(name, FUNCTIONS, n=1)
    return f'did you mean "{near[0]}"?' if near else "`qa stats --list` prints them all."


def described(name: str) -> dict[str, Any]:
    """Return what a function does, with the JSON Schemas of its arguments and its result."""
    function = FUNCTIONS[name]
    result = get_type_hints(function, include_extras=True)["return"]
    return {
        "name": name,
        "description": inspect.getdoc(function),
        "input": _arguments(name, function).model_json_schema(),
        "output": TypeAdapter(result).json_schema(mode="serialization"),
    }


def _arguments(name: str, function: Callable[..., Any]) -> type[BaseModel]:
    """Return the model of a function's arguments, made from its signature."""
    kinds = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        argument.name: (kinds[argument.name], ... if argument.default is argument.empty else argument.default)
        for argument in inspect.signature(function).parameters.values()
    }
    return create_model(name, __config__=ConfigDict(strict=True, extra="forbid"), **fields)


def answer(name: str, given: bytes) -> Mapping[str, Any]:
    """Return the result of a function for JSON arguments.

    :raises ValueError: in one sentence that names the argument, for input that cannot be used.
    """
    function = FUNCTIONS[name]
    arguments = _read(given)
    model = _arguments(name, function)
    try:
        checked = model.model_validate(arguments)
    except ValidationError as error:
        raise ValueError(_sentence(error, list(model.model_fields))) from None
    try:
        result = function(**{field: getattr(checked, field) for field in model.model_fields})
        json.dumps(result, allow_nan=False)
    except RefusedArgument:
        raise
    except (ArithmeticError, ValueError):
        raise ValueError("the arguments are too large or too small to compute with.") from None
    return result


def _read(given: bytes) -> dict[str, Any]:
    if len(given) > MAX_INPUT_BYTES:
        raise ValueError("the input is larger than 64 MB.")
    if not given.strip():
        raise ValueError('the input is empty; give one JSON object, such as {"k": 4, "n": 5}.')
    found = _parsed(given)
    if not isinstance(found, dict):
        raise ValueError('the input must be one JSON object, such as {"k": 4, "n": 5}.')
    return found


def _parsed(given: bytes) -> Any:
    try:
        text = given.decode("utf-8")
        found = json.loads(text, parse_int=_whole_number, object_pairs_hook=_once)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise ValueError("the input is not UTF-8 text.") from None
    except UnicodeEncodeError:
        raise ValueError("the input has an escape \\uD800 to \\uDFFF that is half of a character.") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"the input is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise ValueError("the input is nested too deeply.") from None
    return found


def _whole_number(digits: str) -> int | float:
    """Return a whole number; one of more digits than anybody counts becomes a float, which limits refuse."""
    return int(digits) if len(digits) <= 18 else float(digits)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice}" stands twice in one object.')
    return found


WORDS = {
    "missing": "is missing.",
    "float_type": "must be a number.",
    "int_type": "must be a whole number.",
    "int_from_float": "must be a whole number.",
    "string_type": "must be text.",
    "bool_type": "must be true or false.",
    "list_type": "must be a list.",
    "dict_type": "must be an object.",
    "finite_number": "must be a finite number.",
    "greater_than": "must be greater than {gt:g}.",
    "less_than": "must be less than {lt:g}.",
    "greater_than_equal": "must be at least {ge:g}.",
    "less_than_equal": "must be at most {le:g}.",
    "too_short": "must have at least {min_length} values, not {actual_length}.",
    "too_long": "must have at most {max_length} values, not {actual_length}.",
    "literal_error": "must be {expected}.",
}


def _sentence(error: ValidationError, known: list[str]) -> str:
    """Return the first problem as one sentence that begins with the argument."""
    first = error.errors()[0]
    place = first["loc"]
    if first["type"] == "extra_forbidden" and len(place) > 1:
        return f'"{_path(place)}" is not known there.'
    if first["type"] == "extra_forbidden":
        return f'"{place[0]}" is not an argument; there are {", ".join(known)}.'
    words = WORDS.get(first["type"], "cannot be used.")
    said = first["msg"] if first["type"] == "said" else words.format(**first.get("ctx", {}))
    return f'"{_path(place)}" {said}'


def _path(place: tuple[int | str, ...]) -> str:
    """Return an address in the input: groups.Ann[2], counted from 0 as programs do."""
    return str(place[0]) + "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in place[1:])
