"""Importing the Olist half as a user does: ``fulfilment import olist FOLDER`` against the running service."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.stage import Figure, Skipped, Stage

ROLES = {"api": "the ledger", "all": "the ledger and its projector"}
_LONGEST_SECONDS = 300


def measure(stage: Stage, run: int) -> Iterator[Figure]:
    if stage.olist is None or not (stage.olist / "orders.csv").is_file():
        raise Skipped("no Olist files: name their folder with --olist")
    for role in ROLES:
        with stage.database() as conninfo, stage.ledger_on(conninfo, role) as address:
            began = perf_counter()
            _import(address, stage.olist)
            yield Figure(f"import.{role}.seconds", perf_counter() - began)


def _import(address: str, folder: Path) -> None:
    arguments = [str(Path(sys.executable).with_name("fulfilment")), "--server", address, "--json", "import", "olist"]
    result = subprocess.run(
        [*arguments, str(folder)], capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False
    )
    # It also ends with 1 when rows of the files could not be understood, which is no failure of ours.
    if result.returncode > 1 or not result.stdout or json.loads(result.stdout)["refused"]:
        raise Skipped(f"the import failed: {result.stdout[-500:]} {result.stderr[-500:]}")
