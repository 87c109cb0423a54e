"""``fulfilment report``: what the read models know, each as new as the log was when it was asked."""

from __future__ import annotations

import click

from adapters.console.reports.money import money
from adapters.console.reports.obligations import breaches, clocks, due, late
from adapters.console.reports.scorecards import counted, rank, rates, trend
from adapters.console.reports.totals import summary, suppliers
from adapters.console.reports.tracking import orders, track
from adapters.console.reports.trade import review
from adapters.console.terminal.commands import Nouns
from adapters.console.terminal.past import OF_REPORTS


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
