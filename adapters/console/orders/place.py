"""``fulfilment place``: an order as a shop would send it."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.orders.holds import print_holds
from adapters.console.orders.standing import next_steps, read_order, status_of
from adapters.console.terminal import files, words
from adapters.console.terminal.commands import Words, option_request_id
from adapters.console.terminal.session import Session
from fulfilment.v1 import customer_invoices_pb2, order_money_pb2, orders_pb2, shipping_pb2
from ledger.terms.order_numbers import order_number

_FROM_OPTIONS = (
    "channel", "number", "lines", "currency", "name", "email", "phone", "address", "city", "region", "postal_code",
    "country", "paid", "payment", "express", "placed_at", "promised_by", "packing", "gift", "note", "all_or_nothing",
    "reservation", "invoice", "incoterm", "tags", "charges",
    "cash_on_delivery",
)  # fmt: skip


def parsed_line(text: str, line_no: int, currency: str, option: str = "--line") -> orders_pb2.OrderLine:
    """``SKU:QTY:PRICE[:SUPPLIER_ID]`` as a line of an order; ``=PRICE`` is what all its units cost together."""
    sku, quantity, price, supplier_id = [*text.split(":"), "", "", ""][:4]
    if text.count(":") not in (2, 3) or not (quantity.isascii() and quantity.isdigit()):
        raise click.BadParameter(
            f"{text!r} is not SKU:QTY:PRICE[:SUPPLIER_ID] such as TEA:2:9.90:acme; use --file for SKUs with a colon",
            param_hint=option,
        )
    amount_minor = words.amount_minor(price.removeprefix("=") or "0", currency)
    together = price.startswith("=")
    return orders_pb2.OrderLine(
        line_no=line_no,
        sku=sku,
        quantity=int(quantity),
        unit_price_minor=0 if together else amount_minor,
        total_minor=amount_minor if together else None,
        supplier_id=supplier_id,
    )


def parsed_charge(text: str, currency: str) -> order_money_pb2.Charge:
    """``KIND:AMOUNT`` as a charge of that name; a discount is taken off."""
    kind, _, price = text.partition(":")
    number = words.number(order_money_pb2.ChargeKind, kind)
    if not number:
        kinds = ", ".join(words.choice(order_money_pb2.ChargeKind).choices)
        raise click.BadParameter(f"{text!r} is not KIND:AMOUNT; kinds are {kinds}", param_hint="--charge")
    amount_minor = words.amount_minor(price.removeprefix("-"), currency)
    sign = -1 if number == order_money_pb2.CHARGE_KIND_DISCOUNT else 1
    return order_money_pb2.Charge(charge_id=kind, kind=number, amount_minor=sign * amount_minor)


@click.command(cls=Words)
@click.option("--channel", metavar="NAME", help="The shop, such as shopify.")
@click.option("--id", "number", metavar="ID", help="The order's id in the shop.")
@click.option(
    "--line",
    "lines",
    multiple=True,
    metavar="SKU:QTY:PRICE[:SUPPLIER_ID]",
    help="What was bought, such as TEA:2:9.90:acme, or TEA:3:=10.00 for three that cost 10.00; once for each line.",
)
@click.option(
    "--charge",
    "charges",
    multiple=True,
    metavar="KIND:AMOUNT",
    help="What is paid beside the lines, such as shipping:4.90 or discount:2.00; once for each kind.",
)
@click.option("--currency", metavar="CODE", help="ISO 4217 code of the prices, such as EUR.")
@click.option("--name", help="The customer's name.")
@click.option("--email", help="The customer's e-mail address.")
@click.option("--phone", help="The customer's phone number.")
@click.option("--address", multiple=True, metavar="LINE", help="Street and house; once for each line.")
@click.option("--city")
@click.option("--region", help="State or province.")
@click.option("--postal-code")
@click.option("--country", metavar="CODE", help="ISO 3166-1 alpha-2, such as DE.")
@click.option("--paid", is_flag=True, help="As --payment paid.")
@click.option("--payment", type=words.choice(orders_pb2.PaymentState), help="What the shop says of the money.")
@click.option("--express", is_flag=True, help="The customer was promised express dispatch.")
@click.option("--placed-at", type=words.INSTANT, help="When it was ordered; now if not said.")
@click.option(
    "--promised-by", type=words.DAY_OR_INSTANT, help="The day, or the time, that the customer was told that it arrives."
)
@click.option("--cash-on-delivery", is_flag=True, help="The carrier collects the money at the door.")
@click.option("--packing", multiple=True, metavar="WORD", help="What to pack with, such as logo_label.")
@click.option("--gift", is_flag=True, help="No prices in the parcel.")
@click.option("--language", metavar="CODE", help="That the customer reads, such as zh.")
@click.option("--invoice", is_flag=True, help="The customer wants an invoice; invoice request says to whom.")
@click.option("--note", help="The customer's or shop's note.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A word to find it by; once for each.")
@click.option("--all-or-nothing", is_flag=True, help="Refuse the order if any line lacks stock.")
@click.option(
    "--when-unavailable",
    type=words.choice(orders_pb2.WhenUnavailable),
    help="What to do with units that no supplier sends; hold if not said.",
)
@click.option(
    "--incoterm", type=words.choice(shipping_pb2.Incoterm), help="Who pays the duty where goods cross a border."
)
@click.option("--reservation", metavar="ID", help="The reservation of a checkout that is used up.")
@click.option(
    "--file",
    "source",
    metavar="FILE",
    help="The whole order as protobuf JSON of PlaceOrderRequest; - reads standard input.",
)
@option_request_id()
@click.pass_obj
def place(session: Session, /, source: Any, request_id: str | None, **options: Any) -> None:
    """Record what a shop sold.

    What is missing, unpaid or out of stock becomes a hold; a paid order without holds is confirmed at
    once. The same order again changes nothing.
    """
    if source is not None:
        if any(options[name] for name in _FROM_OPTIONS):
            raise click.UsageError("--file brings the whole order; leave the other options out.")
        request = files.message(source, orders_pb2.PlaceOrderRequest)
    else:
        request = _from_options(options)
    session.identify(request.context, request_id)
    receipt = session.client.call(session.client.orders.PlaceOrder, request)
    order_id = f"{request.channel}/{order_number(request.channel_order_id.strip())}"
    order = read_order(session, order_id, at_least=receipt.position)
    if session.json:
        session.out.json({"receipt": words.as_json(receipt), "order": words.as_json(order)})
        return
    session.out.title(f"Order {order_id}", status_of(order))
    print_holds(session.out, order)
    for step in next_steps(order):
        session.out.say(step)


def _from_options(options: dict[str, Any]) -> orders_pb2.PlaceOrderRequest:
    for name, option in (("channel", "--channel"), ("number", "--id")):
        if not options[name]:
            raise click.UsageError(f"Missing option {option}; or give the whole order with --file.")
    if (options["lines"] or options["charges"]) and not options["currency"]:
        raise click.UsageError("Missing option --currency: prices need one.")
    if options["paid"] and options["payment"] not in (None, "paid"):
        raise click.UsageError(f"--paid and --payment {options['payment']} contradict each other.")
    currency = (options["currency"] or "").upper()
    payment = "paid" if options["paid"] else options["payment"]
    promised = options["promised_by"]
    policy = orders_pb2.STOCK_POLICY_ALL_OR_NOTHING if options["all_or_nothing"] else orders_pb2.STOCK_POLICY_ACCEPT
    return orders_pb2.PlaceOrderRequest(
        channel=options["channel"],
        channel_order_id=options["number"],
        placed_at=options["placed_at"],
        currency=currency,
        lines=[parsed_line(text, line_no, currency) for line_no, text in enumerate(options["lines"], 1)],
        customer=orders_pb2.Customer(name=options["name"], email=options["email"], phone=options["phone"]),
        ship_to=address(options),
        payment=words.number(orders_pb2.PaymentState, payment),
        priority=orders_pb2.PRIORITY_EXPRESS if options["express"] else orders_pb2.PRIORITY_STANDARD,
        promised_by=None if isinstance(promised, str) else promised,
        promised_day=promised if isinstance(promised, str) else "",
        packing=options["packing"],
        gift=options["gift"],
        language=options["language"] or "",
        invoice=customer_invoices_pb2.InvoiceWish() if options["invoice"] else None,
        note=options["note"],
        stock_policy=policy,
        reservation_id=options["reservation"],
        when_unavailable=words.number(orders_pb2.WhenUnavailable, options["when_unavailable"]),
        incoterm=words.number(shipping_pb2.Incoterm, options["incoterm"]),
        tags=options["tags"],
        charges=[parsed_charge(text, currency) for text in options["charges"]],
        cash_on_delivery=options["cash_on_delivery"],
    )


def address(options: dict[str, Any]) -> orders_pb2.Address:
    return orders_pb2.Address(
        lines=options["address"],
        city=options["city"],
        region=options["region"],
        postal_code=options["postal_code"],
        country=(options["country"] or "").upper(),
    )
