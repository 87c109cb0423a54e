"""``fulfilment report money``: what orders cost, how they were paid, and where that is not the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from adapters.console.listings import LIMIT, ask, print_rows, rows_of
from adapters.console.session import Session, Words
from adapters.console.words import money as amount
from fulfilment.v1 import money_totals_pb2 as pb


@click.command(cls=Words)
@click.option("--channel", metavar="NAME", default="", help="Only this shop.")
@click.option("--currency", metavar="CODE", default="", help="Only orders in this currency.")
@click.option("--differences", is_flag=True, help="List the orders that were paid otherwise than they cost.")
@LIMIT
@click.pass_obj
def money(session: Session, channel: str, currency: str, differences: bool, limit: int | None) -> None:
    """Add up what orders cost and how they were paid.

    With --json the figures stand in one object if there is one currency or --currency names it, otherwise in a list
    with an object for each. Payments count there that came in, and those that are reserved while nothing did.
    """
    if differences:
        _list(session, channel, currency, limit)
        return
    found = ask(session, session.client.reports.GetMoneyTotals, pb.GetMoneyTotalsRequest(channel=channel))
    totals = [each for each in found.totals if currency.upper() in ("", each.currency)]
    if not session.json:
        for each in totals or [pb.MoneyTotals(currency=currency)]:
            _print(session, each)
        session.out.say(f"As of position {found.position:,} of the log.", style="dim")
    elif len(totals) > 1:
        session.out.json([{"currency": each.currency, **figures(each)} for each in totals])
    else:
        session.out.json(figures(totals[0] if totals else pb.MoneyTotals()))


def figures(totals: pb.MoneyTotals) -> dict[str, Any]:
    """The figures of one currency; charges that are not for shipping only where there are any."""
    further = {"other_charges_minor": totals.other_charges_minor} if totals.other_charges_minor else {}
    return {
        "goods_minor": totals.goods_minor,
        "freight_minor": totals.freight_minor,
        **further,
        "payments_minor": {each.method: each.taken_minor + each.reserved_minor for each in totals.methods},
        "orders_with_payment": totals.orders_with_payment,
        "orders_paid_exactly": totals.orders_paid_exactly,
    }


def _print(session: Session, totals: pb.MoneyTotals) -> None:
    def shown(minor: int) -> str:
        return amount(minor, totals.currency).removesuffix(f" {totals.currency}")

    costs = [("goods", totals.goods_minor), ("freight", totals.freight_minor)]
    if totals.other_charges_minor:
        costs.append(("other charges", totals.other_charges_minor))
    session.out.table(
        [totals.currency or "no currency yet", ">amount"], [[name, shown(minor)] for name, minor in costs]
    )
    session.out.blank()
    session.out.table(
        ["payments by", ">taken", ">reserved"],
        [[each.method or "not named", shown(each.taken_minor), shown(each.reserved_minor)] for each in totals.methods],
        "No payment with its amount is known.",
    )
    session.out.blank()
    session.out.table(
        ["orders", ">figure"],
        [
            ["with a payment", f"{totals.orders_with_payment:,}"],
            ["of these paid exactly", f"{totals.orders_paid_exactly:,}"],
            ["of these paid otherwise", f"{totals.orders_paid_differently:,}"],
        ],
    )
    session.out.blank()
    if totals.orders_paid_differently:
        session.out.say("fulfilment report money --differences names those that were paid otherwise than they cost.")


def _list(session: Session, channel: str, currency: str, limit: int | None) -> None:
    request = pb.ListPaymentDifferencesRequest(channel=channel)
    found: Iterable[pb.PaymentDifference] = rows_of(
        session, session.client.reports.ListPaymentDifferences, request, "differences"
    )
    print_rows(
        session,
        (each for each in found if currency.upper() in ("", each.total.currency)),
        limit,
        ["order", ">cost", ">came in", ">difference"],
        lambda each: [
            each.order_id,
            *(
                amount(minor, each.total.currency)
                for minor in (
                    each.total.amount_minor,
                    each.came_in.amount_minor,
                    each.came_in.amount_minor - each.total.amount_minor,
                )
            ),
        ],
        "No order was paid otherwise than it costs.",
    )
