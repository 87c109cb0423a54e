"""``fulfilment report``: what the read models know, each as new as the log was when it was asked."""

from __future__ import annotations

import click

from adapters.console.commands import Nouns
from adapters.console.money_totals import money
from adapters.console.obligations import breaches, clocks, due, late
from adapters.console.past import OF_REPORTS
from adapters.console.scorecards import counted, rank, rates, trend
from adapters.console.totals import summary, suppliers
from adapters.console.tracking import orders, track
from adapters.console.trade import review


@click.group(cls=Nouns)
def report() -> None:
    """Ask how much there was, who is late, what is due, where things are."""


for command in (
    summary,
    money,
    suppliers,
    rates,
    rank,
    trend,
    counted,
    late,
    due,
    breaches,
    clocks,
    track,
    orders,
    review,
):
    command.params.append(OF_REPORTS)
    report.add_command(command)
