"""``fulfilment order complete``, ``amend`` and ``address``: what was sold, to whom, and where it goes."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.orders.amending import amended_charges, amended_lines
from adapters.console.orders.place import address, parsed_line
from adapters.console.orders.standing import read_order, record
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import orders_pb2


@click.command(cls=Words)
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


@click.command(cls=Words)
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


@click.command("address", cls=Words)
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
