"""Invoices of suppliers at a terminal: from a file or typed, disputed, taken back, paid, in the statement."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.service import Service
from tests.support.terminal import Console, Shell, placed


@pytest.fixture(scope="module")
def service(service: Service) -> Service:
    ff = Console(service.address)
    for words in (
        ("supplier", "add", "acme", "--name", "Acme Ltd", "--approve"),
        ("supplier", "offer", "acme", "TEA", "--cost", "2.50:EUR"),
    ):
        assert ff(*words).code == 0
    return service


def shipped(ff: Shell, number: str) -> str:
    """Two tea that left; the supplier order."""
    placed(ff, number, "--paid")
    ff("order", "send", f"shop/{number}/1")
    assert ff("order", "ship", f"shop/{number}/1", "--carrier", "dhl", "--number", number.upper()).code == 0
    return f"shop/{number}/1"


def test_an_invoice_that_differs_is_told_line_by_line_disputed_taken_back_and_paid(ff: Shell):
    of = shipped(ff, "typed")
    said = ff(
        *("supplier", "invoice", "record", "acme", "R 7", "--dated", "2026-03-31", "--currency", "eur"),
        *("--line", f"{of}:TEA:2:6.00", "--line", f"{of}:9:1:1.00", "--charge", "freight:0.50", "--total", "7.50"),
        *("--pay-by", "2026-04-30"),
    )
    assert "Invoice acme R 7  differs, 7.50 EUR, 2.50 EUR too much" in said.out
    assert re.search(r"shop/typed/1 +TEA +price +2 +1.00 EUR +5.00 EUR agreed", said.out)
    assert re.search(r"shop/typed/1 9 +unknown +1 +1.00 EUR +never given to it", said.out)
    assert re.search(r"charge +0.50 EUR +more than the policy lets pass", said.out)
    assert "disputed" in ff("supplier", "invoice", "dispute", "acme", "R 7", "--reason", "too dear").out
    assert "matched, 7.50 EUR, 5.00 EUR open" in ff("supplier", "invoice", "credit", "acme", "R 7", "CN1", "2.50").out
    assert "paid, 7.50 EUR, 0.00 EUR open" in ff("supplier", "invoice", "pay", "acme", "R 7", "T1", "5.00").out
    shown = ff("supplier", "invoice", "show", "acme", "R 7", "--personal").out
    assert re.search(r"credit note CN1 +2.50 EUR on ", shown)
    assert re.search(r"payment T1 +5.00 EUR on ", shown)
    assert re.search(r"decided +disputed by console on \S+ \S+ too dear", shown)
    assert "5.00 EUR open" in ff("supplier", "invoice", "unpay", "acme", "R 7", "T1", "--reason", "bounced").out
    assert re.search(r"payment T1 +5.00 EUR on .*came back on ", ff("supplier", "invoice", "show", "acme", "R 7").out)
    ff("supplier", "invoice", "pay", "acme", "R 7", "T3", "5.00")
    too_much = ff("supplier", "invoice", "pay", "acme", "R 7", "T2", "0.01")
    assert (too_much.code, "[MORE_THAN_OPEN]" in too_much.err) == (1, True)
    assert re.search(r"R 7 +paid +2026-03-31 +2026-04-30", ff("supplier", "invoice", "list", "--status", "paid").out)


def test_an_invoice_is_recorded_from_a_file_and_the_same_again_changes_nothing(ff: Shell, tmp_path: Path):
    of = shipped(ff, "filed")
    invoice = {
        "supplier_id": "acme",
        "number": "F1",
        "dated": "2026-03-31",
        "currency": "EUR",
        "lines": [{"supplier_order_id": of, "units": 2, "unit_price_minor": 250}],
    }
    path = tmp_path / "invoice.json"
    path.write_text(json.dumps(invoice))
    said = ff("supplier", "invoice", "record", "--file", str(path), "--json")
    assert (said.code, said.json["invoice"]["status"]) == (0, "SUPPLIER_INVOICE_STATUS_MATCHED")
    again = ff("supplier", "invoice", "record", "--file", str(path), "--json")
    assert again.json["receipt"]["version"] == said.json["receipt"]["version"]
    path.write_text(json.dumps({**invoice, "dated": "2026-04-01"}))
    assert "[SUPPLIER_INVOICE_RECORDED_DIFFERENTLY]" in ff("supplier", "invoice", "record", "--file", str(path)).err
    path.write_text("{")
    assert ff("supplier", "invoice", "record", "--file", str(path)).code == 2


def test_a_statement_says_what_is_owed_invoiced_paid_and_open_and_by_which_payment(ff: Shell):
    of = shipped(ff, "stated")
    ff(
        *("supplier", "invoice", "record", "acme", "S1", "--dated", "2026-03-31", "--currency", "EUR"),
        *("--line", f"{of}:1:2:5.00"),
    )
    ff("supplier", "invoice", "pay", "acme", "S1", "T-77", "3.00")
    said = ff("supplier", "statement", "acme").out
    for name in ("owed in all", "invoiced in all", "paid in all", "open of invoices"):
        assert re.search(rf"{name} +[\d.]+ EUR", said)
    assert re.search(r"invoice paid +-3.00 EUR +S1 +T-77", said)


def test_what_is_typed_wrongly_is_said_in_a_sentence(ff: Shell):
    typed = ("supplier", "invoice", "record", "acme", "W1", "--dated", "2026-03-31", "--currency", "EUR")
    assert "is not SUPPLIER_ORDER_ID:LINE:UNITS:AMOUNT" in ff(*typed, "--line", "shop/1/1:2").err
    assert "is not KIND:AMOUNT, where KIND is one of freight," in ff(*typed, "--charge", "tips:1.00").err
    assert "--file brings the whole invoice" in ff(*typed, "--file", "x.json").err
    assert "Name SUPPLIER_ID, NUMBER and --currency" in ff("supplier", "invoice", "record", "acme").err
    unknown = ff("supplier", "invoice", "show", "acme", "W1").err
    assert "use fulfilment supplier invoice record [UNKNOWN_SUPPLIER_INVOICE]" in unknown
