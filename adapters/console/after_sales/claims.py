"""``fulfilment recovery file`` and what belongs to it: claims on carriers."""

from __future__ import annotations

import hashlib
from typing import Any

import click

from adapters.console.after_sales.recovery_page import money_of, record
from adapters.console.terminal import files, words
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import recoveries_pb2 as pb


@click.command(cls=Words)
@click.argument("recovery_id")
@click.argument("kind", type=words.choice(pb.ClaimDocumentKind))
@click.option("--file", "path", metavar="FILE", help="The document.")
@click.option("--sha256", metavar="HASH", help="Its hash, if the file is not here.")
@recording("When it was collected")
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
    record(session, session.client.recoveries.CollectDocument, request)


@click.command("file", cls=Words)
@click.argument("recovery_id")
@recording("When it was filed")
def file_claim(session: Session, recovery_id: str, at: Any, request_id: str | None) -> None:
    """Record that a claim was filed with the carrier."""
    request = pb.FileClaimRequest(context=session.client.context(request_id), recovery_id=recovery_id, at=at)
    record(session, session.client.recoveries.FileClaim, request)


@click.command(cls=Words)
@click.argument("recovery_id")
@click.option("--reference", required=True, metavar="ID", help="The carrier's own.")
@recording()
def acknowledge(session: Session, recovery_id: str, reference: str, at: Any, request_id: str | None) -> None:
    """Record that the carrier has a claim."""
    request = pb.AcknowledgeClaimRequest(
        context=session.client.context(request_id), recovery_id=recovery_id, reference=reference, at=at
    )
    record(session, session.client.recoveries.AcknowledgeClaim, request)


@click.command(cls=Words)
@click.argument("recovery_id")
@click.option("--approves", metavar="AMOUNT", help="How much the carrier pays, in all.")
@click.option("--denies", metavar="REASON", help="Why it does not pay.")
@recording("When it was decided")
def decide(
    session: Session, recovery_id: str, approves: str | None, denies: Any, at: Any, request_id: str | None
) -> None:
    """Record how the carrier decides on a claim."""
    if (approves is None) is (denies is None):
        raise click.UsageError("Say one of --approves and --denies.")
    request = pb.DecideClaimRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        approved=money_of(session, recovery_id, approves) if approves else None,
        denial_reason=denies,
        at=at,
    )
    record(session, session.client.recoveries.DecideClaim, request)


@click.command(cls=Words)
@click.argument("recovery_id")
@click.argument("amount")
@click.option("--reference", required=True, metavar="ID", help="What tells this payment from others.")
@recording("When it came")
def pay(session: Session, recovery_id: str, amount: str, reference: str, at: Any, request_id: str | None) -> None:
    """Record a payment of the carrier."""
    request = pb.RecordClaimPaymentRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        reference=reference,
        amount=money_of(session, recovery_id, amount),
        at=at,
    )
    record(session, session.client.recoveries.RecordClaimPayment, request)


@click.command(cls=Words)
@click.argument("recovery_id")
@click.option("--reason", required=True, metavar="TEXT", help="On what grounds.")
@recording()
def appeal(session: Session, recovery_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """Ask the carrier to look at a claim again."""
    request = pb.AppealClaimRequest(
        context=session.client.context(request_id), recovery_id=recovery_id, reason=reason, at=at
    )
    record(session, session.client.recoveries.AppealClaim, request)


@click.command("give-back", cls=Words)
@click.argument("recovery_id")
@click.argument("amount")
@click.option("--reference", required=True, metavar="ID", help="What tells this payment from others.")
@recording("When it went")
def give_back(session: Session, recovery_id: str, amount: str, reference: str, at: Any, request_id: str | None) -> None:
    """Record money that went back to the carrier, as when the parcel was found."""
    request = pb.ReturnClaimPaymentRequest(
        context=session.client.context(request_id),
        recovery_id=recovery_id,
        reference=reference,
        amount=money_of(session, recovery_id, amount),
        at=at,
    )
    record(session, session.client.recoveries.ReturnClaimPayment, request)
