"""``fulfilment sku``: what the retailer sells, and who offers it."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.terminal import bulk, words
from adapters.console.terminal.commands import Nouns, recording
from adapters.console.terminal.past import asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import money, word
from fulfilment.v1 import batch_pb2, common_pb2, suppliers_pb2


@click.group(cls=Nouns)
def sku() -> None:
    """Say what SKUs are, and show who offers them."""


@sku.command()
@click.argument("name", metavar="SKU")
@click.option("--title", help="What it is called.")
@click.option("--hs-code", metavar="CODE", help="6 to 12 digits.")
@click.option("--origin", metavar="CODE", help="Where it was made, such as CN.")
@click.option("--weight", type=words.whole(0), metavar="GRAMS", help="Net weight of one unit.")
@click.option(
    "--part", "parts", multiple=True, metavar="SKU[:UNITS[:SHARE]]", help="What it is a bundle of; all parts."
)
@recording("Since when it is so")
def describe(session: Session, /, name: str, at: Any, request_id: str | None, **options: Any) -> None:
    """Record what a SKU is, or put it right; what is not named stays. Orders draw on it.

    \b
      fulfilment sku describe SET --title "For two" --part CUP:2 --part TEA:1
    """
    request = suppliers_pb2.DescribeSkuRequest(
        context=session.client.context(request_id),
        sku=name,
        title=options["title"],
        hs_code=options["hs_code"],
        origin=None if options["origin"] is None else options["origin"].upper(),
        weight_grams=options["weight"],
        at=at,
    )
    if options["parts"]:
        request.parts.parts.extend(map(_part, filter(None, options["parts"])))
        request.parts.SetInParent()
    receipt = session.client.call(session.client.suppliers.DescribeSku, request)
    session.print_result(receipt, f"SKU {name}", request, "described")


def _part(text: str) -> suppliers_pb2.BundlePart:
    """``CUP``, ``CUP:2``, or with its share of the price ``CUP:2:3``."""
    name, units, price_share = [*text.strip().split(":"), "1", "1"][:3]
    count, share = words.fitting(units, "SKU:UNITS:SHARE"), words.fitting(price_share, "SKU:UNITS:SHARE")
    return suppliers_pb2.BundlePart(sku=name, units=count, price_share=share)


_COLUMNS = ("sku",), ("title", "hs_code", "origin", "weight_grams", "parts")


@sku.command("import")
@click.argument("source", metavar="FILE")
@recording("Since when it is so")
def import_(session: Session, source: str, at: Any, request_id: str | None) -> int:
    """Record what the SKUs of a CSV file are, with the columns sku, title, hs_code, origin, weight_grams, parts.

    An empty cell stays as it is. Parts stand as in CUP:2; TEA:1:3, with units and share of the price. A second run
    changes nothing. - is standard input.
    """

    def command(row: bulk.ReadLine, request_id: str) -> batch_pb2.BatchCommand:
        request = suppliers_pb2.DescribeSkuRequest(
            context=session.client.context(request_id),
            sku=row.required("sku"),
            title=row.optional("title") or None,
            hs_code=row.optional("hs_code") or None,
            origin=row.optional("origin").upper() or None,
            weight_grams=row.whole("weight_grams") if row.optional("weight_grams") else None,
            at=at,
        )
        parts = row.read("parts", lambda text: [_part(each) for each in text.split(";") if each.strip()])
        if parts:
            request.parts.parts.extend(parts)
        return batch_pb2.BatchCommand(describe_sku=request)

    file = bulk.read(source)
    return bulk.send_lines(session, file, _COLUMNS, command, request_id or file.request_id("sku", str(at)))


@sku.command()
@click.argument("name", metavar="SKU")
@click.option("--units", type=words.whole(1), default=1, help="For an order of so many units.")
@past
@click.pass_obj
def show(session: Session, name: str, units: int, as_of: common_pb2.AsOf | None, at: Any) -> None:
    """Show who offers a SKU on which conditions, and whom an order would go to."""
    request = suppliers_pb2.GetSkuRequest(sku=name, units=units, as_of=asked(as_of, at))
    answer = session.client.call(session.client.suppliers.GetSku, request)
    if session.json:
        session.show(answer)
        return
    choice = answer.choice
    session.out.title(f"SKU {name}", f"{choice.units} of it: {choice.supplier_id or 'nobody qualifies'}")
    _print_master(session, answer.master)
    rows = [
        [
            each.supplier_id,
            word(suppliers_pb2.Against, each.against) if each.against else "qualifies",
            each.available if each.HasField("available") else "untracked",
            money(each.cost.amount_minor, each.cost.currency) if each.HasField("cost") else "",
            each.minimum_quantity,
            each.lead_time_days,
            f"{each.score_basis_points / 100:g} %" if each.HasField("score_basis_points") else "",
        ]
        for each in choice.considered
    ]
    headings = ["supplier", "standing", ">available", ">cost", ">minimum", ">lead days", ">score"]
    session.out.table(headings, rows, empty="Nobody offers it.")


def _print_master(session: Session, master: suppliers_pb2.SkuMaster) -> None:
    parts = [f"{each.units} {each.sku} (price share {each.price_share})" for each in master.parts]
    session.out.facts(
        [
            ("title", master.title),
            ("HS code", master.hs_code),
            ("origin", master.origin),
            ("weight", f"{master.weight_grams} g" if master.weight_grams else ""),
            ("bundle of", ", ".join(parts)),
        ]
    )
