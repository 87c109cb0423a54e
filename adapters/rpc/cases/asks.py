"""CaseService's commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from adapters.rpc import shapes
from adapters.rpc.cases.evidence import Storing, add_evidence, label_file
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.sealing import sealed_note
from adapters.rpc.shapes import by_line, carrier, count, enum, happened, optional, plain_id, text
from fulfilment.v1 import cases_pb2 as pb
from fulfilment.v1 import common_pb2, returns_pb2
from ledger.decisions import after_sales, order_payments
from ledger.engine.sealing import placed
from ledger.facts import Change, LineNo, Units
from ledger.nouns import cases, orders, parcels, policies
from ledger.nouns.cases import Denial, Inspection, Reason, Remedy
from ledger.nouns.orders.after_sales import Amounts, ChargeAmounts
from ledger.terms.money import MOST_MINOR
from ledger.terms.parties import Party
from ledger.view import Decide, View

_MOST_LINES = 1000

_reason = enum(pb.CaseReason, Reason)
_remedy = enum(pb.Remedy, Remedy)
_denial = enum(pb.Denial, Denial)
_party = enum(common_pb2.Party, Party)


def _case_id(value: str) -> str:
    return plain_id(value, "case_id")


def _of_case(case_id: str, decide: Decide, *more: str) -> Ask:
    return Ask(decide, (cases.stream(case_id), *more))


def _hashes(values: Iterable[str], required: bool) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(value.lower() for value in values))
    require(len(found) <= 100, "evidence_sha256", f"{len(found)} hashes, 100 at most")
    require(bool(found) or not required, "evidence_sha256", "is required")
    for index, value in enumerate(found):
        shapes.sha256(value, f"evidence_sha256[{index}]")
    return found


def _words(values: Sequence[str], field: str) -> tuple[str, ...]:
    require(len(values) > 0, field, "is required: 1 to 20 words")
    return shapes.words(values, field)


def _units(lines: Sequence[common_pb2.LineUnits], required: bool = False) -> Units:
    require(len(lines) <= _MOST_LINES, "lines", f"{len(lines)} lines, {_MOST_LINES} at most")
    require(len(lines) > 0 or not required, "lines", f"is required: 1 to {_MOST_LINES} lines")
    return by_line(lines)


def _note_of(case_id: str) -> str:
    return placed(cases.stream(case_id), "note")


def _order_of(case_id: str) -> Callable[[View], str]:
    """The order of the case, with whose customer texts about it are erased."""
    return lambda view: orders.anchor(cases.known(cases.find(view, case_id), case_id).order_id)


def open_case(request: pb.OpenCaseRequest, edge: Edge) -> Ask:
    case_id, order_id = _case_id(request.case_id), shapes.order_id(request.order_id)
    at, note = happened(request, edge.now), shapes.lines(request.note, "note", 2000)
    reason, units = _reason(request.reason, "reason"), _units(request.lines, required=True)
    sealed, keys = sealed_note(edge.sealer, note, orders.anchor(order_id), _note_of(case_id))
    opened = cases.CaseOpened(case_id, order_id, reason, units, first_answer_by=at, at=at, note=sealed)
    return Ask(
        lambda view: after_sales.open_case(view, opened, edge.now),
        (cases.stream(case_id), orders.stream(order_id), policies.stream()),
        keys,
    )


def answer_customer(request: pb.AnswerCustomerRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    return _of_case(case_id, lambda view: after_sales.answer(view, case_id, at, edge.now))


def request_evidence(request: pb.RequestEvidenceRequest, edge: Edge) -> Ask:
    case_id, at, wanted = _case_id(request.case_id), happened(request, edge.now), _words(request.wanted, "wanted")
    return _of_case(
        case_id, lambda view: after_sales.request_evidence(view, case_id, wanted, at, edge.now), policies.stream()
    )


def start_review(request: pb.StartReviewRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    return _of_case(case_id, lambda view: after_sales.start_review(view, case_id, at, edge.now))


def rule_liability(request: pb.RuleLiabilityRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    because, hashes = _words(request.reasons, "reasons"), _hashes(request.evidence_sha256, required=False)
    liable = _party(request.liable, "liable")
    note, keys = sealed_note(edge.sealer, shapes.lines(request.note, "note", 2000), "", _note_of(case_id))
    ruling = cases.LiabilityRuled(case_id, liable, because, hashes, at, note)
    return Ask(
        lambda view: after_sales.rule(view, ruling, edge.now), (cases.stream(case_id),), keys, _order_of(case_id)
    )


def approve_remedy(request: pb.ApproveRemedyRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    remedy, units = _remedy(request.remedy, "remedy"), _units(request.lines)
    supplier_id = optional(plain_id, request.supplier_id, "supplier_id")
    exchange = _exchange(request, remedy)
    return _of_case(
        case_id,
        lambda view: after_sales.approve(view, case_id, remedy, units, supplier_id, at, edge.now, exchange),
        policies.stream(),
    )


def _exchange(request: pb.ApproveRemedyRequest, remedy: cases.Remedy) -> cases.Exchange | None:
    wanted, price = remedy is cases.Remedy.EXCHANGE, None
    if request.HasField("exchange_price_minor"):
        price = count(request.exchange_price_minor, "exchange_price_minor", 0, MOST_MINOR)
    require(wanted == bool(request.exchange_sku), "exchange_sku", "is given with REMEDY_EXCHANGE, and only then")
    if not wanted:
        return None
    return cases.Exchange(shapes.sku(request.exchange_sku, "exchange_sku"), price)


def deny_case(request: pb.DenyCaseRequest, edge: Edge) -> Ask:
    case_id, at, because = _case_id(request.case_id), happened(request, edge.now), _denial(request.reason, "reason")
    note, keys = sealed_note(edge.sealer, shapes.lines(request.note, "note", 2000), "", _note_of(case_id))
    return Ask(
        lambda view: after_sales.deny(view, case_id, because, note, at, edge.now),
        (cases.stream(case_id),),
        keys,
        _order_of(case_id),
    )


def record_return_label(request: returns_pb2.RecordReturnLabelRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    labelled = cases.ReturnLabelled(
        case_id=case_id,
        label_id=plain_id(request.label_id, "label_id"),
        by_line=_units(request.lines),
        freight_payer=Party.RETAILER,
        at=at,
        supplier_id=optional(plain_id, request.supplier_id, "supplier_id"),
        freight_minor=shapes.minor(request.freight_minor, "freight_minor"),
        file=label_file(request.file),
    )
    stored = Storing(case_id, labelled.file.sha256, request.file, edge) if labelled.file is not None else None

    def decide(view: View) -> Sequence[Change]:
        if stored is not None:
            stored.require(view)
        return after_sales.label_return(view, labelled, edge.now)

    before = stored.keep if stored is not None else None
    return Ask(decide, (cases.stream(case_id), policies.stream()), before=before)


def record_return_shipped(request: returns_pb2.RecordReturnShippedRequest, edge: Edge) -> Ask:
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


def record_return_received(request: returns_pb2.RecordReturnReceivedRequest, edge: Edge) -> Ask:
    case_id, at, units = _case_id(request.case_id), happened(request, edge.now), _units(request.lines, required=True)
    return _of_case(case_id, lambda view: after_sales.receive_return(view, case_id, units, at, edge.now))


def record_inspection(request: returns_pb2.RecordInspectionRequest, edge: Edge) -> Ask:
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
    supplier_id = optional(plain_id, request.supplier_id, "supplier_id")
    return _of_case(case_id, lambda view: after_sales.inspect_return(view, case_id, found, supplier_id, at, edge.now))


def grant_refund(request: pb.GrantRefundRequest, edge: Edge) -> Ask:
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
    charges = _charges(request.charges)
    return _of_case(
        case_id,
        lambda view: after_sales.grant_refund(view, case_id, refund_id, units, share, amounts, at, edge.now, charges),
    )


def _charges(messages: Sequence[pb.ChargeAmount]) -> ChargeAmounts:
    require(len(messages) <= 100, "charges", f"{len(messages)} charges, 100 at most")
    amounts = ChargeAmounts()
    for index, charge in enumerate(messages):
        charge_id = plain_id(charge.charge_id, f"charges[{index}].charge_id")
        require(charge_id not in amounts, f"charges[{index}].charge_id", f"{charge_id} is named twice")
        amounts[charge_id] = shapes.minor(charge.amount_minor, f"charges[{index}].amount_minor")
    return amounts


def deny_refund(request: pb.DenyRefundRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    because, units = _denial(request.reason, "reason"), _units(request.lines)
    if request.refund_id:
        refund_id = plain_id(request.refund_id, "refund_id")
        require(not units, "lines", "a refund that is named is denied whole; leave the lines out")
        return _of_case(
            case_id, lambda view: after_sales.take_back_refund(view, case_id, refund_id, because, at, edge.now)
        )
    return _of_case(case_id, lambda view: after_sales.deny_refund(view, case_id, units, because, at, edge.now))


def record_refund_paid(request: pb.RecordRefundPaidRequest, edge: Edge) -> Ask:
    if request.order_id:
        return _pay_owed(request, edge)
    require(not request.HasField("amount"), "amount", "is that of the case's refund; leave it out")
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    refund_id, reference = plain_id(request.refund_id, "refund_id"), text(request.reference, "reference", 100)
    return _of_case(
        case_id, lambda view: after_sales.record_refund_paid(view, case_id, refund_id, reference, at, edge.now)
    )


def _pay_owed(request: pb.RecordRefundPaidRequest, edge: Edge) -> Ask:
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    payment_id = plain_id(request.refund_id, "refund_id")
    require(not request.case_id, "case_id", "name a case or an order, not both")
    require(not request.reference, "reference", "is for refunds of cases; refund_id is the payment's id")
    amount = shapes.money(request.amount, "amount", 1) if request.HasField("amount") else None
    return Ask(
        lambda view: order_payments.pay_owed(view, order_id, payment_id, amount, at, edge.now),
        (orders.stream(order_id),),
    )


def cancel_case(request: pb.CancelCaseRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    by, because = _party(request.by, "by"), shapes.word(request.reason, "reason", 100)
    return _of_case(case_id, lambda view: after_sales.cancel(view, case_id, by, because, at, edge.now))


def reopen_case(request: pb.ReopenCaseRequest, edge: Edge) -> Ask:
    case_id, at = _case_id(request.case_id), happened(request, edge.now)
    hashes = _hashes(request.evidence_sha256, required=True)
    return _of_case(case_id, lambda view: after_sales.reopen(view, case_id, hashes, at, edge.now))


READERS: Readers = {
    pb.OpenCaseRequest: Reader(open_case, makes="case_id"),
    pb.AnswerCustomerRequest: Reader(answer_customer),
    pb.RequestEvidenceRequest: Reader(request_evidence),
    pb.AddEvidenceRequest: Reader(add_evidence, before=True),
    pb.StartReviewRequest: Reader(start_review),
    pb.RuleLiabilityRequest: Reader(rule_liability),
    pb.ApproveRemedyRequest: Reader(approve_remedy),
    pb.DenyCaseRequest: Reader(deny_case),
    returns_pb2.RecordReturnLabelRequest: Reader(record_return_label, before=True, makes="label_id"),
    returns_pb2.RecordReturnShippedRequest: Reader(record_return_shipped),
    returns_pb2.RecordReturnReceivedRequest: Reader(record_return_received),
    returns_pb2.RecordInspectionRequest: Reader(record_inspection),
    pb.GrantRefundRequest: Reader(grant_refund, makes="refund_id"),
    pb.DenyRefundRequest: Reader(deny_refund),
    pb.RecordRefundPaidRequest: Reader(record_refund_paid),
    pb.CancelCaseRequest: Reader(cancel_case),
    pb.ReopenCaseRequest: Reader(reopen_case),
}
