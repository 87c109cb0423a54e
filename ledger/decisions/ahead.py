"""Streams as they will be: a decision that is made of several sees what those before it decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.facts import Change, Fact
from ledger.nouns import NOUNS, stock
from ledger.nouns.stock import Stock
from ledger.view import Broken, Entry, View

_EVOLVE = {noun.prefix: noun.evolve for noun in NOUNS}


class Ahead(View):
    """The streams as they will be with changes that are not recorded yet."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._changed: dict[str, Entry] = {}
        self._pending: dict[str, list[Fact]] = {}
        """What is folded once somebody looks: most streams are never looked at again."""

    def find(self, stream: str) -> Entry | None:
        found = self._changed.get(stream) or self._view.find(stream)
        if stream not in self._pending or found is None or type(found.state) is Broken:
            return found
        version, state = found.version, found.state
        if isinstance(state, Stock) and stream not in self._changed:
            # Folding changes stock in place, and the one below is not ours.
            state = stock.copied(state)
        facts, evolve = self._pending.pop(stream), _EVOLVE[stream.partition("-")[0]]
        fact: Any
        for fact in facts:
            if isinstance(state, Stock):
                stock.part(state, fact)
            state = evolve(state, fact)
        self._changed[stream] = Entry(version + len(facts), state)
        return self._changed[stream]

    def add(self, changes: Sequence[Change]) -> list[Change]:
        """Sees these changes too, and returns them."""
        for stream, fact in changes:
            self._pending.setdefault(stream, []).append(fact)
        return list(changes)
