"""``fulfilment order send`` and what follows: what happens to a supplier order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import click

from adapters.console.orders.standing import LINE, order_of, read_order, record
from adapters.console.terminal import bulk, words
from adapters.console.terminal.batches import Bar, Result
from adapters.console.terminal.batches import send as send_groups
from adapters.console.terminal.client import RequestRefused
from adapters.console.terminal.commands import Words, recording
from adapters.console.terminal.listings import SUPPLIER, rows_of
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from fulfilment.v1 import batch_pb2, common_pb2, obligations_pb2, parcels_pb2, supplier_orders_pb2, supplier_portal_pb2


@click.command(cls=Words)
@click.argument("supplier_order_id")
@recording()
def send(session: Session, supplier_order_id: str, at: Any, request_id: str | None) -> None:
    """Record that a dispatch instruction went out; the supplier's clocks start."""
    request = supplier_orders_pb2.SendSupplierOrderRequest(
        context=session.client.context(request_id), supplier_order_id=supplier_order_id, at=at
    )
    record(session, order_of(supplier_order_id), session.client.orders.SendSupplierOrder, request)


@click.command("send-drafts", cls=Words)
@SUPPLIER
@click.option("--channel", metavar="NAME", help="Only this shop.")
@click.option("--due-within", type=words.WholeNumber(0, 1000), metavar="HOURS", help="Only those due so soon.")
@click.option("--dry-run", is_flag=True, help="List them, and send none.")
@click.pass_obj
def send_drafts(session: Session, supplier: str, channel: str | None, due_within: int | None, dry_run: bool) -> int:
    """Send all drafts that no hold keeps back, or only those of a supplier, of a shop, or due soon."""
    drafts = [
        each
        for each in _drafts(session, supplier, due_within)
        if not each.HasField("stopped_since") and each.object_id.startswith(f"{channel}/" if channel else "")
    ]
    if dry_run:
        columns = ["supplier order", "supplier", "due"]
        rows = [[each.object_id, each.supplier_id, minute(each, "due")] for each in drafts]
        if session.json:
            session.out.json([words.as_json(each) for each in drafts])
        else:
            session.out.table(columns, rows, "No draft can be sent.")
        return 0
    result = Result()
    with Bar(session) as bar:
        bar.begin("drafts", len(drafts))
        send_groups(session.client, ([_sending(session, each.object_id)] for each in drafts), result, bar)
    told = {"sent": result.applied.total(), "refused": dict(result.refused), "examples": dict(result.examples)}
    if session.json:
        session.out.json(told)
    else:
        session.out.say(f"{told['sent']:,} sent, {result.refused.total():,} not.")
        for reason, examples in result.examples.items():
            session.out.say(f"{result.refused[reason]:,} {reason}, such as: {examples[0]}")
    return 1 if result.refused else 0


def _drafts(session: Session, supplier: str, due_within: int | None) -> Iterator[obligations_pb2.Obligation]:
    """Those that are due and those that are overdue."""
    clock, reports = obligations_pb2.OBLIGATION_CLOCK_SEND, session.client.reports
    missed = obligations_pb2.ListBreachesRequest(supplier_id=supplier, clock=clock)
    late = rows_of(session, reports.ListBreaches, missed, "breaches")
    yield from (each for each in late if not each.HasField("met_at"))
    due = obligations_pb2.ListObligationsRequest(supplier_id=supplier, clock=clock, due_within_hours=due_within)
    yield from rows_of(session, reports.ListObligations, due, "obligations")


def _sending(session: Session, supplier_order_id: str) -> batch_pb2.BatchCommand:
    context = session.client.context(None)
    request = supplier_orders_pb2.SendSupplierOrderRequest(context=context, supplier_order_id=supplier_order_id)
    return batch_pb2.BatchCommand(send_supplier_order=request)


@click.command(cls=Words)
@click.argument("supplier_order_id")
@click.option("--accept", multiple=True, metavar="LINE:UNITS", help="Units it will ship.")
@click.option("--backorder", multiple=True, metavar="LINE:UNITS", help="Units it has to get first.")
@click.option("--expected-at", type=words.INSTANT, help="When backordered units are expected.")
@click.option("--reject", multiple=True, metavar="LINE:UNITS", help="Units it will not ship; needs --reason.")
@click.option("--reason", type=words.choice(supplier_orders_pb2.RejectReason), help="Why units are rejected.")
@recording("When the supplier answered")
def ack(
    session: Session,
    supplier_order_id: str,
    accept: tuple[str, ...],
    backorder: tuple[str, ...],
    expected_at: Any,
    reject: tuple[str, ...],
    reason: str | None,
    at: Any,
    request_id: str | None,
) -> None:
    """Record the supplier's answer; without options it accepts everything."""
    accepted, backordered = (
        words.line_units(accept, "--accept"),
        words.line_units(backorder, "--backorder"),
    )
    rejected = words.line_units(reject, "--reject")
    if rejected and not reason:
        raise click.UsageError("--reject needs --reason.")
    if not (accepted or backordered or rejected):
        accepted = _unanswered(session, supplier_order_id)
    answers = [
        supplier_orders_pb2.LineAnswer(
            line_no=line_no,
            accepted=accepted.get(line_no, 0),
            backordered=backordered.get(line_no, 0),
            rejected=rejected.get(line_no, 0),
            expected_at=expected_at if line_no in backordered else None,
            reason=words.number(supplier_orders_pb2.RejectReason, reason if line_no in rejected else None),
        )
        for line_no in sorted({*accepted, *backordered, *rejected})
    ]
    request = supplier_orders_pb2.AcknowledgeSupplierOrderRequest(
        context=session.client.context(request_id), supplier_order_id=supplier_order_id, lines=answers, at=at
    )
    record(session, order_of(supplier_order_id), session.client.orders.AcknowledgeSupplierOrder, request)


def _unanswered(session: Session, supplier_order_id: str) -> dict[int, int]:
    """Units that the supplier has not answered yet; if there are none, those it accepted, which repeats its answer."""
    shares = _shares(session, supplier_order_id)
    pending = {share.line_no: share.pending for share in shares if share.pending}
    return pending or {share.line_no: share.accepted for share in shares if share.accepted}


def _shares(session: Session, supplier_order_id: str) -> list[supplier_orders_pb2.Share]:
    try:
        order = read_order(session, order_of(supplier_order_id))
    except RequestRefused as refused:
        if refused.reason != "NOT_ALLOWED":
            raise
        # The supplier itself sees no whole order, but its own part.
        request = supplier_portal_pb2.GetSupplierOrderRequest(supplier_order_id=supplier_order_id)
        own = session.client.call(session.client.supplier_portal.GetSupplierOrder, request).supplier_order
        return [line.units for line in own.lines]
    return [s for each in order.supplier_orders if each.supplier_order_id == supplier_order_id for s in each.shares]


@click.command(cls=Words)
@click.argument("supplier_order_id")
@click.option("--with", "packed_with", multiple=True, metavar="WORD", help="Such as logo_label; once for each.")
@recording()
def pack(
    session: Session, supplier_order_id: str, packed_with: tuple[str, ...], at: Any, request_id: str | None
) -> None:
    """Record that the goods are packed, and with what."""
    request = supplier_orders_pb2.PackSupplierOrderRequest(
        context=session.client.context(request_id),
        supplier_order_id=supplier_order_id,
        packed_with=packed_with,
        at=at,
    )
    record(session, order_of(supplier_order_id), session.client.orders.PackSupplierOrder, request)


_SHIPMENTS = (("supplier_order", "carrier", "number", "at"), ("line", "sku", "units"))
"""The columns of a list of shipments. With the time of each it can be handed in again, longer than before."""


@click.command(cls=Words)
@click.argument("supplier_order_id", required=False)
@click.option("--carrier", metavar="NAME", help="Short name, such as dhl.")
@click.option("--number", help="The tracking number.")
@LINE
@click.option("--sku", "skus", multiple=True, metavar="SKU:UNITS", help="The same by SKU or the supplier's own code.")
@bulk.option_lines(f"{', '.join(_SHIPMENTS[0])}, and if wanted {', '.join(_SHIPMENTS[1])}")
@recording("When the supplier handed it over")
def ship(
    session: Session,
    supplier_order_id: str | None,
    carrier: str | None,
    number: str | None,
    lines: tuple[str, ...],
    skus: tuple[str, ...],
    source: str | None,
    at: Any,
    request_id: str | None,
) -> int | None:
    """Record that units left in a parcel, all that is left unless some are named; or a list of them.

    A parcel may be told line by line, and hold units of several orders.

    \b
      fulfilment order ship shop/1001/1 --carrier dhl --number JD014600003RF
      fulfilment order ship --csv shipments.csv
    """
    if source is not None and not (supplier_order_id or carrier or number or lines or skus or at):
        file = bulk.read(source)
        known = request_id or file.request_id("ship")
        return bulk.send_lines(session, file, _SHIPMENTS, partial(_shipment, session), known, once=False)
    if source is not None or not (supplier_order_id and carrier and number):
        raise click.UsageError("Name a supplier order, its --carrier and --number, or a file of them with --csv.")
    request = supplier_orders_pb2.ShipSupplierOrderRequest(
        context=session.client.context(request_id),
        supplier_order_id=supplier_order_id,
        carrier=carrier,
        tracking_number=number,
        lines=words.units_of_lines(lines),
        skus=[_sku_units(*words.sku_units(each, "--sku")) for each in skus],
        at=at,
    )
    record(session, order_of(supplier_order_id), session.client.orders.ShipSupplierOrder, request)
    return None


def _shipment(session: Session, row: bulk.ReadLine, request_id: str) -> batch_pb2.BatchCommand:
    """A line of a list of shipments: units of a line or of a SKU, or all that is left of its supplier order."""
    line, sku = row.whole("line", 0), row.optional("sku")
    units = row.whole("units") if line or sku else 0
    request = supplier_orders_pb2.ShipSupplierOrderRequest(
        context=session.client.context(request_id),
        supplier_order_id=row.required("supplier_order"),
        carrier=row.required("carrier"),
        tracking_number=row.required("number"),
        lines=[common_pb2.LineUnits(line_no=line, units=units)] if line else [],
        skus=[_sku_units(sku, units)] if sku and not line else [],
        at=row.read("at", words.to_instant) if row.required("at") else None,
    )
    return batch_pb2.BatchCommand(ship_supplier_order=request)


def _sku_units(sku: str, units: int) -> supplier_orders_pb2.SkuUnits:
    return supplier_orders_pb2.SkuUnits(sku=sku, units=units)


@click.command(cls=Words)
@click.argument("supplier_order_id")
@click.option("--reason", metavar="WORD", help="Such as reported_by_mistake; it stands on credit notes.")
@recording("When it was found out")
def unship(session: Session, supplier_order_id: str, reason: str, at: Any, request_id: str | None) -> None:
    """Record that nothing left after all: all its parcels are void, and its units are to be sent again."""
    request = parcels_pb2.VoidParcelRequest(
        context=session.client.context(request_id), supplier_order_id=supplier_order_id, reason=reason, at=at
    )
    record(session, order_of(supplier_order_id), session.client.parcels.VoidParcel, request)


@click.command("cancel-answer", cls=Words)
@click.argument("supplier_order_id")
@click.option("--agreed/--refused", required=True, default=None, help="Whether the supplier will not ship.")
@click.option("--reason", metavar="WORD", help="Why it refused, such as already_packed.")
@recording("When it answered")
def cancel_answer(
    session: Session, supplier_order_id: str, agreed: bool, reason: str, at: Any, request_id: str | None
) -> None:
    """Record the supplier's answer to a cancel request."""
    request = supplier_orders_pb2.AnswerCancelRequestRequest(
        context=session.client.context(request_id),
        supplier_order_id=supplier_order_id,
        agreed=agreed,
        reason=reason,
        at=at,
    )
    record(session, order_of(supplier_order_id), session.client.orders.AnswerCancelRequest, request)


@click.command("rule-delay", cls=Words)
@click.argument("supplier_order_id")
@click.option(
    "--clock", type=words.choice(supplier_orders_pb2.SupplierOrderClock), default="dispatch", show_default=True
)
@click.option("--party", type=words.choice(common_pb2.Party), required=True, help="Whose fault it is.")
@click.option("--reason", metavar="WORD", required=True, help="Why, such as address_changed_late.")
@recording("When it was ruled")
def rule_delay(
    session: Session, supplier_order_id: str, clock: str, party: str, reason: str, at: Any, request_id: str | None
) -> None:
    """Record whose fault a missed clock is; compensation follows the ruling."""
    request = supplier_orders_pb2.RuleDelayRequest(
        context=session.client.context(request_id),
        supplier_order_id=supplier_order_id,
        clock=words.number(supplier_orders_pb2.SupplierOrderClock, clock),
        party=words.number(common_pb2.Party, party),
        reason=reason,
        at=at,
    )
    record(session, order_of(supplier_order_id), session.client.orders.RuleDelay, request)
