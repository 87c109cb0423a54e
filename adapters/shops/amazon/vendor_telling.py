"""What a vendor tells Amazon, which answers with a transaction that is asked for what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from adapters.edges.agreement import Account
from adapters.edges.effects import NotDone, NotYet, Telling, ToldNow
from adapters.edges.http import Http, KeptToken, Reply, SystemUnreachable
from adapters.edges.meaning import NotUnderstood
from adapters.shops.amazon.calls import SellingPartner, problem
from adapters.shops.amazon.payloads import AmazonPayload
from adapters.shops.amazon.telling import in_path, required
from adapters.shops.amazon.vendor_payloads import VendorItem, VendorOrder
from adapters.shops.amazon.words import carrier_title
from ledger.nouns.orders import Header
from ledger.terms.effects import Cancellation, Fulfilment, OrderStanding, ShopLine, StockLevel

_ACKNOWLEDGE = "/vendor/directFulfillment/orders/2021-12-28/acknowledgements"
_CONFIRM = "/vendor/directFulfillment/shipping/2021-12-28/shipmentConfirmations"
_STOCK = "/vendor/directFulfillment/inventory/v1/warehouses/{}/items"
_TRANSACTION = "/vendor/directFulfillment/transactions/2021-12-28/transactions/"
_WILL_SEND = ("00", "Shipping 100 percent of ordered product")
_OUT_OF_STOCK = ("03", "Canceled out of stock")
_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""After which a transaction is asked for again; then what is told waits for its next turn."""

OrderOf = Callable[[str], Awaitable[VendorOrder | None]]


class Vendor:
    """One vendor, who is about to tell something."""

    def __init__(self, system: SellingPartner, http: Http, account: Account, order: OrderOf, limit: str) -> None:
        """``order`` asks for a purchase order as it is now."""
        self._system = system
        self._http = http
        self._account = account
        self._ask = order
        self._limit = limit

    async def tell(self, told: Telling) -> ToldNow:
        effect = told.effect
        if isinstance(effect, StockLevel):
            return await self._done(told.key, self._stock_path(), self._stock(effect))
        if isinstance(effect, OrderStanding):
            return await self._accepted(effect, told.key)
        if isinstance(effect, Fulfilment):
            return await self._sent(effect, told.key)
        if isinstance(effect, Cancellation):
            return await self._cancelled(effect, told.key)
        raise NotImplementedError

    async def _order(self, number: str) -> VendorOrder:
        found = await self._ask(number)
        if found is None:
            raise NotDone("Amazon has no such purchase order of this vendor")
        return found

    # --- orders ---

    async def _accepted(self, standing: OrderStanding, key: str) -> ToldNow:
        """Amazon wants to know what will be sent before it is: that is what is confirmed here, and nothing holds up."""
        if standing.status != Header.CONFIRMED or standing.holds:
            return ToldNow(note=f"Amazon wants no word of an order that is {standing.status}")
        order = await self._order(standing.channel_order_id)
        if order.order_details.order_status != "NEW":
            return ToldNow(note="Amazon knew of it already")
        return await self._acknowledge(order, key, *_WILL_SEND)

    async def _sent(self, parcel: Fulfilment, key: str) -> ToldNow:
        if parcel.withdrawn:
            raise NotDone("Amazon takes no shipment back: tell it in Vendor Central")
        if not parcel.lines:
            return ToldNow(note="it holds no whole line of the order: Amazon is told with the parcel that completes it")
        order = await self._order(parcel.channel_order_id)
        if order.order_details.order_status == "NEW":
            await self._acknowledge(order, key, *_WILL_SEND)
        items = [_told_item(order, line) for line in parcel.lines]
        shipped_at = min(parcel.shipped_at, datetime.now(UTC))
        confirmation = {
            **_of(order),
            "shipmentDetails": {"shippedDate": _text(shipped_at), "shipmentStatus": "SHIPPED"},
            "items": [{**item, "shippedQuantity": _each(units)} for item, units in items],
            "containers": [self._container(order, parcel, items)],
        }
        return await self._done(key, _CONFIRM, {"shipmentConfirmations": [confirmation]})

    def _container(
        self, order: VendorOrder, parcel: Fulfilment, items: Sequence[tuple[Mapping[str, object], int]]
    ) -> Mapping[str, object]:
        return {
            "containerType": "Carton",
            "containerIdentifier": str(parcel.parcel_no),
            "trackingNumber": parcel.tracking_number,
            "carrier": carrier_title(parcel.carrier),
            "shipMethod": order.order_details.shipment_details.ship_method or "",
            "weight": {"unitOfMeasure": "KG", "value": self._account.settings.get("weight", "1")},
            "packedItems": [{**item, "packedQuantity": _each(units)} for item, units in items],
        }

    async def _cancelled(self, cancelled: Cancellation, key: str) -> ToldNow:
        """Before it was accepted it is refused; afterwards Amazon is told that it does not leave the warehouse."""
        order = await self._order(cancelled.channel_order_id)
        status = order.order_details.order_status
        if status == "CANCELLED":
            return ToldNow(note="it was cancelled at Amazon already")
        if not cancelled.whole or status == "SHIPPED":
            raise NotDone(
                "Amazon takes only whole purchase orders back of which nothing was sent: tell it in Vendor Central"
            )
        if status == "NEW":
            return await self._acknowledge(order, key, *_OUT_OF_STOCK)
        items = [_item(each) for each in order.order_details.items]
        confirmation = {
            **_of(order),
            "shipmentDetails": {"shippedDate": _text(datetime.now(UTC)), "shipmentStatus": "FLOOR_DENIAL"},
            "items": [{**item, "shippedQuantity": _each(units)} for item, units in items],
        }
        return await self._done(key, _CONFIRM, {"shipmentConfirmations": [confirmation]})

    async def _acknowledge(self, order: VendorOrder, key: str, code: str, description: str) -> ToldNow:
        items = [
            {**item, "itemSequenceNumber": str(item["itemSequenceNumber"]), "acknowledgedQuantity": _each(units)}
            for item, units in map(_item, order.order_details.items)
        ]
        acknowledgement = {
            **_of(order),
            "vendorOrderNumber": order.purchase_order_number,
            "acknowledgementDate": _text(datetime.now(UTC)),
            "acknowledgementStatus": {"code": code, "description": description},
            "itemAcknowledgements": items,
        }
        return await self._done(f"{key} {code}", _ACKNOWLEDGE, {"orderAcknowledgements": [acknowledgement]})

    # --- stock ---

    def _stock_path(self) -> str:
        return _STOCK.format(in_path(self._account.settings["warehouse"]))

    def _stock(self, level: StockLevel) -> object:
        item = {
            "vendorProductIdentifier": level.sku,
            "availableQuantity": _each(level.available if level.listed else 0),
            "isObsolete": False,
        }
        party = {"partyId": self._account.settings["vendor"]}
        return {"inventory": {"sellingParty": party, "isFullUpdate": False, "items": [item]}}

    # --- transactions ---

    async def _done(self, key: str, path: str, body: object) -> ToldNow:
        """Hands it over, once, and waits for what becomes of it. Raises NotYet as long as Amazon works on it."""
        known = self._http.tokens.get(key)
        if known is None:
            reply = await self._call("POST", path, body)
            handed = required(reply, 202, _Accepted).payload
            known = self._http.tokens[key] = KeptToken(handed.transaction_id, 0.0)
        for pause in (*_PAUSES, None):
            asked = await self._call("GET", _TRANSACTION + in_path(known.text))
            found = required(asked, 200, _Transaction).transaction_status
            if found.status == "Success":
                del self._http.tokens[key]
                return ToldNow(known.text)
            if found.status == "Failure":
                del self._http.tokens[key]
                raise NotDone(f"Amazon did not take it: {found.why}")
            if pause is not None:
                await asyncio.sleep(pause)
        raise NotYet("Amazon works on it")

    async def _call(self, method: str, path: str, body: object = None) -> Reply:
        try:
            reply = await self._system.call(self._http, self._account, method, path, limit=self._limit, body=body)
        except NotUnderstood as wrong:
            raise SystemUnreachable(str(wrong)) from None
        if reply.status in (401, 403):
            raise SystemUnreachable(f"{problem(reply)}; see the application's roles")
        return reply


class _Handed(AmazonPayload):
    transaction_id: str


class _Accepted(AmazonPayload):
    payload: _Handed


class _Error(AmazonPayload):
    code: str = ""
    message: str = ""


class _Errors(AmazonPayload):
    errors: list[_Error] = []


class _Outcome(AmazonPayload):
    status: str
    errors: _Errors | list[_Error] | None = None

    @property
    def why(self) -> str:
        told = self.errors.errors if isinstance(self.errors, _Errors) else self.errors or []
        return "; ".join(f"{each.code}: {each.message}" for each in told[:3])[:300] or "it does not say why"


class _Transaction(AmazonPayload):
    transaction_status: _Outcome


def is_weight(text: str) -> bool:
    try:
        return 0 < Decimal(text) < 1000
    except InvalidOperation:
        return False


def _of(order: VendorOrder) -> dict[str, object]:
    details = order.order_details
    return {
        "purchaseOrderNumber": order.purchase_order_number,
        "sellingParty": {"partyId": details.selling_party.party_id},
        "shipFromParty": {"partyId": details.ship_from_party.party_id},
    }


def _told_item(order: VendorOrder, line: ShopLine) -> tuple[Mapping[str, object], int]:
    """As Amazon calls it, and how many of it are in a parcel."""
    for item in order.order_details.items:
        if item.item_sequence_number == line.channel_line_id:
            return _item(item)[0], line.units
    raise NotDone(
        f"Amazon's purchase order has no item {line.channel_line_id or line.line_no}: tell it in Vendor Central"
    )


def _item(item: VendorItem) -> tuple[dict[str, object], int]:
    if not item.item_sequence_number.isdecimal():
        raise NotDone("itemSequenceNumber: no number: tell it in Vendor Central")
    names = {
        "buyerProductIdentifier": item.buyer_product_identifier,
        "vendorProductIdentifier": item.vendor_product_identifier,
    }
    number = {"itemSequenceNumber": int(item.item_sequence_number)}
    amount = (item.ordered_quantity.amount or 0) if item.ordered_quantity else 0
    return {**number, **{name: value for name, value in names.items() if value}}, amount


def _each(units: int) -> Mapping[str, object]:
    return {"amount": units, "unitOfMeasure": "Each"}


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
