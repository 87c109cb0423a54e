"""``fulfilment recovery``: costs that suppliers and carriers are to bear."""

from __future__ import annotations

import hashlib
from typing import Any

import click

from adapters.console import files, words
from adapters.console.history import print_history
from adapters.console.reports import LIMIT, print_rows, rows_of
from adapters.console.session import Nouns, Session, option_at, option_request_id
from adapters.console.words import minute, money, word
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


@click.group(cls=Nouns)
def recovery() -> None:
    """Get costs back from suppliers and carriers."""


def _read(session: Session, recovery_id: str, at_least: int = 0) -> pb.Recovery:
    request = pb.GetRecoveryRequest(recovery_id=recovery_id, at_least=at_least)
    return session.client.call(session.client.recoveries.GetRecovery, request).recovery


def _done(session: Session, rpc: Any, request: Any) -> None:
    receipt: common_pb2.Receipt = session.client.call(rpc, request)
    after = _read(session, request.recovery_id, receipt.position)
    if session.json:
        session.out.json({"receipt": words.as_json(receipt), "recovery": words.as_json(after)})
    else:
        session.out.title(f"Recovery {after.recovery_id}", _said(after))


def _said(each: pb.Recovery) -> str:
    """How far it is, in a line."""
    status = word(pb.RecoveryStatus, each.status)
    parts = [status, f"asked {money(each.asked_minor, each.currency)}"]
    if each.agreed_minor:
        agreed = "approved" if each.party == common_pb2.PARTY_CARRIER else "accepted"
        parts.append(f"{agreed} {money(each.agreed_minor, each.currency)}")
    if each.received_minor:
        parts.append(f"received {money(each.received_minor, each.currency)}")
    return ", ".join(parts)


def _currency_of(session: Session, recovery_id: str) -> str:
    return _read(session, recovery_id).currency


def _money(session: Session, recovery_id: str, amount: str) -> common_pb2.Money:
    """An amount as it is typed: in the recovery's currency unless it names one."""
    figure, _, named = amount.partition(":")
    currency = named.upper() or _currency_of(session, recovery_id)
    return common_pb2.Money(amount_minor=words.amount_minor(figure, currency), currency=currency)


def _cost(text: str, currency: str) -> pb.RecoveryCost:
    cost_id, _, rest = text.partition(":")
    kind, _, amount = rest.partition(":")
    number = words.number(pb.CostKind, kind)
    if not (cost_id and number and amount):
        kinds = ", ".join(words.choice(pb.CostKind).choices)
        raise click.BadParameter(f"{text!r} is not ID:KIND:AMOUNT, where KIND is one of {kinds}", param_hint="--cost")
    return pb.RecoveryCost(cost_id=cost_id, kind=number, amount_minor=words.amount_minor(amount, currency))


# --- looking --------------------------------------------------------------------------------------


@recovery.command("list")
@click.option("--party", type=click.Choice(["supplier", "carrier", "customer"]), help="Who is to bear them.")
@click.option("--status", "statuses", multiple=True, type=words.choice(pb.RecoveryStatus), help="How far they are.")
@click.option("--supplier", metavar="SUPPLIER_ID", help="The supplier concerned.")
@click.option("--carrier", metavar="NAME", help="The carrier concerned.")
@click.option("--order", "order_id", metavar="ORDER_ID", help="The order concerned.")
@click.option("--case", "case_id", metavar="CASE_ID", help="The return case.")
@click.option("--due-within", type=words.whole(), metavar="HOURS", help="Only those of which something is due so soon.")
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@LIMIT
@click.pass_obj
def list_recoveries(
    session: Session, /, statuses: tuple[str, ...], everything: bool, limit: int | None, **said: Any
) -> None:
    """List recoveries that are not over, what is due first."""
    named = [words.number(pb.RecoveryStatus, status) for status in statuses]
    request = pb.ListRecoveriesRequest(
        party=words.number(common_pb2.Party, said["party"]),
        statuses=named or ([] if everything else _LIVE),
        supplier_id=said["supplier"],
        carrier=said["carrier"],
        order_id=said["order_id"],
        case_id=said["case_id"],
        due_within_hours=said["due_within"],
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
        each.order_id,
    ]


@recovery.command()
@click.argument("recovery_id")
@click.pass_obj
def show(session: Session, recovery_id: str) -> None:
    """Show a recovery: its costs, its deadlines, its money."""
    found = _read(session, recovery_id)
    if session.json:
        session.show(found)
        return
    session.out.title(f"Recovery {found.recovery_id}", _said(found))
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


@recovery.command()
@click.argument("recovery_id")
@click.option("--no-parcels", is_flag=True, help="Leave the facts of its parcel out.")
@click.pass_obj
def history(session: Session, recovery_id: str, no_parcels: bool) -> None:
    """List the facts of a recovery and its parcel as they were recorded."""
    print_history(session, audit_pb2.GetHistoryRequest(recovery_id=recovery_id, with_parcels=not no_parcels))


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
        ("order", found.order_id),
        ("supplier order", found.supplier_order_id),
        ("supplier", found.supplier_id),
        ("case", found.case_id),
        ("parcel", f"{found.carrier} {found.tracking_number}".strip()),
        ("liable up to", liability),
        ("claimed", money(found.claimed_minor, found.currency) if found.claimed_minor else ""),
        ("reason", found.reason),
        ("opened", minute(found, "opened_at")),
        ("answer by", minute(found, "answer_by")),
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


# --- asking ---------------------------------------------------------------------------------------


@recovery.command("open")
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
@option_at()
@option_request_id()
@click.pass_obj
def open_recovery(
    session: Session, /, recovery_id: str, kind: str, costs: tuple[str, ...], request_id: str | None, **said: Any
) -> None:
    """Propose a cost to a supplier, or prepare a claim on a carrier."""
    currency = said["currency"].upper()
    request = pb.OpenRecoveryRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        kind=words.number(pb.RecoveryKind, kind),
        order_id=said["order_id"],
        supplier_order_id=said["supplier_order_id"],
        case_id=said["case_id"],
        carrier=said["carrier"],
        tracking_number=said["number"],
        currency=currency,
        costs=[_cost(cost, currency) for cost in costs],
        at=said["at"],
    )
    _done(session, session.client.recoveries.OpenRecovery, request)


@recovery.command("raise")
@click.argument("recovery_id")
@click.argument("cost", metavar="ID:KIND:AMOUNT")
@option_at()
@option_request_id()
@click.pass_obj
def raise_recovery(session: Session, recovery_id: str, cost: str, at: Any, request_id: str | None) -> None:
    """Add a cost; a supplier that had answered is asked again."""
    currency = _currency_of(session, recovery_id)
    request = pb.RaiseRecoveryRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        cost=_cost(cost, currency),
        currency=currency,
        at=at,
    )
    _done(session, session.client.recoveries.RaiseRecovery, request)


@recovery.command()
@click.argument("recovery_id")
@click.option("--accepts", metavar="AMOUNT", help="How much is borne, in all.")
@click.option("--disputes", metavar="REASON", help="Why nothing is.")
@option_at("When it was answered")
@option_request_id()
@click.pass_obj
def answer(
    session: Session, recovery_id: str, accepts: str | None, disputes: Any, at: Any, request_id: str | None
) -> None:
    """Record what the supplier or the customer answers."""
    if (accepts is None) is (disputes is None):
        raise click.UsageError("Say one of --accepts and --disputes.")
    request = pb.AnswerRecoveryRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        accepted=_money(session, recovery_id, accepts) if accepts else None,
        dispute_reason=disputes,
        at=at,
    )
    _done(session, session.client.recoveries.AnswerRecovery, request)


@recovery.command()
@click.argument("recovery_id")
@click.argument("amount")
@click.option("--reference", required=True, metavar="ID", help="Such as the number of the credit note.")
@click.option("--method", type=words.choice(pb.SettlementMethod), default="credit_note", show_default=True)
@option_at("When it came")
@option_request_id()
@click.pass_obj
def settle(
    session: Session, recovery_id: str, amount: str, reference: str, method: str, at: Any, request_id: str | None
) -> None:
    """Record a part of what was accepted, or all of it."""
    request = pb.SettleRecoveryRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        reference=reference,
        amount=_money(session, recovery_id, amount),
        method=words.number(pb.SettlementMethod, method),
        at=at,
    )
    _done(session, session.client.recoveries.SettleRecovery, request)


@recovery.command("write-off")
@click.argument("recovery_id")
@click.option("--reason", required=True, metavar="TEXT", help="Why; no personal data.")
@option_at()
@option_request_id()
@click.pass_obj
def write_off(session: Session, recovery_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """Give up what has not been received."""
    request = pb.WriteOffRecoveryRequest(
        context=session.client.context(request_id), recovery_id=recovery_id, reason=reason, at=at
    )
    _done(session, session.client.recoveries.WriteOffRecovery, request)


# --- claims on carriers -----------------------------------------------------------------------------


@recovery.command()
@click.argument("recovery_id")
@click.argument("kind", type=words.choice(pb.ClaimDocumentKind))
@click.option("--file", "path", metavar="FILE", help="The document.")
@click.option("--sha256", metavar="HASH", help="Its hash, if the file is not here.")
@option_at("When it was collected")
@option_request_id()
@click.pass_obj
def document(
    session: Session,
    recovery_id: str,
    kind: str,
    path: str | None,
    sha256: str | None,
    at: Any,
    request_id: str | None,
) -> None:
    """Record that a document for a claim is at hand, by its hash; the file itself stays here."""
    if (path is None) is (sha256 is None):
        raise click.UsageError("Name the document with one of --file and --sha256.")
    request = pb.CollectDocumentRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        kind=words.number(pb.ClaimDocumentKind, kind),
        sha256=hashlib.sha256(files.read(path)).hexdigest() if path else str(sha256),
        at=at,
    )
    _done(session, session.client.recoveries.CollectDocument, request)


@recovery.command("file")
@click.argument("recovery_id")
@option_at("When it was filed")
@option_request_id()
@click.pass_obj
def file_claim(session: Session, recovery_id: str, at: Any, request_id: str | None) -> None:
    """Record that a claim was filed with the carrier."""
    request = pb.FileClaimRequest(context=session.client.context(request_id), recovery_id=recovery_id, at=at)
    _done(session, session.client.recoveries.FileClaim, request)


@recovery.command()
@click.argument("recovery_id")
@click.option("--reference", required=True, metavar="ID", help="The carrier's own.")
@option_at()
@option_request_id()
@click.pass_obj
def acknowledge(session: Session, recovery_id: str, reference: str, at: Any, request_id: str | None) -> None:
    """Record that the carrier has a claim."""
    request = pb.AcknowledgeClaimRequest(
        context=session.client.context(request_id), recovery_id=recovery_id, reference=reference, at=at
    )
    _done(session, session.client.recoveries.AcknowledgeClaim, request)


@recovery.command()
@click.argument("recovery_id")
@click.option("--approves", metavar="AMOUNT", help="How much the carrier pays, in all.")
@click.option("--denies", metavar="REASON", help="Why it does not pay.")
@option_at("When it was decided")
@option_request_id()
@click.pass_obj
def decide(
    session: Session, recovery_id: str, approves: str | None, denies: Any, at: Any, request_id: str | None
) -> None:
    """Record how the carrier decides on a claim."""
    if (approves is None) is (denies is None):
        raise click.UsageError("Say one of --approves and --denies.")
    request = pb.DecideClaimRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        approved=_money(session, recovery_id, approves) if approves else None,
        denial_reason=denies,
        at=at,
    )
    _done(session, session.client.recoveries.DecideClaim, request)


@recovery.command()
@click.argument("recovery_id")
@click.argument("amount")
@click.option("--reference", required=True, metavar="ID", help="What tells this payment from others.")
@option_at("When it came")
@option_request_id()
@click.pass_obj
def pay(session: Session, recovery_id: str, amount: str, reference: str, at: Any, request_id: str | None) -> None:
    """Record a payment of the carrier."""
    request = pb.RecordClaimPaymentRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        reference=reference,
        amount=_money(session, recovery_id, amount),
        at=at,
    )
    _done(session, session.client.recoveries.RecordClaimPayment, request)


@recovery.command()
@click.argument("recovery_id")
@click.option("--reason", required=True, metavar="TEXT", help="On what grounds; no personal data.")
@option_at()
@option_request_id()
@click.pass_obj
def appeal(session: Session, recovery_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """Ask the carrier to look at a claim again."""
    request = pb.AppealClaimRequest(
        context=session.client.context(request_id), recovery_id=recovery_id, reason=reason, at=at
    )
    _done(session, session.client.recoveries.AppealClaim, request)


@recovery.command("give-back")
@click.argument("recovery_id")
@click.argument("amount")
@click.option("--reference", required=True, metavar="ID", help="What tells this payment from others.")
@option_at("When it went")
@option_request_id()
@click.pass_obj
def give_back(session: Session, recovery_id: str, amount: str, reference: str, at: Any, request_id: str | None) -> None:
    """Record money that went back to the carrier, as when the parcel was found."""
    request = pb.ReturnClaimPaymentRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        reference=reference,
        amount=_money(session, recovery_id, amount),
        at=at,
    )
    _done(session, session.client.recoveries.ReturnClaimPayment, request)
