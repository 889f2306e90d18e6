"""Every fault of a form's shape is named in plain words, all of them at once, and nothing is coerced."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qa.scorecards.document import DocumentError, load
from qa.scorecards.form import Condition, Form, Option
from qa.scorecards.shape import ShapeError, json_schema

OPTION = {"ref": "y", "points": 1}


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"ref": 12}, ("ref",), "is read as the number 12, not as text: put it in quotes"),
        ({"ref": True}, ("ref",), "is read as the switch True, not as text: put it in quotes"),
        ({"ref": "ä b"}, ("ref",), "must be letters, digits"),
        ({"ref": ""}, ("ref",), "is empty"),
        ({"ref": "x" * 121}, ("ref",), "has 121 characters; it takes 1 to 120"),
        ({"points": "1"}, ("points",), "must be a number, without quotes"),
        ({"points": True}, ("points",), "must be a number, without quotes"),
        ({"points": float("nan")}, ("points",), "must be a finite number"),
        ({"points": Decimal("1e40")}, ("points",), "has more than 30 digits"),
        ({"fail": "all"}, ("fail",), "must be one of question, section, form"),
        ({"bonus": 1}, ("bonus",), "must be true or false"),
        ({"colour": "red"}, ("colour",), "There is no key `colour` here"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(
    change: dict[str, Any], path: tuple[str], words: str
) -> None:
    with pytest.raises(ShapeError) as refused:
        Option.read(OPTION | change)
    (fault,) = refused.value.faults
    assert fault.path == path
    assert fault.message.startswith(words)


def test_every_fault_is_named_at_once() -> None:
    section = {"ref": "s", "weight": -1, "questions": [{"ref": "a"}, 7]}
    with pytest.raises(ShapeError) as refused:
        Form.read({"form": "f", "mode": "points", "sections": (section,), "pass": "80"})
    assert {(fault.path, fault.rule) for fault in refused.value.faults} == {
        (("title",), "missing-key"),
        (("pass",), "wrong-value"),
        (("sections", 0, "weight"), "wrong-value"),
        (("sections", 0, "questions", 0, "text"), "missing-key"),
        (("sections", 0, "questions", 0, "type"), "missing-key"),
        (("sections", 0, "questions", 1), "wrong-value"),
    }


def test_lists_know_how_long_they_may_be() -> None:
    with pytest.raises(ShapeError, match="has 0 entries; it takes from 1 to 50"):
        Form.read({"form": "f", "title": "F", "mode": "points", "sections": ()})


def test_numbers_are_kept_as_they_are_written() -> None:
    assert Option.read(OPTION | {"points": 0.1}).points == Decimal("0.1")
    assert Option.read(OPTION | {"points": Decimal("2.50")}).points == Decimal("2.50")


@pytest.mark.parametrize(("sign", "printed"), [("<=", "≤"), (">=", "≥"), ("!=", "≠")])
def test_a_printed_sign_is_the_typed_one(sign: str, printed: str) -> None:
    typed = Condition.read({"field": "csat", sign: 3})
    assert Condition.read({"field": "csat", printed: 3}) == typed
    assert typed.as_data() == {"field": "csat", sign: 3}


def test_a_part_remembers_which_keys_were_written() -> None:
    option = Option.read(OPTION | {"bonus": False})
    assert option.as_data() == {"ref": "y", "points": Decimal(1), "bonus": False}
    assert option == Option(ref="y", points=Decimal(1))


def test_a_key_that_is_no_text_is_named_too() -> None:
    with pytest.raises(DocumentError, match="line 2, column 1: There is no key `1` here"):
        load("form: f\n1: 2\ntitle: F\nmode: points\nsections: [{ref: s}]\n")


def test_the_schema_describes_every_part_with_its_limits() -> None:
    told = json_schema(Form)
    assert {"Form", "Section", "Question", "Option", "Range", "Condition"} <= set(told["$defs"])
    question = told["$defs"]["Question"]
    assert question["required"] == ["ref", "text", "type"]
    assert question["additionalProperties"] is False
    assert question["properties"]["options"]["maxItems"] == 50
    assert question["properties"]["show_when"]["anyOf"][0] == {"$ref": "#/$defs/Condition"}
    assert {"not", "in", "<=", "≤"} <= set(told["$defs"]["Condition"]["properties"])
