"""As much of GraphQL as a played shop answers: the fields that are asked for and no others, with their bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\$?\w+|[{}()\[\]:!@=,]')


class NotAnswered(Exception):
    """The question is not one that the shop takes."""


@dataclass
class Asked:
    """A field, with what was asked of it."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    directives: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: list[Asked] = field(default_factory=list)


@dataclass
class Operation:
    kind: str
    name: str
    fields: list[Asked]


class Nodes(list[Any]):
    """What is answered page by page."""


def parsed(query: str, variables: Mapping[str, Any]) -> Operation:
    tokens = iter(_TOKEN.findall(query))
    kind, name = next(tokens), next(tokens)
    ahead = next(tokens)
    if ahead == "(":
        while next(tokens) != ")":
            pass
        ahead = next(tokens)
    if ahead != "{":
        raise NotAnswered(f"syntax error at {ahead}")
    return Operation(kind, name, _fields(tokens, variables))


def _fields(tokens: Iterator[str], variables: Mapping[str, Any]) -> list[Asked]:
    found: list[Asked] = []
    for token in tokens:
        if token == "}":
            return found
        if token == "{":
            found[-1].fields = _fields(tokens, variables)
        elif token == "(":
            found[-1].arguments = _arguments(tokens, variables)
        elif token == "@":
            name = next(tokens)
            if next(tokens) != "(":
                raise NotAnswered("syntax error at a directive")
            found[-1].directives[name] = _arguments(tokens, variables)
        else:
            found.append(Asked(token))
    raise NotAnswered("syntax error: unexpected end")


def _arguments(tokens: Iterator[str], variables: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for token in tokens:
        if token == ")":
            return found
        if token == ",":
            continue
        if next(tokens) != ":":
            raise NotAnswered(f"syntax error at {token}")
        found[token] = _value(next(tokens), tokens, variables)
    raise NotAnswered("syntax error: unexpected end")


def _value(token: str, tokens: Iterator[str], variables: Mapping[str, Any]) -> Any:
    if token == "[":
        found: list[Any] = []
        for each in tokens:
            if each == "]":
                return found
            if each != ",":
                found.append(_value(each, tokens, variables))
    if token.startswith("$"):
        return variables.get(token[1:])
    if token.startswith('"'):
        return token[1:-1]
    return {"true": True, "false": False, "null": None}.get(token, int(token) if token.isdigit() else token)


def selected(value: Any, asked: Asked) -> Any:
    """What was asked for of a value; refuses what there is not."""
    if value is None:
        return None
    if isinstance(value, Nodes):
        return _page(value, asked)
    if isinstance(value, list):
        bound = asked.arguments.get("first", len(value))
        return [selected(each, asked) for each in value[:bound]]
    if isinstance(value, dict):
        if not asked.fields:
            raise NotAnswered(f"Field '{asked.name}' must have selections")
        return {each.name: selected(_of(value, each, asked), each) for each in asked.fields}
    if asked.fields:
        raise NotAnswered(f"Selections can't be made on scalars (field '{asked.name}')")
    return value


def _of(value: Mapping[str, Any], each: Asked, of: Asked) -> Any:
    if each.name not in value:
        raise NotAnswered(f"Field '{each.name}' doesn't exist on '{of.name}'")
    found = value[each.name]
    return found(each.arguments) if callable(found) else found


def _page(nodes: Nodes, asked: Asked) -> dict[str, Any]:
    if "first" not in asked.arguments:
        raise NotAnswered(f"you must provide one of first or last on '{asked.name}'")
    start = int(asked.arguments.get("after") or 0)
    end = start + asked.arguments["first"]
    info = {"hasNextPage": end < len(nodes), "endCursor": str(min(end, len(nodes)))}
    whole = {"nodes": list(nodes[start:end]), "pageInfo": info}
    return {each.name: selected(_of(whole, each, asked), each) for each in asked.fields}
