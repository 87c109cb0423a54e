"""The JSON Schemas of the facts: what was stored is valid by them, what could not have been is not."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema_rs
import pytest

from adapters.fact_schemas import FILE, fact_schemas
from docs.schemas import dated, fact_pages
from tests.support.stored_events import REGISTRY, Stored, stored


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(fact_schemas()[name].schema, validate_formats=True)


def faults(state: dict[str, Any]) -> list[str]:
    return [each.message for each in validator(state["fact"]).iter_errors(state)]


def one(name: str) -> dict[str, Any]:
    """A stored fact of a name."""
    return next(each.state for each in stored() if each.fact == name)


def test_every_fact_has_a_schema_that_says_what_it_means_and_since_when():
    assert fact_schemas().keys() == REGISTRY.classes.keys()
    for fact in fact_schemas().values():
        jsonschema_rs.meta.validate(fact.schema)
        assert fact.meaning.endswith("."), fact.name
        assert fact.since.count(".") == 2, fact.name


@pytest.mark.parametrize("line", stored(), ids=[f"line {n}: {each.fact}" for n, each in enumerate(stored(), 1)])
def test_what_was_stored_is_valid(line: Stored):
    assert faults(line.state) == []


def test_the_schemas_of_all_facts_are_one_document_as_well():
    everything = jsonschema_rs.Draft202012Validator(json.loads(FILE.read_text()), validate_formats=True)
    assert everything.is_valid(one("order.placed"))
    assert not everything.is_valid({**one("order.placed"), "fact": "order.unheard_of"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"placed_at": "2026-03-02 at noon"},
        {"placed_at": None},
        {"payment": "in gold"},
        {"lines": [{"line_no": "one", "sku": "tea", "quantity": 4, "unit_price_minor": 500}]},
        {"customer": {"key_id": "key-anna"}},
        {"promised_day": "soon"},
        {"fact": "order.placed", "lines": [{}]},
    ],
    ids=str,
)
def test_what_could_not_have_been_stored_is_not_valid(wrong: dict[str, Any]):
    assert faults({**one("order.placed"), **wrong}) != []


def test_a_fact_without_a_field_that_it_needs_is_not_valid():
    assert faults({name: value for name, value in one("order.placed").items() if name != "order_id"}) != []


def test_lines_are_named_by_their_numbers():
    assert faults({**one("order.units_cancelled"), "by_line": {"first": 1}}) != []


def test_numbers_say_what_they_count():
    line = fact_schemas()["order.placed"].schema["$defs"]["Line"]["properties"]
    assert line["unit_price_minor"]["x-unit"] == "minor units of the currency"
    assert line["weight_grams"]["x-unit"] == "g"
    assert "x-unit" not in line["line_no"]


FIRST = {"properties": {"order_id": {"type": "string"}}}
GROWN = {"properties": {"order_id": {"type": "string"}, "by": {"type": "string"}}}


def test_what_is_new_says_since_when_and_keeps_it():
    first = dated(FIRST, None, "0.1.0")
    assert first == {**FIRST, "x-since": "0.1.0"}

    grown = dated(GROWN, first, "0.2.0")
    assert grown["x-since"] == "0.1.0"
    assert grown["properties"]["by"] == {"type": "string", "x-since": "0.2.0"}
    assert "x-since" not in grown["properties"]["order_id"]

    fresh: dict[str, Any] = {"properties": {"order_id": {"type": "string"}, "by": {"type": "string"}}}
    assert dated(fresh, grown, "0.3.0") == grown


def test_every_fact_stands_on_a_page_with_its_fields():
    pages = fact_pages(FILE.read_text())
    assert "| [order.placed](facts/order.md#orderplaced) | A shop sold something:" in pages["facts.md"]
    assert "| `lines` | list of [Line](parts.md#line) | required |" in pages["facts/order.md"]
    assert "## Line\n" in pages["facts/parts.md"]
