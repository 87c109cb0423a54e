"""``fulfilment case label`` and what follows: goods that come back, and money that goes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.after_sales.case_page import read_case, record
from adapters.console.terminal import files, words
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import cases_pb2, returns_pb2

F = TypeVar("F", bound=Callable[..., Any])


def option_lines(help_text: str, required: bool = False) -> Callable[[F], F]:
    return click.option("--line", "lines", metavar="LINE:UNITS", multiple=True, required=required, help=help_text)


@click.command(cls=Words)
@click.argument("case_id")
@click.argument("label_id", default="")
@option_lines("Units that come back with it; all unless said.")
@click.option(
    "--supplier", "supplier_id", metavar="SUPPLIER_ID", default="", help="Where they go; who sent them unless said."
)
@click.option("--freight", metavar="AMOUNT", help="What the way back costs, such as 5.90.")
@click.option("--file", type=Path, metavar="FILE", help="The label as PDF or PNG, 1 MiB at most; its mail has it.")
@recording()
def label(
    session: Session,
    case_id: str,
    label_id: str,
    lines: tuple[str, ...],
    supplier_id: str,
    freight: str | None,
    file: Path | None,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Record the label that the customer sends goods back with; without a LABEL_ID the ledger gives it one."""
    minor = words.amount_minor(freight, read_case(session, case_id).currency) if freight else 0
    request = returns_pb2.RecordReturnLabelRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        label_id=label_id,
        lines=words.units_of_lines(lines),
        supplier_id=supplier_id,
        freight_minor=minor,
        at=at,
        file=files.read(file) if file is not None else b"",
    )
    record(session, session.client.cases.RecordReturnLabel, request)


@click.command(cls=Words)
@click.argument("case_id")
@click.argument("label_id")
@click.argument("carrier")
@click.argument("number")
@recording()
def sent(
    session: Session,
    case_id: str,
    label_id: str,
    carrier: str,
    number: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Record the parcel that a label's goods come back in."""
    request = returns_pb2.RecordReturnShippedRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        label_id=label_id,
        carrier=carrier,
        tracking_number=number,
        at=at,
    )
    record(session, session.client.cases.RecordReturnShipped, request)


@click.command(cls=Words)
@click.argument("case_id")
@click.argument("lines", metavar="LINE:UNITS...", nargs=-1, required=True)
@recording()
def receive(
    session: Session, case_id: str, lines: tuple[str, ...], at: Timestamp | None, request_id: str | None
) -> None:
    """Record how many units have come back, in all."""
    request = returns_pb2.RecordReturnReceivedRequest(
        context=session.client.context(request_id), case_id=case_id, lines=words.units_of_lines(lines), at=at
    )
    record(session, session.client.cases.RecordReturnReceived, request)


@click.command(cls=Words)
@click.argument("case_id")
@click.option("--line", "line_no", type=words.whole(), metavar="LINE", default=1, show_default=True, help="The line.")
@click.option("--restocked", type=words.whole(), default=0, help="Units fit for sale, in all.")
@click.option("--not-restocked", type=words.whole(), default=0, help="Units that cannot be sold, in all.")
@click.option("--needs-work", type=words.whole(), default=0, help="Units to be mended first.")
@click.option("--missing", type=words.whole(), default=0, help="Units that were never received.")
@click.option(
    "--supplier", "supplier_id", metavar="SUPPLIER_ID", default="", help="Whose stock; who sent them unless said."
)
@recording()
def inspect(
    session: Session,
    case_id: str,
    line_no: int,
    restocked: int,
    not_restocked: int,
    needs_work: int,
    missing: int,
    supplier_id: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Record what became of the units of a line that came back, in all."""
    found = returns_pb2.InspectedLine(
        line_no=line_no, restocked=restocked, not_restocked=not_restocked, needs_work=needs_work, missing=missing
    )
    request = returns_pb2.RecordInspectionRequest(
        context=session.client.context(request_id), case_id=case_id, lines=[found], supplier_id=supplier_id, at=at
    )
    record(session, session.client.cases.RecordInspection, request)


@click.command(cls=Words)
@click.argument("case_id")
@click.argument("refund_id", default="")
@option_lines("Units that are refunded; all that wait for it unless said.")
@click.option("--amount", metavar="AMOUNT", help="So much, such as 4.95; with one --line.")
@click.option("--share", type=click.FloatRange(0, 100, min_open=True), help="So many percent of the price.")
@click.option(
    "--charge",
    "charges",
    multiple=True,
    metavar="ID[:AMOUNT]",
    help="A charge of the order too, such as shipping:4.90 or all that is left of it; alone where no --line is named.",
)
@recording()
def refund(
    session: Session,
    case_id: str,
    refund_id: str,
    lines: tuple[str, ...],
    amount: str | None,
    share: float | None,
    charges: tuple[str, ...],
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Grant money back: all that is left of the price, a share, or an amount.

    Without a REFUND_ID the ledger gives it one.
    """
    units = words.line_units(lines, "--line")
    if amount is not None and len(units) != 1:
        raise click.UsageError("--amount is for the units of one --line.")
    currency = read_case(session, case_id).currency if amount or any(":" in charge for charge in charges) else ""
    minor = words.amount_minor(amount, currency) if amount else 0
    named = [cases_pb2.LineAmount(line_no=n, units=count, amount_minor=minor) for n, count in units.items()]
    request = cases_pb2.GrantRefundRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        refund_id=refund_id,
        lines=named,
        share_basis_points=round((share or 0) * 100),
        charges=[_charge(text, currency) for text in charges],
        at=at,
    )
    record(session, session.client.cases.GrantRefund, request)


def _charge(text: str, currency: str) -> cases_pb2.ChargeAmount:
    charge_id, _, amount = text.partition(":")
    return cases_pb2.ChargeAmount(charge_id=charge_id, amount_minor=words.amount_minor(amount or "0", currency))


@click.command("deny-refund", cls=Words)
@click.argument("case_id")
@click.argument("reason", type=words.choice(cases_pb2.Denial))
@option_lines("Units that get no money; all that are undecided unless said.")
@click.option("--refund", metavar="REFUND_ID", default="", help="A granted refund that cannot be paid any more.")
@recording()
def deny_refund(
    session: Session,
    case_id: str,
    reason: str,
    lines: tuple[str, ...],
    refund: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Deny money for units, as after an inspection, or a refund whose money a chargeback took."""
    request = cases_pb2.DenyRefundRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        reason=words.number(cases_pb2.Denial, reason),
        lines=words.units_of_lines(lines),
        refund_id=refund,
        at=at,
    )
    record(session, session.client.cases.DenyRefund, request)


@click.command(cls=Words)
@click.argument("case_id")
@click.argument("refund_id")
@click.option("--reference", metavar="ID", default="", help="The payment's id.")
@recording()
def paid(
    session: Session, case_id: str, refund_id: str, reference: str, at: Timestamp | None, request_id: str | None
) -> None:
    """Record that the shop paid a refund out; the last one resolves the case."""
    request = cases_pb2.RecordRefundPaidRequest(
        context=session.client.context(request_id), case_id=case_id, refund_id=refund_id, reference=reference, at=at
    )
    record(session, session.client.cases.RecordRefundPaid, request)
