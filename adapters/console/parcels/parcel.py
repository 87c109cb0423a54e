"""``fulfilment parcel``: what carriers say."""

from __future__ import annotations

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.parcels.page import read_parcel, show, status_of
from adapters.console.terminal import words
from adapters.console.terminal.commands import Nouns, option_request_id, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import common_pb2, parcels_pb2


@click.group(cls=Nouns)
def parcel() -> None:
    """Record and show what carriers say."""


@parcel.command()
@click.argument("carrier")
@click.argument("number")
@click.argument("status", type=words.choice(parcels_pb2.ParcelStatus))
@click.option("--at", type=words.INSTANT, help="The carrier's time; now if not said.")
@click.option("--city", help="The town of the scan.")
@click.option("--country", metavar="CODE", help="Its country.")
@click.option("--code", metavar="WORD", help="The carrier's word as it came.")
@click.option("--message", help="The carrier's text; sealed.")
@click.option("--reached-customer", is_flag=True, help="Delivered to the customer, though it was on its way back.")
@click.option("--expected-by", type=words.INSTANT, help="When the carrier expects to deliver it.")
@click.option(
    "--goes-on-as", nargs=2, metavar="CARRIER NUMBER", help="The carrier and number of the last mile, if it says so."
)
@click.option("--asks", type=words.choice(parcels_pb2.CustomsAsk), help="What customs asks for, where it holds it.")
@click.option("--asks-of", type=words.choice(common_pb2.Party), help="Of whom; as the order says if not given.")
@click.option("--answer-by", type=words.INSTANT, help="By when customs wants it.")
@click.option("--pickup-until", type=words.INSTANT, help="How long it is kept for the customer.")
@option_request_id()
@click.pass_obj
def scan(
    session: Session,
    carrier: str,
    number: str,
    status: str,
    at: Timestamp | None,
    city: str,
    country: str | None,
    code: str,
    message: str,
    reached_customer: bool,
    expected_by: Timestamp | None,
    goes_on_as: tuple[str, str] | None,
    asks: str | None,
    asks_of: str | None,
    answer_by: Timestamp | None,
    pickup_until: Timestamp | None,
    request_id: str | None,
) -> None:
    """Record a scan of a parcel."""
    if at is None:
        at = Timestamp()
        at.GetCurrentTime()
    checkpoint = parcels_pb2.Checkpoint(
        at=at,
        status=words.number(parcels_pb2.ParcelStatus, status),
        code=code,
        city=city,
        country=(country or "").upper(),
        message=message,
        customs_asks=words.number(parcels_pb2.CustomsAsk, asks),
        customs_answer_by=answer_by,
        customs_asks_of=words.number(common_pb2.Party, asks_of),
        reached_customer=reached_customer,
        pickup_until=pickup_until,
        expected_by=expected_by,
        handed_over_to=_carrier_number(goes_on_as),
    )
    request = parcels_pb2.RecordCheckpointsRequest(
        context=session.client.context(request_id), carrier=carrier, tracking_number=number, checkpoints=[checkpoint]
    )
    _done(session, carrier, number, session.client.call(session.client.parcels.RecordCheckpoints, request))


def _carrier_number(which: tuple[str, str] | None) -> common_pb2.CarrierNumber | None:
    return common_pb2.CarrierNumber(carrier=which[0], tracking_number=which[1]) if which else None


@parcel.command("hand-over")
@click.argument("carrier")
@click.argument("number")
@click.argument("last_carrier")
@click.argument("last_number")
@recording()
def hand_over(
    session: Session,
    carrier: str,
    number: str,
    last_carrier: str,
    last_number: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Record that it goes on as LAST_NUMBER of LAST_CARRIER: one parcel."""
    request = parcels_pb2.HandOverParcelRequest(
        context=session.client.context(request_id),
        carrier=carrier,
        tracking_number=number,
        last_mile_carrier=last_carrier,
        last_mile_tracking_number=last_number,
        at=at,
    )
    _done(session, carrier, number, session.client.call(session.client.parcels.HandOverParcel, request))


@parcel.command()
@click.argument("carrier")
@click.argument("number")
@click.option(
    "--by", type=words.choice(common_pb2.Party), default="carrier", show_default=True, help="Who says that it is lost."
)
@click.option("--reason", metavar="WORD", help="Such as tracing_failed.")
@recording()
def lost(
    session: Session,
    carrier: str,
    number: str,
    by: str,
    reason: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Give a parcel up: its units are lost to the order."""
    request = parcels_pb2.ConfirmLossRequest(
        context=session.client.context(request_id),
        carrier=carrier,
        tracking_number=number,
        by=words.number(common_pb2.Party, by),
        reason=reason,
        at=at,
    )
    _done(session, carrier, number, session.client.call(session.client.parcels.ConfirmLoss, request))


@parcel.command()
@click.argument("carrier")
@click.argument("number")
@click.option("--signed-by", metavar="NAME", help="Who signed; sealed.")
@click.option("--photo", "photo_sha256", metavar="SHA256", help="The hash of a photo that is kept elsewhere.")
@recording()
def prove(
    session: Session,
    carrier: str,
    number: str,
    signed_by: str,
    photo_sha256: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Record the proof of a delivery: a signature, a photo, or both."""
    request = parcels_pb2.ProveDeliveryRequest(
        context=session.client.context(request_id),
        carrier=carrier,
        tracking_number=number,
        signed_by=signed_by,
        photo_sha256=photo_sha256,
        at=at,
    )
    _done(session, carrier, number, session.client.call(session.client.parcels.ProveDelivery, request))


@parcel.command()
@click.argument("carrier")
@click.argument("number")
@click.option("--reason", metavar="WORD", required=True, help="Such as not_received.")
@recording()
def dispute(
    session: Session, carrier: str, number: str, reason: str, at: Timestamp | None, request_id: str | None
) -> None:
    """Reopen a delivery that the customer says did not happen."""
    request = parcels_pb2.DisputeDeliveryRequest(
        context=session.client.context(request_id), carrier=carrier, tracking_number=number, reason=reason, at=at
    )
    _done(session, carrier, number, session.client.call(session.client.parcels.DisputeDelivery, request))


@parcel.command()
@click.argument("carrier")
@click.argument("number")
@click.argument("right_number")
@click.option("--right-carrier", metavar="NAME", help="If that was wrong too.")
@click.option("--supplier-order", "supplier_order_id", metavar="SUPPLIER_ORDER_ID", help="Whose it was said to be.")
@click.option("--reason", metavar="WORD", help="Such as mistyped.")
@recording("When it was found out")
def correct(
    session: Session,
    carrier: str,
    number: str,
    right_number: str,
    right_carrier: str | None,
    supplier_order_id: str,
    reason: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Replace a number that was reported by mistake: RIGHT_NUMBER counts at once."""
    request = parcels_pb2.CorrectTrackingRequest(
        context=session.client.context(request_id),
        carrier=carrier,
        tracking_number=number,
        supplier_order_id=supplier_order_id,
        right_carrier=right_carrier or "",
        right_tracking_number=right_number,
        reason=reason,
        at=at,
    )
    receipt = session.client.call(session.client.parcels.CorrectTracking, request)
    _done(session, right_carrier or carrier, right_number, receipt)


@parcel.command()
@click.argument("carrier")
@click.argument("number")
@click.option("--supplier-order", "supplier_order_id", metavar="SUPPLIER_ORDER_ID", help="Whose it was said to be.")
@click.option("--reason", metavar="WORD", help="Such as label_not_used; it stands on credit notes.")
@recording("When it was found out")
def void(
    session: Session,
    carrier: str,
    number: str,
    supplier_order_id: str,
    reason: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Take back a shipment that did not happen: its units are to be sent again."""
    request = parcels_pb2.VoidParcelRequest(
        context=session.client.context(request_id),
        carrier=carrier,
        tracking_number=number,
        supplier_order_id=supplier_order_id,
        reason=reason,
        at=at,
    )
    _done(session, carrier, number, session.client.call(session.client.parcels.VoidParcel, request))


def _done(session: Session, carrier: str, number: str, receipt: common_pb2.Receipt) -> None:
    found = read_parcel(session, carrier, number, receipt.position)
    session.print_result(receipt, f"Parcel {found.carrier} {found.tracking_number}", found, status_of(found))


parcel.add_command(show)
