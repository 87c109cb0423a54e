"""``fulfilment case list``, ``show`` and ``history``: where cases are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.after_sales.casefile import next_step, print_case, status_of, turn
from adapters.console.auditing.history import WRITTEN, print_history
from adapters.console.orders.standing import read_order
from adapters.console.terminal import words
from adapters.console.terminal.client import Command, Q
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS, asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import audit_pb2, cases_pb2, common_pb2

_LIVE = [status for status in cases_pb2.CaseStatus.values() if 0 < status < cases_pb2.CASE_STATUS_RESOLVED]


def read_case(
    session: Session,
    case_id: str,
    at_least: int = 0,
    personal: bool = False,
    as_of: common_pb2.AsOf | None = None,
) -> cases_pb2.Case:
    request = cases_pb2.GetCaseRequest(case_id=case_id, at_least=at_least, with_personal_data=personal, as_of=as_of)
    return session.client.call(session.client.cases.GetCase, request).case


def record(session: Session, rpc: Command[Q], request: Q) -> None:
    """Send a command about a case, and print the state of the case after it."""
    receipt = session.client.call(rpc, request)
    asked: Any = request
    after = read_case(session, asked.case_id or receipt.made_id, receipt.position)
    session.print_result(receipt, f"Case {after.case_id}", after, status_of(after), filter(None, [next_step(after)]))


@click.command("list", cls=Words)
@click.option("--status", "statuses", type=words.choice(cases_pb2.CaseStatus), multiple=True, help="In this status.")
@click.option("--supplier", "supplier_id", metavar="SUPPLIER_ID", default="", help="About units that it sent.")
@click.option("--order", "order_id", metavar="ORDER_ID", default="", help="About this order.")
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@click.option("--since", type=words.INSTANT, help="Opened then or later.")
@click.option("--until", type=words.INSTANT, help="Opened before then.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_(
    session: Session,
    statuses: tuple[str, ...],
    everything: bool,
    supplier_id: str,
    order_id: str,
    since: Timestamp | None,
    until: Timestamp | None,
    limit: int | None,
) -> None:
    """List cases that are not over, the first opened first."""
    named = [words.number(cases_pb2.CaseStatus, status) for status in statuses]
    request = cases_pb2.ListCasesRequest(
        statuses=named or ([] if everything else _LIVE),
        supplier_id=supplier_id,
        order_id=order_id,
        opened_since=since,
        opened_until=until,
    )
    now = datetime.now(UTC)
    print_rows(
        session,
        rows_of(session, session.client.cases.ListCases, request, "cases"),
        limit,
        ["case", "order", "reason", "status", "liable", "remedy", ">units", "supplier", "opened", "whose turn"],
        lambda each: [
            each.case_id,
            each.order_id,
            word(cases_pb2.CaseReason, each.reason),
            word(cases_pb2.CaseStatus, each.status),
            word(common_pb2.Party, each.liable) if each.liable else "",
            word(cases_pb2.Remedy, each.remedy) if each.remedy else "",
            each.units,
            ", ".join(each.supplier_ids),
            minute(each, "opened_at"),
            turn(each, now),
        ],
        "There are no such cases.",
    )


@click.command(cls=Words)
@click.argument("case_id")
@click.option("--personal", is_flag=True, help="What people wrote too.")
@past
@click.pass_obj
def show(session: Session, case_id: str, personal: bool, as_of: common_pb2.AsOf | None, at: Timestamp | None) -> None:
    """Show a case: its units, evidence, ruling, goods and money."""
    found = read_case(session, case_id, personal=personal, as_of=asked(as_of, at, personal))
    if session.json:
        session.show(found)
        return
    skus = {each.line.line_no: each.line.sku for each in read_order(session, found.order_id).lines}
    print_case(session.out, found, skus, session.time_zone)


@click.command(cls=Words)
@click.argument("case_id")
@click.option("--no-parcels", is_flag=True, help="Leave the facts of the parcels that come back out.")
@WRITTEN
@click.pass_obj
def history(session: Session, case_id: str, no_parcels: bool, personal: bool) -> None:
    """List the facts of a case as they were recorded."""
    print_history(
        session,
        audit_pb2.GetHistoryRequest(case_id=case_id, with_parcels=not no_parcels, with_personal_data=personal),
    )
