"""CaseService's commands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from adapters import evidence
from adapters.rpc import shapes
from adapters.rpc.asks.ask import Ask, Edge, person_in, reads, sealed_note
from adapters.rpc.shapes import by_line, carrier, count, enum, happened, plain_id, require, text
from fulfilment.v1 import cases_pb2, common_pb2
from ledger.decisions import after_sales
from ledger.engine.log import Log
from ledger.engine.registry import Registry
from ledger.facts import (
    Change,
    LineNo,
    Units,
)
from ledger.nouns import NOUNS, cases, orders, parcels, policies
from ledger.nouns.cases import (
    Denial,
    Inspection,
    Reason,
    Remedy,
)
from ledger.nouns.orders.after_sales import Amounts
from ledger.refusals import EvidenceNotKept
from ledger.terms.parties import Party
from ledger.view import Decide, Folded, View

MOST_EVIDENCE_BYTES = 8 * 1024 * 1024
_MOST_LINES = 1000
_REGISTRY = Registry(NOUNS)
_SHA256 = re.compile(r"[0-9a-f]{64}")

_reason = enum(cases_pb2.CaseReason, Reason)
_remedy = enum(cases_pb2.Remedy, Remedy)
_denial = enum(cases_pb2.Denial, Denial)
_party = enum(common_pb2.Party, Party)

CONTENT_TYPES: dict[int, str] = {
    cases_pb2.EVIDENCE_TYPE_JPEG: "image/jpeg",
    cases_pb2.EVIDENCE_TYPE_PNG: "image/png",
    cases_pb2.EVIDENCE_TYPE_WEBP: "image/webp",
    cases_pb2.EVIDENCE_TYPE_PDF: "application/pdf",
    cases_pb2.EVIDENCE_TYPE_MP4: "video/mp4",
}
"""What evidence can be."""

_BEGINS: dict[str, re.Pattern[bytes]] = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "application/pdf": re.compile(rb"%PDF-\d"),
    "video/mp4": re.compile(rb"....ftyp(?:isom|iso[2-9]|mp4[12]|avc1|M4V |MSNV|dash|qt  )", re.DOTALL),
}
"""How files of each type begin."""


def _case_id(value: str) -> str:
    return plain_id(value, "case_id")


def _of_case(case_id: str, decide: Decide, *more: str) -> Ask:
    return Ask(decide, (cases.stream(case_id), *more))


def _hashes(values: Iterable[str], required: bool) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(value.lower() for value in values))
    require(len(found) <= 100, "evidence_sha256", f"{len(found)} hashes, 100 at most")
    require(bool(found) or not required, "evidence_sha256", "is required")
    for index, value in enumerate(found):
        is_hash(value, f"evidence_sha256[{index}]")
    return found


def is_hash(value: str, field: str) -> str:
    require(_SHA256.fullmatch(value) is not None, field, "is not a SHA-256 of 64 hexadecimal digits")
    return value


def _words(values: Sequence[str], field: str) -> tuple[str, ...]:
    require(len(values) > 0, field, "is required: 1 to 20 words")
    return shapes.words(values, field)


def _units(lines: Sequence[common_pb2.LineUnits], required: bool = False) -> Units:
    require(len(lines) <= _MOST_LINES, "lines", f"{len(lines)} lines, {_MOST_LINES} at most")
    require(len(lines) > 0 or not required, "lines", f"is required: 1 to {_MOST_LINES} lines")
    return by_line(lines)


def _customer_of(case_id: str) -> Callable[[View], str]:
    """Whose the case is, which owns what is written about it."""
    return lambda view: cases.known(cases.find(view, case_id), case_id).opened.subject


@reads(cases_pb2.OpenCaseRequest)
def open_case(request: cases_pb2.OpenCaseRequest, edge: Edge) -> Ask:
    case_id, order_id = _case_id(request.case_id), shapes.order_id(request.order_id)
    at, note = happened(request, edge.now), shapes.lines(request.note, "note", 2000)
    reason, units = _reason(request.reason, "reason"), _units(request.lines, required=True)
    sealed, keys = sealed_note(edge, note, cases.stream(case_id))
    opened = cases.CaseOpened(case_id, order_id, reason, units, first_answer_by=at, at=at, note=sealed)

    def customer(view: View) -> str:
        return person_in(view, order_id, edge.sealer)

    return Ask(
        lambda view: after_sales.open_case(view, replace(opened, subject=customer(view)), edge.now),
        (cases.stream(case_id), orders.stream(order_id), policies.stream()),
        keys,
        customer,
    )


@reads(cases_pb2.AnswerCustomerRequest)
def answer_customer(request: cases_pb2.AnswerCustomerRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    return _of_case(case_id, lambda view: after_sales.answer(view, case_id, at, edge.now))


@reads(cases_pb2.RequestEvidenceRequest)
def request_evidence(request: cases_pb2.RequestEvidenceRequest, edge: Edge) -> Ask:
    case_id, at, wanted = _case_id(request.case_id), happened(request, edge.now), _words(request.wanted, "wanted")
    return _of_case(
        case_id, lambda view: after_sales.request_evidence(view, case_id, wanted, at, edge.now), policies.stream()
    )


@reads(cases_pb2.AddEvidenceRequest, ahead=True)
def add_evidence(request: cases_pb2.AddEvidenceRequest, edge: Edge) -> Ask:
    case_id, at, data = _case_id(request.case_id), happened(request, edge.now), request.data
    require(0 < len(data) <= MOST_EVIDENCE_BYTES, "data", f"{len(data)} bytes, 1 to {MOST_EVIDENCE_BYTES} are taken")
    content_type = CONTENT_TYPES.get(request.type, "")
    require(bool(content_type), "type", f"is required: one of {', '.join(cases_pb2.EvidenceType.keys()[1:])}")
    require(_BEGINS[content_type].match(data) is not None, "data", f"does not begin as {content_type} does")
    given_by = _party(request.given_by, "given_by") if request.given_by else Party.CUSTOMER
    added = cases.EvidenceAdded(case_id, evidence.hash_of(data), content_type, len(data), given_by, at)

    kept = False

    async def keep(log: Log) -> None:
        nonlocal kept
        case = await _present(log, case_id)
        # Of an unknown case nothing is kept: the command is about to be refused.
        if case is not None:
            await evidence.keep(log, edge.sealer, evidence.Kept(added.sha256, case.opened.subject), data)
            kept = True

    def decide(view: View) -> Sequence[Change]:
        if cases.find(view, case_id) is not None and not kept:
            raise EvidenceNotKept(case_id)
        return after_sales.add_evidence(view, added, edge.now)

    return Ask(decide, (cases.stream(case_id),), before=keep)


async def _present(log: Log, case_id: str) -> cases.Case | None:
    streams = [cases.stream(case_id)]
    _, rows = await log.read_streams(streams)
    return cases.find(Folded(_REGISTRY.fold_rows(streams, rows)), case_id)


@reads(cases_pb2.StartReviewRequest)
def start_review(request: cases_pb2.StartReviewRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    return _of_case(case_id, lambda view: after_sales.start_review(view, case_id, at, edge.now))


@reads(cases_pb2.RuleLiabilityRequest)
def rule_liability(request: cases_pb2.RuleLiabilityRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    because, hashes = _words(request.reasons, "reasons"), _hashes(request.evidence_sha256, required=False)
    liable = _party(request.liable, "liable")
    note, keys = sealed_note(edge, shapes.lines(request.note, "note", 2000), cases.stream(case_id))
    ruling = cases.LiabilityRuled(case_id, liable, because, hashes, at, note)
    return Ask(
        lambda view: after_sales.rule(view, ruling, edge.now), (cases.stream(case_id),), keys, _customer_of(case_id)
    )


@reads(cases_pb2.ApproveRemedyRequest)
def approve_remedy(request: cases_pb2.ApproveRemedyRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    remedy, units = _remedy(request.remedy, "remedy"), _units(request.lines)
    supplier_id = plain_id(request.supplier_id, "supplier_id") if request.supplier_id else ""
    return _of_case(
        case_id,
        lambda view: after_sales.approve(view, case_id, remedy, units, supplier_id, at, edge.now),
        policies.stream(),
    )


@reads(cases_pb2.DenyCaseRequest)
def deny_case(request: cases_pb2.DenyCaseRequest, edge: Edge) -> Ask:
    case_id, at, because = _case_id(request.case_id), happened(request, edge.now), _denial(request.reason, "reason")
    note, keys = sealed_note(edge, shapes.lines(request.note, "note", 2000), cases.stream(case_id))
    return Ask(
        lambda view: after_sales.deny(view, case_id, because, note, at, edge.now),
        (cases.stream(case_id),),
        keys,
        _customer_of(case_id),
    )


@reads(cases_pb2.RecordReturnLabelRequest)
def record_return_label(request: cases_pb2.RecordReturnLabelRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    labelled = cases.ReturnLabelled(
        case_id,
        plain_id(request.label_id, "label_id"),
        _units(request.lines),
        Party.RETAILER,
        at,
        plain_id(request.supplier_id, "supplier_id") if request.supplier_id else "",
        shapes.minor(request.freight_minor, "freight_minor"),
    )
    return _of_case(case_id, lambda view: after_sales.label_return(view, labelled, edge.now), policies.stream())


@reads(cases_pb2.RecordReturnShippedRequest)
def record_return_shipped(request: cases_pb2.RecordReturnShippedRequest, edge: Edge) -> Ask:
    case_id, at, label_id = (
        _case_id(request.case_id),
        happened(request, edge.now),
        plain_id(request.label_id, "label_id"),
    )
    parcel = carrier(request.carrier), shapes.tracking_number(request.tracking_number)
    return _of_case(
        case_id,
        lambda view: after_sales.ship_return(view, case_id, label_id, *parcel, at, edge.now),
        parcels.stream(*parcel),
        policies.stream(),
    )


@reads(cases_pb2.RecordReturnReceivedRequest)
def record_return_received(request: cases_pb2.RecordReturnReceivedRequest, edge: Edge) -> Ask:
    case_id, at, units = _case_id(request.case_id), happened(request, edge.now), _units(request.lines, required=True)
    return _of_case(case_id, lambda view: after_sales.receive_return(view, case_id, units, at, edge.now))


@reads(cases_pb2.RecordInspectionRequest)
def record_inspection(request: cases_pb2.RecordInspectionRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    shapes.some(request.lines, "lines", _MOST_LINES, "lines")
    found: dict[LineNo, Inspection] = {}
    for index, line in enumerate(request.lines):
        field = f"lines[{index}]"
        line_no = LineNo(count(line.line_no, f"{field}.line_no", 1))
        require(line_no not in found, f"{field}.line_no", f"line {line_no} is named twice")
        found[line_no] = Inspection(
            count(line.restocked, f"{field}.restocked"),
            count(line.not_restocked, f"{field}.not_restocked"),
            count(line.needs_work, f"{field}.needs_work"),
            count(line.missing, f"{field}.missing"),
        )
    supplier_id = plain_id(request.supplier_id, "supplier_id") if request.supplier_id else ""
    return _of_case(case_id, lambda view: after_sales.inspect_return(view, case_id, found, supplier_id, at, edge.now))


@reads(cases_pb2.GrantRefundRequest)
def grant_refund(request: cases_pb2.GrantRefundRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    refund_id, share = (
        plain_id(request.refund_id, "refund_id"),
        count(request.share_basis_points, "share_basis_points", 0, 10_000),
    )
    require(len(request.lines) <= _MOST_LINES, "lines", f"{len(request.lines)} lines, {_MOST_LINES} at most")
    units: Units = {}
    amounts: Amounts = {}
    for index, line in enumerate(request.lines):
        field = f"lines[{index}]"
        line_no = LineNo(count(line.line_no, f"{field}.line_no", 1))
        require(line_no not in units, f"{field}.line_no", f"line {line_no} is named twice")
        units[line_no] = count(line.units, f"{field}.units", 1)
        if line.amount_minor:
            amounts[line_no] = shapes.minor(line.amount_minor, f"{field}.amount_minor", 1)
    return _of_case(
        case_id,
        lambda view: after_sales.grant_refund(view, case_id, refund_id, units, share, amounts, at, edge.now),
    )


@reads(cases_pb2.DenyRefundRequest)
def deny_refund(request: cases_pb2.DenyRefundRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    because, units = _denial(request.reason, "reason"), _units(request.lines)
    if request.refund_id:
        refund_id = plain_id(request.refund_id, "refund_id")
        require(not units, "lines", "a refund that is named is denied whole; leave the lines out")
        return _of_case(
            case_id, lambda view: after_sales.take_back_refund(view, case_id, refund_id, because, at, edge.now)
        )
    return _of_case(case_id, lambda view: after_sales.deny_refund(view, case_id, units, because, at, edge.now))


@reads(cases_pb2.RecordRefundPaidRequest)
def record_refund_paid(request: cases_pb2.RecordRefundPaidRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    refund_id, reference = plain_id(request.refund_id, "refund_id"), text(request.reference, "reference", 100)
    return _of_case(
        case_id, lambda view: after_sales.record_refund_paid(view, case_id, refund_id, reference, at, edge.now)
    )


@reads(cases_pb2.CancelCaseRequest)
def cancel_case(request: cases_pb2.CancelCaseRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    by, because = _party(request.by, "by"), text(request.reason, "reason", 100)
    return _of_case(case_id, lambda view: after_sales.cancel(view, case_id, by, because, at, edge.now))


@reads(cases_pb2.ReopenCaseRequest)
def reopen_case(request: cases_pb2.ReopenCaseRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    hashes = _hashes(request.evidence_sha256, required=True)
    return _of_case(case_id, lambda view: after_sales.reopen(view, case_id, hashes, at, edge.now))
