"""``fulfilment order``: what happens to an order between the shop and the door."""

from __future__ import annotations

from typing import Any

import click

from adapters.console import words
from adapters.console.amending import amended_charges, amended_lines
from adapters.console.commands import Nouns, recording
from adapters.console.finding import timeline
from adapters.console.listings import CHANGED_AFTER, LIMIT, print_rows, rows_of
from adapters.console.order_export import export_orders
from adapters.console.order_files import import_orders
from adapters.console.place import address, parsed_line
from adapters.console.remarks import note, tag
from adapters.console.session import Session
from adapters.console.show import LINE, hold_cells, line_numbers, order_of, read_order, record
from adapters.console.supplier_orders import ack, cancel_answer, pack, rule_delay, send, send_drafts, ship, unship
from adapters.console.tracking_links import link
from fulfilment.v1 import (
    cases_pb2,
    common_pb2,
    order_feedback_pb2,
    order_money_pb2,
    orders_pb2,
    supplier_orders_pb2,
    tracking_pb2,
)

_HOLDS = words.choice(orders_pb2.HoldReason)


@click.group(cls=Nouns)
def order() -> None:
    """Move an order on: pay, hold, confirm, send, acknowledge, pack, ship, reroute, cancel."""


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
@recording("When it became known")
def complete(session: Session, order_id: str, at: Any, request_id: str | None, **options: Any) -> None:
    """Add what an incomplete order lacks."""
    currency = options["currency"] or (read_order(session, order_id).currency if options["lines"] else "")
    person = options["name"] or options["email"] or options["phone"]
    place = options["address"] or options["city"] or options["country"]
    request = orders_pb2.CompleteDetailsRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        lines=[_numbered_line(text, currency.upper()) for text in options["lines"]],
        customer=orders_pb2.Customer(name=options["name"], email=options["email"], phone=options["phone"])
        if person
        else None,
        ship_to=address(options) if place else None,
        currency=(options["currency"] or "").upper(),
        payment=words.number(orders_pb2.PaymentState, options["payment"]),
        at=at,
    )
    record(session, order_id, session.client.orders.CompleteDetails, request)


def _numbered_line(text: str, currency: str) -> orders_pb2.OrderLine:
    line_no, _, rest = text.partition(":")
    if not (line_no.isascii() and line_no.isdigit()):
        raise click.BadParameter(f"{text!r} does not begin with the line's number", param_hint="--line")
    return parsed_line(rest, int(line_no), currency)


@order.command()
@click.argument("order_id")
@click.option(
    "--quantity", "quantities", multiple=True, metavar="LINE:UNITS", help="So many units of a line; 0 of none."
)
@click.option(
    "--price", "prices", multiple=True, metavar="LINE:PRICE", help="A unit's price, or =PRICE for all together."
)
@click.option("--add", "added", multiple=True, metavar="SKU:QTY:PRICE[:SUPPLIER_ID]", help="A new line; once for each.")
@click.option("--instead-of", type=int, metavar="LINE", help="The line that the new one replaces, unit for unit.")
@click.option(
    "--charge", "charges", multiple=True, metavar="KIND:AMOUNT", help="What a charge is now; 0 takes it away."
)
@click.option("--version", type=int, default=0, metavar="N", help="Of the order in its shop, if it counts them.")
@click.option("--reason", metavar="WORD", help="Such as customer_edit.")
@recording()
def amend(session: Session, order_id: str, at: Any, request_id: str | None, **options: Any) -> None:
    """Change what was sold: units, prices, lines, charges. What is not named stays as it is.

    \b
      fulfilment order amend shop/1001 --quantity 1:3
      fulfilment order amend shop/1001 --add MUG:1:7.50 --instead-of 2
    """
    present = read_order(session, order_id)
    request = orders_pb2.AmendOrderRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        lines=amended_lines(present, options),
        charges=amended_charges(present, options["charges"]),
        version=options["version"],
        reason=options["reason"],
        at=at,
    )
    record(session, order_id, session.client.orders.AmendOrder, request)


@order.command("address")
@click.argument("order_id")
@click.option("--name", help="The customer, as all of what follows; with an address it replaces what was known.")
@click.option("--email", help="This, or the phone number, is required.")
@click.option("--phone")
@click.option("--address", multiple=True, metavar="LINE", help="Street and house; once for each line.")
@click.option("--city")
@click.option("--region")
@click.option("--postal-code")
@click.option("--country", metavar="CODE")
@recording()
def change_address(session: Session, order_id: str, at: Any, request_id: str | None, **options: Any) -> None:
    """Change the address of what is not packed; the receipt names the parts that keep theirs.

    Without an address only the customer's e-mail address or phone number changes, whatever has left:

    \b
      fulfilment order address shop/1001 --email ann@example.org
    """
    moves = any(options[name] for name in ("address", "city", "region", "postal_code", "country"))
    if moves and not all(options[name] for name in ("name", "address", "city", "country")):
        raise click.UsageError("a new address is whole: --name, --address, --city and --country")
    request = orders_pb2.ChangeAddressRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        customer=orders_pb2.Customer(name=options["name"], email=options["email"], phone=options["phone"]),
        ship_to=address(options) if moves else None,
        at=at,
    )
    record(session, order_id, session.client.orders.ChangeAddress, request)


@order.command()
@click.argument("order_id")
@click.option(
    "--payment", type=words.choice(orders_pb2.PaymentState), help="How it stands, without amounts: else paid."
)
@click.option("--amount", metavar="AMOUNT:CUR", help="So much moved, such as 19.80:EUR; --id is needed as well.")
@click.option("--id", "payment_id", metavar="ID", help="The payment's id at its source.")
@click.option(
    "--kind",
    type=words.choice(order_money_pb2.PaymentKind),
    default="captured",
    show_default=True,
    help="What happened to the amount.",
)
@click.option("--method", metavar="WORD", help="How it was paid, such as card.")
@click.option("--of", metavar="ID", help="The payment that it is about, such as the refund that bounced.")
@recording()
def pay(session: Session, order_id: str, at: Any, request_id: str | None, **said: Any) -> None:
    """Record money that came in or went back, or how the shop says that it stands."""
    if bool(said["amount"]) != bool(said["payment_id"]):
        raise click.UsageError("--amount and --id go together.")
    if said["amount"] and said["payment"]:
        raise click.UsageError("--payment is for shops that know no amounts; leave it out.")
    word = None if said["amount"] else said["payment"] or "paid"
    request = orders_pb2.RecordPaymentRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        payment=words.number(orders_pb2.PaymentState, word),
        payments=[_payment(said)] if said["amount"] else [],
        at=at,
    )
    record(session, order_id, session.client.orders.RecordPayment, request)


def _payment(said: dict[str, Any]) -> order_money_pb2.Payment:
    return order_money_pb2.Payment(
        payment_id=said["payment_id"],
        kind=words.number(order_money_pb2.PaymentKind, said["kind"]),
        amount=words.to_money(said["amount"]),
        method=said["method"],
        of=said["of"],
    )


@order.command()
@click.argument("order_id")
@click.argument("reason", type=_HOLDS)
@click.option("--owner", metavar="NAME", required=True, help="Who has to act: a team or a pseudonym.")
@click.option("--supplier-order", metavar="SUPPLIER_ORDER_ID", help="Only this supplier order waits.")
@click.option("--note", help="What to know about it; sealed.")
@recording("Since when")
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
    record(session, order_id, session.client.orders.PlaceHold, request)


@order.command()
@click.argument("order_id")
@click.argument("reason", type=_HOLDS)
@click.option("--owner", metavar="NAME", help="Only this owner's hold.")
@click.option("--supplier-order", metavar="SUPPLIER_ORDER_ID", help="The supplier order that waits.")
@recording()
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
    record(session, order_id, session.client.orders.ReleaseHold, request)


@order.command()
@click.option("--reason", "reasons", type=_HOLDS, multiple=True, help="Only those for this reason.")
@click.option("--owner", metavar="NAME", help="Only those that this team or person has to end.")
@CHANGED_AFTER
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
@recording()
def confirm(session: Session, order_id: str, backorder_lacking: bool, at: Any, request_id: str | None) -> None:
    """Confirm an order by hand and draft its supplier orders."""
    request = orders_pb2.ConfirmOrderRequest(
        context=session.client.context(request_id), order_id=order_id, backorder_lacking=backorder_lacking, at=at
    )
    record(session, order_id, session.client.orders.ConfirmOrder, request)


@order.command()
@click.argument("order_id")
@click.option("--by", type=words.choice(common_pb2.Party), required=True, help="On whose wish or by whose fault.")
@click.option("--reason", metavar="WORD", help="Such as changed_mind.")
@LINE
@recording()
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
        lines=words.units_of_lines(lines),
        by=words.number(common_pb2.Party, by),
        reason=reason,
        at=at,
    )
    record(session, order_id, session.client.orders.CancelOrder, request)


@order.command()
@click.argument("name", metavar="SUPPLIER_ORDER_ID|ORDER_ID")
@click.option("--by", type=words.choice(common_pb2.Party), required=True, help="On whose wish or by whose fault.")
@click.option("--reason", metavar="WORD", help="Such as overdue.")
@click.option("--to", metavar="SUPPLIER_ID", help="Who is to have them; the one that qualifies best if not said.")
@LINE
@recording()
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
    order_id = name if whole else order_of(name)
    request = supplier_orders_pb2.RerouteUnitsRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        supplier_order_id="" if whole else name,
        lines=words.units_of_lines(lines),
        by=words.number(common_pb2.Party, by),
        reason=reason,
        to_supplier_id=to,
        at=at,
    )
    record(session, order_id, session.client.orders.RerouteUnits, request)


@order.command()
@click.argument("order_id")
@click.option("--by", type=click.Choice(["customer", "carrier"]), default="customer", show_default=True)
@recording()
def receipt(session: Session, order_id: str, by: str, at: Any, request_id: str | None) -> None:
    """Record that everything that was shipped arrived."""
    request = order_feedback_pb2.ConfirmReceiptRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        by=words.number(common_pb2.Party, by),
        at=at,
    )
    record(session, order_id, session.client.orders.ConfirmReceipt, request)


@order.command()
@click.argument("order_id")
@click.option("--id", "review_id", metavar="ID", required=True, help="The review's id in the shop.")
@click.option("--score", type=click.IntRange(1, 5), required=True, help="Stars.")
@recording("When it was written")
def review(session: Session, order_id: str, review_id: str, score: int, at: Any, request_id: str | None) -> None:
    """Record the stars a customer gave."""
    request = order_feedback_pb2.RecordReviewRequest(
        context=session.client.context(request_id), order_id=order_id, review_id=review_id, score=score, at=at
    )
    record(session, order_id, session.client.orders.RecordReview, request)


@order.command()
@click.argument("order_id")
@click.option("--id", "chargeback_id", metavar="ID", required=True, help="The chargeback's id at the bank.")
@click.option("--amount", required=True, metavar="AMOUNT:CURRENCY", help="How much was taken back, such as 19.80:EUR.")
@click.option("--reason", metavar="CODE", help="The bank's reason code.")
@recording()
def chargeback(
    session: Session, order_id: str, chargeback_id: str, amount: str, reason: str, at: Any, request_id: str | None
) -> None:
    """Record that a bank took the customer's money back."""
    request = order_money_pb2.RecordChargebackRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        chargeback_id=chargeback_id,
        amount=words.to_money(amount),
        reason=reason,
        at=at,
    )
    record(session, order_id, session.client.orders.RecordChargeback, request)


@order.command("refund-paid")
@click.argument("order_id")
@click.argument("payment_id")
@click.option("--amount", metavar="AMOUNT:CUR", help="So much, such as 19.80:EUR; all that is owed unless said.")
@recording()
def refund_paid(
    session: Session, order_id: str, payment_id: str, amount: str | None, at: Any, request_id: str | None
) -> None:
    """Record that money was paid back that is owed for cancelled units, or because a refund bounced."""
    request = cases_pb2.RecordRefundPaidRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        refund_id=payment_id,
        amount=words.to_money(amount) if amount else None,
        at=at,
    )
    record(session, order_id, session.client.cases.RecordRefundPaid, request)


for command in (
    *(import_orders, export_orders, send, send_drafts, ack, pack, ship, unship, cancel_answer, rule_delay),
    *(note, tag, link, timeline),
):
    order.add_command(command)
