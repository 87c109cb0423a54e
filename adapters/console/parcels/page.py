"""``fulfilment parcel show``: a parcel, its scans, and how it stands."""

from __future__ import annotations

from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.terminal.commands import Words
from adapters.console.terminal.past import asked, past
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute, units, word
from fulfilment.v1 import common_pb2, parcels_pb2


def read_parcel(
    session: Session,
    carrier: str,
    number: str,
    at_least: int = 0,
    personal: bool = False,
    as_of: common_pb2.AsOf | None = None,
) -> parcels_pb2.Parcel:
    request: Any = parcels_pb2.GetParcelRequest(
        carrier=carrier, tracking_number=number, at_least=at_least, with_personal_data=personal, as_of=as_of
    )
    return session.client.call(session.client.parcels.GetParcel, request).parcel


def status_of(found: parcels_pb2.Parcel) -> str:
    return word(parcels_pb2.ParcelStatus, found.status)


def last_scan(parcel: parcels_pb2.Parcel) -> str:
    own = [scan for scan in parcel.checkpoints if not scan.of_earlier_use]
    if not own:
        return "none yet"
    scan = own[-1]
    where = ", ".join(filter(None, [scan.city, scan.country]))
    return f"{minute(scan, 'at')} {word(parcels_pb2.ParcelStatus, scan.status)}" + (f" {where}" if where else "")


@click.command(cls=Words)
@click.argument("carrier")
@click.argument("number")
@click.option("--personal", is_flag=True, help="What carriers wrote and who signed too.")
@past
@click.pass_obj
def show(
    session: Session,
    carrier: str,
    number: str,
    personal: bool,
    as_of: common_pb2.AsOf | None,
    at: Timestamp | None,
) -> None:
    """Show a parcel and its scans."""
    found = read_parcel(session, carrier, number, personal=personal, as_of=asked(as_of, at, personal))
    if session.json:
        session.show(found)
        return
    session.out.title(f"Parcel {found.carrier} {found.tracking_number}", status_of(found))
    session.out.facts(_facts(found))
    if found.checkpoints:
        session.out.blank()
        columns = ["scanned", "status", "city", "country", "code"] + ["message"] * personal
        session.out.table(columns, [_scan(each)[: len(columns)] for each in found.checkpoints])


def _scan(scan: parcels_pb2.Checkpoint) -> list[str]:
    status = word(parcels_pb2.ParcelStatus, scan.status) + (" (of an earlier use)" if scan.of_earlier_use else "")
    if scan.HasField("told_under"):
        status += f" (under {scan.told_under.carrier} {scan.told_under.tracking_number})"
    return [minute(scan, "at"), status, scan.city, scan.country, scan.code, scan.message]


def _facts(found: parcels_pb2.Parcel) -> list[tuple[str, str]]:
    return [
        ("order", found.order_id),
        ("supplier order", found.supplier_order_id),
        ("holds", units(found.lines)),
        ("registered", minute(found, "registered_at")),
        ("first scan", minute(found, "first_scan_at")),
        ("first scan by", minute(found, "first_scan_by")),
        ("delivered", minute(found, "delivered_at")),
        ("last scan", last_scan(found)),
        ("customs asks", _customs(found)),
        ("given up", minute(found, "lost_at")),
        ("found again", minute(found, "found_at")),
        ("number", "; ".join(found.warnings)),
        ("proof", "; ".join(map(_proof, found.proofs))),
        ("did not leave", _void(found)),
        ("expected by its carrier", minute(found, "estimated_by")),
        ("went on as", ", then ".join(f"{each.carrier} {each.tracking_number}" for each in found.last_miles)),
        ("use of number", str(found.epoch) if found.epoch > 1 else ""),
        ("also in it", "; ".join(f"{each.supplier_order_id}: {units(each.lines)}" for each in found.contents[1:])),
    ]


def _void(found: parcels_pb2.Parcel) -> str:
    if not found.HasField("voided_at"):
        return ""
    instead = f"it left as {found.right_carrier} {found.right_tracking_number}" if found.right_tracking_number else ""
    return "; ".join(filter(None, [minute(found, "voided_at"), found.void_reason, instead]))


def _proof(proof: parcels_pb2.DeliveryProof) -> str:
    signed = f"signed by {proof.signed_by}" if proof.signed_by else ""
    photo = f"photo {proof.photo_sha256[:12]}" if proof.photo_sha256 else ""
    return " ".join([minute(proof, "at"), ", ".join(filter(None, [signed, photo])) or "signed"])


def _customs(found: parcels_pb2.Parcel) -> str:
    """What customs asks for, from whom and by when, while it holds the parcel."""
    if not found.HasField("customs_hold"):
        return ""
    held = found.customs_hold
    asks = f"for {word(parcels_pb2.CustomsAsk, held.asks)}" if held.asks else "nothing yet"
    asks += f" from the {word(common_pb2.Party, held.asks_of)}" if held.asks_of else ""
    by = minute(held, "answer_by")
    return asks + (f" by {by}" if by else "")
