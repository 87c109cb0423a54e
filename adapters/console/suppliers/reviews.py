"""``fulfilment supplier review`` and what follows from it: verdicts, proposals to suspend, what is due."""

from __future__ import annotations

from typing import Any

import click

from adapters.console.reports.scorecards import figures, print_rates
from adapters.console.suppliers.page import print_review, read_supplier, record
from adapters.console.terminal import words
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, SUPPLIER, head, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, word
from fulfilment.v1 import rates_pb2, supplier_reviews_pb2, suppliers_pb2

_RATE = click.option("--rate", type=words.choice(rates_pb2.RateName), required=True, help="The rate it is about.")


@click.command(cls=Words)
@click.argument("supplier_id")
@click.option("--since", type=words.INSTANT, help="From then on; the policy's time between reviews if not said.")
@click.option("--until", type=words.INSTANT, help="Before then; now if not said.")
@recording()
def review(session: Session, supplier_id: str, since: Any, until: Any, at: Any, request_id: str | None) -> None:
    """Record the rates of a period with a score and a verdict."""
    request = suppliers_pb2.ReviewSupplierRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        since=since,
        until=until,
        at_least=head(session),
        at=at,
    )
    record(session, supplier_id, session.client.suppliers.ReviewSupplier, request)
    if not session.json:
        after = read_supplier(session, supplier_id)
        print_review(session, after)
        session.out.blank()
        print_rates(session, after.last_review.rates)


@click.command(cls=Words)
@click.argument("supplier_id")
@_RATE
@recording()
def accept(session: Session, supplier_id: str, rate: str, at: Any, request_id: str | None) -> None:
    """Suspend a supplier as was proposed for one of its rates."""
    request = suppliers_pb2.AcceptSuspensionRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        rate=words.number(rates_pb2.RateName, rate),
        at=at,
    )
    record(session, supplier_id, session.client.suppliers.AcceptSuspension, request)


@click.command(cls=Words)
@click.argument("supplier_id")
@_RATE
@click.option("--reason", required=True, metavar="TEXT", help="Why.")
@recording()
def dismiss(session: Session, supplier_id: str, rate: str, reason: str, at: Any, request_id: str | None) -> None:
    """Decide against a proposal to suspend a supplier."""
    request = suppliers_pb2.DismissSuspensionRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        rate=words.number(rates_pb2.RateName, rate),
        reason=reason,
        at=at,
    )
    record(session, supplier_id, session.client.suppliers.DismissSuspension, request)


@click.command(cls=Words)
@SUPPLIER
@click.option("--state", type=words.choice(suppliers_pb2.ProposalState), help="Only in this state.")
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def proposals(session: Session, supplier: str, state: str | None, limit: int | None) -> None:
    """List the proposals to suspend a supplier whose rates have not recovered."""
    request = supplier_reviews_pb2.ListSuspensionProposalsRequest(
        supplier_id=supplier, state=words.number(suppliers_pb2.ProposalState, state)
    )
    print_rows(
        session,
        rows_of(session, session.client.reports.ListSuspensionProposals, request, "proposals"),
        limit,
        ["supplier", "rate", ">part", ">of", ">%", ">target %", "proposed", "state"],
        lambda each: [
            each.supplier_id,
            word(rates_pb2.RateName, each.rate.name),
            *figures(each.rate),
            minute(each, "proposed_at"),
            word(suppliers_pb2.ProposalState, each.state),
        ],
        "Nothing is proposed.",
    )


@click.command(cls=Words)
@click.option(
    "--due-within", type=words.WholeNumber(0, 1000), default=0, metavar="DAYS", help="Due within so many days."
)
@OF_LISTS
@LIMIT
@click.pass_obj
def due(session: Session, due_within: int, limit: int | None) -> None:
    """List the suppliers whose review is due, the longest overdue first."""
    request = supplier_reviews_pb2.ListReviewsDueRequest(due_within_days=due_within)
    print_rows(
        session,
        rows_of(session, session.client.reports.ListReviewsDue, request, "reviews"),
        limit,
        ["supplier", "review due", "last review", ">score", "verdict"],
        lambda each: [
            each.supplier_id,
            minute(each, "due"),
            minute(each, "reviewed_at"),
            each.score_basis_points if each.HasField("score_basis_points") else "",
            word(suppliers_pb2.Verdict, each.verdict) if each.verdict else "",
        ],
        "No review is due.",
    )
