"""``fulfilment show``: one order, where its units are, and what can be done next."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.orders.holds import print_holds
from adapters.console.orders.standing import next_steps, read_order, status_of
from adapters.console.parcels.page import last_scan
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.past import asked, past
from adapters.console.terminal.printer import Printer
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import at, expected, minute, money, promised, span, word
from fulfilment.v1 import (
    common_pb2,
    order_money_pb2,
    orders_pb2,
    parcels_pb2,
    shipping_pb2,
    supplier_orders_pb2,
)

_BUCKETS = ("open", "backordered", "assigned", "shipped", "delivered", "returned", "cancelled", "lost")
_DISPATCH_CLOCK = supplier_orders_pb2.SUPPLIER_ORDER_CLOCK_DISPATCH
_LONG = 20
_MOST_PARCELS = 20
"""An order has a few; each costs a call for its last scan."""


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--personal", is_flag=True, help="Name, contact and address too.")
@past
@click.pass_obj
def show(session: Session, order_id: str, personal: bool, as_of: common_pb2.AsOf | None, at: Timestamp | None) -> None:
    """Show an order: its units, holds, supplier orders and parcels.

    ORDER_ID is CHANNEL/ID, such as shopify/1001.
    """
    as_of = asked(as_of, at, personal)
    order = read_order(session, order_id, personal=personal, as_of=as_of)
    if session.json:
        session.show(order)
        return
    out = session.out
    _print_header(out, order)
    out.blank()
    _print_lines(out, order)
    if order.holds:
        out.blank()
        print_holds(out, order)
    if order.notes:
        out.blank()
        rows = [[minute(each, "at"), each.by, each.note or "(sealed; --personal shows it)"] for each in order.notes]
        out.table(["written", "by", "note"], rows)
    if order.supplier_orders:
        out.blank()
        _print_supplier_orders(out, order, None if as_of is not None else datetime.now(UTC))
    if order.shipments:
        out.blank()
        _print_parcels(session, order, with_scans=as_of is None)
    if as_of is None and (steps := next_steps(order)):
        out.blank()
        for step in steps:
            out.say(step)


def _print_header(out: Printer, order: orders_pb2.Order) -> None:
    missed = ", the promise to the customer was broken" if order.delivery_missed else ""
    out.title(f"Order {order.order_id}", status_of(order) + missed)
    to, who = order.ship_to, order.customer
    express = order.priority == orders_pb2.PRIORITY_EXPRESS
    out.facts(
        [
            ("placed", minute(order, "placed_at")),
            ("payment", word(orders_pb2.PaymentState, order.payment) if order.payment else "not said"),
            ("money", _money(order)),
            ("priority", "express" if express else ""),
            ("confirmed", minute(order, "confirmed_at")),
            ("promised by", promised(order) or order.no_promise_reason),
            ("expected by", "" if expected(order) == promised(order) else expected(order)),
            ("duty", word(shipping_pb2.Incoterm, order.incoterm).upper() if order.incoterm else ""),
            ("delivered", minute(order, "delivered_at")),
            ("customer", ", ".join(filter(None, [who.name, who.email, who.phone]))),
            ("ship to", _place(to)),
            ("gift", "no prices in the parcel" if order.gift else ""),
            ("language", order.language),
            ("note", order.note),
            ("tags", ", ".join(order.tags)),
            ("facts", str(order.version)),
        ]
    )


def _place(to: orders_pb2.Address) -> str:
    return ", ".join(filter(None, [*to.lines, to.city, to.postal_code, to.region, to.country]))


def _print_lines(out: Printer, order: orders_pb2.Order) -> None:
    used = [name for name in _BUCKETS if any(getattr(line.units, name) for line in order.lines)]
    rows = [
        [
            each.line.line_no,
            each.line.sku or "(not said)",
            each.line.title[:40],
            each.line.supplier_id or "(not said)",
            _price(each.line, order.currency),
            each.line.quantity,
            *(getattr(each.units, name) or "" for name in used),
            "untracked" if each.untracked else "",
        ]
        for each in order.lines
    ]
    headings = [">line", "sku", "title", "supplier", ">price", ">units", *(f">{name}" for name in used), "stock"]
    out.table(headings, rows, empty="It has no lines.")


def _price(line: orders_pb2.OrderLine, currency: str) -> str:
    if not line.HasField("total_minor"):
        return money(line.unit_price_minor, currency)
    return f"{money(line.total_minor, currency)} for {line.quantity - line.given_up}"


def _money(order: orders_pb2.Order) -> str:
    """What it comes to, where that is more than its lines and a word."""
    adds_up, currency = order.money, order.currency
    if not (order.charges or order.payments or adds_up.went_back_minor or adds_up.owed_minor):
        return ""
    charges = [f"{word(order_money_pb2.ChargeKind, c.kind)} {money(c.amount_minor, currency)}" for c in order.charges]
    total = f"{money(adds_up.total_minor, currency)} in all"
    came_in = f"{money(adds_up.came_in_minor, currency)} came in"
    went_back = f"{money(adds_up.went_back_minor, currency)} went back" if adds_up.went_back_minor else ""
    owed = f"{money(adds_up.owed_minor, currency)} is owed to the customer" if adds_up.owed_minor else ""
    if adds_up.HasField("pay_by"):
        owed += f" until {minute(adds_up, 'pay_by')}"
    whole = f"{total} ({', '.join(charges)})" if charges else total
    return ", ".join(filter(None, [whole, came_in, went_back, owed]))


def _print_supplier_orders(out: Printer, order: orders_pb2.Order, now: datetime | None) -> None:
    rows = [
        [
            _short(each.supplier_order_id),
            each.supplier_id,
            word(supplier_orders_pb2.SupplierOrderStatus, each.status),
            *(minute(each, field, each.time_zone) for field in ("sent_at", "dispatch_by", "dispatched_at")),
            _punctuality(each, now),
            each.shipping.code,
        ]
        for each in order.supplier_orders
    ]
    headings = ["supplier order", "supplier", "status", "sent", "dispatch by", "dispatched", "clock", "service"]
    out.table(headings, rows)
    for each in order.supplier_orders:
        if remarks := _remarks(each):
            out.say(f"{_short(each.supplier_order_id)} {'; '.join(remarks)}")
    for kept in order.kept_addresses:
        what = f"{kept.carrier} {kept.tracking_number} of " if kept.tracking_number else ""
        out.say(f"{what}{_short(kept.supplier_order_id)} goes to the address of before: {_place(kept.ship_to)}")


def _remarks(each: supplier_orders_pb2.SupplierOrder) -> list[str]:
    """What is out of the ordinary."""
    instead = f"instead of {_short(each.instead_of)}: {each.reroute_reason}" if each.instead_of else ""
    asked = sum(line.units for line in each.reroute_asked)
    lacks = f"packed without {', '.join(each.packing_lacks)}" if each.packing_lacks else ""
    rerouted = f"{asked} to be rerouted" if asked else ""
    collect = f"collects {_of(each.to_collect)} at the door" if each.HasField("to_collect") else ""
    return [remark for remark in (instead, rerouted, lacks, collect, _asked_again(each), _owed(each)) if remark]


def _of(amount: common_pb2.Money) -> str:
    return money(amount.amount_minor, amount.currency)


def _asked_again(each: supplier_orders_pb2.SupplierOrder) -> str:
    if not each.HasField("asked_again_at") or each.HasField("acknowledged_again_at"):
        return ""
    return f"was told another address {minute(each, 'asked_again_at')} and has to acknowledge again"


def _owed(each: supplier_orders_pb2.SupplierOrder) -> str:
    """What the supplier owes for being late, and whose fault that was if somebody ruled."""
    amount = each.compensation.amount
    owed = f"owes {money(amount.amount_minor, amount.currency)}" if each.HasField("compensation") else ""
    ruled = [word(common_pb2.Party, r.party) for r in each.delay_rulings if r.clock == _DISPATCH_CLOCK]
    return ", ".join([*filter(None, [owed]), *(f"ruled the {party}'s delay" for party in ruled)])


def _short(supplier_order_id: str) -> str:
    """A long id without the order's, which stands above it."""
    if len(supplier_order_id) <= _LONG:
        return supplier_order_id
    return f"…/{supplier_order_id.rpartition('/')[2]}"


_ENDED = {supplier_orders_pb2.SUPPLIER_ORDER_STATUS_CANCELLED, supplier_orders_pb2.SUPPLIER_ORDER_STATUS_REJECTED}


def _punctuality(each: supplier_orders_pb2.SupplierOrder, now: datetime | None) -> str:
    due, done = at(each, "dispatch_by"), at(each, "dispatched_at")
    if due is None or each.status in _ENDED:
        return ""
    if done is not None:
        return "on time" if done <= due else f"{span(done - due)} late"
    if each.HasField("clocks_stopped_since"):
        return "stopped"
    if now is None:
        return ""
    return f"due in {span(due - now)}" if now < due else f"overdue {span(now - due)}"


def _print_parcels(session: Session, order: orders_pb2.Order, with_scans: bool) -> None:
    rows = []
    for index, each in enumerate(order.shipments):
        parcel = _parcel(session, each) if with_scans and index < _MOST_PARCELS else None
        rows.append(
            [
                words.numbers(each),
                each.supplier_order_id.rpartition("/")[2],
                minute(each, "shipped_at"),
                _state(each),
                minute(each, "delivered_at") or expected(each, order),
                last_scan(parcel) if parcel is not None else "",
            ]
        )
    headings = ["parcel", ">of", "shipped", "state", "delivered or expected", "last scan"]
    session.out.table(headings, rows)


def _state(each: supplier_orders_pb2.Shipment) -> str:
    ended = "lost" if each.lost else "returned" if each.returned else ""
    state = ended or ("delivered" if each.HasField("delivered_at") else "under way")
    if each.HasField("to_collect"):
        state += f", {_of(each.to_collect)} to collect" if state == "under way" else f" with {_of(each.to_collect)}"
    odd = [f"left {word(supplier_orders_pb2.Oddity, oddity)}" for oddity in each.oddities if oddity not in _COUNTED]
    extra = [f"{more.units} of line {more.line_no} extra" for more in each.over]
    unordered = [f"{more.units} of {more.sku} not ordered" for more in each.unordered]
    shared = [f"in a parcel of {each.in_parcel_of}"] if each.in_parcel_of else []
    return ", ".join([state, *odd, *extra, *unordered, *shared])


_COUNTED = (supplier_orders_pb2.ODDITY_OVER, supplier_orders_pb2.ODDITY_UNORDERED)
"""Oddities that are told by their units."""


def _parcel(session: Session, each: supplier_orders_pb2.Shipment) -> parcels_pb2.Parcel | None:
    request = parcels_pb2.GetParcelRequest(carrier=each.carrier, tracking_number=each.tracking_number)
    parcel = session.client.call(session.client.parcels.GetParcel, request).parcel
    return parcel if parcel.epoch == each.epoch else None
