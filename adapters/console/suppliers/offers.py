"""``fulfilment supplier offer`` and ``withdraw``: what a supplier offers of the retailer's SKUs."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.suppliers.page import record
from adapters.console.terminal import bulk, words
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import batch_pb2, suppliers_pb2

_REQUIRED = ("sku", "cost", "currency")
_OPTIONAL = (
    "minimum_quantity",
    "lead_time_days",
    "backups",
    "article_code",
    "breaks",
    "packing_cost",
    "warehouse",
    "valid_from",
    "valid_until",
)


@click.command(cls=Words)
@click.argument("supplier_id")
@click.argument("sku", required=False)
@bulk.option_lines(f"{', '.join(_REQUIRED)}, and if wanted {', '.join(_OPTIONAL)}")
@click.option("--cost", metavar="AMOUNT:CURRENCY", help="What one unit costs, such as 3.50:EUR.")
@click.option("--minimum", type=words.whole(1), default=1, metavar="UNITS", help="The least an order must have.")
@click.option("--lead-time", type=words.whole(0), default=0, metavar="DAYS", help="From order to dispatch.")
@click.option("--backup", "backups", multiple=True, metavar="SUPPLIER_ID", help="Others who have it, the best first.")
@click.option("--article", metavar="CODE", help="The supplier's own name of it.")
@click.option("--break", "breaks", multiple=True, metavar="UNITS:AMOUNT", help="What one costs from so many on.")
@click.option("--packing-cost", default="0", metavar="AMOUNT", help="What packing one costs, beside its cost.")
@click.option("--warehouse", metavar="CODE", help="The supplier's warehouse that it leaves from.")
@click.option("--from", "valid_from", type=words.INSTANT, help="From then on, beside what was offered before.")
@click.option("--until", "valid_until", type=words.INSTANT, help="Until before then.")
@recording("Since when")
def offer(
    session: Session,
    /,
    supplier_id: str,
    sku: str | None,
    source: str | None,
    at: Any,
    request_id: str | None,
    **said: Any,
) -> int | None:
    """Record what a supplier offers of a SKU, or of those of a file.

    \b
      fulfilment supplier offer acme TEA --cost 3.50:EUR --break 100:3.20
      fulfilment supplier offer acme --csv offers.csv
    """
    if source is not None and sku is None and said["cost"] is None:
        return _offer_lines(session, bulk.read(source), supplier_id, at, request_id)
    if source is not None or sku is None or said["cost"] is None:
        raise click.UsageError("Name a SKU and its --cost, or a file of them with --csv.")
    cost = words.to_money(said["cost"])
    offered = suppliers_pb2.Offer(
        sku=sku,
        cost=cost,
        minimum_quantity=said["minimum"],
        lead_time_days=said["lead_time"],
        backups=said["backups"],
        article_code=said["article"],
        breaks=[_price_break(each, cost.currency) for each in said["breaks"]],
        packing_cost_minor=words.amount_minor(said["packing_cost"], cost.currency),
        warehouse=said["warehouse"],
        valid_from=said["valid_from"],
        valid_until=said["valid_until"],
    )
    context = session.client.context(request_id)
    request = suppliers_pb2.OfferSkuRequest(context=context, supplier_id=supplier_id, offer=offered, at=at)
    receipt = session.client.call(session.client.suppliers.OfferSku, request)
    # Without reading the supplier afterwards: that takes as long as its catalogue is, for each of a list's lines.
    session.print_result(receipt, f"Offer of {sku} by {supplier_id}", offered, "recorded")
    return None


def _price_break(text: str, currency: str) -> suppliers_pb2.PriceBreak:
    units, colon, amount = text.partition(":")
    if not colon:
        raise click.UsageError(f"{text!r} is not UNITS:AMOUNT, such as 100:3.20.")
    count = words.fitting(units, "UNITS:AMOUNT")
    return suppliers_pb2.PriceBreak(units=count, cost_minor=words.amount_minor(amount, currency))


def _offer_lines(session: Session, file: bulk.Source, supplier_id: str, at: Any, request_id: str | None) -> int:
    def command(row: bulk.ReadLine, request_id: str) -> batch_pb2.BatchCommand:
        cost = row.money("cost", "currency")
        offered = suppliers_pb2.Offer(
            sku=row.required("sku"),
            cost=cost,
            minimum_quantity=row.whole("minimum_quantity", 1),
            lead_time_days=row.whole("lead_time_days", 0),
            backups=row.optional("backups").split(),
            article_code=row.optional("article_code"),
            breaks=row.read("breaks", lambda text: [_price_break(each, cost.currency) for each in text.split()]),
            packing_cost_minor=row.read("packing_cost", lambda text: words.amount_minor(text, cost.currency)) or 0,
            warehouse=row.optional("warehouse"),
            valid_from=row.read("valid_from", words.to_instant),
            valid_until=row.read("valid_until", words.to_instant),
        )
        context = session.client.context(request_id)
        request = suppliers_pb2.OfferSkuRequest(context=context, supplier_id=supplier_id, offer=offered, at=at)
        return batch_pb2.BatchCommand(offer_sku=request)

    about = ("offer", supplier_id, str(at))
    columns = (_REQUIRED, _OPTIONAL)
    return bulk.send_lines(session, file, columns, command, request_id or file.request_id(*about))


@click.command(cls=Words)
@click.argument("supplier_id")
@click.argument("sku")
@click.option("--reason", metavar="TEXT", help="Why.")
@recording()
def withdraw(session: Session, supplier_id: str, sku: str, reason: str, at: Any, request_id: str | None) -> None:
    """Record that a supplier offers a SKU no more; ``offer`` offers it anew."""
    request = suppliers_pb2.WithdrawOfferRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, sku=sku, reason=reason, at=at
    )
    record(session, supplier_id, session.client.suppliers.WithdrawOffer, request)
