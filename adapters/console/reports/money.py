"""``fulfilment report money``: what orders cost, how they were paid, and where that is not the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from adapters.console.reports.charts import Drawn
from adapters.console.reports.report_page import Tile
from adapters.console.reports.sheets import HTML, Chart, Sheet, narrowed, present
from adapters.console.reports.windows import WindowWanted, lacking, told, windowed
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, ask, rows_of
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import money as amount
from fulfilment.v1 import money_totals_pb2 as pb
from ledger.terms.money import minor_digits


@click.command(cls=Words)
@click.option("--channel", metavar="NAME", default="", help="Only this shop.")
@click.option("--currency", metavar="CODE", default="", help="Only orders in this currency.")
@click.option("--differences", is_flag=True, help="List the orders that were paid otherwise than they cost.")
@windowed()
@HTML
@CHANGED_AFTER
@LIMIT
@click.pass_obj
def money(
    session: Session,
    channel: str,
    currency: str,
    differences: bool,
    window: WindowWanted,
    as_html: str | None,
    limit: int | None,
) -> None:
    """Add up what orders cost and how they were paid, of all or of those placed in a window.

    With --json the figures stand in one object if there is one currency or --currency names it, otherwise in a list
    with an object for each. Payments count there that came in, and those that are reserved while nothing did.
    """
    if differences:
        _list(session, channel, currency, window, as_html, limit)
        return
    request = pb.GetMoneyTotalsRequest(channel=channel, **window.only_named)
    found = ask(session, session.client.reports.GetMoneyTotals, request)
    totals = [each for each in found.totals if currency.upper() in ("", each.currency)]
    if as_html:
        present(session, _sheet(found, totals, narrowed(channel=channel, currency=currency.upper())), limit, as_html)
    elif not session.json:
        for each in totals or [pb.MoneyTotals(currency=currency)]:
            _print(session, each)
        if nothing := lacking(found.window):
            session.out.say(nothing)
        elif span := told(found.window):
            session.out.say(f"Of orders placed {span[:1].lower()}{span[1:]}.", style="dim")
        session.out.say(f"As of position {found.position:,} of the log.", style="dim")
    elif len(totals) > 1:
        session.out.json([{"currency": each.currency, **figures(each)} for each in totals])
    else:
        session.out.json(figures(totals[0] if totals else pb.MoneyTotals()))


def _sheet(found: pb.GetMoneyTotalsResponse, totals: Sequence[pb.MoneyTotals], about: Sequence[str]) -> Sheet:
    return Sheet(
        title="Money",
        says="What orders cost and how they were paid, each currency by itself.",
        found=[(each, what, minor) for each in totals for what, minor in _amounts(each)],
        answer=lambda: found,
        columns=["currency", "what", ">amount"],
        row=lambda row: [row[0].currency, row[1], _shown(row[2], row[0].currency)],
        empty="No order costs anything.",
        charts=lambda rows: map(_by_method, totals),
        tiles=lambda rows: [
            Tile(
                f"Paid exactly in {each.currency}",
                f"{each.orders_paid_exactly:,}",
                [
                    f"of {each.orders_with_payment:,} orders with a payment",
                    f"{each.orders_paid_differently:,} otherwise",
                ],
            )
            for each in totals
        ],
        about=about,
    )


def _amounts(totals: pb.MoneyTotals) -> Iterator[tuple[str, int]]:
    yield "goods", totals.goods_minor
    yield "freight", totals.freight_minor
    if totals.other_charges_minor:
        yield "other charges", totals.other_charges_minor
    for each in totals.methods:
        method = each.method or "not named"
        yield f"taken by {method}", each.taken_minor
        if each.reserved_minor:
            yield f"reserved by {method}", each.reserved_minor


def _by_method(totals: pb.MoneyTotals) -> Chart:
    code, size = totals.currency, 10 ** minor_digits(totals.currency)
    bars = [
        Drawn(
            each.method or "not named",
            [each.taken_minor / size, each.reserved_minor / size],
            _shown(each.taken_minor + each.reserved_minor, code),
        )
        for each in totals.methods
    ]
    return Chart(f"Payments in {code}", code, bars, (("taken", ""), ("reserved", "rest")))


def _shown(minor: int, currency: str) -> str:
    return amount(minor, currency).removesuffix(f" {currency}")


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
        return _shown(minor, totals.currency)

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


def _list(
    session: Session, channel: str, currency: str, window: WindowWanted, as_html: str | None, limit: int | None
) -> None:
    request = pb.ListPaymentDifferencesRequest(channel=channel, **window.only_named)
    listing = rows_of(session, session.client.reports.ListPaymentDifferences, request, "differences")
    sheet = Sheet(
        title="Payment differences",
        says="Orders of which other money came in than they cost.",
        found=(each for each in listing if currency.upper() in ("", each.total.currency)),
        answer=lambda: listing.answer,
        columns=["order", ">cost", ">came in", ">difference"],
        row=lambda each: [
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
        empty="No order was paid otherwise than it costs.",
        about=narrowed(channel=channel, currency=currency.upper()),
    )
    present(session, sheet, limit, as_html)
