"""``fulfilment report money``: what orders cost and how they were paid, in one currency and in several."""

from __future__ import annotations

import pytest

from tests.support.terminal import PERSON, Shell


def place(ff: Shell, number: str, currency: str, charge: str, paid: str) -> None:
    line = ("--line", "TEA:2:9.90:acme", "--currency", currency)
    placed = ff("place", "--channel", "shop", "--id", number, *line, "--charge", charge, *PERSON)
    assert placed.code == 0, placed.err
    pay = ff("order", "pay", f"shop/{number}", "--amount", f"{paid}:{currency}", "--method", "card", "--id", "p1")
    assert pay.code == 0, pay.err


@pytest.mark.usefixtures("acme")
def test_each_currency_stands_by_itself(ff: Shell):
    nothing = {"goods_minor": 0, "freight_minor": 0, "payments_minor": {}}
    nothing |= {"orders_with_payment": 0, "orders_paid_exactly": 0}
    assert ff("report", "money", "--json").json == nothing

    place(ff, "1", "EUR", "shipping:4.90", "24.70")
    euros = {"goods_minor": 1980, "freight_minor": 490, "payments_minor": {"card": 2470}}
    euros |= {"orders_with_payment": 1, "orders_paid_exactly": 1}
    assert ff("report", "money", "--json").json == euros

    place(ff, "2", "USD", "discount:1.00", "10.00")
    dollars = {"goods_minor": 1980, "freight_minor": 0, "other_charges_minor": -100, "payments_minor": {"card": 1000}}
    dollars |= {"orders_with_payment": 1, "orders_paid_exactly": 0}
    both = [{"currency": "EUR", **euros}, {"currency": "USD", **dollars}]
    assert ff("report", "money", "--json").json == both
    assert ff("report", "money", "--json", "--currency", "eur").json == euros
    assert ff("report", "money", "--json", "--channel", "another").json == nothing

    table = " ".join(ff("report", "money").out.split())
    assert "EUR amount goods 19.80 freight 4.90" in table
    assert "USD amount goods 19.80 freight 0.00 other charges -1.00" in table
    assert "of these paid otherwise 1" in table
    listed = " ".join(ff("report", "money", "--differences").out.split())
    assert "shop/2 18.80 USD 10.00 USD -8.80 USD" in listed
    assert ff("report", "money", "--differences", "--currency", "EUR", "--json").json == []
