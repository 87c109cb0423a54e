"""Every text of the contract says how it is kept, and what it says is true of the facts."""

from __future__ import annotations

from tests.support.contract import holds_text, kept, messages


def test_every_text_of_the_contract_says_how_it_is_kept() -> None:
    silent = [field.full_name for each in messages() for field in each.fields if holds_text(field) and not kept(field)]
    assert silent == [], "say it in the proto: [(kept_as) = KEPT_...]; privacy.proto says which there are"


def test_nothing_but_text_says_how_it_is_kept() -> None:
    said = [field.full_name for each in messages() for field in each.fields if kept(field) and not holds_text(field)]
    assert said == []
