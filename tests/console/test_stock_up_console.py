"""Stocking up at a terminal: proposed, asked, answered, shown by a feed, withdrawn, listed."""

from __future__ import annotations

import re

import pytest

from tests.support.service import Service
from tests.support.terminal import Console, Shell, placed


@pytest.fixture(scope="module")
def service(service: Service) -> Service:
    ff = Console(service.address)
    for words in (
        ("supplier", "add", "acme", "--name", "Acme Ltd", "--approve", "--at", "2025-12-01"),
        ("stock", "feed", "acme", "TEA", "50", "--version", "1"),
    ):
        assert ff(*words).code == 0
    return service


def test_a_stock_up_goes_from_a_proposal_to_what_the_feed_shows(ff: Shell):
    placed(ff, "demand", "--paid", line="TEA:28:9.90:acme")
    proposed = ff("stock", "up", "propose", "acme", "--until", "2999-01-01", "--growth", "200", "--json")
    assert proposed.json[0]["sku"] == "TEA"
    asked = ff("stock", "up", "ask", "s1", "acme", "TEA", "100", "--until", "2999-01-01", "--at", "2026-01-01")
    assert re.search(r"Stock-up s1  asked, acme answers by 2026-01-02 00:00Z", asked.out)
    answered = ff("stock", "up", "answer", "s1", "90", "--since", "2026-01-05", "--at", "2026-01-01T10:00")
    assert "Stock-up s1  not kept, 90 of 100, 50 were there on " in answered.out
    assert ff("stock", "feed", "acme", "TEA", "90", "--version", "2").code == 0
    assert "kept, 90 of 100, 90 were there on " in ff("stock", "up", "show", "s1").out
    assert re.search(r"secured +90 from 2026-01-05 00:00Z", ff("stock", "up", "show", "s1").out)


def test_stock_ups_are_listed_and_withdrawn(ff: Shell):
    ff("stock", "up", "ask", "s2", "acme", "MUG", "10", "--until", "2999-01-01", "--answer-by", "2998-01-01")
    assert re.search(r"s2 +acme +MUG +10 +2999-01-01 00:00Z +asked", ff("stock", "up", "list", "--sku", "MUG").out)
    assert "withdrawn" in ff("stock", "up", "withdraw", "s2", "--reason", "no peak").out
    assert "Nothing was asked." in ff("stock", "up", "list", "--sku", "MUG", "--state", "asked").out
    assert "use fulfilment stock up ask [UNKNOWN_STOCK_UP]" in ff("stock", "up", "show", "nothing").err
