"""``fulfilment order pay``, ``chargeback`` and ``refund-paid``: money that came in or went back."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.orders.standing import record
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import cases_pb2, order_money_pb2, orders_pb2


@click.command(cls=Words)
@click.argument("order_id")
@click.option(
    "--payment", type=words.choice(orders_pb2.PaymentState), help="How it stands, without amounts: else paid."
)
@click.option("--amount", metavar="AMOUNT:CUR", help="So much moved, such as 19.80:EUR; --id is needed as well.")
@click.option("--id", "payment_id", metavar="ID", help="The payment's id at its source.")
@click.option(
    "--kind",
    type=words.choice(order_money_pb2.PaymentKind),
    default="captured",
    show_default=True,
    help="What happened to the amount.",
)
@click.option("--method", metavar="WORD", help="How it was paid, such as card.")
@click.option("--of", metavar="ID", help="The payment that it is about, such as the refund that bounced.")
@recording()
def pay(session: Session, order_id: str, at: Any, request_id: str | None, **said: Any) -> None:
    """Record money that came in or went back, or how the shop says that it stands."""
    if bool(said["amount"]) != bool(said["payment_id"]):
        raise click.UsageError("--amount and --id go together.")
    if said["amount"] and said["payment"]:
        raise click.UsageError("--payment is for shops that know no amounts; leave it out.")
    word = None if said["amount"] else said["payment"] or "paid"
    request = orders_pb2.RecordPaymentRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        payment=words.number(orders_pb2.PaymentState, word),
        payments=[_payment(said)] if said["amount"] else [],
        at=at,
    )
    record(session, order_id, session.client.orders.RecordPayment, request)


def _payment(said: dict[str, Any]) -> order_money_pb2.Payment:
    return order_money_pb2.Payment(
        payment_id=said["payment_id"],
        kind=words.number(order_money_pb2.PaymentKind, said["kind"]),
        amount=words.to_money(said["amount"]),
        method=said["method"],
        of=said["of"],
    )


@click.command(cls=Words)
@click.argument("order_id")
@click.option("--id", "chargeback_id", metavar="ID", required=True, help="The chargeback's id at the bank.")
@click.option("--amount", required=True, metavar="AMOUNT:CURRENCY", help="How much was taken back, such as 19.80:EUR.")
@click.option("--reason", metavar="CODE", help="The bank's reason code.")
@recording()
def chargeback(
    session: Session, order_id: str, chargeback_id: str, amount: str, reason: str, at: Any, request_id: str | None
) -> None:
    """Record that a bank took the customer's money back."""
    request = order_money_pb2.RecordChargebackRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        chargeback_id=chargeback_id,
        amount=words.to_money(amount),
        reason=reason,
        at=at,
    )
    record(session, order_id, session.client.orders.RecordChargeback, request)


@click.command("refund-paid", cls=Words)
@click.argument("order_id")
@click.argument("payment_id")
@click.option("--amount", metavar="AMOUNT:CUR", help="So much, such as 19.80:EUR; all that is owed unless said.")
@recording()
def refund_paid(
    session: Session, order_id: str, payment_id: str, amount: str | None, at: Any, request_id: str | None
) -> None:
    """Record that money was paid back that is owed for cancelled units, or because a refund bounced."""
    request = cases_pb2.RecordRefundPaidRequest(
        context=session.client.context(request_id),
        order_id=order_id,
        refund_id=payment_id,
        amount=words.to_money(amount) if amount else None,
        at=at,
    )
    record(session, order_id, session.client.cases.RecordRefundPaid, request)
