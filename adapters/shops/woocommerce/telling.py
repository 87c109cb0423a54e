"""What WooCommerce is told: tracking numbers, stock, cancels and refunds, by its REST API.

It has no idempotency keys, so each time it is looked first whether it is so already: an answer may have been lost.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from adapters.edges import reading
from adapters.edges.agreement import Account
from adapters.edges.effects import NotDone, Telling, ToldNow
from adapters.edges.http import Http, Reply, SystemUnreachable
from adapters.edges.meaning import NotUnderstood
from adapters.shops.woocommerce.payloads import Loose, text
from adapters.tracking import carriers
from ledger.terms.effects import Cancellation, Fulfilment, RefundAsked, ShopLine, StockLevel
from ledger.terms.money import minor_digits

T = TypeVar("T")

API = "/wp-json/wc/v3"
_TRACKING = "/wp-json/wc-shipment-tracking/v3"
"""Of the extension, and of others that do the same."""
_NO_ROUTE = "rest_no_route"
_OVER = frozenset({"cancelled", "trash", "refunded", "failed"})
DRAFT = "draft"


class _Problem(msgspec.Struct):
    code: str | None = ""


class _Tracking(msgspec.Struct):
    tracking_id: str = ""
    tracking_number: str = ""


class _Note(msgspec.Struct):
    id: int
    note: str | None = ""


class _Status(msgspec.Struct):
    status: str = ""


class _Refund(msgspec.Struct):
    id: int
    reason: str | None = ""


class _Product(msgspec.Struct):
    id: int
    sku: Loose = msgspec.Raw(b"null")
    parent_id: int | None = 0
    status: str | None = ""


class WooWriter:
    """One shop, for as long as it is told something."""

    def __init__(self, http: Http, account: Account) -> None:
        self._http = http
        self._account = account

    async def tell(self, telling: Telling) -> ToldNow:
        match telling.effect:
            case Fulfilment() as fulfilment:
                return await self._fulfil(fulfilment, telling)
            case Cancellation() as cancellation:
                return await self._cancel(cancellation, telling)
            case RefundAsked() as refund:
                return await self._refund(refund)
            case StockLevel() as level:
                return await self._level(level, telling)
            case _:
                raise NotDone("a shop of WooCommerce cannot be told this")

    # --- parcels ---

    async def _fulfil(self, now: Fulfilment, telling: Telling) -> ToldNow:
        """The number is put in, or taken out; an order of which all is sent is completed."""
        order = f"/orders/{now.channel_order_id}"
        trackings = f"{_TRACKING}{order}/shipment-trackings"
        found = await self._get(trackings, absent=True)
        if found is None:
            reference = await self._note(order, _sentence(now, telling.before))
        else:
            known = _decoded(found, list[_Tracking])
            reference = await self._tracking(trackings, known, now, telling)
        before = telling.before
        if now.completes:
            await self._status(order, "completed")
        elif isinstance(before, Fulfilment) and before.completes:
            await self._status(order, "processing")
        return ToldNow(reference)

    async def _tracking(self, path: str, known: Iterable[_Tracking], now: Fulfilment, telling: Telling) -> str:
        there = {each.tracking_number: each.tracking_id for each in known}
        reference = "" if now.withdrawn else there.get(now.tracking_number, "")
        if not (now.withdrawn or reference):
            made = await self._send("POST", path, _as_tracking(now))
            reference = _decoded(made, _Tracking).tracking_id
        before = telling.before
        gone = isinstance(before, Fulfilment) and (now.withdrawn or before.tracking_number != now.tracking_number)
        if gone and telling.reference in there.values():
            await self._send("DELETE", f"{path}/{telling.reference}", None)
        return reference

    async def _status(self, order: str, wanted: str) -> None:
        """Of an order that is over it stays as it is."""
        now = _decoded(await self._get(f"{API}{order}"), _Status).status
        if now != wanted and now not in _OVER:
            await self._send("PUT", f"{API}{order}", {"status": wanted})

    async def _note(self, order: str, sentence: str) -> str:
        """A note for the people of the shop, once."""
        notes = f"{API}{order}/notes"
        for note in _decoded(await self._get(notes), list[_Note]):
            if note.note == sentence:
                return str(note.id)
        made = await self._send("POST", notes, {"note": sentence, "customer_note": False})
        return str(_decoded(made, _Note).id)

    # --- cancels and refunds ---

    async def _cancel(self, now: Cancellation, telling: Telling) -> ToldNow:
        order = f"/orders/{now.channel_order_id}"
        if now.whole:
            await self._status(order, "cancelled")
            return ToldNow()
        before = telling.before.lines if isinstance(telling.before, Cancellation) else ()
        units = {each.line_no: each.units for each in before}
        fresh = [each for each in now.lines if each.units > units.get(each.line_no, 0)]
        return ToldNow(await self._note(order, f"Will not be sent: {_listed(fresh)}."))

    async def _refund(self, refund: RefundAsked) -> ToldNow:
        """It is written down in the shop; whoever pays moves the money."""
        path, mark = f"{API}/orders/{refund.channel_order_id}/refunds", f"[{refund.refund_id}]"
        for each in _decoded(await self._get(path), list[_Refund]):
            if mark in (each.reason or ""):
                return ToldNow(str(each.id))
        amount = Decimal(refund.amount_minor).scaleb(-minor_digits(refund.currency))
        reason = " ".join(reading.lines(refund.reason, mark))
        made = await self._send("POST", path, {"amount": f"{amount:f}", "reason": reason, "api_refund": False})
        return ToldNow(str(_decoded(made, _Refund).id))

    # --- stock ---

    async def _level(self, level: StockLevel, telling: Telling) -> ToldNow:
        """The product is known from the last time; else, or where it is gone, it is looked for by its SKU."""
        wanted = self._as_stock(level, telling.before)
        if telling.reference and await self._send("PUT", f"{API}{telling.reference}", wanted, absent=True) is not None:
            return ToldNow(telling.reference)
        found = await self._get(f"{API}/products", sku=level.sku, per_page="100")
        products = [each for each in _decoded(found, list[_Product]) if text(each.sku) == level.sku]
        if not products:
            return ToldNow(note="the shop has no product of this SKU")
        if len(products) > 1:
            raise NotDone(f"{len(products)} products of the shop have this SKU; give each its own")
        path = f"/products/{products[0].id}"
        if products[0].parent_id:
            path = f"/products/{products[0].parent_id}/variations/{products[0].id}"
        await self._send("PUT", f"{API}{path}", wanted)
        return ToldNow(path)

    def _as_stock(self, level: StockLevel, before: object) -> Mapping[str, Any]:
        """As a draft only where that is wanted; and one is published that was made a draft here."""
        wanted: dict[str, Any] = {"manage_stock": True, "stock_quantity": level.available if level.listed else 0}
        if self._account.settings.get("delisted") == DRAFT:
            if not level.listed:
                wanted["status"] = DRAFT
            elif isinstance(before, StockLevel) and not before.listed:
                wanted["status"] = "publish"
        return wanted

    # --- calls ---

    async def _get(self, path: str, *, absent: bool = False, **params: str) -> Reply | None:
        return _answered(await call(self._http, self._account, "GET", path, **params), absent=absent)

    async def _send(self, method: str, path: str, content: Any, *, absent: bool = False) -> Reply | None:
        return _answered(await call(self._http, self._account, method, path, content), absent=absent)


async def call(http: Http, account: Account, method: str, path: str, content: Any = None, **params: str) -> Reply:
    login = b64encode(f"{account.secret('key')}:{account.secret('secret')}".encode()).decode()
    headers = {"authorization": f"Basic {login}"}
    body = b""
    if content is not None:
        headers["content-type"] = "application/json"
        body = msgspec.json.encode(content)
    return await http.request(method, f"{account.settings['shop']}{path}", headers=headers, params=params, content=body)


def _answered(reply: Reply, *, absent: bool) -> Reply | None:
    """The answer if it is a good one; None where there may be no such thing, and is none."""
    if 200 <= reply.status < 300:
        return reply
    code = _code(reply)
    if reply.status in (401, 403):
        raise SystemUnreachable(
            f"the shop does not take the key for this ({reply.status}): it must be one that may read and write; give "
            "the right one with fulfilment connection rotate"
        )
    if absent and reply.status == 404 and (code == _NO_ROUTE or "product" in code):
        return None
    if reply.status == 404:
        raise NotDone(f"the shop does not have it (404 {code})")
    if reply.status >= 500 or reply.status in (408, 425):
        raise SystemUnreachable(f"the shop answers {reply.status}")
    raise NotDone(f"the shop refuses it ({f'{reply.status} {code}'.rstrip()})")


def _code(reply: Reply) -> str:
    """The shop's word for what is wrong; never its sentence, which may quote."""
    try:
        return (reading.decoded(reply.body, _Problem).code or "")[:80]
    except NotUnderstood:
        return ""


def _decoded(reply: Reply | None, kind: type[T]) -> T:
    assert reply is not None, "it must be there"
    return reading.decoded(reply.body, kind)


def _as_tracking(now: Fulfilment) -> Mapping[str, str]:
    return {
        "tracking_number": now.tracking_number,
        "custom_tracking_provider": _title(now.carrier),
        "custom_tracking_link": now.tracking_url,
        "date_shipped": f"{now.shipped_at:%Y-%m-%d}",
    }


def _title(carrier: str) -> str:
    found = carriers.known(carrier)
    return found.title if found is not None else carrier


def _sentence(now: Fulfilment, before: object) -> str:
    """What a person of the shop reads where it has no place for tracking numbers."""
    what = f"Parcel {now.parcel_no}: {_title(now.carrier)} {now.tracking_number}"
    if now.withdrawn:
        return f"{what} has not left."
    if isinstance(before, Fulfilment) and before.tracking_number != now.tracking_number:
        return f"{what}, instead of {before.tracking_number}. {now.tracking_url}".strip()
    contents = f" ({_listed(now.lines)})" if now.lines else ""
    return f"{what}{contents}. {now.tracking_url}".strip()


def _listed(lines: Iterable[ShopLine]) -> str:
    return ", ".join(f"{each.units} x {each.sku}" for each in lines)
