"""``fulfilment case``: what after-sales does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.after_sales.case_page import history, list_, read_case, record, show
from adapters.console.after_sales.case_remedies import (
    deny_refund,
    inspect,
    label,
    option_lines,
    paid,
    receive,
    refund,
    sent,
)
from adapters.console.terminal import files, words
from adapters.console.terminal.commands import Nouns, recording
from adapters.console.terminal.session import Session
from fulfilment.v1 import cases_pb2, common_pb2

_TYPES = {
    ".jpg": cases_pb2.EVIDENCE_TYPE_JPEG,
    ".jpeg": cases_pb2.EVIDENCE_TYPE_JPEG,
    ".png": cases_pb2.EVIDENCE_TYPE_PNG,
    ".webp": cases_pb2.EVIDENCE_TYPE_WEBP,
    ".heic": cases_pb2.EVIDENCE_TYPE_HEIC,
    ".heif": cases_pb2.EVIDENCE_TYPE_HEIC,
    ".pdf": cases_pb2.EVIDENCE_TYPE_PDF,
    ".mp4": cases_pb2.EVIDENCE_TYPE_MP4,
}


@click.group(cls=Nouns)
def case() -> None:
    """Handle a return case from its opening to its remedy.

    \b
    A cup that came broken:
      fulfilment case open C-1 --order shop/1001 --reason damaged --line 1:1
      fulfilment case evidence add C-1 photo.jpg
      fulfilment case review C-1
      fulfilment case rule C-1 supplier --reason broken_in_box --on-all
      fulfilment case approve C-1 refund
      fulfilment case refund C-1 R-1
      fulfilment case paid C-1 R-1
    """


def _hashes(session: Session, case_id: str, begins: Sequence[str]) -> list[str]:
    """Whole hashes of evidence, or of labels, that are named by how their hash begins."""
    found_case = read_case(session, case_id)
    known = [*(each.sha256 for each in found_case.evidence), *(each.file_sha256 for each in found_case.labels)]
    found = []
    for start in begins:
        fits = [each for each in known if each.startswith(start.lower())]
        if len(fits) != 1:
            raise click.UsageError(f"{start!r} begins {len(fits) or 'no'} hashes of the evidence of case {case_id}")
        found += fits
    return found


@case.command(name="open")
@click.argument("case_id", default="")
@click.option("--order", "order_id", metavar="ORDER_ID", required=True, help="The order it is about.")
@click.option("--reason", type=words.choice(cases_pb2.CaseReason), required=True, help="What the customer says.")
@option_lines("Units it is about; once for each line.", required=True)
@click.option("--note", default="", help="What the customer wrote; sealed.")
@recording("When the customer complained")
def open_(
    session: Session,
    case_id: str,
    order_id: str,
    reason: str,
    lines: tuple[str, ...],
    note: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Open a case for units of an order; without a CASE_ID the ledger gives it one."""
    number = words.number(cases_pb2.CaseReason, reason)
    request = cases_pb2.OpenCaseRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        order_id=order_id,
        reason=number,
        lines=words.units_of_lines(lines),
        note=note,
        at=at,
    )
    record(session, session.client.cases.OpenCase, request)


@case.command()
@click.argument("case_id")
@recording("When the customer was told")
def answer(session: Session, case_id: str, at: Timestamp | None, request_id: str | None) -> None:
    """Record that the customer was told that its case is looked at."""
    request = cases_pb2.AnswerCustomerRequest(context=session.client.context(request_id), case_id=case_id, at=at)
    record(session, session.client.cases.AnswerCustomer, request)


@case.command()
@click.argument("case_id")
@click.argument("wanted", nargs=-1, required=True)
@recording()
def ask(session: Session, case_id: str, wanted: tuple[str, ...], at: Timestamp | None, request_id: str | None) -> None:
    """Ask the customer for evidence, in words such as photo_of_label."""
    request = cases_pb2.RequestEvidenceRequest(
        context=session.client.context(request_id), case_id=case_id, wanted=wanted, at=at
    )
    record(session, session.client.cases.RequestEvidence, request)


@case.group(cls=Nouns)
def evidence() -> None:
    """Hand evidence in, or read it."""


@evidence.command()
@click.argument("case_id")
@click.argument("file", type=Path)
@click.option("--by", "given_by", type=words.choice(common_pb2.Party), default="customer", help="Who gave it.")
@recording()
def add(
    session: Session, case_id: str, file: Path, given_by: str, at: Timestamp | None, request_id: str | None
) -> None:
    """Keep a photo, film or letter (jpg, png, webp, heic, mp4, pdf) of at most 8 MiB, sealed."""
    kind = _TYPES.get(file.suffix.lower())
    if kind is None:
        raise click.UsageError(f"{file.name} is none of {', '.join(_TYPES)}")
    request = cases_pb2.AddEvidenceRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        type=kind,
        data=files.read(file),
        given_by=words.number(common_pb2.Party, given_by),
        at=at,
    )
    record(session, session.client.cases.AddEvidence, request)


@evidence.command()
@click.argument("case_id")
@click.argument("sha256")
@click.argument("file", type=Path)
@click.pass_obj
def save(session: Session, case_id: str, sha256: str, file: Path) -> None:
    """Write evidence or a label, named by how its hash begins, to a file."""
    (whole,) = _hashes(session, case_id, [sha256])
    request = cases_pb2.GetEvidenceRequest(case_id=case_id, sha256=whole)
    pieces = session.client.pieces(session.client.cases.GetEvidence, request)
    data = b"".join(piece.data for piece in pieces)
    files.write(file, lambda path: path.write_bytes(data))
    if session.json:
        session.show(pieces[0].evidence)
    else:
        session.out.say(f"{len(data):,} bytes written to {file}")


@case.command()
@click.argument("case_id")
@recording()
def review(session: Session, case_id: str, at: Timestamp | None, request_id: str | None) -> None:
    """Start looking at it."""
    request = cases_pb2.StartReviewRequest(context=session.client.context(request_id), case_id=case_id, at=at)
    record(session, session.client.cases.StartReview, request)


@case.command()
@click.argument("case_id")
@click.argument("liable", type=words.choice(common_pb2.Party))
@click.option("--reason", "reasons", metavar="WORD", multiple=True, required=True, help="Such as broken_in_box.")
@click.option("--on", "begins", metavar="HASH", multiple=True, help="Evidence that it rests on: how its hash begins.")
@click.option("--on-all", is_flag=True, help="It rests on all evidence there is.")
@click.option("--note", default="", help="More about it; sealed.")
@recording()
def rule(
    session: Session,
    case_id: str,
    liable: str,
    reasons: tuple[str, ...],
    begins: tuple[str, ...],
    on_all: bool,
    note: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Rule who has to bear it."""
    every = [each.sha256 for each in read_case(session, case_id).evidence] if on_all else None
    named = _hashes(session, case_id, begins) if every is None else every
    party = words.number(common_pb2.Party, liable)
    request = cases_pb2.RuleLiabilityRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        liable=party,
        reasons=reasons,
        evidence_sha256=named,
        note=note,
        at=at,
    )
    record(session, session.client.cases.RuleLiability, request)


@case.command()
@click.argument("case_id")
@click.argument("remedy", type=words.choice(cases_pb2.Remedy))
@option_lines("Units that get it; all unless said.")
@click.option(
    "--supplier", "supplier_id", metavar="SUPPLIER_ID", default="", help="Who sends a reship; who sent it unless said."
)
@click.option("--sku", "exchange_sku", metavar="SKU", default="", help="What an exchange sends instead.")
@click.option(
    "--price-minor",
    "exchange_price_minor",
    type=words.whole(0),
    help="What one unit of it costs, in minor units; the same as before unless said.",
)
@recording()
def approve(
    session: Session,
    case_id: str,
    remedy: str,
    lines: tuple[str, ...],
    supplier_id: str,
    exchange_sku: str,
    exchange_price_minor: int | None,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Choose the remedy; a reship or an exchange is ordered at once."""
    number = words.number(cases_pb2.Remedy, remedy)
    request = cases_pb2.ApproveRemedyRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        remedy=number,
        lines=words.units_of_lines(lines),
        supplier_id=supplier_id,
        exchange_sku=exchange_sku,
        exchange_price_minor=exchange_price_minor,
        at=at,
    )
    record(session, session.client.cases.ApproveRemedy, request)


@case.command()
@click.argument("case_id")
@click.argument("reason", type=words.choice(cases_pb2.Denial))
@click.option("--note", default="", help="More about it; sealed.")
@recording()
def deny(session: Session, case_id: str, reason: str, note: str, at: Timestamp | None, request_id: str | None) -> None:
    """Deny it: after the ruling, or when evidence did not come."""
    request = cases_pb2.DenyCaseRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        reason=words.number(cases_pb2.Denial, reason),
        note=note,
        at=at,
    )
    record(session, session.client.cases.DenyCase, request)


@case.command()
@click.argument("case_id")
@click.option("--by", type=words.choice(common_pb2.Party), default="customer", help="Who took it back.")
@click.option("--reason", metavar="WORD", default="", help="A word for why.")
@recording()
def cancel(session: Session, case_id: str, by: str, reason: str, at: Timestamp | None, request_id: str | None) -> None:
    """Take it back, before goods or money moved."""
    request = cases_pb2.CancelCaseRequest(
        context=session.client.context(request_id),
        case_id=case_id,
        by=words.number(common_pb2.Party, by),
        reason=reason,
        at=at,
    )
    record(session, session.client.cases.CancelCase, request)


@case.command()
@click.argument("case_id")
@click.argument("begins", metavar="HASH...", nargs=-1, required=True)
@recording()
def reopen(
    session: Session, case_id: str, begins: tuple[str, ...], at: Timestamp | None, request_id: str | None
) -> None:
    """Look at a closed case again, at new evidence named by how its hash begins."""
    named = _hashes(session, case_id, begins)
    request = cases_pb2.ReopenCaseRequest(
        context=session.client.context(request_id), case_id=case_id, evidence_sha256=named, at=at
    )
    record(session, session.client.cases.ReopenCase, request)


for command in (label, sent, receive, inspect, refund, deny_refund, paid, list_, show, history):
    case.add_command(command)
