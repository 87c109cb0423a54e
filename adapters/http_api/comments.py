"""What the protos say of all that is in them: generated code leaves comments out, so the protos are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

_SCOPE = re.compile(r"(message|enum|service|oneof) (\w+) \{")
_MEMBER = re.compile(r"(?:rpc (\w+)\(|(?:(?:repeated |optional )?(?:map<[^>]*>|[\w.]+) )?(\w+) = -?\d+)")


@cache
def comments() -> Mapping[str, str]:
    """By full name, such as ``fulfilment.v1.Order.status``; a value of an enum stands below its enum."""
    return {
        name: text
        for file in files("fulfilment.v1").iterdir()
        if file.name.endswith(".proto")
        for name, text in _of(file.read_text("utf-8"))
    }


def _of(proto: str) -> Iterator[tuple[str, str]]:
    scopes, said = ["fulfilment.v1"], list[str]()
    for line in map(str.strip, proto.splitlines()):
        if line.startswith("//"):
            said.append(line.removeprefix("//").strip())
            continue
        if found := _SCOPE.match(line):
            # A choice among fields is none of their names' parts.
            scopes.append(scopes[-1] if found[1] == "oneof" else f"{scopes[-1]}.{found[2]}")
            if found[1] != "oneof":
                yield scopes[-1], _text(said)
        elif found := _MEMBER.match(line):
            yield f"{scopes[-1]}.{found[1] or found[2]}", _text(said)
        if line.endswith("}"):
            scopes.pop()
        said = []


def _text(lines: list[str]) -> str:
    """Paragraphs; an empty line of comment ends one."""
    return re.sub(r" ?\n ?", "\n\n", " ".join(line or "\n" for line in lines))
