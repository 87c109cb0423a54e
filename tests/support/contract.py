"""What the service promises: the files of its contract, and every way in which it can refuse."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message_factory import GetMessageClass

import fulfilment.v1
import ledger
from fulfilment.v1 import privacy_pb2
from ledger.refusals import Refusal


def contract_files() -> list[FileDescriptor]:
    names = [module.name for module in pkgutil.iter_modules(fulfilment.v1.__path__)]
    return [importlib.import_module(f"fulfilment.v1.{n}").DESCRIPTOR for n in sorted(names) if n.endswith("_pb2")]


@cache
def request_classes() -> dict[str, type[Any]]:
    """Every request message by its RPC's name."""
    return {
        method.name: GetMessageClass(method.input_type)
        for file in contract_files()
        for service in file.services_by_name.values()
        for method in service.methods
    }


_TEXTS = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


def messages() -> Iterator[Descriptor]:
    """Every message of the contract."""
    todo = [message for file in contract_files() for message in file.message_types_by_name.values()]
    while todo:
        message = todo.pop()
        todo += message.nested_types
        if not message.GetOptions().map_entry:
            yield message


def holds_text(field: FieldDescriptor) -> bool:
    """Whether a field is text or bytes, or a map with any."""
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return any(each.type in _TEXTS for each in entry.fields)
    return field.type in _TEXTS


def kept(field: FieldDescriptor) -> str:
    """How the contract says that a field is kept, such as ``SEALED``; empty where it does not say."""
    value = field.GetOptions().Extensions[privacy_pb2.kept_as]
    return privacy_pb2.Kept.Name(value).removeprefix("KEPT_") if value else ""


@cache
def refusal_classes() -> Sequence[type[Refusal]]:
    """Those that are given, without the bases that only sort them."""
    for module in pkgutil.walk_packages(ledger.__path__, "ledger."):
        importlib.import_module(module.name)
    return [each for each in _below(Refusal) if each.reason and each.__module__.startswith(("ledger.", "projections."))]


def _below(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)
