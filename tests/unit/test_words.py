"""Words that are kept in plain lose what certainly names a person: e-mail addresses and telephone numbers."""

from __future__ import annotations

import pytest

from adapters.rpc import shapes


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("changed_mind", "changed_mind"),
        ("duplicate of 1001", "duplicate of 1001"),
        ("4853", "4853"),
        ("since 01.03.2026", "since 01.03.2026"),
        ("asked ann@example.org twice", "asked … twice"),
        ("call +49 (30) 123-45-67.", "call …."),
        ("0049 30 1234567 or 030/1234567", "… or …"),
        ("030–123–4567", "…"),
        ("asked ann＠example.org on ０３０ １２３４５６７", "asked … on …"),
        ("größe ３", "größe ３"),
    ],
)
def test_addresses_and_telephone_numbers_are_taken_out_of_words(written: str, kept: str) -> None:
    assert shapes.word(written, "reason", 100) == kept
    assert shapes.tags([written], "tags") == (kept,)
