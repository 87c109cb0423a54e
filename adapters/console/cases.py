"""``fulfilment case``: what after-sales does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console import files, words
from adapters.console.casefile import next_step, print_case, status_of, turn
from adapters.console.history import print_history
from adapters.console.reports import LIMIT, print_rows, rows_of
from adapters.console.session import Nouns, Session, option_at, option_request_id
from adapters.console.show import read_order
from adapters.console.words import minute, word
from fulfilment.v1 import audit_pb2, cases_pb2, common_pb2

F = TypeVar("F", bound=Callable[..., Any])

_TYPES = {
    ".jpg": cases_pb2.EVIDENCE_TYPE_JPEG,
    ".jpeg": cases_pb2.EVIDENCE_TYPE_JPEG,
    ".png": cases_pb2.EVIDENCE_TYPE_PNG,
    ".webp": cases_pb2.EVIDENCE_TYPE_WEBP,
    ".pdf": cases_pb2.EVIDENCE_TYPE_PDF,
    ".mp4": cases_pb2.EVIDENCE_TYPE_MP4,
}


_LIVE = [status for status in cases_pb2.CaseStatus.values() if 0 < status < cases_pb2.CASE_STATUS_RESOLVED]


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


# --- what many commands share ---------------------------------------------------------------------


def _tell(session: Session, rpc: str, case_id: str, at: Timestamp | None, request_id: str | None, **said: Any) -> None:
    """One command about a case: say it, then show where the case is."""
    request = getattr(cases_pb2, f"{rpc}Request")(
        context=session.client.context(request_id), case_id=case_id, at=at, **said
    )
    receipt = session.client.call(getattr(session.client.cases, rpc), request)
    found = _read(session, case_id, receipt.position)
    if session.json:
        session.out.json({"receipt": words.as_json(receipt), "case": words.as_json(found)})
        return
    session.out.title(f"Case {found.case_id}", status_of(found))
    if step := next_step(found):
        session.out.say(step)


def _read(session: Session, case_id: str, at_least: int = 0, personal: bool = False) -> cases_pb2.Case:
    request = cases_pb2.GetCaseRequest(case_id=case_id, at_least=at_least, with_personal_data=personal)
    return session.client.call(session.client.cases.GetCase, request).case


def _lines(values: Iterable[str]) -> list[common_pb2.LineUnits]:
    units = words.line_units(values, "--line")
    return [common_pb2.LineUnits(line_no=line_no, units=count) for line_no, count in units.items()]


def _option_lines(help_text: str, required: bool = False) -> Callable[[F], F]:
    return click.option("--line", "lines", metavar="LINE:UNITS", multiple=True, required=required, help=help_text)


def _hashes(session: Session, case_id: str, begins: Sequence[str]) -> list[str]:
    """Whole hashes of evidence that is named by how its hash begins."""
    known = [each.sha256 for each in _read(session, case_id).evidence]
    found = []
    for start in begins:
        fits = [each for each in known if each.startswith(start.lower())]
        if len(fits) != 1:
            raise click.UsageError(f"{start!r} begins {len(fits) or 'no'} hashes of the evidence of case {case_id}")
        found += fits
    return found


# --- the case -------------------------------------------------------------------------------------


@case.command(name="open")
@click.argument("case_id")
@click.option("--order", "order_id", metavar="ORDER_ID", required=True, help="The order it is about.")
@click.option("--reason", type=words.choice(cases_pb2.CaseReason), required=True, help="What the customer says.")
@_option_lines("Units it is about; once for each line.", required=True)
@click.option("--note", default="", help="What the customer wrote; sealed.")
@option_at("When the customer complained")
@option_request_id()
@click.pass_obj
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
    """Open a case for units of an order."""
    number = words.number(cases_pb2.CaseReason, reason)
    said = {"order_id": order_id, "reason": number, "lines": _lines(lines), "note": note}
    _tell(session, "OpenCase", case_id, at, request_id, **said)


@case.command()
@click.argument("case_id")
@option_at("When the customer was told")
@option_request_id()
@click.pass_obj
def answer(session: Session, case_id: str, at: Timestamp | None, request_id: str | None) -> None:
    """Record that the customer was told that its case is looked at."""
    _tell(session, "AnswerCustomer", case_id, at, request_id)


@case.command()
@click.argument("case_id")
@click.argument("wanted", nargs=-1, required=True)
@option_at()
@option_request_id()
@click.pass_obj
def ask(session: Session, case_id: str, wanted: tuple[str, ...], at: Timestamp | None, request_id: str | None) -> None:
    """Ask the customer for evidence, in words such as photo_of_label."""
    _tell(session, "RequestEvidence", case_id, at, request_id, wanted=wanted)


@case.group(cls=Nouns)
def evidence() -> None:
    """Hand evidence in, or read it."""


@evidence.command()
@click.argument("case_id")
@click.argument("file", type=Path)
@click.option("--by", "given_by", type=words.choice(common_pb2.Party), default="customer", help="Who gave it.")
@option_at()
@option_request_id()
@click.pass_obj
def add(
    session: Session, case_id: str, file: Path, given_by: str, at: Timestamp | None, request_id: str | None
) -> None:
    """Keep a photo, film or letter (jpg, png, webp, mp4, pdf) of at most 8 MiB, sealed."""
    kind = _TYPES.get(file.suffix.lower())
    if kind is None:
        raise click.UsageError(f"{file.name} is none of {', '.join(_TYPES)}")
    said = {"type": kind, "data": files.read(file), "given_by": words.number(common_pb2.Party, given_by)}
    _tell(session, "AddEvidence", case_id, at, request_id, **said)


@evidence.command()
@click.argument("case_id")
@click.argument("sha256")
@click.argument("file", type=Path)
@click.pass_obj
def save(session: Session, case_id: str, sha256: str, file: Path) -> None:
    """Write evidence, named by how its hash begins, to a file."""
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
@option_at()
@option_request_id()
@click.pass_obj
def review(session: Session, case_id: str, at: Timestamp | None, request_id: str | None) -> None:
    """Start looking at it."""
    _tell(session, "StartReview", case_id, at, request_id)


@case.command()
@click.argument("case_id")
@click.argument("liable", type=words.choice(common_pb2.Party))
@click.option("--reason", "reasons", metavar="WORD", multiple=True, required=True, help="Such as broken_in_box.")
@click.option("--on", "begins", metavar="HASH", multiple=True, help="Evidence that it rests on: how its hash begins.")
@click.option("--on-all", is_flag=True, help="It rests on all evidence there is.")
@click.option("--note", default="", help="More about it; sealed.")
@option_at()
@option_request_id()
@click.pass_obj
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
    named = [each.sha256 for each in _read(session, case_id).evidence] if on_all else _hashes(session, case_id, begins)
    party = words.number(common_pb2.Party, liable)
    said = {"liable": party, "reasons": reasons, "evidence_sha256": named, "note": note}
    _tell(session, "RuleLiability", case_id, at, request_id, **said)


@case.command()
@click.argument("case_id")
@click.argument("remedy", type=words.choice(cases_pb2.Remedy))
@_option_lines("Units that get it; all unless said.")
@click.option(
    "--supplier", "supplier_id", metavar="SUPPLIER_ID", default="", help="Who sends a reship; who sent it unless said."
)
@option_at()
@option_request_id()
@click.pass_obj
def approve(
    session: Session,
    case_id: str,
    remedy: str,
    lines: tuple[str, ...],
    supplier_id: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Choose the remedy; a reship is placed at once."""
    number = words.number(cases_pb2.Remedy, remedy)
    said = {"remedy": number, "lines": _lines(lines), "supplier_id": supplier_id}
    _tell(session, "ApproveRemedy", case_id, at, request_id, **said)


@case.command()
@click.argument("case_id")
@click.argument("reason", type=words.choice(cases_pb2.Denial))
@click.option("--note", default="", help="More about it; sealed.")
@option_at()
@option_request_id()
@click.pass_obj
def deny(session: Session, case_id: str, reason: str, note: str, at: Timestamp | None, request_id: str | None) -> None:
    """Deny it: after the ruling, or when evidence did not come."""
    said = {"reason": words.number(cases_pb2.Denial, reason), "note": note}
    _tell(session, "DenyCase", case_id, at, request_id, **said)


@case.command()
@click.argument("case_id")
@click.option("--by", type=words.choice(common_pb2.Party), default="customer", help="Who took it back.")
@click.option("--reason", metavar="WORD", default="", help="A word for why.")
@option_at()
@option_request_id()
@click.pass_obj
def cancel(session: Session, case_id: str, by: str, reason: str, at: Timestamp | None, request_id: str | None) -> None:
    """Take it back, before goods or money moved."""
    _tell(session, "CancelCase", case_id, at, request_id, by=words.number(common_pb2.Party, by), reason=reason)


@case.command()
@click.argument("case_id")
@click.argument("begins", metavar="HASH...", nargs=-1, required=True)
@option_at()
@option_request_id()
@click.pass_obj
def reopen(
    session: Session, case_id: str, begins: tuple[str, ...], at: Timestamp | None, request_id: str | None
) -> None:
    """Look at a closed case again, at new evidence named by how its hash begins."""
    named = _hashes(session, case_id, begins)
    _tell(session, "ReopenCase", case_id, at, request_id, evidence_sha256=named)


# --- goods that come back -------------------------------------------------------------------------


@case.command()
@click.argument("case_id")
@click.argument("label_id")
@_option_lines("Units that come back with it; all unless said.")
@click.option(
    "--supplier", "supplier_id", metavar="SUPPLIER_ID", default="", help="Where they go; who sent them unless said."
)
@click.option("--freight", metavar="AMOUNT", help="What the way back costs, such as 5.90.")
@option_at()
@option_request_id()
@click.pass_obj
def label(
    session: Session,
    case_id: str,
    label_id: str,
    lines: tuple[str, ...],
    supplier_id: str,
    freight: str | None,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Record the label that the customer sends goods back with."""
    minor = words.amount_minor(freight, _read(session, case_id).currency) if freight else 0
    said = {"label_id": label_id, "lines": _lines(lines), "supplier_id": supplier_id, "freight_minor": minor}
    _tell(session, "RecordReturnLabel", case_id, at, request_id, **said)


@case.command()
@click.argument("case_id")
@click.argument("label_id")
@click.argument("carrier")
@click.argument("number")
@option_at()
@option_request_id()
@click.pass_obj
def sent(
    session: Session, case_id: str, label_id: str, carrier: str, number: str, at: Timestamp | None,
    request_id: str | None,
) -> None:  # fmt: skip
    """Record the parcel that a label's goods come back in."""
    said = {"label_id": label_id, "carrier": carrier, "tracking_number": number}
    _tell(session, "RecordReturnShipped", case_id, at, request_id, **said)


@case.command()
@click.argument("case_id")
@click.argument("lines", metavar="LINE:UNITS...", nargs=-1, required=True)
@option_at()
@option_request_id()
@click.pass_obj
def receive(
    session: Session, case_id: str, lines: tuple[str, ...], at: Timestamp | None, request_id: str | None
) -> None:
    """Record how many units have come back, in all."""
    _tell(session, "RecordReturnReceived", case_id, at, request_id, lines=_lines(lines))


@case.command()
@click.argument("case_id")
@click.option("--line", "line_no", type=words.whole(), metavar="LINE", default=1, show_default=True, help="The line.")
@click.option("--restocked", type=words.whole(), default=0, help="Units fit for sale, in all.")
@click.option("--not-restocked", type=words.whole(), default=0, help="Units that cannot be sold, in all.")
@click.option("--needs-work", type=words.whole(), default=0, help="Units to be mended first.")
@click.option("--missing", type=words.whole(), default=0, help="Units that were never received.")
@click.option(
    "--supplier", "supplier_id", metavar="SUPPLIER_ID", default="", help="Whose stock; who sent them unless said."
)
@option_at()
@option_request_id()
@click.pass_obj
def inspect(
    session: Session,
    case_id: str,
    line_no: int,
    restocked: int,
    not_restocked: int,
    needs_work: int,
    missing: int,
    supplier_id: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Record what became of the units of a line that came back, in all."""
    found = cases_pb2.InspectedLine(
        line_no=line_no, restocked=restocked, not_restocked=not_restocked, needs_work=needs_work, missing=missing
    )
    _tell(session, "RecordInspection", case_id, at, request_id, lines=[found], supplier_id=supplier_id)


# --- money ----------------------------------------------------------------------------------------


@case.command()
@click.argument("case_id")
@click.argument("refund_id")
@_option_lines("Units that are refunded; all that wait for it unless said.")
@click.option("--amount", metavar="AMOUNT", help="So much, such as 4.95; with one --line.")
@click.option("--share", type=click.FloatRange(0, 100, min_open=True), help="So many percent of the price.")
@option_at()
@option_request_id()
@click.pass_obj
def refund(
    session: Session,
    case_id: str,
    refund_id: str,
    lines: tuple[str, ...],
    amount: str | None,
    share: float | None,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Grant money back: all that is left of the price, a share, or an amount."""
    units = words.line_units(lines, "--line")
    if amount is not None and len(units) != 1:
        raise click.UsageError("--amount is for the units of one --line.")
    minor = words.amount_minor(amount, _read(session, case_id).currency) if amount else 0
    named = [cases_pb2.LineAmount(line_no=n, units=count, amount_minor=minor) for n, count in units.items()]
    said = {"refund_id": refund_id, "lines": named, "share_basis_points": round((share or 0) * 100)}
    _tell(session, "GrantRefund", case_id, at, request_id, **said)


@case.command(name="deny-refund")
@click.argument("case_id")
@click.argument("reason", type=words.choice(cases_pb2.Denial))
@_option_lines("Units that get no money; all that are undecided unless said.")
@click.option("--refund", metavar="REFUND_ID", default="", help="A granted refund that cannot be paid any more.")
@option_at()
@option_request_id()
@click.pass_obj
def deny_refund(
    session: Session,
    case_id: str,
    reason: str,
    lines: tuple[str, ...],
    refund: str,
    at: Timestamp | None,
    request_id: str | None,
) -> None:
    """Deny money for units, as after an inspection, or a refund whose money a chargeback took."""
    said = {"reason": words.number(cases_pb2.Denial, reason), "lines": _lines(lines), "refund_id": refund}
    _tell(session, "DenyRefund", case_id, at, request_id, **said)


@case.command()
@click.argument("case_id")
@click.argument("refund_id")
@click.option("--reference", metavar="ID", default="", help="The payment's id.")
@option_at()
@option_request_id()
@click.pass_obj
def paid(
    session: Session, case_id: str, refund_id: str, reference: str, at: Timestamp | None, request_id: str | None
) -> None:
    """Record that the shop paid a refund out; the last one resolves the case."""
    _tell(session, "RecordRefundPaid", case_id, at, request_id, refund_id=refund_id, reference=reference)


# --- looking --------------------------------------------------------------------------------------


@case.command(name="list")
@click.option("--status", "statuses", type=words.choice(cases_pb2.CaseStatus), multiple=True, help="In this status.")
@click.option("--supplier", "supplier_id", metavar="SUPPLIER_ID", default="", help="About units that it sent.")
@click.option("--order", "order_id", metavar="ORDER_ID", default="", help="About this order.")
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@click.option("--since", type=words.INSTANT, help="Opened then or later.")
@click.option("--until", type=words.INSTANT, help="Opened before then.")
@LIMIT
@click.pass_obj
def list_(
    session: Session,
    statuses: tuple[str, ...],
    everything: bool,
    supplier_id: str,
    order_id: str,
    since: Timestamp | None,
    until: Timestamp | None,
    limit: int | None,
) -> None:
    """List cases that are not over, the first opened first."""
    named = [words.number(cases_pb2.CaseStatus, status) for status in statuses]
    request = cases_pb2.ListCasesRequest(
        statuses=named or ([] if everything else _LIVE),
        supplier_id=supplier_id,
        order_id=order_id,
        opened_since=since,
        opened_until=until,
    )
    now = datetime.now(UTC)
    print_rows(
        session,
        rows_of(session, session.client.cases.ListCases, request, "cases"),
        limit,
        ["case", "order", "reason", "status", "liable", "remedy", ">units", "supplier", "opened", "whose turn"],
        lambda each: [
            each.case_id,
            each.order_id,
            word(cases_pb2.CaseReason, each.reason),
            word(cases_pb2.CaseStatus, each.status),
            word(common_pb2.Party, each.liable) if each.liable else "",
            word(cases_pb2.Remedy, each.remedy) if each.remedy else "",
            each.units,
            ", ".join(each.supplier_ids),
            minute(each, "opened_at"),
            turn(each, now),
        ],
        "There are no such cases.",
    )


@case.command()
@click.argument("case_id")
@click.option("--personal", is_flag=True, help="What people wrote too.")
@click.pass_obj
def show(session: Session, case_id: str, personal: bool) -> None:
    """Show a case: its units, evidence, ruling, goods and money."""
    found = _read(session, case_id, personal=personal)
    if session.json:
        session.show(found)
        return
    skus = {each.line.line_no: each.line.sku for each in read_order(session, found.order_id).lines}
    print_case(session.out, found, skus)


@case.command()
@click.argument("case_id")
@click.option("--no-parcels", is_flag=True, help="Leave the facts of the parcels that come back out.")
@click.pass_obj
def history(session: Session, case_id: str, no_parcels: bool) -> None:
    """List the facts of a case as they were recorded."""
    print_history(session, audit_pb2.GetHistoryRequest(case_id=case_id, with_parcels=not no_parcels))
