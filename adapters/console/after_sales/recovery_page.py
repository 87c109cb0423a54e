"""``fulfilment recovery list``, ``show`` and ``history``: how far recoveries are."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.auditing.history import WRITTEN, print_history
from adapters.console.terminal import words
from adapters.console.terminal.client import Command, Q
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS, asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, money, word
from fulfilment.v1 import audit_pb2, common_pb2
from fulfilment.v1 import recoveries_pb2 as pb

_OVER = {
    pb.RECOVERY_STATUS_SETTLED,
    pb.RECOVERY_STATUS_PAID,
    pb.RECOVERY_STATUS_TIME_BARRED,
    pb.RECOVERY_STATUS_WITHDRAWN,
    pb.RECOVERY_STATUS_WRITTEN_OFF,
}


_LIVE = [status for status in pb.RecoveryStatus.values() if status and status not in _OVER]


def read_recovery(
    session: Session,
    recovery_id: str,
    at_least: int = 0,
    personal: bool = False,
    as_of: common_pb2.AsOf | None = None,
) -> pb.Recovery:
    request = pb.GetRecoveryRequest(
        recovery_id=recovery_id, at_least=at_least, with_personal_data=personal, as_of=as_of
    )
    return session.client.call(session.client.recoveries.GetRecovery, request).recovery


def record(session: Session, rpc: Command[Q], request: Q) -> None:
    """Send a command about a recovery, and print the state of the recovery after it."""
    receipt = session.client.call(rpc, request)
    asked: Any = request
    after = read_recovery(session, asked.recovery_id, receipt.position)
    session.print_result(receipt, f"Recovery {after.recovery_id}", after, _summary(after))


def _summary(each: pb.Recovery) -> str:
    """How far it is, in a line."""
    status = word(pb.RecoveryStatus, each.status)
    parts = [status, f"asked {money(each.asked_minor, each.currency)}"]
    if each.agreed_minor:
        agreed = "approved" if each.party == common_pb2.PARTY_CARRIER else "accepted"
        parts.append(f"{agreed} {money(each.agreed_minor, each.currency)}")
    if each.received_minor:
        parts.append(f"received {money(each.received_minor, each.currency)}")
    return ", ".join(parts)


def currency_of(session: Session, recovery_id: str) -> str:
    return read_recovery(session, recovery_id).currency


def money_of(session: Session, recovery_id: str, amount: str) -> common_pb2.Money:
    """An amount as it is typed: in the recovery's currency unless it names one."""
    figure, _, named = amount.partition(":")
    currency = named.upper() or currency_of(session, recovery_id)
    return common_pb2.Money(amount_minor=words.amount_minor(figure, currency), currency=currency)


@click.command("list", cls=Words)
@click.option("--party", type=click.Choice(["supplier", "carrier", "customer"]), help="Who is to bear them.")
@click.option("--status", "statuses", multiple=True, type=words.choice(pb.RecoveryStatus), help="How far they are.")
@click.option("--supplier", metavar="SUPPLIER_ID", help="The supplier concerned.")
@click.option("--carrier", metavar="NAME", help="The carrier concerned.")
@click.option("--order", "order_id", metavar="ORDER_ID", help="The order concerned.")
@click.option("--case", "case_id", metavar="CASE_ID", help="The return case.")
@click.option("--due-within", type=words.whole(), metavar="HOURS", help="Only those of which something is due so soon.")
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_recoveries(
    session: Session, /, statuses: tuple[str, ...], everything: bool, limit: int | None, **options: Any
) -> None:
    """List recoveries that are not over, what is due first."""
    named = [words.number(pb.RecoveryStatus, status) for status in statuses]
    request = pb.ListRecoveriesRequest(
        party=words.number(common_pb2.Party, options["party"]),
        statuses=named or ([] if everything else _LIVE),
        supplier_id=options["supplier"],
        carrier=options["carrier"],
        order_id=options["order_id"],
        case_id=options["case_id"],
        due_within_hours=options["due_within"],
    )
    print_rows(
        session,
        rows_of(session, session.client.recoveries.ListRecoveries, request, "recoveries"),
        limit,
        ["recovery", "from", "status", "due", ">asked", ">agreed", ">received", "order"],
        _row,
        "No recoveries.",
    )


def _row(each: pb.ListedRecovery) -> list[str]:
    whom = each.supplier_id if each.party == common_pb2.PARTY_SUPPLIER else each.carrier
    customer = each.party == common_pb2.PARTY_CUSTOMER
    return [
        each.recovery_id,
        "customer" if customer else whom,
        word(pb.RecoveryStatus, each.status),
        minute(each, "due"),
        money(each.asked_minor, each.currency),
        money(each.agreed_minor, each.currency) if each.agreed_minor else "",
        money(each.received_minor, each.currency) if each.received_minor else "",
        " and ".join((each.order_id, *each.further_order_ids)),
    ]


@click.command(cls=Words)
@click.argument("recovery_id")
@WRITTEN
@past
@click.pass_obj
def show(session: Session, recovery_id: str, personal: bool, as_of: common_pb2.AsOf | None, at: Any) -> None:
    """Show a recovery: its costs, its deadlines, its money."""
    found = read_recovery(session, recovery_id, personal=personal, as_of=asked(as_of, at, personal))
    if session.json:
        session.show(found)
        return
    session.out.title(f"Recovery {found.recovery_id}", _summary(found))
    session.out.facts(_facts(found))
    session.out.blank()
    costs = [
        [cost.cost_id, word(pb.CostKind, cost.kind), money(cost.amount_minor, found.currency)] for cost in found.costs
    ]
    session.out.table(["cost", "kind", ">amount"], costs, empty="No costs yet.")
    payments = [_payment(found, each, "received") for each in found.received]
    payments += [_payment(found, each, "returned") for each in found.returned]
    if payments:
        session.out.blank()
        session.out.table(["payment", "when", "how", ">amount"], payments)


@click.command(cls=Words)
@click.argument("recovery_id")
@click.option("--no-parcels", is_flag=True, help="Leave the facts of its parcel out.")
@WRITTEN
@click.pass_obj
def history(session: Session, recovery_id: str, no_parcels: bool, personal: bool) -> None:
    """List the facts of a recovery and its parcel as they were recorded."""
    print_history(
        session,
        audit_pb2.GetHistoryRequest(recovery_id=recovery_id, with_parcels=not no_parcels, with_personal_data=personal),
    )


def _payment(found: pb.Recovery, each: pb.RecoveryPayment, way: str) -> list[str]:
    how = word(pb.SettlementMethod, each.method) if way == "received" else "given back"
    return [each.reference, minute(each, "at"), how, money(each.amount_minor, found.currency)]


def _facts(found: pb.Recovery) -> list[tuple[str, str]]:
    kinds = pb.ClaimDocumentKind
    present = dict.fromkeys(word(kinds, each.kind) for each in found.documents)
    liability = money(found.liability_minor, found.currency) if found.HasField("liability_minor") else ""
    return [
        ("kind", word(pb.RecoveryKind, found.kind)),
        ("from", word(common_pb2.Party, found.party)),
        ("order", " and ".join((found.order_id, *found.further_order_ids))),
        ("supplier order", found.supplier_order_id),
        ("supplier", found.supplier_id),
        ("case", found.case_id),
        ("parcel", f"{found.carrier} {found.tracking_number}".strip()),
        ("liable up to", liability),
        ("claimed", money(found.claimed_minor, found.currency) if found.claimed_minor else ""),
        ("reason", found.reason),
        ("opened", minute(found, "opened_at")),
        ("answer by", minute(found, "answer_by", found.time_zone)),
        ("answer missed", minute(found, "answer_missed_at")),
        ("can be filed from", minute(found, "eligible_at")),
        ("has to be filed by", minute(found, "file_by")),
        ("documents", ", ".join(present)),
        ("still missing", ", ".join(word(kinds, kind) for kind in found.missing_documents)),
        ("filed", minute(found, "filed_at")),
        ("carrier's reference", found.carrier_reference),
        ("parcel found", minute(found, "found_at")),
        ("ended", minute(found, "ended_at")),
    ]
