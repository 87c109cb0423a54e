"""``fulfilment sku``: who offers what the retailer sells."""

from __future__ import annotations

import click

from adapters.console import words
from adapters.console.session import Nouns, Session
from adapters.console.words import money, word
from fulfilment.v1 import suppliers_pb2


@click.group(cls=Nouns)
def sku() -> None:
    """Show who offers a SKU."""


@sku.command()
@click.argument("name", metavar="SKU")
@click.option("--units", type=words.whole(1), default=1, help="For an order of so many units.")
@click.pass_obj
def show(session: Session, name: str, units: int) -> None:
    """Show who offers a SKU on which conditions, and whom an order would go to."""
    request = suppliers_pb2.GetSkuRequest(sku=name, units=units)
    answer = session.client.call(session.client.suppliers.GetSku, request)
    if session.json:
        session.show(answer)
        return
    choice = answer.choice
    session.out.title(f"SKU {name}", f"{choice.units} of it: {choice.supplier_id or 'nobody qualifies'}")
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
