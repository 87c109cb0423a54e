"""What invoices for customers are refused for."""

from __future__ import annotations

from fulfilment.v1 import admin_pb2, customer_invoices_pb2
from tests.support.refusal_scenarios.about import Scenarios, as_it_is, beyond, of_order
from tests.support.service import context, patiently
from tests.support.trading import Fields, Trade


def name_seller(trade: Trade, tax_id: str) -> None:
    """Changes the retailer's terms, in which everything else stays as it is."""
    policy = trade.client.admin.GetPolicy(admin_pb2.GetPolicyRequest()).in_force.policy
    policy.seller.CopyFrom(admin_pb2.Seller(name="Brook & Sons", country="DE", tax_id=tax_id))
    trade.client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))


def invoiced(trade: Trade) -> Fields:
    """An invoice of goods that have left, as requests name it."""
    name_seller(trade, "DE 811 128 135")
    order_id = trade.shipped(days_ago=1)
    receipt = trade.send("RequestCustomerInvoice", order_id=order_id)
    asked = customer_invoices_pb2.ListCustomerInvoicesRequest(order_id=order_id, at_least=receipt.position)
    (invoice,) = patiently(trade.client.customer_invoices.ListCustomerInvoices, asked).invoices
    return {"order_id": order_id, "number": invoice.number}


def cancelled(trade: Trade) -> Fields:
    invoice = invoiced(trade)
    trade.send("IssueCreditNote", **invoice)
    return {**invoice, "reason": "returned"}


def without_seller(trade: Trade) -> Fields:
    name_seller(trade, "")
    return {"order_id": trade.shipped(days_ago=1)}


CUSTOMER_INVOICES: Scenarios = {
    "RequestCustomerInvoice": {"UNKNOWN_ORDER": as_it_is, "NO_SELLER_TO_INVOICE": without_seller},
    "IssueCreditNote": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_CUSTOMER_INVOICE": of_order(Trade.placed),
        "INVOICE_IS_CREDITED": cancelled,
    },
    "GetCustomerInvoice": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_CUSTOMER_INVOICE": of_order(Trade.placed),
        "BEYOND_THE_LOG": beyond,
    },
    "ListCustomerInvoices": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
}
