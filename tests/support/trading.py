"""Short commands over the wire: an order is sent, a case ruled. Each makes a thing of its own and returns its id."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from google.protobuf import descriptor_pool, message_factory

from fulfilment.v1 import (
    admin_pb2,
    batch_pb2,
    cases_pb2,
    common_pb2,
    edges_pb2,
    messages_pb2,
    order_money_pb2,
    orders_pb2,
    parcels_pb2,
    rates_pb2,
    recoveries_pb2,
    returns_pb2,
    scorecards_pb2,
    shipping_pb2,
    stock_pb2,
    supplier_invoices_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
    trade_pb2,
)
from tests.support import documented
from tests.support.service import (
    Client,
    context,
    order,
    patiently,
    stamp,
)

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
PNG = b"\x89PNG\r\n\x1a\n"
SHA256, OTHER_SHA256 = sha256(PNG).hexdigest(), "ab" * 32
RESHIP, REFUND, RETURN = cases_pb2.REMEDY_RESHIP, cases_pb2.REMEDY_REFUND, cases_pb2.REMEDY_RETURN
LOSS = recoveries_pb2.RECOVERY_KIND_CARRIER_LOSS
CREDIT_NOTE = recoveries_pb2.SETTLEMENT_METHOD_CREDIT_NOTE
ON_TIME = rates_pb2.RATE_NAME_ON_TIME_DISPATCH

Fields = dict[str, Any]


# --- parts of requests ------------------------------------------------------------------------------


def eur(amount_minor: int, currency: str = "EUR") -> common_pb2.Money:
    return common_pb2.Money(amount_minor=amount_minor, currency=currency)


def line(line_no: int = 1, units: int = 1) -> common_pb2.LineUnits:
    return common_pb2.LineUnits(line_no=line_no, units=units)


def bought(sku: str = "cup", quantity: int = 1, supplier_id: str = "acme") -> orders_pb2.OrderLine:
    return orders_pb2.OrderLine(sku=sku, quantity=quantity, unit_price_minor=990, supplier_id=supplier_id)


def answer(line_no: int = 1, **units: Any) -> supplier_orders_pb2.LineAnswer:
    return supplier_orders_pb2.LineAnswer(line_no=line_no, **units)


def refund(line_no: int = 1, units: int = 1, amount_minor: int = 0) -> cases_pb2.LineAmount:
    return cases_pb2.LineAmount(line_no=line_no, units=units, amount_minor=amount_minor)


def inspected(line_no: int = 1, **units: int) -> returns_pb2.InspectedLine:
    return returns_pb2.InspectedLine(line_no=line_no, **units)


def captured(amount_minor: int, **more: Any) -> order_money_pb2.Payment:
    named = {"payment_id": "payment-1", "kind": order_money_pb2.PAYMENT_KIND_CAPTURED, **more}
    return order_money_pb2.Payment(amount=eur(amount_minor), **named)


def shipping(amount_minor: int) -> order_money_pb2.Charge:
    return order_money_pb2.Charge(
        charge_id="shipping", kind=order_money_pb2.CHARGE_KIND_SHIPPING, amount_minor=amount_minor
    )


def cost(amount_minor: int = 1000, cost_id: str = "refund-1") -> recoveries_pb2.RecoveryCost:
    return recoveries_pb2.RecoveryCost(cost_id=cost_id, kind=recoveries_pb2.COST_KIND_REFUND, amount_minor=amount_minor)


def item(sku: str) -> stock_pb2.Item:
    return stock_pb2.Item(supplier_id="acme", sku=sku)


def wanted(sku: str, units: int = 1) -> stock_pb2.ItemUnits:
    return stock_pb2.ItemUnits(item=item(sku), units=units)


def number_of(order_id: str) -> str:
    """An order's number in its shop."""
    return order_id.partition("/")[2]


def first_of(order_id: str) -> Fields:
    """An order's first supplier order, as requests name it."""
    return {"supplier_order_id": f"{order_id}/1"}


def parcel_of(order_id: str) -> Fields:
    """An order's parcel, as requests name it."""
    return {"carrier": "dhl", "tracking_number": number_of(order_id)}


# --- requests that are well-formed, about nothing that there is -------------------------------------

_ORDER: Fields = {"order_id": "shop/nobody"}
_SUPPLIER_ORDER: Fields = {"supplier_order_id": "shop/nobody/1"}
_ITEM = stock_pb2.Item(supplier_id="nobody", sku="cup")
_SUPPLIER: Fields = {"supplier_id": "nobody"}
_PARCEL: Fields = {"carrier": "dhl", "tracking_number": "NOBODY"}
_CASE: Fields = {"case_id": "nobody"}
_RECOVERY: Fields = {"recovery_id": "nobody"}
_INQUIRY: Fields = {"inquiry_id": "nobody"}
_STOCK_UP: Fields = {"stock_up_id": "nobody"}
_INVOICE: Fields = {**_SUPPLIER, "number": "nobody"}
_MESSAGE: Fields = {"message_id": "dispatched-999999999"}
_TEMPLATE: Fields = {"kind": messages_pb2.MESSAGE_KIND_DISPATCHED, "language": "en"}
_TASK: Fields = {"task_id": "nothing"}
_RESERVATION: Fields = {"reservation_id": "nobody", "items": [item("nothing")]}
_CONNECTION: Fields = {"name": "nobody"}
_SECRETS: Fields = {"system": "woocommerce", "secrets": {"webhook": "s3cret"}}
_RECEPTION: Fields = {"reception_id": "0" * 26}
_EFFECT: Fields = {"effect_id": "0123456789abcdef"}
_PERIOD: Fields = {"since": stamp(NOW - DAY), "until": stamp(NOW)}

_OF_AN_ORDER = """
    AmendOrder ConfirmOrder GetTrackingLink WithdrawTrackingLink RenewTrackingLink GetCustoms GetOrder
    RequestCustomerInvoice GetHistory GetTracking GetTimeline
"""

WELL_FORMED: Mapping[str, Fields] = {
    "CompleteDetails": {**_ORDER, "lines": [bought()]},
    **dict.fromkeys(_OF_AN_ORDER.split(), _ORDER),
    "RecordPayment": {**_ORDER, "payment": orders_pb2.PAYMENT_STATE_PAID},
    "PlaceHold": {**_ORDER, "reason": orders_pb2.HOLD_REASON_FRAUD_REVIEW, "owner": "mia"},
    "ReleaseHold": {**_ORDER, "reason": orders_pb2.HOLD_REASON_FRAUD_REVIEW},
    "SendSupplierOrder": _SUPPLIER_ORDER,
    "AcknowledgeSupplierOrder": {**_SUPPLIER_ORDER, "lines": [answer(accepted=1)]},
    "PackSupplierOrder": _SUPPLIER_ORDER,
    "ShipSupplierOrder": {**_SUPPLIER_ORDER, **_PARCEL},
    "CancelOrder": {**_ORDER, "by": common_pb2.PARTY_CUSTOMER},
    "AnswerCancelRequest": {**_SUPPLIER_ORDER, "agreed": True},
    "RerouteUnits": {**_ORDER, "by": common_pb2.PARTY_SUPPLIER},
    "ChangeAddress": {
        **_ORDER,
        "customer": orders_pb2.Customer(email="ann@example.org"),
        "ship_to": orders_pb2.Address(city="Bonn", country="DE"),
    },
    "RuleDelay": {
        **_SUPPLIER_ORDER,
        "clock": supplier_orders_pb2.SUPPLIER_ORDER_CLOCK_DISPATCH,
        "party": common_pb2.PARTY_CUSTOMER,
        "reason": "moved",
    },
    "ConfirmReceipt": {**_ORDER, "by": common_pb2.PARTY_CUSTOMER},
    "RecordReview": {**_ORDER, "review_id": "review-1", "score": 5},
    "RecordChargeback": {**_ORDER, "chargeback_id": "chargeback-1", "amount": eur(990)},
    "AddOrderNote": {**_ORDER, "note": "call before noon"},
    "TagOrder": {**_ORDER, "add": ["vip"]},
    "CompleteCustomsData": {**_ORDER, "lines": [shipping_pb2.CustomsLine(line_no=1, title="Cup")]},
    "GetCommercialInvoice": _SUPPLIER_ORDER,
    "GetSupplierOrder": _SUPPLIER_ORDER,
    "ListSupplierOrders": {"supplier_id": "acme"},
    "RecordFeed": {"item": _ITEM, "quantity": 5, "feed_version": 1},
    "SetBuffer": {"item": _ITEM, "units": 1},
    "SetLowStockThreshold": {"item": _ITEM, "units": 1},
    "RegisterSupplier": {**_SUPPLIER, "name": "Nobody Ltd"},
    "ReviewSample": {**_SUPPLIER, "material_matches": True, "packaging_matches": True, "manual_matches": True},
    "AgreeTerms": {
        **_SUPPLIER,
        "agreement": suppliers_pb2.Agreement(effective_from=stamp(NOW - 300 * DAY), dispatch_within_hours=48),
    },
    "ApproveSupplier": _SUPPLIER,
    "OfferSku": {**_SUPPLIER, "offer": suppliers_pb2.Offer(sku="cup", cost=eur(200))},
    "WithdrawOffer": {**_SUPPLIER, "sku": "cup"},
    "RefuseDestination": {**_SUPPLIER, "destination": suppliers_pb2.RefusedDestination(country="CH")},
    "ServeDestination": {**_SUPPLIER, "destination": suppliers_pb2.RefusedDestination(country="CH")},
    "DescribeSku": {"sku": "cup", "title": "A cup"},
    "UpdateSupplier": {**_SUPPLIER, "name": "Somebody Ltd"},
    "SuspendSupplier": _SUPPLIER,
    "ReinstateSupplier": _SUPPLIER,
    "RetireSupplier": _SUPPLIER,
    "ReviewSupplier": _SUPPLIER,
    "AcceptSuspension": {**_SUPPLIER, "rate": ON_TIME},
    "DismissSuspension": {**_SUPPLIER, "rate": ON_TIME, "reason": "a feast"},
    "GetSupplier": _SUPPLIER,
    "GetSku": {"sku": "nothing"},
    "Reserve": {"reservation_id": "nobody", "items": [wanted("nothing")]},
    "ExtendReservation": {**_RESERVATION, "expires_at": stamp(NOW + 2 * DAY)},
    "ReleaseReservation": _RESERVATION,
    "GetStock": {"items": [item("nothing")]},
    "RecordCheckpoints": {
        **_PARCEL,
        "checkpoints": [parcels_pb2.Checkpoint(at=stamp(NOW), status=parcels_pb2.PARCEL_STATUS_DELIVERED)],
    },
    "ProveDelivery": {**_PARCEL, "signed_by": "Ann"},
    "DisputeDelivery": _PARCEL,
    "CorrectTracking": {**_PARCEL, "right_tracking_number": "RIGHT"},
    "VoidParcel": _PARCEL,
    "HandOverParcel": {**_PARCEL, "last_mile_carrier": "usps", "last_mile_tracking_number": "LAST"},
    "ConfirmLoss": {**_PARCEL, "by": common_pb2.PARTY_CARRIER},
    "GetParcel": _PARCEL,
    "OpenCase": {**_CASE, **_ORDER, "reason": cases_pb2.CASE_REASON_DAMAGED, "lines": [line()]},
    "AnswerCustomer": _CASE,
    "RequestEvidence": {**_CASE, "wanted": ["photo"]},
    "AddEvidence": {**_CASE, "type": cases_pb2.EVIDENCE_TYPE_PNG, "data": PNG, "given_by": common_pb2.PARTY_CUSTOMER},
    "StartReview": _CASE,
    "RuleLiability": {**_CASE, "liable": common_pb2.PARTY_RETAILER, "reasons": ["broken"]},
    "ApproveRemedy": {**_CASE, "remedy": REFUND},
    "DenyCase": {**_CASE, "reason": cases_pb2.DENIAL_NOT_COVERED},
    "RecordReturnLabel": {**_CASE, "label_id": "label-1"},
    "RecordReturnShipped": {**_CASE, "label_id": "label-1", **_PARCEL},
    "RecordReturnReceived": {**_CASE, "lines": [line()]},
    "RecordInspection": {**_CASE, "lines": [inspected(restocked=1)]},
    "GrantRefund": {**_CASE, "refund_id": "nobody"},
    "DenyRefund": {**_CASE, "reason": cases_pb2.DENIAL_GOODS_USED},
    "RecordRefundPaid": {**_CASE, "refund_id": "nobody"},
    "CancelCase": {**_CASE, "by": common_pb2.PARTY_CUSTOMER},
    "ReopenCase": {**_CASE, "evidence_sha256": [SHA256]},
    "GetCase": _CASE,
    "GetEvidence": {**_CASE, "sha256": SHA256},
    "OpenRecovery": {
        **_RECOVERY,
        **_ORDER,
        **_SUPPLIER_ORDER,
        "kind": recoveries_pb2.RECOVERY_KIND_SUPPLIER_FAULT,
        "currency": "EUR",
        "costs": [cost()],
    },
    "RaiseRecovery": {**_RECOVERY, "cost": cost(500, "freight-1"), "currency": "EUR"},
    "AnswerRecovery": {**_RECOVERY, "accepted": eur(1000)},
    "SettleRecovery": {**_RECOVERY, "reference": "cn-1", "amount": eur(1000), "method": CREDIT_NOTE},
    "WriteOffRecovery": {**_RECOVERY, "reason": "too small"},
    "CollectDocument": {**_RECOVERY, "kind": recoveries_pb2.CLAIM_DOCUMENT_KIND_PHOTO, "sha256": SHA256},
    "FileClaim": _RECOVERY,
    "AcknowledgeClaim": {**_RECOVERY, "reference": "dhl-1"},
    "DecideClaim": {**_RECOVERY, "approved": eur(1000)},
    "RecordClaimPayment": {**_RECOVERY, "reference": "p-1", "amount": eur(1000)},
    "AppealClaim": {**_RECOVERY, "reason": "photos show it"},
    "ReturnClaimPayment": {**_RECOVERY, "reference": "b-1", "amount": eur(1000)},
    "GetRecovery": _RECOVERY,
    "RecordSupplierInvoice": {
        **_INVOICE,
        "dated": "2026-03-31",
        "currency": "EUR",
        "lines": [supplier_invoices_pb2.SupplierInvoiceLine(**_SUPPLIER_ORDER, units=1, unit_price_minor=200)],
    },
    "MatchSupplierInvoice": _INVOICE,
    "ApproveSupplierInvoice": _INVOICE,
    "DisputeSupplierInvoice": {**_INVOICE, "reason": "too dear"},
    "RecordSupplierCreditNote": {**_INVOICE, "credit_note": "cn-1", "amount": eur(200)},
    "RecordSupplierPayment": {**_INVOICE, "payment_id": "t-1", "amount": eur(200)},
    "ReturnSupplierPayment": {**_INVOICE, "payment_id": "t-1"},
    "GetSupplierInvoice": _INVOICE,
    "IssueCreditNote": {**_ORDER, "number": "nobody", "reason": "wrong buyer"},
    "GetCustomerInvoice": {**_ORDER, "number": "nobody"},
    "ProposeStockUps": {"supplier_id": "acme", "until": stamp(NOW + 9 * DAY)},
    "AskStockUp": {**_STOCK_UP, **_SUPPLIER, "sku": "cup", "units": 9, "until": stamp(NOW + 9 * DAY)},
    "AnswerStockUp": {**_STOCK_UP, "units": 9, "since": stamp(NOW + 2 * DAY)},
    "WithdrawStockUp": _STOCK_UP,
    "GetStockUp": _STOCK_UP,
    "AskInquiry": {
        **_INQUIRY,
        **_ORDER,
        "asked_by": common_pb2.PARTY_RETAILER,
        "asked_of": common_pb2.PARTY_SUPPLIER,
        "supplier_id": "acme",
        "text": "Where is it?",
    },
    "AnswerInquiry": {**_INQUIRY, "text": "On its way."},
    "CloseInquiry": _INQUIRY,
    "GetInquiry": _INQUIRY,
    "GetMessage": _MESSAGE,
    "RetryMessage": _MESSAGE,
    "PutTemplate": {**_TEMPLATE, "subject": "Your order {{ order }}", "body": "It has left."},
    "WithdrawTemplate": _TEMPLATE,
    "GetTemplate": _TEMPLATE,
    "PreviewMessage": {**_TEMPLATE, **_ORDER},
    "CancelMessage": _MESSAGE,
    "RecordBounce": _MESSAGE,
    "ClaimWork": _TASK,
    "ReleaseWork": _TASK,
    "GetWork": _TASK,
    "AssignWork": {**_TASK, "person": "mia"},
    "UnassignWork": _TASK,
    "PutOffWork": {**_TASK, "until": stamp(NOW + DAY)},
    "CommentOnWork": {**_TASK, "comment": "called twice"},
    "FinishWork": {**_TASK, "outcome": "done"},
    "GetOrderAsOf": {**_ORDER, "position": 1},
    "RebuildProjection": {"name": "nothing"},
    "ErasePerson": {"email": "nobody@example.org"},
    "HoldPersonalData": {**_ORDER, "because": "file 7", "until": stamp(NOW + DAY)},
    "FindCustomer": {"email": "nobody@example.org"},
    "FindParcels": {"tracking_number": "NOBODY"},
    "GetTrend": {
        "name": ON_TIME,
        "period": scorecards_pb2.Window(**_PERIOD),
        "step": scorecards_pb2.TREND_STEP_WEEK,
    },
    "ListRateCases": {"name": ON_TIME},
    "GetStatement": {"supplier_id": "acme", **_PERIOD},
    "ListStatementEntries": {"supplier_id": "acme", **_PERIOD},
    "ReviewTrade": {"group_by": trade_pb2.TRADE_GROUP_SUPPLIER, **_PERIOD},
    "AddConnection": {**_CONNECTION, **_SECRETS, "settings": {"shop": "https://shop.example.org"}},
    "RotateConnectionSecret": {**_CONNECTION, **_SECRETS},
    "PauseConnection": _CONNECTION,
    "ResumeConnection": _CONNECTION,
    **dict.fromkeys(("RemoveConnection", "TestConnection", "TellStock"), _CONNECTION),
    "TellOrders": {**_CONNECTION, "since": stamp(NOW - DAY)},
    **dict.fromkeys(("GetReception", "ReplayReception", "DropReception"), _RECEPTION),
    **dict.fromkeys(("GetEffect", "ReplayEffect", "DropEffect"), _EFFECT),
    "RecordTextChoice": {"phone": "+4930123456", "choice": edges_pb2.TEXT_CHOICE_NONE},
    "GetTextChoice": {"phone": "+4930123456"},
    "ListStockMovements": {"supplier_id": "acme", "sku": "nothing"},
}
"""By RPC what a request needs to be understood; RPCs that need nothing are left out."""


# --- the trade --------------------------------------------------------------------------------------


class Trade:
    """A client of a service, with short commands."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def request(self, rpc: str, **fields: Any) -> Any:
        """A well-formed request with these fields."""
        if rpc == "PlaceOrder":
            return order(fresh(), **fields)
        request = descriptor_pool.Default().FindMessageTypeByName(documented.rpcs()[rpc].request)
        asks = {"context": context()} if documented.rpcs()[rpc].is_command else {}
        return message_factory.GetMessageClass(request)(**{**asks, **WELL_FORMED.get(rpc, {}), **fields})

    def call(self, rpc: str) -> Any:
        return next(getattr(stub, rpc) for stub in vars(self.client).values() if hasattr(stub, rpc))

    def send(self, rpc: str, **fields: Any) -> Any:
        return self.call(rpc)(self.request(rpc, **fields))

    # --- suppliers and stock ---

    def candidate(self, **more: Any) -> str:
        supplier_id = fresh()
        self.send("RegisterSupplier", supplier_id=supplier_id, at=stamp(NOW - 300 * DAY), **more)
        return supplier_id

    def sampled(self, **more: Any) -> str:
        supplier_id = self.candidate(**more)
        self.send("ReviewSample", supplier_id=supplier_id)
        return supplier_id

    def supplier(self, **more: Any) -> str:
        """One that may be given orders."""
        supplier_id = self.sampled(**more)
        self.send("AgreeTerms", supplier_id=supplier_id)
        self.send("ApproveSupplier", supplier_id=supplier_id)
        return supplier_id

    def retired(self) -> str:
        supplier_id = self.candidate()
        self.send("RetireSupplier", supplier_id=supplier_id)
        return supplier_id

    def proposed(self) -> str:
        """A supplier that it is proposed to suspend, for the one order that it sent late."""
        policy = admin_pb2.Policy(suspension_least_cases=1)
        self.send("AgreePolicy", policy=policy, effective_from=stamp(NOW - 300 * DAY))
        supplier_id = self.supplier()
        late = self.sent(5, lines=[bought(fresh(), supplier_id=supplier_id)])
        receipt = self.send("ShipSupplierOrder", **first_of(late), **parcel_of(late), at=stamp(NOW - DAY))
        self.client.read_up_to(receipt.position)
        self.send("ReviewSupplier", supplier_id=supplier_id, at_least=receipt.position)
        return supplier_id

    def stocked(self, units: int = 1) -> str:
        """A SKU of which there are so many."""
        sku = fresh()
        self.client.feed(units, sku=sku)
        return sku

    def reserved(self) -> Fields:
        """A hold for some time, as requests name it."""
        reservation_id, sku = fresh(), self.stocked()
        self.send("Reserve", reservation_id=reservation_id, items=[wanted(sku)])
        return {"reservation_id": reservation_id, "items": [item(sku)]}

    # --- orders and parcels ---

    def placed(self, **more: Any) -> str:
        """An order that is confirmed at once unless said otherwise."""
        number = fresh()
        self.client.place(number, **{"sku": number, **more})
        return f"shop/{number}"

    def unpaid(self, **more: Any) -> str:
        return self.placed(payment=orders_pb2.PAYMENT_STATE_PENDING, **more)

    def free_to_confirm(self, **more: Any) -> str:
        """An order that was not paid and does not wait for it any more."""
        order_id = self.unpaid(**more)
        self.send("ReleaseHold", order_id=order_id, reason=orders_pb2.HOLD_REASON_AWAITING_PAYMENT)
        return order_id

    def cancelled(self, **more: Any) -> str:
        order_id = self.placed(**more)
        self.send("CancelOrder", order_id=order_id)
        return order_id

    def sent(self, days_ago: float = 0, **more: Any) -> str:
        at = stamp(NOW - days_ago * DAY)
        order_id = self.placed(placed_at=at, **more)
        self.send("SendSupplierOrder", **first_of(order_id), at=at)
        return order_id

    def held(self, order_id: str) -> str:
        """The order made to wait."""
        self.send("PlaceHold", order_id=order_id)
        return order_id

    def shipped(self, days_ago: float = 0, **more: Any) -> str:
        order_id = self.sent(days_ago, **more)
        at = stamp(NOW - days_ago * DAY)
        self.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id), at=at)
        return order_id

    def delivered(self, days_ago: float = 0, **more: Any) -> str:
        order_id = self.shipped(days_ago, **more)
        scan = parcels_pb2.Checkpoint(at=stamp(NOW - days_ago * DAY), status=parcels_pb2.PARCEL_STATUS_DELIVERED)
        self.send("RecordCheckpoints", **parcel_of(order_id), checkpoints=[scan])
        return order_id

    def corrected(self) -> str:
        """An order whose parcel left under another number than was reported first."""
        order_id = self.shipped()
        right = f"{number_of(order_id)}R"
        self.send("CorrectTracking", **parcel_of(order_id), right_tracking_number=right)
        return order_id

    def announced(self) -> str:
        """A tracking number of which nothing else is known."""
        number = fresh()
        self.send("RegisterParcel", carrier="dhl", tracking_number=number)
        return number

    def came_back(self) -> str:
        order_id = self.shipped()
        scan = parcels_pb2.Checkpoint(at=stamp(NOW), status=parcels_pb2.PARCEL_STATUS_RETURNED)
        self.send("RecordCheckpoints", **parcel_of(order_id), checkpoints=[scan])
        return order_id

    def rated(self) -> str:
        order_id = self.placed()
        self.send("RecordReview", order_id=order_id)
        return order_id

    def captured(self) -> str:
        order_id = self.placed()
        self.send("RecordPayment", order_id=order_id, payment=0, payments=[captured(990)])
        return order_id

    def charged_back(self) -> str:
        order_id = self.placed()
        self.send("RecordChargeback", order_id=order_id)
        return order_id

    def tagged(self) -> str:
        """With as many tags as an order may have."""
        order_id = self.placed()
        for number in range(0, 100, 20):
            self.send("TagOrder", order_id=order_id, add=[f"tag {n}" for n in range(number, number + 20)])
        return order_id

    # --- cases; each is about two units of an order of the same number ---

    def opened(self, **more: Any) -> str:
        order_id = self.delivered(units=2, **more)
        case_id = number_of(order_id)
        self.send("OpenCase", case_id=case_id, order_id=order_id, lines=[line(units=2)])
        return case_id

    def evidence_asked(self) -> str:
        case_id = self.opened()
        self.send("RequestEvidence", case_id=case_id)
        return case_id

    def reviewed(self, **more: Any) -> str:
        case_id = self.opened(**more)
        self.send("StartReview", case_id=case_id)
        return case_id

    def full(self) -> str:
        """With as much evidence as a case can have."""
        case_id = self.opened()
        for number in range(100):
            self.send("AddEvidence", case_id=case_id, data=PNG + bytes([number]))
        return case_id

    def ruled(self, **more: Any) -> str:
        case_id = self.reviewed(**more)
        self.send("RuleLiability", case_id=case_id)
        return case_id

    def approved(self, remedy: Any, **more: Any) -> str:
        case_id = self.ruled(**more)
        self.send("ApproveRemedy", case_id=case_id, remedy=remedy)
        return case_id

    def granted(self) -> str:
        """A case whose units were all granted a refund of the case's name, which was not paid yet."""
        case_id = self.approved(REFUND)
        self.send("GrantRefund", case_id=case_id, refund_id=case_id)
        return case_id

    def reshipped(self) -> str:
        return self.approved(RESHIP)

    def labelled(self) -> str:
        case_id = self.approved(RETURN)
        self.send("RecordReturnLabel", case_id=case_id)
        return case_id

    def sent_back(self) -> str:
        case_id = self.labelled()
        self.send("RecordReturnShipped", case_id=case_id, carrier="dhl", tracking_number=case_id + "B")
        return case_id

    def received(self) -> str:
        case_id = self.labelled()
        self.send("RecordReturnReceived", case_id=case_id, lines=[line(units=2)])
        return case_id

    def inspected(self) -> str:
        case_id = self.received()
        self.send("RecordInspection", case_id=case_id, lines=[inspected(restocked=2)])
        return case_id

    def denied(self) -> str:
        case_id = self.ruled()
        self.send("DenyCase", case_id=case_id)
        return case_id

    def closed(self, case_id: str) -> str:
        """The case taken back."""
        self.send("CancelCase", case_id=case_id)
        return case_id

    def reopened(self, case_id: str) -> str:
        """A closed case under review again, at new evidence."""
        self.send("AddEvidence", case_id=case_id)
        self.send("ReopenCase", case_id=case_id)
        return case_id

    # --- recoveries; each asks for 10.00 EUR ---

    def asked(self) -> str:
        """A recovery from a supplier."""
        order_id, recovery_id = self.shipped(), fresh()
        self.send("OpenRecovery", recovery_id=recovery_id, order_id=order_id, **first_of(order_id))
        return recovery_id

    def accepted(self) -> str:
        recovery_id = self.asked()
        self.send("AnswerRecovery", recovery_id=recovery_id)
        return recovery_id

    def settled_in_part(self) -> str:
        recovery_id = self.accepted()
        self.send("SettleRecovery", recovery_id=recovery_id, amount=eur(400))
        return recovery_id

    def written_off(self) -> str:
        recovery_id = self.asked()
        self.send("WriteOffRecovery", recovery_id=recovery_id)
        return recovery_id

    def claim(self, days_ago: float = 20, **more: Any) -> str:
        """A claim on a carrier for a loss."""
        order_id, recovery_id = self.shipped(days_ago), fresh()
        about: Fields = {"kind": LOSS, "order_id": order_id, **parcel_of(order_id), **more}
        self.send("OpenRecovery", recovery_id=recovery_id, **about)
        return recovery_id

    def claim_written_off(self) -> str:
        recovery_id = self.claim()
        self.send("WriteOffRecovery", recovery_id=recovery_id)
        return recovery_id

    def documented(self, **more: Any) -> str:
        recovery_id = self.claim(**more)
        for kind in recoveries_pb2.ClaimDocumentKind.values()[1:]:
            self.send("CollectDocument", recovery_id=recovery_id, kind=kind)
        return recovery_id

    def filed(self) -> str:
        recovery_id = self.documented()
        self.send("FileClaim", recovery_id=recovery_id)
        return recovery_id

    def decided(self) -> str:
        """A claim that the carrier approved whole."""
        recovery_id = self.filed()
        self.send("DecideClaim", recovery_id=recovery_id)
        return recovery_id

    def paid(self) -> str:
        recovery_id = self.decided()
        self.send("RecordClaimPayment", recovery_id=recovery_id)
        return recovery_id

    def appealed(self) -> str:
        """A claim that the carrier approved and paid in part."""
        recovery_id = self.filed()
        self.send("DecideClaim", recovery_id=recovery_id, approved=eur(400))
        self.send("RecordClaimPayment", recovery_id=recovery_id, amount=eur(400))
        self.send("AppealClaim", recovery_id=recovery_id)
        return recovery_id

    def given_back(self) -> str:
        recovery_id = self.paid()
        self.send("ReturnClaimPayment", recovery_id=recovery_id)
        return recovery_id

    # --- questions, work and messages ---

    def inquiry(self) -> str:
        inquiry_id = fresh()
        self.send("AskInquiry", inquiry_id=inquiry_id, order_id=self.placed())
        return inquiry_id

    def closed_inquiry(self) -> str:
        inquiry_id = self.inquiry()
        self.send("CloseInquiry", inquiry_id=inquiry_id)
        return inquiry_id

    def task(self) -> str:
        """A piece of work that a hold makes."""
        order_id = self.placed()
        receipt = self.send("PlaceHold", order_id=order_id)
        listed = self.request("ListWork", order_id=order_id, at_least=receipt.position)
        (found,) = patiently(self.client.work.ListWork, listed).work
        return str(found.task_id)

    def claimed(self) -> str:
        """A piece of work that somebody else has."""
        task_id = self.task()
        self.send("ClaimWork", task_id=task_id, context=context(actor="tom"))
        return task_id

    def finished(self) -> str:
        task_id = self.task()
        self.send("FinishWork", task_id=task_id)
        return task_id

    def sent_message(self) -> str:
        """A message that was sent."""
        return self._message_of(self.placed(), messages_pb2.MESSAGE_STATE_SENT)

    def cancelled_message(self) -> str:
        """A message that was not true any more when it was to be sent."""
        number = fresh()
        order_id = f"shop/{number}"
        commands = [
            batch_pb2.BatchCommand(place_order=order(number, sku=number)),
            batch_pb2.BatchCommand(cancel_order=self.request("CancelOrder", order_id=order_id)),
        ]
        self.send("ExecuteBatch", commands=commands)
        return self._message_of(order_id, messages_pb2.MESSAGE_STATE_CANCELLED)

    def _message_of(self, order_id: str, state: Any) -> str:
        give_up_at = time.monotonic() + 60
        listed = self.request("ListMessages", order_id=order_id, states=[state])
        while not (found := patiently(self.client.messages.ListMessages, listed).messages):
            assert time.monotonic() < give_up_at, "the message did not come so far"
            time.sleep(0.02)
        return str(found[0].message_id)


def fresh() -> str:
    """An id that nothing has yet; as a tracking number it is its own."""
    return uuid.uuid4().hex[:12].upper()
