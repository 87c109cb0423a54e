"""All lists of the contract, and a story that makes rows of them, changes them and takes them away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import descriptor_pool, message_factory

from tests.support import documented
from tests.support.refusal_scenarios.customer_invoices import invoiced as customers_invoice
from tests.support.refusal_scenarios.stock_ups import asked as stock_up
from tests.support.refusal_scenarios.supplier_invoices import invoiced as suppliers_invoice
from tests.support.service import Client, Service
from tests.support.trading import NOW, Trade, captured, shipping


def _lists() -> Iterator[tuple[str, Any]]:
    """Every RPC that has pages, with a request of it."""
    for name, rpc in documented.rpcs().items():
        found = descriptor_pool.Default().FindMessageTypeByName(rpc.request)
        if "page" in found.fields_by_name:
            yield name, message_factory.GetMessageClass(found)


LISTS = dict(_lists())
"""The class of the request of each."""


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    """With a supplier that has been known for longer than the story takes."""
    with Client(service.address) as client:
        client.approve(at=NOW - timedelta(days=300), dispatch_within_hours=48)
        yield client


@pytest.fixture(scope="module")
def trade(client: Client) -> Trade:
    return Trade(client)


def story(trade: Trade) -> Iterator[None]:
    """What makes rows of every list, changes them and takes them away."""
    trade.proposed()
    held = trade.held(trade.placed())
    case_id, closed = trade.opened(), trade.opened()
    inquiry, recovery = trade.inquiry(), trade.asked()
    up, invoice = stock_up(trade), suppliers_invoice(trade)
    paid = trade.placed(charges=[shipping(490)])
    trade.send("RecordPayment", order_id=paid, payment=0, payments=[captured(100)])
    customers_invoice(trade)
    supplier = trade.supplier()
    yield
    trade.send("ReleaseHold", order_id=held)
    trade.send("CancelCase", case_id=closed)
    trade.send("CloseInquiry", inquiry_id=inquiry)
    trade.send("WithdrawStockUp", stock_up_id=up)
    trade.send("RecordSupplierPayment", **invoice)
    trade.send("RecordPayment", order_id=paid, payment=0, payments=[captured(100), captured(1380, payment_id="p2")])
    trade.send("RetireSupplier", supplier_id=supplier)
    trade.stocked(7)
    yield
    trade.send("StartReview", case_id=case_id)
    trade.send("WriteOffRecovery", recovery_id=recovery)
    customers_invoice(trade)
    trade.inquiry()
    yield


def rows_of(answer: Any) -> list[Any]:
    several = [each for each in answer.DESCRIPTOR.fields if each.is_repeated]
    (field,) = several if len(several) == 1 else [each for each in several if each.name == "due"]
    return list(getattr(answer, field.name))
