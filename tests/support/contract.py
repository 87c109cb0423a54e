"""What the service promises: the files of its contract, and every way in which it can refuse."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message_factory import GetMessageClass

import fulfilment.v1
import ledger
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


def refusal_classes(kind: type[Refusal] = Refusal) -> list[type[Refusal]]:
    """Those that are given, without the bases that only sort them."""
    for module in pkgutil.walk_packages(ledger.__path__, "ledger."):
        importlib.import_module(module.name)
    found = [each for child in kind.__subclasses__() for each in (child, *refusal_classes(child))]
    return [each for each in found if each.reason and each.__module__.startswith(("ledger.", "projections."))]
