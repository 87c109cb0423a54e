"""Customers' invoices at a terminal: asked for, listed, shown, drawn, cancelled."""

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
    assert ff("supplier", "add", "acme", "--name", "Acme Ltd", "--approve").code == 0
    seller = ("seller.name=Brook & Sons", "seller.country=DE", "seller.tax_id=DE811128135")
    assert ff("policy", "set", *seller).code == 0
    return service


def shipped(ff: Shell, number: str, *more: str) -> str:
    placed(ff, number, "--paid", *more)
    ff("order", "send", f"shop/{number}/1")
    assert ff("order", "ship", f"shop/{number}/1", "--carrier", "dhl", "--number", number.upper()).code == 0
    return f"shop/{number}"


def test_an_invoice_is_drawn_up_with_the_parcel_shown_drawn_and_cancelled(ff: Shell, tmp_path: Path):
    order_id = shipped(ff, "billed", "--invoice", "--charge", "shipping:4.90")
    listed = ff("invoice", "list", "--order", order_id).out
    number = re.search(r"DE811128135-\d{4}-\d{6}", listed)
    assert number is not None, listed
    paper = tmp_path / "invoice.pdf"
    shown = ff("invoice", "show", order_id, number[0], "--pdf", str(paper)).out
    assert paper.read_bytes().startswith(b"%PDF")
    for expected in (f"Invoice {number[0]}", "Brook & Sons", "Ann Example", "shipping", "dhl BILLED"):
        assert expected in shown
    cancelled = ff("invoice", "credit", order_id, number[0], "--reason", "wrong buyer")
    assert re.search(r"DE811128135-C\d{4}-\d{6}", cancelled.out)
    again = ff("invoice", "credit", order_id, number[0], "--reason", "returned")
    assert (again.code, "[INVOICE_IS_CREDITED]" in again.err) == (1, True)
    assert "cancelled" in ff("invoice", "show", order_id, number[0]).out


def test_an_invoice_is_asked_for_after_the_goods_left_for_a_company(ff: Shell):
    order_id = shipped(ff, "late")
    assert "No such invoices." in ff("invoice", "list", "--order", order_id).out
    said = ff("invoice", "request", order_id, "--name", "Example Ltd", "--tax-id", "FR1", "--tax", "7.7", "--json")
    (row,) = json.loads(said.out)
    shown = ff("invoice", "show", order_id, row["number"]).out
    for expected in ("Example Ltd", "FR1", "7.7 %"):
        assert expected in shown
