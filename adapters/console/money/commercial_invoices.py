"""``fulfilment order invoice``: the commercial invoice of a supplier order, for customs."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.money.drawn_invoices import show_drawn
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.past import asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import money, word
from fulfilment.v1 import common_pb2, shipping_pb2


@click.command(cls=Words)
@click.argument("supplier_order_id")
@click.option("--parcel", nargs=2, metavar="CARRIER NUMBER", help="Only what is in this parcel.")
@click.option("--pdf", metavar="FILE", help="Write it there as PDF.")
@past
@click.pass_obj
def invoice(
    session: Session,
    supplier_order_id: str,
    parcel: tuple[str, str] | None,
    pdf: str | None,
    as_of: common_pb2.AsOf | None,
    at: Any,
) -> None:
    """Show the commercial invoice of a supplier order; it names the buyer, but not as of a moment."""
    carrier, number = parcel or ("", "")
    request = shipping_pb2.GetCommercialInvoiceRequest(
        supplier_order_id=supplier_order_id,
        carrier=carrier,
        tracking_number=number,
        with_pdf=pdf is not None,
        as_of=asked(as_of, at, pdf, "--pdf"),
    )
    answer = session.client.call(session.client.orders.GetCommercialInvoice, request)
    show_drawn(session, answer, pdf, _print)


def _print(session: Session, found: shipping_pb2.CommercialInvoice) -> None:
    currency = found.total.currency
    session.out.title(f"Invoice {found.number}", money(found.total.amount_minor, currency))
    session.out.facts(
        [
            ("date", f"{found.issued_at.ToDatetime():%Y-%m-%d}"),
            ("seller", words.party(found.seller)),
            ("shipper", words.party(found.shipper)),
            ("buyer", words.party(found.buyer)),
            ("duty", word(shipping_pb2.Incoterm, found.incoterm).upper()),
            ("net weight", f"{found.weight_grams / 1000:,.3f} kg"),
            ("parcels", ", ".join(found.parcels)),
        ]
    )
    session.out.blank()
    rows = [
        [
            each.line_no,
            each.title,
            each.hs_code,
            each.origin,
            each.units,
            f"{each.weight_grams:,}",
            money(each.unit_value_minor, currency),
            money(each.value_minor, currency),
        ]
        for each in found.lines
    ]
    session.out.table([">line", "goods", "hs code", "origin", ">units", ">grams", ">one", ">all"], rows)
