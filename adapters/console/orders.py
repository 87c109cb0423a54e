"""``fulfilment order``: what happens to an order between the shop and the door."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
import grpc
from google.protobuf.message import Message

from adapters.console import words
from adapters.console.place import address, parsed_line
from adapters.console.reports import LIMIT, print_rows, rows_of
from adapters.console.session import Nouns, Session, option_at, option_request_id
from adapters.console.show import hold_cells, line_numbers, next_steps, read_order, status_of
from fulfilment.v1 import common_pb2, orders_pb2, tracking_pb2

F = TypeVar("F", bound=Callable[..., Any])
Q = TypeVar("Q", bound=Message)

_HOLDS = words.choice(orders_pb2.HoldReason)
_LINE = click.option(
    "--line", "lines", multiple=True, metavar="LINE:UNITS", help="Only these units, such as 1:2; once for each line."
)


@click.group(cls=Nouns)
def order() -> None:
    """Move an order on: pay, hold, confirm, send, acknowledge, pack, ship, reroute, cancel."""


def common(at: str = "When") -> Callable[[F], F]:
    def add(command: F) -> F:
        return click.pass_obj(option_request_id()(option_at(at)(command)))  # type: ignore[return-value]

    return add


def _done(
    session: Session, order_id: str, rpc: grpc.UnaryUnaryMultiCallable[Q, common_pb2.Receipt], request: Q
) -> None:
    """Send it, and tell where the order is after it."""
    receipt = session.client.call(rpc, request)
    after = read_order(session, order_id, at_least=receipt.position)
    if session.json:
        session.out.json({"receipt": words.as_json(receipt), "order": words.as_json(after)})
        return
    session.out.title(f"Order {order_id}", status_of(after))
    for step in next_steps(after):
        session.out.say(step)


def _order_of(supplier_order_id: str) -> str:
    return supplier_order_id.rpartition("/")[0]


def _units(lines: Iterable[str]) -> list[common_pb2.LineUnits]:
    found = words.line_units(lines, "--line")
    return [common_pb2.LineUnits(line_no=line_no, units=units) for line_no, units in found.items()]


# --- the whole order ------------------------------------------------------------------------------


@order.command()
@click.argument("order_id")
@click.option(
    "--line", "lines", multiple=True, metavar="LINE:SKU:QTY:PRICE[:SUPPLIER_ID]", help="A complete line, by number."
)
@click.option("--currency", metavar="CODE", help="ISO 4217 code, if the order has none.")
@click.option("--name", help="The customer; then the address is needed as well.")
@click.option("--email")
@click.option("--phone")
@click.option("--address", multiple=True, metavar="LINE", help="Street and house; once for each line.")
@click.option("--city")
@click.option("--region")
@click.option("--postal-code")
@click.option("--country", metavar="CODE")
@click.option("--payment", type=words.choice(orders_pb2.PaymentState))
@common("When it became known")
def complete(session: Session, order_id: str, at: Any, request_id: str | None, **said: Any) -> None:
    """Add what an incomplete order lacks."""
    currency = said["currency"] or (read_order(session, order_id).currency if said["lines"] else "")
    person = said["name"] or said["email"] or said["phone"]
    place = said["address"] or said["city"] or said["country"]
    request = orders_pb2.CompleteDetailsRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        lines=[_numbered_line(text, currency.upper()) for text in said["lines"]],
        customer=orders_pb2.Customer(name=said["name"], email=said["email"], phone=said["phone"]) if person else None,
        ship_to=address(said) if place else None,
        currency=(said["currency"] or "").upper(),
        payment=words.number(orders_pb2.PaymentState, said["payment"]),
        at=at,
    )
    _done(session, order_id, session.client.orders.CompleteDetails, request)


def _numbered_line(text: str, currency: str) -> orders_pb2.OrderLine:
    line_no, _, rest = text.partition(":")
    if not (line_no.isascii() and line_no.isdigit()):
        raise click.BadParameter(f"{text!r} does not begin with the line's number", param_hint="--line")
    return parsed_line(rest, int(line_no), currency)


@order.command("address")
@click.argument("order_id")
@click.option("--name", required=True, help="The customer, as all of what follows; it replaces what was known.")
@click.option("--email", help="This, or the phone number, is required.")
@click.option("--phone")
@click.option("--address", multiple=True, required=True, metavar="LINE", help="Street and house; once for each line.")
@click.option("--city", required=True)
@click.option("--region")
@click.option("--postal-code")
@click.option("--country", metavar="CODE", required=True)
@common()
def change_address(session: Session, order_id: str, at: Any, request_id: str | None, **said: Any) -> None:
    """Send the parcels elsewhere, while nothing is packed."""
    request = orders_pb2.ChangeAddressRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        customer=orders_pb2.Customer(name=said["name"], email=said["email"], phone=said["phone"]),
        ship_to=address(said),
        at=at,
    )
    _done(session, order_id, session.client.orders.ChangeAddress, request)


@order.command()
@click.argument("order_id")
@click.option("--payment", type=words.choice(orders_pb2.PaymentState), default="paid", show_default=True)
@common()
def pay(session: Session, order_id: str, payment: str, at: Any, request_id: str | None) -> None:
    """Record what the shop says of the money."""
    request = orders_pb2.RecordPaymentRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        payment=words.number(orders_pb2.PaymentState, payment),
        at=at,
    )
    _done(session, order_id, session.client.orders.RecordPayment, request)


@order.command()
@click.argument("order_id")
@click.argument("reason", type=_HOLDS)
@click.option("--owner", metavar="NAME", required=True, help="Who has to act: a team or a pseudonym.")
@click.option("--supplier-order", metavar="SUPPLIER_ORDER_ID", help="Only this supplier order waits.")
@click.option("--note", help="What to know about it; sealed.")
@common("Since when")
def hold(
    session: Session,
    order_id: str,
    reason: str,
    owner: str,
    supplier_order: str,
    note: str,
    at: Any,
    request_id: str | None,
) -> None:
    """Make an order, or one of its supplier orders, wait."""
    request = orders_pb2.PlaceHoldRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        reason=words.number(orders_pb2.HoldReason, reason),
        owner=owner,
        supplier_order_id=supplier_order,
        note=note,
        at=at,
    )
    _done(session, order_id, session.client.orders.PlaceHold, request)


@order.command()
@click.argument("order_id")
@click.argument("reason", type=_HOLDS)
@click.option("--owner", metavar="NAME", help="Only this owner's hold.")
@click.option("--supplier-order", metavar="SUPPLIER_ORDER_ID", help="The supplier order that waits.")
@common()
def release(
    session: Session, order_id: str, reason: str, owner: str, supplier_order: str, at: Any, request_id: str | None
) -> None:
    """End the holds of a reason, or only an owner's; others stay."""
    request = orders_pb2.ReleaseHoldRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        reason=words.number(orders_pb2.HoldReason, reason),
        owner=owner,
        supplier_order_id=supplier_order,
        at=at,
    )
    _done(session, order_id, session.client.orders.ReleaseHold, request)


@order.command()
@click.option("--reason", "reasons", type=_HOLDS, multiple=True, help="Only those for this reason.")
@click.option("--owner", metavar="NAME", help="Only those that this team or person has to end.")
@LIMIT
@click.pass_obj
def holds(session: Session, reasons: tuple[str, ...], owner: str, limit: int | None) -> None:
    """List the holds that stand, the oldest first; `show --personal` tells their notes."""
    request = tracking_pb2.ListHoldsRequest(
        reasons=[words.number(orders_pb2.HoldReason, reason) for reason in reasons], owner=owner
    )
    print_rows(
        session,
        rows_of(session, session.client.reports.ListHolds, request, "holds"),
        limit,
        ["order", "hold", "owner", "since", "scope", "why"],
        lambda each: [each.order_id, *hold_cells(each.hold, line_numbers(session, each.order_id, each.hold.missing))],
        "Nothing is on hold.",
    )


@order.command()
@click.argument("order_id")
@click.option("--backorder-lacking", is_flag=True, help="What is out of stock waits at the supplier.")
@common()
def confirm(session: Session, order_id: str, backorder_lacking: bool, at: Any, request_id: str | None) -> None:
    """Confirm an order by hand and draft its supplier orders."""
    request = orders_pb2.ConfirmOrderRequest(
        context=session.client.context(request_id), order_id=order_id, backorder_lacking=backorder_lacking, at=at
    )
    _done(session, order_id, session.client.orders.ConfirmOrder, request)


@order.command()
@click.argument("order_id")
@click.option("--by", type=words.choice(common_pb2.Party), required=True, help="On whose wish or by whose fault.")
@click.option("--reason", metavar="WORD", help="Such as changed_mind.")
@_LINE
@common()
def cancel(
    session: Session,
    order_id: str,
    by: str,
    reason: str,
    lines: tuple[str, ...],
    at: Any,
    request_id: str | None,
) -> None:
    """Cancel units, or all that can still be cancelled."""
    request = orders_pb2.CancelOrderRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        lines=_units(lines),
        by=words.number(common_pb2.Party, by),
        reason=reason,
        at=at,
    )
    _done(session, order_id, session.client.orders.CancelOrder, request)


@order.command()
@click.argument("name", metavar="SUPPLIER_ORDER_ID|ORDER_ID")
@click.option("--by", type=words.choice(common_pb2.Party), required=True, help="On whose wish or by whose fault.")
@click.option("--reason", metavar="WORD", help="Such as overdue.")
@click.option("--to", metavar="SUPPLIER_ID", help="Who is to have them; the one that qualifies best if not said.")
@_LINE
@common()
def reroute(
    session: Session,
    name: str,
    by: str,
    reason: str,
    to: str,
    lines: tuple[str, ...],
    at: Any,
    request_id: str | None,
) -> None:
    """Give units of a supplier order, or those of an order that no supplier has, to another supplier.

    A draft gives them up at once; a supplier that knows of them is asked first.
    """
    whole = name.count("/") < 2
    order_id = name if whole else _order_of(name)
    request = orders_pb2.RerouteUnitsRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        supplier_order_id="" if whole else name,
        lines=_units(lines),
        by=words.number(common_pb2.Party, by),
        reason=reason,
        to_supplier_id=to,
        at=at,
    )
    _done(session, order_id, session.client.orders.RerouteUnits, request)


@order.command()
@click.argument("order_id")
@click.option("--by", type=click.Choice(["customer", "carrier"]), default="customer", show_default=True)
@common()
def receipt(session: Session, order_id: str, by: str, at: Any, request_id: str | None) -> None:
    """Record that everything that was shipped arrived."""
    request = orders_pb2.ConfirmReceiptRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        by=words.number(common_pb2.Party, by),
        at=at,
    )
    _done(session, order_id, session.client.orders.ConfirmReceipt, request)


@order.command()
@click.argument("order_id")
@click.option("--id", "review_id", metavar="ID", required=True, help="The review's id in the shop.")
@click.option("--score", type=click.IntRange(1, 5), required=True, help="Stars.")
@common("When it was written")
def review(session: Session, order_id: str, review_id: str, score: int, at: Any, request_id: str | None) -> None:
    """Record the stars a customer gave."""
    request = orders_pb2.RecordReviewRequest(
        context=session.client.context(request_id), order_id=order_id, review_id=review_id, score=score, at=at
    )
    _done(session, order_id, session.client.orders.RecordReview, request)


@order.command()
@click.argument("order_id")
@click.option("--id", "chargeback_id", metavar="ID", required=True, help="The chargeback's id at the bank.")
@click.option("--amount", required=True, metavar="AMOUNT:CURRENCY", help="How much was taken back, such as 19.80:EUR.")
@click.option("--reason", metavar="CODE", help="The bank's reason code.")
@common()
def chargeback(
    session: Session, order_id: str, chargeback_id: str, amount: str, reason: str, at: Any, request_id: str | None
) -> None:
    """Record that a bank took the customer's money back."""
    request = orders_pb2.RecordChargebackRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        chargeback_id=chargeback_id,
        amount=words.to_money(amount),
        reason=reason,
        at=at,
    )
    _done(session, order_id, session.client.orders.RecordChargeback, request)


# --- supplier orders ------------------------------------------------------------------------------


@order.command()
@click.argument("supplier_order_id")
@common()
def send(session: Session, supplier_order_id: str, at: Any, request_id: str | None) -> None:
    """Record that a dispatch instruction went out; the supplier's clocks start."""
    request = orders_pb2.SendSupplierOrderRequest(
        context=session.client.context(request_id), supplier_order_id=supplier_order_id, at=at
    )
    _done(session, _order_of(supplier_order_id), session.client.orders.SendSupplierOrder, request)


@order.command()
@click.argument("supplier_order_id")
@click.option("--accept", multiple=True, metavar="LINE:UNITS", help="Units it will ship.")
@click.option("--backorder", multiple=True, metavar="LINE:UNITS", help="Units it has to get first.")
@click.option("--expected-at", type=words.INSTANT, help="When backordered units are expected.")
@click.option("--reject", multiple=True, metavar="LINE:UNITS", help="Units it will not ship; needs --reason.")
@click.option("--reason", type=words.choice(orders_pb2.RejectReason), help="Why units are rejected.")
@common("When the supplier answered")
def ack(
    session: Session,
    supplier_order_id: str,
    accept: tuple[str, ...],
    backorder: tuple[str, ...],
    expected_at: Any,
    reject: tuple[str, ...],
    reason: str | None,
    at: Any,
    request_id: str | None,
) -> None:
    """Record the supplier's answer; without options it accepts everything."""
    accepted, backordered = words.line_units(accept, "--accept"), words.line_units(backorder, "--backorder")
    rejected = words.line_units(reject, "--reject")
    if rejected and not reason:
        raise click.UsageError("--reject needs --reason.")
    if not (accepted or backordered or rejected):
        accepted = _unanswered(session, supplier_order_id)
    answers = [
        orders_pb2.LineAnswer(
            line_no=line_no,
            accepted=accepted.get(line_no, 0),
            backordered=backordered.get(line_no, 0),
            rejected=rejected.get(line_no, 0),
            expected_at=expected_at if line_no in backordered else None,
            reason=words.number(orders_pb2.RejectReason, reason if line_no in rejected else None),
        )
        for line_no in sorted({*accepted, *backordered, *rejected})
    ]
    request = orders_pb2.AcknowledgeSupplierOrderRequest(
        context=session.client.context(request_id), supplier_order_id=supplier_order_id, lines=answers, at=at
    )
    _done(session, _order_of(supplier_order_id), session.client.orders.AcknowledgeSupplierOrder, request)


def _unanswered(session: Session, supplier_order_id: str) -> dict[int, int]:
    """What the supplier has not answered yet; all it accepted if it has, which says the same once more."""
    order = read_order(session, _order_of(supplier_order_id))
    shares = [s for each in order.supplier_orders if each.supplier_order_id == supplier_order_id for s in each.shares]
    pending = {share.line_no: share.pending for share in shares if share.pending}
    return pending or {share.line_no: share.accepted for share in shares if share.accepted}


@order.command()
@click.argument("supplier_order_id")
@click.option("--with", "packed_with", multiple=True, metavar="WORD", help="Such as logo_label; once for each.")
@common()
def pack(
    session: Session, supplier_order_id: str, packed_with: tuple[str, ...], at: Any, request_id: str | None
) -> None:
    """Record that the goods are packed, and with what."""
    request = orders_pb2.PackSupplierOrderRequest(
        context=session.client.context(request_id),
        supplier_order_id=supplier_order_id,
        packed_with=packed_with,
        at=at,
    )
    _done(session, _order_of(supplier_order_id), session.client.orders.PackSupplierOrder, request)


@order.command()
@click.argument("supplier_order_id")
@click.option("--carrier", metavar="NAME", required=True, help="Short name, such as dhl.")
@click.option("--number", required=True, help="The tracking number.")
@_LINE
@common("When the supplier handed it over")
def ship(
    session: Session,
    supplier_order_id: str,
    carrier: str,
    number: str,
    lines: tuple[str, ...],
    at: Any,
    request_id: str | None,
) -> None:
    """Record that units left in a parcel; all that is left unless lines are named."""
    request = orders_pb2.ShipSupplierOrderRequest(
        context=session.client.context(request_id),
        supplier_order_id=supplier_order_id,
        carrier=carrier,
        tracking_number=number,
        lines=_units(lines),
        at=at,
    )
    _done(session, _order_of(supplier_order_id), session.client.orders.ShipSupplierOrder, request)


@order.command("cancel-answer")
@click.argument("supplier_order_id")
@click.option("--agreed/--refused", required=True, default=None, help="Whether the supplier will not ship.")
@click.option("--reason", metavar="WORD", help="Why it refused, such as already_packed.")
@common("When it answered")
def cancel_answer(
    session: Session, supplier_order_id: str, agreed: bool, reason: str, at: Any, request_id: str | None
) -> None:
    """Record the supplier's answer to a cancel request."""
    request = orders_pb2.AnswerCancelRequestRequest(
        context=session.client.context(request_id),
        supplier_order_id=supplier_order_id,
        agreed=agreed,
        reason=reason,
        at=at,
    )
    _done(session, _order_of(supplier_order_id), session.client.orders.AnswerCancelRequest, request)


@order.command("rule-delay")
@click.argument("supplier_order_id")
@click.option("--clock", type=words.choice(orders_pb2.SupplierOrderClock), default="dispatch", show_default=True)
@click.option("--party", type=words.choice(common_pb2.Party), required=True, help="Whose fault it is.")
@click.option("--reason", metavar="WORD", required=True, help="Why, such as address_changed_late.")
@common("When it was ruled")
def rule_delay(
    session: Session, supplier_order_id: str, clock: str, party: str, reason: str, at: Any, request_id: str | None
) -> None:
    """Record whose fault a missed clock is; compensation follows the ruling."""
    request = orders_pb2.RuleDelayRequest(
        context=session.client.context(request_id),
        supplier_order_id=supplier_order_id,
        clock=words.number(orders_pb2.SupplierOrderClock, clock),
        party=words.number(common_pb2.Party, party),
        reason=reason,
        at=at,
    )
    _done(session, _order_of(supplier_order_id), session.client.orders.RuleDelay, request)
