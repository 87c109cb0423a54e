"""Streams as they will be: a decision that is made of several sees what those before it decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.facts import Change
from ledger.nouns import NOUNS, stock
from ledger.nouns.stock import Stock
from ledger.view import Entry, View

_EVOLVE = {noun.prefix: noun.evolve for noun in NOUNS}


class Ahead(View):
    """The streams as they will be with changes that are not recorded yet."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._changed: dict[str, Entry] = {}

    def find(self, stream: str) -> Entry | None:
        return self._changed.get(stream) or self._view.find(stream)

    def add(self, changes: Sequence[Change]) -> list[Change]:
        """Sees these changes too, and returns them."""
        fact: Any
        for stream, fact in changes:
            version, state = self.entry(stream)
            if isinstance(state, Stock):
                # Folding changes stock in place, and the one below is not ours.
                state = state if stream in self._changed else stock.copied(state)
                stock.part(state, fact)
            evolve = _EVOLVE[stream.partition("-")[0]]
            self._changed[stream] = Entry(version + 1, evolve(state, fact))
        return list(changes)
