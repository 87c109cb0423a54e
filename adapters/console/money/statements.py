"""``fulfilment supplier statement``: what is owed to and by a supplier, and by which facts."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.reports.report_page import Tile
from adapters.console.reports.sheets import HTML, Sheet, count, present, print_written, with_name
from adapters.console.reports.windows import WindowWanted, lacking, windowed
from adapters.console.terminal import files, words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, ListedRows, ask, rows_of, supplier_names
from adapters.console.terminal.past import OF_LISTS
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, money, word
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
_CLOSING = "closing balance"


@click.command(cls=Words)
@click.argument("supplier_id")
@windowed("From then on; what came before is the opening balance.", "Before then.")
@files.option_csv("Write the entries to a CSV file")
@HTML
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def statement(
    session: Session,
    supplier_id: str,
    window: WindowWanted,
    as_csv: str | None,
    as_html: str | None,
    limit: int | None,
) -> None:
    """Tell what is owed to a supplier, invoiced, paid and open, each amount with its fact; by it where negative."""
    asked: dict[str, Any] = {"supplier_id": supplier_id, **window.fields()}
    listed = statements_pb2.ListStatementEntriesRequest(**asked)
    entries = rows_of(session, session.client.reports.ListStatementEntries, listed, "entries")
    if as_csv and (as_html or session.changed_after is not None):
        raise click.UsageError("--csv has all entries, and is given without --html and --changed-after.")
    if as_csv:
        rows = [_flat(each) for each in entries]
        files.write_csv(as_csv, _COLUMNS, rows)
        if as_csv != "-":
            print_written(session, len(rows), [as_csv])
            if not session.json and (nothing := lacking(entries.answer.window)):
                session.out.say(nothing)
        return
    if session.changed_after is not None:
        present(session, _sheet(session, supplier_id, entries, None, window.zone), limit, as_html)
        return
    found = ask(session, session.client.reports.GetStatement, statements_pb2.GetStatementRequest(**asked))
    if session.json and not as_html:
        session.out.json({"statement": words.as_json(found), "entries": [words.as_json(each) for each in entries]})
        return
    if not as_html and (found.balances or found.units_without_cost):
        _print_balances(session, found)
        session.out.blank()
    present(session, _sheet(session, supplier_id, entries, found, window.zone), limit, as_html)


def _sheet(
    session: Session,
    supplier_id: str,
    entries: ListedRows,
    found: statements_pb2.GetStatementResponse | None,
    zone: str,
) -> Sheet:
    names = {} if session.json else supplier_names(session)
    return Sheet(
        title="Statement",
        says="What is owed to a supplier, each amount with its fact; by it where negative.",
        found=entries,
        answer=lambda: entries.answer,
        columns=["at", "for", ">amount", "of", ">line", ">units", "reference", ">position", "fact"],
        row=lambda each: [
            minute(each, "at", zone),
            word(statements_pb2.StatementKind, each.kind),
            money(each.amount.amount_minor, each.amount.currency) if each.amount.currency else "unknown",
            each.object_id,
            each.line_no or "",
            each.units or "",
            each.reference,
            each.fact_position,
            each.fact,
        ],
        empty="It has no entry.",
        charts=lambda rows: [
            count("Entries by kind", (word(statements_pb2.StatementKind, each.kind) for each in rows), "entries")
        ],
        tiles=lambda rows: _tiles(found) if found is not None else (),
        about=[f"supplier {with_name(names, supplier_id)}"],
    )


def _tiles(found: statements_pb2.GetStatementResponse) -> list[Tile]:
    """The balance of each currency, with what it is made of; and what is not known."""
    tiles = [
        Tile(
            f"{_CLOSING} in {balance.currency}",
            money(balance.closing_minor, balance.currency),
            [f"{what} {amount}" for what, amount, _ in _lines(balance) if what != _CLOSING],
        )
        for balance in found.balances
    ]
    if found.units_without_cost:
        tiles.append(Tile("units of unknown cost", f"{found.units_without_cost:,}", ["no offer was recorded"]))
    return tiles


def _print_balances(session: Session, found: statements_pb2.GetStatementResponse) -> None:
    table = [line for balance in found.balances for line in _lines(balance)]
    session.out.table(["what", ">amount", ">entries"], table)
    if found.units_without_cost:
        session.out.say(f"Nobody knows the cost of {found.units_without_cost} shipped units: no offer was recorded.")


def _lines(balance: statements_pb2.StatementBalance) -> list[list[str]]:
    """An account line by line: what, how much, by how many entries."""
    amounts = [("opening balance", balance.opening_minor, "")]
    amounts += [
        (word(statements_pb2.StatementKind, total.kind), total.amount_minor, str(total.entries))
        for total in balance.totals
    ]
    amounts.append((_CLOSING, balance.closing_minor, ""))
    sums = (balance.owed_minor, balance.invoiced_minor, balance.paid_minor, balance.open_minor)
    names = ("owed in all", "invoiced in all", "paid in all", "open of invoices")
    amounts += [(name, amount, "") for name, amount in zip(names, sums, strict=True)] if any(sums[1:]) else []
    return [[what, money(amount, balance.currency), entries] for what, amount, entries in amounts]


def _flat(each: statements_pb2.StatementEntry) -> dict[str, Any]:
    tree = words.as_json(each)
    return {**tree, "kind": word(statements_pb2.StatementKind, each.kind).replace(" ", "_"), **tree["amount"]}
