"""The service: wiring and process roles.

``python server.py`` runs all of it: PostgreSQL (embedded, or the one a DSN names), the API, and beside
it a projector process, so that read models never slow commands down. Roles can be started apart.

A process imports what its role needs, and not what the others do: that is most of the time that a start takes.
"""

from __future__ import annotations

import argparse
import gc
import sys
from importlib import import_module
from types import ModuleType

import uvloop

import adapters.process  # noqa: F401 - before gRPC is imported, which reads what it sets
from adapters.process.commands import BESIDE
from adapters.process.logs import log_to_stderr
from adapters.process.options import options
from ledger.engine.shelf import Memory

ROLES = {
    "all": "adapters.process.service",
    "api": "adapters.process.service",
    "projector": "adapters.process.projector",
    "edge": "adapters.process.edges",
}
"""By its role, the module whose ``run`` is the process."""


def main() -> None:
    try:
        if (command := BESIDE.get(sys.argv[1] if len(sys.argv) > 1 else "")) is not None:
            _imported(command).main(sys.argv[2:])
        else:
            _run(options(sys.argv[1:]))
    except Exception as error:
        sentence = import_module("adapters.process.problems").sentence_of(error)
        if sentence is None:
            raise
        raise SystemExit(f"server.py: {sentence}") from None


def _run(chosen: argparse.Namespace) -> None:
    log_to_stderr(chosen.log_level, chosen.log_format)
    if chosen.role == "projector" and not chosen.dsn:
        raise SystemExit("server.py: the projector needs a DSN: --dsn or FULFILMENT_DSN")
    if chosen.role == "edge" and not (chosen.dsn and chosen.web):
        raise SystemExit("server.py: the edges need a DSN and an address: --dsn and --web")
    Memory.most_bytes_of_each = chosen.memory_mib << 20
    uvloop.run(_imported(ROLES[chosen.role]).run(chosen))


def _imported(module: str) -> ModuleType:
    """A module with all that it imports; nothing of that is garbage, which the collector would look for meanwhile."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
