"""``fulfilment supplier statement``: what is owed to and by a supplier, and by which facts."""

from __future__ import annotations

from typing import Any

import click

from adapters.console import files, words
from adapters.console.listings import LIMIT, ask, print_rows, rows_of
from adapters.console.session import Session, Words
from adapters.console.windows import WindowWanted, lacking, windowed
from adapters.console.words import minute, money, word
from fulfilment.v1 import statements_pb2

_COLUMNS = (
    "at",
    "kind",
    "amount_minor",
    "currency",
    "object_id",
    "line_no",
    "units",
    "fact_position",
    "stream",
    "fact",
    "reference",
)


@click.command(cls=Words)
@click.argument("supplier_id")
@windowed("From then on; what came before is the opening balance.", "Before then.")
@files.option_csv("Write the entries to a CSV file")
@LIMIT
@click.pass_obj
def statement(session: Session, supplier_id: str, window: WindowWanted, as_csv: str | None, limit: int | None) -> None:
    """Tell what is owed to a supplier, invoiced, paid and open, each amount with its fact; by it where negative."""
    asked: dict[str, Any] = {"supplier_id": supplier_id, **window.fields()}
    listed = statements_pb2.ListStatementEntriesRequest(**asked)
    entries = rows_of(session, session.client.reports.ListStatementEntries, listed, "entries")
    if as_csv:
        files.write_csv(as_csv, _COLUMNS, map(_flat, entries))
        return
    found = ask(session, session.client.reports.GetStatement, statements_pb2.GetStatementRequest(**asked))
    if session.json:
        session.out.json({"statement": words.as_json(found), "entries": [words.as_json(each) for each in entries]})
        return
    _print_balances(session, found)
    session.out.blank()
    print_rows(
        session,
        entries,
        limit,
        ["at", "for", ">amount", "of", ">line", ">units", "reference", ">position", "fact"],
        lambda each: [
            minute(each, "at"),
            word(statements_pb2.StatementKind, each.kind),
            money(each.amount.amount_minor, each.amount.currency) if each.amount.currency else "unknown",
            each.object_id,
            each.line_no or "",
            each.units or "",
            each.reference,
            each.fact_position,
            each.fact,
        ],
        f"Nothing is owed to or by it in this time. {lacking(found.window)}".strip(),
    )


def _print_balances(session: Session, found: statements_pb2.GetStatementResponse) -> None:
    table: list[list[Any]] = []
    for balance in found.balances:
        amounts = [("opening balance", balance.opening_minor, "")]
        amounts += [
            (word(statements_pb2.StatementKind, total.kind), total.amount_minor, str(total.entries))
            for total in balance.totals
        ]
        amounts.append(("closing balance", balance.closing_minor, ""))
        sums = (balance.owed_minor, balance.invoiced_minor, balance.paid_minor, balance.open_minor)
        names = ("owed in all", "invoiced in all", "paid in all", "open of invoices")
        amounts += [(name, amount, "") for name, amount in zip(names, sums, strict=True)] if any(sums[1:]) else []
        table += [[what, money(amount, balance.currency), entries] for what, amount, entries in amounts]
    session.out.table(["what", ">amount", ">entries"], table)
    if found.units_without_cost:
        session.out.say(f"Nobody knows the cost of {found.units_without_cost} shipped units: no offer was recorded.")


def _flat(each: statements_pb2.StatementEntry) -> dict[str, Any]:
    tree = words.as_json(each)
    return {**tree, "kind": word(statements_pb2.StatementKind, each.kind).replace(" ", "_"), **tree["amount"]}
