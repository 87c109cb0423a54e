"""JSON Schemas of the facts, as `make docs` generates them from their classes: what each means, and since when."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

Schema = dict[str, Any]

FILE = Path(__file__).parent / "schemas" / "facts.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:fulfilment:facts"
REF = "#/$defs/"
SINCE = "x-since"
"""The version of the service that a fact, or a field of it, came with."""
UNIT = "x-unit"
MEANINGS = "x-meanings"
"""Of the words of an enum, by word."""
_REFERENCE = re.compile(r'"#/\$defs/([^"]+)"')


class FactSchema(NamedTuple):
    """What a fact is, for whoever reads the log."""

    name: str
    meaning: str
    since: str
    schema: Schema
    """Stands alone: all that it refers to is in it."""


@cache
def parts() -> Mapping[str, Schema]:
    """The schemas of all facts by their names, and of what they are made of by the names of the classes."""
    found: Mapping[str, Schema] = json.loads(FILE.read_bytes())["$defs"]
    return found


@cache
def fact_schemas() -> Mapping[str, FactSchema]:
    """Of every fact, in the order of their names."""
    return {name: _alone(name, part) for name, part in parts().items() if SINCE in part and is_fact(part)}


def is_fact(part: Schema) -> bool:
    return "fact" in part.get("properties", {})


def _alone(name: str, part: Schema) -> FactSchema:
    beside = {each: parts()[each] for each in sorted(set(_referred(part)))}
    schema = {"$schema": DIALECT, "$id": f"{ID}:{name}", **part, **({"$defs": beside} if beside else {})}
    return FactSchema(name, part["description"], part[SINCE], schema)


def _referred(part: Schema) -> Iterator[str]:
    for name in _REFERENCE.findall(json.dumps(part)):
        yield name
        yield from _referred(parts()[name])


def type_in_words(schema: Schema, link: Callable[[str], str] = str) -> str:
    """What a field holds, for people; link writes the name of another part."""
    match schema:
        case {"$ref": str(ref)}:
            return link(ref.removeprefix(REF))
        case {"anyOf": [*options]}:
            return " or ".join(type_in_words(each, link) for each in options if each != {"type": "null"})
        case {"enum": [*words]}:
            return " or ".join(map(str, words))
        case {"prefixItems": [*items]}:
            return "list of " + ", ".join(type_in_words(each, link) for each in items)
        case {"type": "array", "items": of}:
            return f"list of {type_in_words(of, link)}"
        case {"type": "object", "additionalProperties": of, **rest}:
            return f"{type_in_words(of, link)} by {'number' if 'propertyNames' in rest else 'name'}"
        case {"type": "string", "contentEncoding": "base64"}:
            return "base64"
        case {"type": "string", "format": str(form)}:
            return {"date-time": "instant", "date": "day"}.get(form, "text")
        case {"type": str(kind)}:
            return {"string": "text", "integer": "whole number", "boolean": "yes or no"}.get(kind, kind)
        case _:
            return "anything"
