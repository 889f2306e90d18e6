"""``qa stats``: one JSON object in, one out; what cannot be used is refused in one sentence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from qa.cli import qa
from qa.stats.commands import answer, described
from qa.stats.functions import FUNCTIONS

ROOT = Path(__file__).parents[2]
PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text(encoding="utf-8"))
KEYWORDS = {
    *("$defs", "$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "format"),
    *("examples", "pattern", "prefixItems"),
    *("exclusiveMaximum", "exclusiveMinimum", "items", "maxItems", "maximum", "minItems", "minimum"),
    *("properties", "required", "title", "type"),
}
LISTED = {name: described(name) for name in FUNCTIONS}


def asked(name: str, given: str | bytes) -> Result:
    """The command's answer to this input."""
    return CliRunner().invoke(qa, ["stats", name], input=given)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_function_takes_the_published_arguments_and_answers_with_the_published_keys(name: str) -> None:
    assert set(LISTED[name]["input"]["properties"]) >= set(PUBLISHED[name]["arguments"])
    assert set(LISTED[name]["output"]["properties"]) >= set(PUBLISHED[name]["result"])


def test_the_list_is_json_with_both_schemas() -> None:
    listed = json.loads(CliRunner().invoke(qa, ["stats", "--list"]).stdout)
    assert list(listed) == list(FUNCTIONS)
    assert all(one["input"]["type"] == one["output"]["type"] == "object" for one in listed.values())
    assert all(one["input"]["additionalProperties"] is False for one in listed.values())
    assert set(words_of([one["input"] for one in listed.values()])) <= KEYWORDS


def test_the_door_computes_without_loading_the_site_or_numpy() -> None:
    code = (
        "import sys; from qa.cli import main; main(['stats', sys.argv[1]]);"
        "heavy = {'flask', 'sqlalchemy', 'numpy', 'scipy', 'httpx'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    for name, arguments in (("mean_t", '{"values": [80, 90, 85]}'), ("--list", "")):
        done = subprocess.run(
            [sys.executable, "-c", code, name], input=arguments, capture_output=True, text=True, cwd=ROOT
        )
        assert (done.returncode, done.stderr) == (0, "")
        json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("wilson", "", "the input is empty"),
        ("wilson", "{", "the input is not JSON: .* line 1"),
        ("wilson", b"\xff", "the input is not UTF-8"),
        ("wilson", "[]", "the input must be one JSON object"),
        ("wilson", "[" * 100_000, "nested too deeply"),
        ("wilson", '{"k": 1, "k": 2, "n": 3}', '"k" stands twice'),
        ("wilson", '{"k": 1}', '"n" is missing'),
        ("wilson", '{"k": 1, "n": 3, "m": 4}', '"m" is not an argument; there are k, n, conf'),
        ("wilson", '{"k": "1", "n": 3}', '"k" must be a whole number'),
        ("wilson", '{"k": true, "n": 3}', '"k" must be a whole number'),
        ("wilson", '{"k": null, "n": 3}', '"k" must be a whole number'),
        ("wilson", '{"k": 1.5, "n": 3}', '"k" must be a whole number'),
        ("wilson", '{"k": NaN, "n": 3}', '"k" must be a whole number'),
        ("wilson", '{"k": -1, "n": 3}', '"k" must be at least 0'),
        ("wilson", '{"k": 4, "n": 3}', '"k" must be at most "n"'),
        ("wilson", '{"k": 1, "n": 3, "conf": 1}', '"conf" must be less than 1'),
        ("wilson", '{"k": 1, "n": 3, "conf": NaN}', '"conf" must be a finite number'),
        ("mean_t", '{"values": 3}', '"values" must be a list'),
        ("mean_t", '{"values": [1, Infinity]}', r'"values\[1\]" must be a finite number'),
        ("mean_t", '{"values": [1, 1e999]}', r'"values\[1\]" must be a finite number'),
        ("mean_t", '{"values": [1, ' + "9" * 5000 + "]}", r'"values\[1\]" must be a finite number'),
        ("mean_t", '{"values": [1, "2"]}', r'"values\[1\]" must be a number'),
        ("mean_pooled", '{"groups": [1]}', '"groups" must be an object'),
        ("mean_pooled", '{"groups": {"Ann": [1, null]}}', r'"groups.Ann\[1\]" must be a number'),
        ("mean_pooled", '{"groups": {}, "bounds": [1]}', '"bounds" must have at least 2 values, not 1'),
        ("n_to_detect", '{"change": 0, "sd": 3}', '"change" must be greater than 0'),
        ("james_stein", '{"means": [0.1], "n": 3, "kind": "x"}', "\"kind\" must be 'proportion'"),
        ("ewma", '{"values": [1], "steady": 1}', '"steady" must be true or false'),
        ("uniform", '{"seed": 3, "ids": []}', '"seed" must be text'),
        ("uniform", '{"seed": "\\ud800", "ids": []}', "half of a character"),
        ("select_random", '{"seed": "s", "ids": ["a", "a"], "n": 1}', '"ids" has "a" twice'),
        ("did", '{"treated": [[1]], "control": []}', r'"treated\[0\]" must have at least 2 values'),
        ("random_effects", '{"y": [1, 2], "v": [1e-320, 1]}', "too large or too small"),
        ("wilsen", "{}", 'there is no function "wilsen"; did you mean "wilson"'),
        ("zzz", "{}", "`qa stats --list` prints them all"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(name: str, given: str | bytes, sentence: str) -> None:
    refused = asked(name, given)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("qa stats: ")
    assert refused.stderr.endswith((".\n", "?\n"))

    assert re.search(sentence, refused.stderr), refused.stderr


def test_a_function_must_be_named() -> None:
    refused = CliRunner().invoke(qa, ["stats"])
    assert (refused.exit_code, refused.stderr) == (
        2,
        "qa stats: name a function; `qa stats --list` prints them all.\n",
    )


def test_text_beyond_ascii_goes_in_and_out() -> None:
    found = asked("select_random", '{"seed": "s", "ids": ["Zoë", "\\u00e9"], "n": 1}')
    assert json.loads(found.stdout)["selected"][0] in {"Zoë", "é"}


def words_of(schema: Any) -> Iterator[str]:
    """Every keyword of a JSON Schema."""
    if isinstance(schema, list):
        for one in schema:
            yield from words_of(one)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            yield key
            if key in {"properties", "$defs"}:
                yield from words_of(list(value.values()))
            elif key in {"items", "anyOf", "additionalProperties", "prefixItems"}:
                yield from words_of(value)


def of_schema(schema: dict[str, Any], length: int, defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a JSON Schema; every list of one example has the same length unless the schema says."""
    if "$ref" in schema:
        return of_schema(defs[schema["$ref"].rsplit("/", 1)[-1]], length, defs)
    if "anyOf" in schema:
        return st.one_of([of_schema(one, length, defs) for one in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    if schema.get("description") == "each id once":
        return st.just([f"id {place}" for place in range(length)])
    if "prefixItems" in schema:
        return st.tuples(*(of_schema(one, length, defs) for one in schema["prefixItems"])).map(list)
    if schema["type"] == "array":
        count = max(schema.get("minItems", 0), min(length, schema.get("maxItems", length)))
        return st.lists(of_schema(schema["items"], length, defs), min_size=count, max_size=count)
    if schema["type"] == "object":
        return objects(schema, length, defs)
    return SIMPLE[schema["type"]](schema)


def objects(schema: dict[str, Any], length: int, defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Objects with named keys, some left out, or with any keys."""
    if "properties" not in schema:
        items = of_schema(schema["additionalProperties"], length, defs)
        return st.dictionaries(st.sampled_from("abcdef"), items, max_size=5)
    fields = {key: of_schema(one, length, defs) for key, one in schema["properties"].items()}
    needed = {key: fields.pop(key) for key in schema.get("required", [])}
    return st.fixed_dictionaries(needed, optional=fields)


def numbers(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    """Numbers of a schema: small whole ones often, so that ties and equal values occur."""
    low = max(schema.get("minimum", schema.get("exclusiveMinimum", -200)), -200)
    high = min(schema.get("maximum", schema.get("exclusiveMaximum", 200)), 200)
    inner = {"exclude_min": "exclusiveMinimum" in schema, "exclude_max": "exclusiveMaximum" in schema}
    floats = st.floats(low, high, allow_subnormal=False, **inner).filter(lambda x: x == 0 or abs(x) > 1e-9)
    wholes = [float(one) for one in range(int(low), int(high) + 1) if low < one < high]
    return st.one_of(floats, st.sampled_from(wholes)) if wholes else floats


def texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Texts of a schema: times, days, or one of a few."""
    if schema.get("format") == "date-time":
        moments = st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 20))
        return moments.map(lambda moment: moment.isoformat() + "+02:00")
    if schema.get("format") == "date":
        return st.dates(date(2026, 3, 20), date(2026, 4, 20)).map(str)
    return st.sampled_from(schema.get("examples", ["a", "b", "c"]))


def integers(schema: dict[str, Any]) -> st.SearchStrategy[int]:
    """Whole numbers of a schema: the first few often, so that a part is at most its whole."""
    low = schema.get("minimum", -100)
    high = max(low, min(schema.get("maximum", 100), 300))
    return st.one_of(st.integers(low, min(low + 3, high)), st.integers(low, high))


RARELY_FIT = {"prevalence_ci", "combine_binary", "adherence", "speech"}
"""Of their many counts each must be at most another; their own tests call them."""

SIMPLE: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "number": numbers,
    "integer": integers,
    "string": texts,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_answer_keeps_its_schema_and_says_why_something_is_unknown(name: str) -> None:
    schema = LISTED[name]["input"]
    inputs = st.integers(0, 10).flatmap(lambda length: of_schema(schema, length, schema.get("$defs", {})))
    result_kind = TypeAdapter(get_type_hints(FUNCTIONS[name], include_extras=True)["return"])
    answered = []

    @settings(max_examples=40, deadline=None)
    @given(inputs)
    def ask(arguments: dict[str, Any]) -> None:
        try:
            result = answer(name, json.dumps(arguments).encode())
        except ValueError as refused:
            if not re.match('"|the arguments are too large', str(refused)):
                raise
            return
        answered.append(result)
        result_kind.validate_python(result, strict=True)
        json.dumps(result, allow_nan=False)
        if None in [value for key, value in result.items() if key not in {"reason", "bounds"}]:
            assert result["reason"], result

    ask()
    assert answered or name in RARELY_FIT, "no input of the schema was taken"
