"""``fulfilment recovery``: costs that suppliers and carriers are to bear."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.after_sales.claims import acknowledge, appeal, decide, document, file_claim, give_back, pay
from adapters.console.after_sales.recovery_page import currency_of, history, list_recoveries, money_of, record, show
from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns, Words, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import recoveries_pb2 as pb


@click.group(cls=Nouns)
def recovery() -> None:
    """Get costs back from suppliers and carriers."""


def _cost(text: str, currency: str) -> pb.RecoveryCost:
    cost_id, _, rest = text.partition(":")
    kind, _, amount = rest.partition(":")
    number = words.number(pb.CostKind, kind)
    if not (cost_id and number and amount):
        kinds = ", ".join(words.choice(pb.CostKind).choices)
        raise click.BadParameter(f"{text!r} is not ID:KIND:AMOUNT, where KIND is one of {kinds}", param_hint="--cost")
    return pb.RecoveryCost(cost_id=cost_id, kind=number, amount_minor=words.amount_minor(amount, currency))


@click.command("open", cls=Words)
@click.argument("recovery_id")
@click.argument("kind", type=words.choice(pb.RecoveryKind))
@click.option("--order", "order_id", required=True, metavar="ORDER_ID", help="The order.")
@click.option(
    "--supplier-order", "supplier_order_id", metavar="SUPPLIER_ORDER_ID", help="Whose supplier is to bear it."
)
@click.option("--case", "case_id", metavar="CASE_ID", help="The return case.")
@click.option("--carrier", metavar="NAME", help="The carrier, of a parcel.")
@click.option("--number", help="Its tracking number.")
@click.option("--currency", required=True, metavar="CODE", help="Such as EUR.")
@click.option("--cost", "costs", multiple=True, metavar="ID:KIND:AMOUNT", help="Such as refund-1:refund:12.50.")
@recording()
def open_recovery(
    session: Session, /, recovery_id: str, kind: str, costs: tuple[str, ...], request_id: str | None, **options: Any
) -> None:
    """Propose a cost to a supplier, or prepare a claim on a carrier."""
    currency = options["currency"].upper()
    request = pb.OpenRecoveryRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        kind=words.number(pb.RecoveryKind, kind),
        order_id=options["order_id"],
        supplier_order_id=options["supplier_order_id"],
        case_id=options["case_id"],
        carrier=options["carrier"],
        tracking_number=options["number"],
        currency=currency,
        costs=[_cost(cost, currency) for cost in costs],
        at=options["at"],
    )
    record(session, session.client.recoveries.OpenRecovery, request)


@click.command("raise", cls=Words)
@click.argument("recovery_id")
@click.argument("cost", metavar="ID:KIND:AMOUNT")
@recording()
def raise_recovery(session: Session, recovery_id: str, cost: str, at: Any, request_id: str | None) -> None:
    """Add a cost; a supplier that had answered is asked again."""
    currency = currency_of(session, recovery_id)
    request = pb.RaiseRecoveryRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        cost=_cost(cost, currency),
        currency=currency,
        at=at,
    )
    record(session, session.client.recoveries.RaiseRecovery, request)


@click.command(cls=Words)
@click.argument("recovery_id")
@click.option("--accepts", metavar="AMOUNT", help="How much is borne, in all.")
@click.option("--disputes", metavar="REASON", help="Why nothing is.")
@recording("When it was answered")
def answer(
    session: Session, recovery_id: str, accepts: str | None, disputes: Any, at: Any, request_id: str | None
) -> None:
    """Record what the supplier or the customer answers."""
    if (accepts is None) is (disputes is None):
        raise click.UsageError("Say one of --accepts and --disputes.")
    request = pb.AnswerRecoveryRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        accepted=money_of(session, recovery_id, accepts) if accepts else None,
        dispute_reason=disputes,
        at=at,
    )
    record(session, session.client.recoveries.AnswerRecovery, request)


@click.command(cls=Words)
@click.argument("recovery_id")
@click.argument("amount")
@click.option("--reference", required=True, metavar="ID", help="Such as the number of the credit note.")
@click.option("--method", type=words.choice(pb.SettlementMethod), default="credit_note", show_default=True)
@recording("When it came")
def settle(
    session: Session, recovery_id: str, amount: str, reference: str, method: str, at: Any, request_id: str | None
) -> None:
    """Record a part of what was accepted, or all of it."""
    request = pb.SettleRecoveryRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        reference=reference,
        amount=money_of(session, recovery_id, amount),
        method=words.number(pb.SettlementMethod, method),
        at=at,
    )
    record(session, session.client.recoveries.SettleRecovery, request)


@click.command("write-off", cls=Words)
@click.argument("recovery_id")
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@recording()
def write_off(session: Session, recovery_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """Give up what has not been received."""
    request = pb.WriteOffRecoveryRequest(
        context=session.client.context(request_id), recovery_id=recovery_id, reason=reason, at=at
    )
    record(session, session.client.recoveries.WriteOffRecovery, request)


for command in (
    list_recoveries,
    show,
    history,
    open_recovery,
    raise_recovery,
    answer,
    settle,
    write_off,
    document,
    file_claim,
    acknowledge,
    decide,
    pay,
    appeal,
    give_back,
):
    recovery.add_command(command)
