"""``fulfilment parcel``: what carriers say."""

from __future__ import annotations

from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console import words
from adapters.console.session import Nouns, Session, option_request_id
from adapters.console.show import last_scan
from adapters.console.words import minute, word
from fulfilment.v1 import parcels_pb2


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
    )
    request = parcels_pb2.RecordCheckpointsRequest(
        context=session.client.context(request_id), carrier=carrier, tracking_number=number, checkpoints=[checkpoint]
    )
    receipt = session.client.call(session.client.parcels.RecordCheckpoints, request)
    found = _read(session, carrier, number, receipt.position)
    if session.json:
        session.out.json({"receipt": words.as_json(receipt), "parcel": words.as_json(found)})
    else:
        session.out.title(f"Parcel {found.carrier} {found.tracking_number}", _status(found))


@parcel.command()
@click.argument("carrier")
@click.argument("number")
@click.pass_obj
def show(session: Session, carrier: str, number: str) -> None:
    """Show a parcel and its scans."""
    found = _read(session, carrier, number)
    if session.json:
        session.show(found)
        return
    session.out.title(f"Parcel {found.carrier} {found.tracking_number}", _status(found))
    session.out.facts(_facts(found))
    if found.checkpoints:
        session.out.blank()
        rows = [
            [minute(each, "at"), word(parcels_pb2.ParcelStatus, each.status), each.city, each.country, each.code]
            for each in found.checkpoints
        ]
        session.out.table(["scanned", "status", "city", "country", "code"], rows)


def _facts(found: parcels_pb2.Parcel) -> list[tuple[str, str]]:
    return [
        ("order", found.order_id),
        ("supplier order", found.supplier_order_id),
        ("holds", " + ".join(f"{each.units} of line {each.line_no}" for each in found.lines)),
        ("registered", minute(found, "registered_at")),
        ("first scan", minute(found, "first_scan_at")),
        ("first scan by", minute(found, "first_scan_by")),
        ("delivered", minute(found, "delivered_at")),
        ("last scan", last_scan(found)),
        ("proof", "handed in" if found.proven else ""),
        ("use of number", str(found.epoch) if found.epoch > 1 else ""),
    ]


def _read(session: Session, carrier: str, number: str, at_least: int = 0) -> parcels_pb2.Parcel:
    request: Any = parcels_pb2.GetParcelRequest(carrier=carrier, tracking_number=number, at_least=at_least)
    return session.client.call(session.client.parcels.GetParcel, request).parcel


def _status(found: parcels_pb2.Parcel) -> str:
    return word(parcels_pb2.ParcelStatus, found.status)
