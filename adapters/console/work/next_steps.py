"""The command that does what is next about a piece of work, with its ids, to be copied.

What is in capitals is for a person to say.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from adapters.console.terminal import words
from adapters.console.terminal.session import Session
from fulfilment.v1 import cases_pb2, orders_pb2, work_pb2

_ADDRESS = "--name NAME --email EMAIL --address LINE --city CITY --country CODE"

COMMANDS: Mapping[str, str] = {
    "AcceptSuspensionRequest": "supplier accept {supplier_id} --rate {rate}",
    "AgreePolicyRequest": "policy set staff_mail.{policy.staff_mail}=ADDRESS",
    "AcknowledgeSupplierOrderRequest": "order ack {supplier_order_id}",
    "AnswerCancelRequestRequest": "order cancel-answer {supplier_order_id} --agreed",
    "AnswerCustomerRequest": "case answer {case_id}",
    "AnswerInquiryRequest": "inquiry answer {inquiry_id} --text TEXT",
    "AnswerRecoveryRequest": "recovery answer {recovery_id} --accepts AMOUNT",
    "AnswerStockUpRequest": "stock up answer {stock_up_id} UNITS --since TIME",
    "AppealClaimRequest": "recovery appeal {recovery_id} --reason REASON",
    "ApproveRemedyRequest": "case approve {case_id} {remedy}",
    "AskInquiryRequest": "inquiry ask {inquiry_id} {supplier_order_id|order_id} --topic {topic} --text TEXT",
    "AskStockUpRequest": "stock up ask STOCK_UP_ID {supplier_id} {sku} {units} --until {until}",
    "CancelOrderRequest": "order cancel {order_id} --by {by} [--reason {reason}]",
    "ChangeAddressRequest": f"order address {{order_id}} {_ADDRESS}",
    "CollectDocumentRequest": "recovery document {recovery_id} KIND --file FILE",
    "CompleteCustomsDataRequest": "order customs {order_id}",
    "CompleteDetailsRequest": "order complete {order_id} [--line {lines}] [{customer}]",
    "ConfirmLossRequest": "parcel lost {carrier} {tracking_number} --by {by}",
    "ConfirmOrderRequest": "order confirm {order_id} --backorder-lacking",
    "DenyCaseRequest": "case deny {case_id} {reason}",
    "DenyRefundRequest": "case deny-refund {case_id} {reason} --refund {refund_id}",
    "DisputeSupplierInvoiceRequest": "supplier invoice dispute {supplier_id} {number} --reason REASON",
    "FileClaimRequest": "recovery file {recovery_id}",
    "FinishWorkRequest": "work finish {task_id} --outcome OUTCOME",
    "GrantRefundRequest": "case refund {case_id}",
    "OpenCaseRequest": "case open --order {order_id} --reason {reason} [--line {lines}]",
    "RecordCheckpointsRequest": "parcel scan {carrier} {tracking_number} STATUS",
    "RecordFeedRequest": "stock feed {item.supplier_id} {item.sku} QUANTITY",
    "RecordInspectionRequest": "case inspect {case_id} [--line {lines}] --restocked UNITS",
    "RecordPaymentRequest": "order pay {order_id}",
    "RecordRefundPaidRequest": "case paid {case_id} {refund_id}",
    "RecordReturnLabelRequest": "case label {case_id}",
    "RecordSupplierCreditNoteRequest": "supplier invoice credit {supplier_id} {number} CREDIT_NOTE AMOUNT",
    "ReleaseHoldRequest": "order release {order_id} {reason} [--owner {owner}] [--supplier-order {supplier_order_id}]",
    "ReplayEffectRequest": "effect replay {effect_id}",
    "ReplayReceptionRequest": "inbox replay {reception_id}",
    "RerouteUnitsRequest": "order reroute {supplier_order_id|order_id} --by {by} [--reason {reason}]",
    "RetryMessageRequest": "message retry {message_id}",
    "ReturnSupplierPaymentRequest": "supplier invoice unpay {supplier_id} {number} {payment_id}",
    "RuleLiabilityRequest": "case rule {case_id} PARTY --reason REASON",
    "SendSupplierOrderRequest": "order send {supplier_order_id} [--at {at}]",
    "ShipSupplierOrderRequest": "order ship {supplier_order_id} --carrier {carrier} --number {tracking_number}",
    "StartReviewRequest": "case review {case_id}",
    "UpdateSupplierRequest": "supplier update {supplier_id} --contact ADDRESS",
}
"""How each request is typed. A part in brackets is left out where nothing of it is known, and repeated for each of
many; of fields with a bar between them the first that is known is taken."""

_OWED = "order refund-paid {order_id} PAYMENT_ID"
"""A refund that belongs to no case."""

_REACH = "order address {order_id} --email ADDRESS"
"""Where only the customer's contact changes."""

_PART = re.compile(r"\[([^\]]*)\]")
_FIELD = re.compile(r"\{([\w.|]+)\}")


def command_of(session: Session, step: work_pb2.NextStep) -> str:
    """The whole line; empty for a step that this console does not know yet."""
    request = _unpacked(step)
    if request is None:
        return ""
    template = _template(request)
    return f"fulfilment{_elsewhere(session)} {typed(template, request)}" if template else ""


def _template(request: Message) -> str | None:
    match request:
        case cases_pb2.RecordRefundPaidRequest() if not request.case_id:
            return _OWED
        case orders_pb2.ChangeAddressRequest() if request.HasField("customer") and not request.HasField("ship_to"):
            return _REACH
        case _:
            return COMMANDS.get(request.DESCRIPTOR.name)


def typed(template: str, request: Message) -> str:
    """A template with the fields of a request."""
    whole = _PART.sub(lambda part: _repeated(part[1], request), template)
    filled = _FIELD.sub(lambda field: _first(request, field[1]) or _name(field[1]), whole)
    return " ".join(filled.split())


def _unpacked(step: work_pb2.NextStep) -> Message | None:
    try:
        described = Default().FindMessageTypeByName(step.request.TypeName())
    except KeyError:  # of a server with newer commands
        return None
    request = GetMessageClass(described)()
    step.request.Unpack(request)
    return request


def _repeated(part: str, request: Message) -> str:
    """The part once for each value of its field."""
    field = _FIELD.search(part)
    values = _words(request, field[1]) if field is not None else []
    return " ".join(part.replace(field[0], value) for value in values) if field is not None else part


def _first(request: Message, names: str) -> str:
    return next((value for name in names.split("|") for value in _words(request, name)), "")


def _name(names: str) -> str:
    return names.rpartition("|")[2].rpartition(".")[2].upper()


def _words(request: Any, path: str) -> list[str]:
    """The values of a field as they are typed; none if nothing is known of it."""
    name, _, rest = path.partition(".")
    field = request.DESCRIPTOR.fields_by_name[name]
    value = getattr(request, name)
    if rest:
        return _words(value, rest)
    if field.is_repeated and field.message_type is not None and field.message_type.GetOptions().map_entry:
        return [shlex.quote(key) for key in value]
    if field.is_repeated:
        return [_word(field, each) for each in value]
    known = request.HasField(name) if field.has_presence else bool(value)
    return [_word(field, value)] if known else []


def _word(field: FieldDescriptor, value: Any) -> str:
    if field.enum_type is not None:
        return words.word_of(field.enum_type, value).replace(" ", "_")
    match field.message_type.name if field.message_type is not None else "":
        case "":
            return shlex.quote(str(value))
        case "LineUnits":
            return f"{value.line_no}:{value.units}"
        case "InspectedLine":
            return str(value.line_no)
        case "OrderLine":
            return f"{value.line_no}:SKU:QTY:PRICE"
        case "Timestamp":
            return str(value.ToJsonString())
        case _:
            return _ADDRESS


def _elsewhere(session: Session) -> str:
    """The options without which the line would go to another ledger than the one that was asked."""
    usual = Session()
    names = ("server", "tenant", "token_file", "ca", "cert", "key")
    asked = {name: getattr(session, name) for name in names}
    flags = [f" --{name}" for name in ("tls", "plain") if getattr(session, name) and not _in_environment(name)]
    return "".join(flags) + "".join(
        f" --{name.replace('_', '-')} {shlex.quote(value)}"
        for name, value in asked.items()
        if value != os.environ.get(f"FULFILMENT_{name.upper()}", getattr(usual, name))
    )


def _in_environment(name: str) -> bool:
    return bool(os.environ.get(f"FULFILMENT_{name.upper()}"))
