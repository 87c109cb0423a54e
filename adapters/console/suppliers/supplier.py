"""``fulfilment supplier``: who may be given orders, and on which terms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.money.statements import statement
from adapters.console.money.supplier_invoices import invoice
from adapters.console.suppliers.destinations import refuses, serves
from adapters.console.suppliers.offers import offer, withdraw
from adapters.console.suppliers.page import history, list_, print_agreement, read_supplier, record, show
from adapters.console.suppliers.portal import instruction, orders
from adapters.console.suppliers.reviews import accept, dismiss, due, proposals, review
from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns, recording
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import at
from adapters.console.terms.calendars import TERM, change_calendar, option_calendar, option_peaks
from fulfilment.v1 import calendars_pb2, suppliers_pb2

_DEFAULT_HOURS: dict[str, Any] = {
    "acknowledge_within_hours": 24,
    "dispatch_within_hours": 48,
    "express_dispatch_within_hours": 24,
    "answer_within_hours": 24,
    "cancel_answer_within_hours": 24,
}
"""The trade's usual terms, which ``add --approve`` agrees."""


@click.group(cls=Nouns)
def supplier() -> None:
    """Register suppliers, agree terms, approve, suspend."""


@supplier.command()
@click.argument("supplier_id")
@click.option("--name", required=True, help="The company's name.")
@click.option("--country", metavar="CODE", help="Where it sits, such as CN.")
@click.option("--contact", help="Who to talk to; sealed.")
@click.option("--return-address", help="Where returns go; sealed.")
@click.option("--pays-return-freight", is_flag=True, help="The supplier pays the freight of returns.")
@click.option("--packing", multiple=True, metavar="WORD", help="What it can pack with, such as logo_label.")
@click.option("--approve", "approved", is_flag=True, help="A sample passed, the usual terms are agreed: approve it.")
@recording("When it became known")
def add(
    session: Session,
    supplier_id: str,
    name: str,
    country: str | None,
    contact: str,
    return_address: str,
    pays_return_freight: bool,
    packing: tuple[str, ...],
    approved: bool,
    at: Any,
    request_id: str | None,
) -> None:
    """Register a supplier as a candidate.

    With --approve also record a passed sample and the usual terms (acknowledge 24 h, dispatch 48 h,
    express 24 h, answer 24 h, no compensation), and approve it.
    """
    client = session.client
    request_id = client.context(request_id).request_id
    registered = suppliers_pb2.RegisterSupplierRequest(
        context=client.context(request_id),
        supplier_id=supplier_id,
        name=name,
        country=(country or "").upper(),
        contact=contact,
        return_address=return_address,
        return_freight_paid_by_supplier=pays_return_freight,
        packing=packing,
        at=at,
    )
    if not approved:
        record(session, supplier_id, client.suppliers.RegisterSupplier, registered)
        return
    at = at or _now()
    known: dict[str, Any] = {"supplier_id": supplier_id, "at": at}
    client.call(client.suppliers.RegisterSupplier, registered)
    sampled = suppliers_pb2.ReviewSampleRequest(
        context=client.context(request_id, "/sample"),
        material_matches=True,
        packaging_matches=True,
        manual_matches=True,
        **known,
    )
    client.call(client.suppliers.ReviewSample, sampled)
    agreed = suppliers_pb2.AgreeTermsRequest(
        context=client.context(request_id, "/terms"),
        agreement=suppliers_pb2.Agreement(effective_from=at, **_DEFAULT_HOURS),
        **known,
    )
    client.call(client.suppliers.AgreeTerms, agreed)
    approval = suppliers_pb2.ApproveSupplierRequest(context=client.context(request_id, "/approve"), **known)
    record(session, supplier_id, client.suppliers.ApproveSupplier, approval)


_WAREHOUSE = "A house that it sends from, such as waw:PL::Europe/Warsaw; all of them, once for each. Empty for none."
_POINTS = words.WholeNumber(0, 10_000)


@supplier.command()
@click.argument("supplier_id")
@click.option("--from", "effective_from", type=words.INSTANT, help="From then on; now if not said.")
@click.option("--until", type=words.INSTANT, help="Until before then; without end if not said.")
@click.option("--acknowledge", type=TERM, metavar="TERM", help="To acknowledge a supplier order.")
@click.option("--dispatch", type=TERM, metavar="TERM", help="To dispatch it.")
@click.option("--express-dispatch", type=TERM, metavar="TERM", help="To dispatch an express order.")
@click.option("--first-scan", type=TERM, metavar="TERM", help="From dispatch to the carrier's first scan.")
@click.option("--answer", type=TERM, metavar="TERM", help="To answer a message.")
@click.option("--cancel-answer", type=TERM, metavar="TERM", help="To answer a request to cancel.")
@click.option("--resolve", type=TERM, metavar="TERM", help="To resolve a case that is its to bear, from the ruling on.")
@click.option("--feed-interval", type=TERM, metavar="TERM", help="Within which a stock feed is to come.")
@click.option("--compensation", type=_POINTS, metavar="BASIS_POINTS", help="For a late dispatch; 500 is 5 %.")
@click.option("--cap", metavar="AMOUNT:CURRENCY", help="The most that is owed for one breach, such as 50.00:EUR.")
@click.option("--acknowledgement-target", type=_POINTS, metavar="BASIS_POINTS", help="To be acknowledged in time.")
@click.option("--response-target", type=_POINTS, metavar="BASIS_POINTS", help="To be answered in time.")
@click.option("--resolution-target", type=_POINTS, metavar="BASIS_POINTS", help="Of its cases to be resolved in time.")
@option_peaks("the")
@option_calendar
@click.option("--end", "ends", multiple=True, metavar="TERM", help="No more, such as first_scan_within; once each.")
@click.option("--keep", is_flag=True, help="Only change terms that are in force then.")
@recording("When it was signed")
def terms(session: Session, /, supplier_id: str, at: Any, request_id: str | None, **options: Any) -> None:
    """Record agreed terms, from a date on.

    What is in force then and is not named stays, and --end names what ends; a clock that was never named does not run.
    A TERM is in hours that run through, such as 48, or, where there is a calendar, in working hours or working days of
    it:

    \b
      fulfilment supplier terms acme --dispatch 2wd --time-zone Asia/Shanghai
    """
    since, ends = options["effective_from"] or _now(), list(options["ends"])
    known = read_supplier(session, supplier_id).agreements
    present = _in_force(known, since)
    if options["keep"] and present is None:
        raise click.UsageError(f"{supplier_id} has no terms then that --keep could take over")
    agreement = suppliers_pb2.Agreement(
        effective_from=since,
        effective_until=options["until"],
        compensation_basis_points=options["compensation"],
        compensation_cap=words.to_money(options["cap"]) if options["cap"] else None,
        acknowledgement_target_basis_points=options["acknowledgement_target"],
        response_target_basis_points=options["response_target"],
        resolution_target_basis_points=options["resolution_target"],
    )
    if options["compensation"] == 0:
        ends.append("compensation")
    for name, option in _TERMS.items():
        if isinstance(options[option], int):
            setattr(agreement, f"{name}_hours", options[option])
        elif options[option] is not None:
            agreement.working.terms[name].CopyFrom(options[option])
    calendar = calendars_pb2.WorkingCalendar()
    if present is not None:
        calendar.CopyFrom(present.working.calendar)
    changed = change_calendar(calendar, options)
    if changed or (agreement.HasField("working") and calendar.ByteSize()):
        agreement.working.calendar.CopyFrom(calendar)
    for begin, end, hours in options["peaks"]:
        agreement.peaks.add(since=begin, until=end, extra_hours=hours)
    request = suppliers_pb2.AgreeTermsRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        agreement=agreement,
        at=at,
        seen_agreements=len(known),
        ends=ends,
    )
    record(session, supplier_id, session.client.suppliers.AgreeTerms, request)
    after = _in_force(read_supplier(session, supplier_id).agreements, since)
    if not session.json and after is not None:
        print_agreement(session, after)


_TERMS = {
    "acknowledge_within": "acknowledge",
    "dispatch_within": "dispatch",
    "express_dispatch_within": "express_dispatch",
    "first_scan_within": "first_scan",
    "answer_within": "answer",
    "feed_interval": "feed_interval",
    "cancel_answer_within": "cancel_answer",
    "resolve_within": "resolve",
}
"""The terms that can be in working time, with their options."""


def _in_force(agreements: Iterable[suppliers_pb2.Agreement], stamp: Timestamp) -> suppliers_pb2.Agreement | None:
    """The terms that hold then; they are listed with the latest first."""
    instant = stamp.ToDatetime(tzinfo=UTC)
    for each in agreements:
        since, until = at(each, "effective_from"), at(each, "effective_until")
        if since is not None and since <= instant and (until is None or instant < until):
            return each
    return None


def _now() -> Timestamp:
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp


@supplier.command()
@click.argument("supplier_id")
@click.option("--material/--no-material", default=True, help="The material is as described.")
@click.option("--packaging/--no-packaging", default=True, help="The packaging is as described.")
@click.option("--manual/--no-manual", default=True, help="The manual is as described.")
@recording()
def sample(
    session: Session,
    supplier_id: str,
    material: bool,
    packaging: bool,
    manual: bool,
    at: Any,
    request_id: str | None,
) -> None:
    """Record how a sample compares with its description; it passed unless said otherwise."""
    request = suppliers_pb2.ReviewSampleRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        material_matches=material,
        packaging_matches=packaging,
        manual_matches=manual,
        at=at,
    )
    record(session, supplier_id, session.client.suppliers.ReviewSample, request)


@supplier.command()
@click.argument("supplier_id")
@recording()
def approve(session: Session, supplier_id: str, at: Any, request_id: str | None) -> None:
    """Let a supplier be given orders."""
    request = suppliers_pb2.ApproveSupplierRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, at=at
    )
    record(session, supplier_id, session.client.suppliers.ApproveSupplier, request)


@supplier.command()
@click.argument("supplier_id")
@click.option("--name", help="The company's name.")
@click.option("--country", metavar="CODE", help="Where it sits, such as CN; empty if that is not known after all.")
@click.option("--contact", help="Who to talk to; sealed. Empty if nobody is known.")
@click.option("--return-address", help="Where returns go; sealed. Empty if that is not known.")
@click.option("--pays-return-freight/--pays-no-return-freight", default=None, help="Who pays the freight of returns.")
@click.option("--packing", multiple=True, metavar="WORD", help="All that it can pack with; empty for nothing.")
@click.option("--warehouse", "warehouses", multiple=True, metavar="CODE:COUNTRY[:REGION[:ZONE]]", help=_WAREHOUSE)
@recording("Since when it is so")
def update(session: Session, /, supplier_id: str, at: Any, request_id: str | None, **said: Any) -> None:
    """Change what is known of a supplier, or put it right; what is not named stays.

    \b
      fulfilment supplier update acme --warehouse waw:PL::Europe/Warsaw
    """
    request = suppliers_pb2.UpdateSupplierRequest(
        context=session.client.context(request_id),
        supplier_id=supplier_id,
        name=said["name"],
        country=None if said["country"] is None else said["country"].upper(),
        contact=said["contact"],
        return_address=said["return_address"],
        return_freight_paid_by_supplier=said["pays_return_freight"],
        at=at,
    )
    if said["packing"]:
        request.packing.words.extend(filter(None, said["packing"]))
        request.packing.SetInParent()
    if said["warehouses"]:
        request.warehouses.warehouses.extend(map(_warehouse, filter(None, said["warehouses"])))
        request.warehouses.SetInParent()
    record(session, supplier_id, session.client.suppliers.UpdateSupplier, request)


def _warehouse(text: str) -> suppliers_pb2.Warehouse:
    code, country, region, zone = [*text.split(":"), "", "", ""][:4]
    return suppliers_pb2.Warehouse(code=code, country=country.upper(), region=region, time_zone=zone)


@supplier.command()
@click.argument("supplier_id")
@click.option("--reason", metavar="TEXT", help="Why.")
@recording()
def suspend(session: Session, supplier_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """Stop new orders; running ones go on."""
    request = suppliers_pb2.SuspendSupplierRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, reason=reason, at=at
    )
    record(session, supplier_id, session.client.suppliers.SuspendSupplier, request)


@supplier.command()
@click.argument("supplier_id")
@recording()
def reinstate(session: Session, supplier_id: str, at: Any, request_id: str | None) -> None:
    """Let a suspended supplier be given orders again."""
    request = suppliers_pb2.ReinstateSupplierRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, at=at
    )
    record(session, supplier_id, session.client.suppliers.ReinstateSupplier, request)


@supplier.command()
@click.argument("supplier_id")
@click.option("--reason", metavar="TEXT", help="Why.")
@recording()
def retire(session: Session, supplier_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """End the use of a supplier for good."""
    request = suppliers_pb2.RetireSupplierRequest(
        context=session.client.context(request_id), supplier_id=supplier_id, reason=reason, at=at
    )
    record(session, supplier_id, session.client.suppliers.RetireSupplier, request)


for command in (
    offer,
    withdraw,
    refuses,
    serves,
    review,
    accept,
    dismiss,
    proposals,
    due,
    list_,
    show,
    history,
    orders,
    instruction,
    statement,
    invoice,
):
    supplier.add_command(command)
