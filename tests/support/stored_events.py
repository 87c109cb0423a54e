"""The facts as they stood in a log one day: the lines of ``tests/unit/stored_events.jsonl``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ledger.engine.registry import Registry
from ledger.facts import Fact
from ledger.nouns import NOUNS

FILE = Path(__file__).parents[1] / "unit" / "stored_events.jsonl"
REGISTRY = Registry(NOUNS)


class Stored(NamedTuple):
    stream: str
    fact: str
    state: dict[str, Any]

    def decoded(self) -> Fact:
        return REGISTRY.decode(self.fact, json.dumps(self.state).encode())


def stored() -> list[Stored]:
    return [Stored(**json.loads(line)) for line in FILE.read_text().splitlines()]
