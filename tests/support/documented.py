"""What the protos' comments say of refusals: for each RPC the statuses and reasons that it may fail with.

A comment of an RPC, or of its service for many RPCs at once, names a refusal as ``STATUS / REASON``; further reasons
of the same status follow it. A sentence of a service begins with "Every RPC", "Every command" or "Every query", may
leave RPCs out with "but", and goes on with "may also fail with". Whatever is written otherwise is an error here. What
every RPC of every service may fail with stands above the package of common.proto alone.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.rpc import code_pb2
from grpc_tools import protoc

ROOT = Path(__file__).parents[2] / "protos"

_WORD = re.compile(r"[A-Z]+(?:_[A-Z0-9]+)+|MALFORMED|UNAVAILABLE|UNAUTHENTICATED|CREDENTIALS")
_OF_MANY = re.compile(r"Every (RPC|command|query)(?: but ([A-Za-z, ]+?))? may also fail with ([^.]*)\.")
_OF_ALL = re.compile(r"Every RPC of every service may also fail with ([^.]*)\.")
_FIGURE = re.compile(r"[a-z][a-zA-Z0-9-_]{1,63}")
_WRITTEN = re.compile(r"\d [A-Z]{3}\b|[a-z]=\d")
"""An amount as people read it, or a figure with its name."""
_STATUSES = frozenset(code_pb2.Code.keys())


class Refused(NamedTuple):
    """How an RPC may fail."""

    status: str
    reason: str


class Rpc(NamedTuple):
    """An RPC and what its comment documents of its refusals."""

    service: str
    name: str
    request: str
    """The full name of its request's message."""
    is_command: bool
    streams: bool
    refusals: frozenset[Refused]


@cache
def rpcs() -> Mapping[str, Rpc]:
    """Every RPC by its name, which is unique in the contract."""
    described = _described()
    values = {name for file in described for name in _values(file)}
    commands = {
        f".{file.package}.{message.name}"
        for file in described
        for message in file.message_type
        if any(field.name == "context" for field in message.field)
    }
    of_all = _of_all(described, values)
    found = [rpc for file in described for rpc in _rpcs_of(file, commands, values, of_all)]
    assert len({rpc.name for rpc in found}) == len(found), "two RPCs have the same name"
    return {rpc.name: rpc for rpc in found}


@cache
def rpc_of(request: str) -> Rpc:
    """The RPC that takes a message."""
    return next(rpc for rpc in rpcs().values() if rpc.request == request)


@cache
def comments() -> Mapping[str, str]:
    """What the protos say of every field and enum value, by its full name."""
    found: dict[str, str] = {}
    for file in _described():
        said = {tuple(each.path): " ".join(each.leading_comments.split()) for each in file.source_code_info.location}
        for number, message in enumerate(file.message_type):
            found.update(_of_fields(message, f"{file.package}.{message.name}", (4, number), said))
        for number, enum in enumerate(file.enum_type):
            for index, value in enumerate(enum.value):
                found[f"{file.package}.{value.name}"] = said.get((5, number, 2, index), "")
    return found


def _of_fields(
    message: DescriptorProto, name: str, place: tuple[int, ...], said: Mapping[tuple[int, ...], str]
) -> Iterator[tuple[str, str]]:
    for index, field in enumerate(message.field):
        yield f"{name}.{field.name}", said.get((*place, 2, index), "")
    for index, nested in enumerate(message.nested_type):
        yield from _of_fields(nested, f"{name}.{nested.name}", (*place, 3, index), said)


def require(rpc: str, status: str, reason: str) -> None:
    """Fails where a refusal is not documented; says what to do about it."""
    refused = Refused(status, reason)
    assert refused in rpcs()[rpc].refusals, (
        f"{rpc} was refused with {status} / {reason}, which its comment in the protos does not name. Add it there "
        "and a scenario to tests/support/refusal_scenarios, or mend the decision"
    )


def require_figures(reason: str, figures: Mapping[str, str]) -> None:
    """Fails where a program could not read the figures: a key that AIP-193 forbids, or text with more than one."""
    for key, value in figures.items():
        assert _FIGURE.fullmatch(key), f"{reason} names a figure {key!r}; AIP-193 asks for letters, digits, - and _"
        assert not _WRITTEN.search(value), f"{key} of {reason} is text for people: {value!r}"
        if key.endswith("_minor"):
            assert re.fullmatch(r"-?\d+", value), f"{key} of {reason} is no amount in minor units: {value!r}"
            assert "currency" in figures, f"{reason} says {key} and not the currency"


def _described() -> list[FileDescriptorProto]:
    """The protos with their comments, which generated code leaves out."""
    names = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "described"
        options = [
            f"-I{ROOT}",
            f"-I{files('grpc_tools') / '_proto'}",
            "--include_source_info",
            f"--descriptor_set_out={out}",
        ]
        assert protoc.main(["protoc", *options, *names]) == 0, "the protos cannot be read"
        return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def _values(file: FileDescriptorProto) -> Iterator[str]:
    """The names of a file's enum values, which comments may name too."""
    for enum in (*file.enum_type, *(each for message in file.message_type for each in message.enum_type)):
        yield from (value.name for value in enum.value)


def _comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """The comment of each part of a file, by its place."""
    return {tuple(each.path): " ".join(each.leading_comments.split()) for each in file.source_code_info.location}


def _of_all(described: Iterable[FileDescriptorProto], values: set[str]) -> set[Refused]:
    common = next(file for file in described if file.name == "fulfilment/v1/common.proto")
    about = _comments(common)[(FileDescriptorProto.PACKAGE_FIELD_NUMBER,)]
    return {refused for text in _OF_ALL.findall(about) for refused in _named(text, values)}


def _rpcs_of(file: FileDescriptorProto, commands: set[str], values: set[str], of_all: set[Refused]) -> Iterator[Rpc]:
    comments = _comments(file)
    for number, service in enumerate(file.service):
        place = (FileDescriptorProto.SERVICE_FIELD_NUMBER, number)
        of_many = list(_OF_MANY.finditer(comments[place]))
        rest = _OF_MANY.sub("", comments[place])
        assert not set(_WORD.findall(rest)) - values, f"{service.name} names refusals and not of what: {rest}"
        names = {method.name for method in service.method}
        for index, method in enumerate(service.method):
            is_command = method.input_type in commands
            refusals = of_all | set(_named(comments[(*place, 2, index)], values))
            for kind, but, text in (match.groups() for match in of_many):
                left_out = set(re.findall(r"[A-Z]\w+", but or ""))
                assert left_out <= names, f"{service.name} has no {left_out - names}"
                if kind in ("RPC", "command" if is_command else "query") and method.name not in left_out:
                    refusals |= set(_named(text, values))
            request, streams = method.input_type[1:], method.server_streaming
            yield Rpc(service.name, method.name, request, is_command, streams, frozenset(refusals))


def _named(comment: str, values: set[str]) -> Iterator[Refused]:
    status = ""
    for match in _WORD.finditer(comment):
        word, names_status = match[0], comment[match.end() :].startswith(" / ")
        if word in _STATUSES or names_status:
            assert word in _STATUSES, f"{word} is no status: {comment}"
            assert names_status, f"{word} without a reason: {comment}"
            status = word
        elif word not in values:
            assert status, f"{word} without a status: {comment}"
            yield Refused(status, word)
