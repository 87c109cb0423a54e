"""``fulfilment supplier list``, ``show`` and ``history``: what is known of suppliers."""

from __future__ import annotations

from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.auditing.history import WRITTEN, print_history
from adapters.console.terminal import words
from adapters.console.terminal.client import Command, Q
from adapters.console.terminal.commands import Words
from adapters.console.terminal.listings import CHANGED_AFTER, LIMIT, print_rows, rows_of
from adapters.console.terminal.past import OF_LISTS, asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, money, word
from adapters.console.terms.calendars import describe, in_words
from fulfilment.v1 import audit_pb2, common_pb2, rates_pb2, supplier_reviews_pb2, suppliers_pb2
from ledger.terms.money import amount


def read_supplier(
    session: Session,
    supplier_id: str,
    at_least: int = 0,
    personal: bool = False,
    as_of: common_pb2.AsOf | None = None,
) -> suppliers_pb2.Supplier:
    request = suppliers_pb2.GetSupplierRequest(
        supplier_id=supplier_id, at_least=at_least, with_personal_data=personal, as_of=as_of
    )
    return session.client.call(session.client.suppliers.GetSupplier, request).supplier


def record(session: Session, supplier_id: str, rpc: Command[Q], request: Q) -> None:
    """Send a command about a supplier, and print the state of the supplier after it."""
    receipt = session.client.call(rpc, request)
    after = read_supplier(session, supplier_id, receipt.position)
    session.print_result(receipt, f"Supplier {supplier_id}", after, standing_of(after))


def standing_of(each: suppliers_pb2.Supplier) -> str:
    return word(suppliers_pb2.SupplierStanding, each.standing)


@click.command("list", cls=Words)
@click.option("--standing", "standings", type=words.choice(suppliers_pb2.SupplierStanding), multiple=True)
@CHANGED_AFTER
@OF_LISTS
@LIMIT
@click.pass_obj
def list_(session: Session, standings: tuple[str, ...], limit: int | None) -> None:
    """List suppliers with their standing, their last review and when the next one is due."""
    request = supplier_reviews_pb2.ListSuppliersRequest(
        standings=[words.number(suppliers_pb2.SupplierStanding, standing) for standing in standings]
    )
    print_rows(
        session,
        rows_of(session, session.client.reports.ListSuppliers, request, "suppliers"),
        limit,
        ["supplier", "standing", "last review", ">score", "verdict", "review due", ">open proposals"],
        lambda each: [
            each.supplier_id,
            word(suppliers_pb2.SupplierStanding, each.standing),
            minute(each, "reviewed_at"),
            each.score_basis_points if each.HasField("score_basis_points") else "",
            word(suppliers_pb2.Verdict, each.verdict) if each.verdict else "",
            minute(each, "review_due"),
            each.open_proposals or "",
        ],
        "There are no such suppliers.",
    )


@click.command(cls=Words)
@click.argument("supplier_id")
@click.option("--personal", is_flag=True, help="Whom to talk to and where returns go too.")
@past
@click.pass_obj
def show(
    session: Session, supplier_id: str, personal: bool, as_of: common_pb2.AsOf | None, at: Timestamp | None
) -> None:
    """Show a supplier, its terms and offers."""
    found = read_supplier(session, supplier_id, personal=personal, as_of=asked(as_of, at, personal))
    if session.json:
        session.show(found)
        return
    session.out.title(f"Supplier {supplier_id}", standing_of(found))
    session.out.facts(
        [
            ("name", found.name),
            ("country", found.country),
            ("sample", "passed" if found.sample_passed else "not passed"),
            ("packs with", ", ".join(found.packing)),
            ("return freight", "paid by the supplier" if found.return_freight_paid_by_supplier else ""),
            ("contact", found.contact),
            ("returns go to", found.return_address),
            *(("warehouse", _warehouse(each)) for each in found.warehouses),
            *(
                ("does not ship to", " ".join(filter(None, [each.country, each.region, each.sku])))
                for each in found.refused_destinations
            ),
        ]
    )
    if found.HasField("last_review"):
        print_review(session, found)
    for agreement in found.agreements:
        session.out.blank()
        print_agreement(session, agreement)
    if found.offers:
        session.out.blank()
        rows = [
            [
                each.sku,
                each.article_code,
                _cost(each),
                each.minimum_quantity,
                each.lead_time_days,
                each.warehouse,
                minute(each, "valid_from"),
                minute(each, "valid_until"),
                ", ".join(each.backups),
            ]
            for each in found.offers
        ]
        columns = ["sku", "article", ">cost", ">minimum", ">lead days", "warehouse", "from", "until", "backups"]
        session.out.table(columns, rows)


def _warehouse(each: suppliers_pb2.Warehouse) -> str:
    return f"{each.code} in {', '.join(filter(None, [each.country, each.region, each.time_zone]))}"


def _cost(each: suppliers_pb2.Offer) -> str:
    """``3.50 EUR, 3.20 from 100, packing 0.20``."""
    currency = each.cost.currency
    breaks = [f"{amount(step.cost_minor, currency)} from {step.units}" for step in each.breaks]
    packing = [f"packing {amount(each.packing_cost_minor, currency)}"] if each.packing_cost_minor else []
    return ", ".join([money(each.cost.amount_minor, currency), *breaks, *packing])


@click.command(cls=Words)
@click.argument("supplier_id")
@WRITTEN
@click.pass_obj
def history(session: Session, supplier_id: str, personal: bool) -> None:
    """List the facts of a supplier as they were recorded: who approved, agreed, reviewed, suspended, and why."""
    print_history(session, audit_pb2.GetHistoryRequest(supplier_id=supplier_id, with_personal_data=personal))


def print_review(session: Session, found: suppliers_pb2.Supplier) -> None:
    last = found.last_review
    session.out.facts(
        [
            ("reviewed", f"{minute(last, 'at')}, of {minute(last, 'since')} to {minute(last, 'until')}"),
            ("score", f"{last.score_basis_points} of 10000" if last.HasField("score_basis_points") else "no data"),
            ("verdict", word(suppliers_pb2.Verdict, last.verdict)),
            *(
                ("suspension", f"{word(suppliers_pb2.ProposalState, each.state)} for {_why(each.rate)}")
                for each in found.proposals
            ),
        ]
    )


def _why(rate: rates_pb2.Rate) -> str:
    return f"{word(rates_pb2.RateName, rate.name)}, {rate.numerator} of {rate.denominator}"


_SHARES: dict[str, Any] = {
    "acknowledged": "acknowledgement_target_basis_points",
    "answered": "response_target_basis_points",
    "resolved": "resolution_target_basis_points",
}


_TERMS = {
    "acknowledge_within": "acknowledge within",
    "dispatch_within": "dispatch within",
    "express_dispatch_within": "express dispatch within",
    "first_scan_within": "first scan within",
    "answer_within": "answer within",
    "cancel_answer_within": "cancel answer within",
    "resolve_within": "resolve within",
    "feed_interval": "feed every",
}


def _term(agreement: suppliers_pb2.Agreement, name: str) -> str:
    if name in agreement.working.terms:
        return in_words(agreement.working.terms[name])
    return f"{getattr(agreement, f'{name}_hours')} h" if agreement.HasField(f"{name}_hours") else ""  # type: ignore[arg-type]


def print_agreement(session: Session, agreement: suppliers_pb2.Agreement) -> None:
    until = minute(agreement, "effective_until")
    session.out.title("Terms", f"from {minute(agreement, 'effective_from')}" + (f" until {until}" if until else ""))
    points, cap = agreement.compensation_basis_points, agreement.compensation_cap
    limit = f", at most {money(cap.amount_minor, cap.currency)}" if agreement.HasField("compensation_cap") else ""
    session.out.facts(
        [
            *((label, term) for name, label in _TERMS.items() if (term := _term(agreement, name))),
            *(describe(agreement.working.calendar) if agreement.HasField("working") else ()),
            ("compensation", f"{points / 100:g} % of the net line amount{limit}" if points else "none"),
            *(
                (f"{name} in time", f"at least {getattr(agreement, field) / 100:g} %")
                for name, field in _SHARES.items()
                if agreement.HasField(field)
            ),
            *(
                ("peak", f"{minute(each, 'since')} to {minute(each, 'until')}: {each.extra_hours} h longer")
                for each in agreement.peaks
            ),
        ]
    )
