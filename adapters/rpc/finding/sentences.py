"""What a fact says, as a sentence for people.

``{field}`` is a field of the fact as people read it, ``[...]`` stands only where all fields in it say something,
``[?field:...]`` where that field does, and ``[!field:...]`` where it does not. A fact that has no sentence here is told
by its name and content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, cast

import msgspec

from adapters.gist import gist
from ledger.facts import Fact, Sealed, Value, to_minute
from ledger.terms.money import Money, amount

_OLDER = "[?outdated: Newer news was known already, so it changed nothing.]"

SENTENCES: Mapping[str, str] = {
    # --- orders
    "order.placed": "The shop {channel} sold {lines}[ for delivery by {promised_day}]."
    "[ It sends again what case {reship_of} is about.]",
    "order.suppliers_chosen": "Suppliers were chosen: {by_line}.",
    "order.details_completed": "Missing details came in[: {lines}].",
    "order.customs_data_completed": "What customs asks for came in.",
    "order.hold_placed": "A hold was placed: {hold.reason}[, {hold.missing}]. It is for {hold.owner} to act.",
    "order.hold_released": "The hold {reason} of {owner} was released.",
    "order.payment_changed": "The shop says that the payment is {payment}." + _OLDER,
    "order.payment_recorded": "The payment {payment.payment_id} was recorded: {payment.kind} {payment.amount}."
    "[ It is odd: {odd}.]",
    "order.amended": "The shop changed the order[: {added} more][?charges:, with other charges]." + _OLDER,
    "order.invoice_requested": "The customer wants an invoice.",
    "order.invoice_issued": "Invoice {number} was drawn up.",
    "order.invoice_not_issued": "Goods left without the invoice that was asked for.",
    "order.invoice_credited": "Credit note {number} cancelled invoice {invoice}[: {because}].",
    "order.units_returned": "Came back to the sender in {carrier} {number}: {by_line}.",
    "order.supplier_order_invoiced": "Supplier order {supplier_order_id} was invoiced as {invoice}.",
    "order.confirmed": "The order was confirmed by {by}[ and delivery promised by {promised_by}].",
    "order.units_backordered": "Waiting for goods: {by_line}.",
    "order.units_reserved": "Stock was reserved for {by_line}.",
    "order.contact_changed": "The customer is reached otherwise." + _OLDER,
    "order.address_changed": "The address changed[ to {destination.country}]." + _OLDER,
    "order.units_cancelled": "The {by} cancelled [{by_line}][!by_line:the order][: {because}].",
    "order.units_delivered": "Delivered in {carrier} {number}: {by_line}[; not {instead_of}, as was known before].",
    "order.delivery_reopened": "Under way again in {carrier} {number}: {by_line}.",
    "order.units_lost": "Lost in {carrier} {number}: {by_line}.",
    "order.receipt_confirmed": "The {by} confirmed that everything arrived.",
    "order.reviewed": "The customer gave {score} stars.",
    "order.chargeback_recorded": "The bank took {amount} back[: {because}].",
    "order.completed": "The return window closed: the order is completed.",
    "order.deadline_missed": "The {clock} clock of {object_id} ran out at {due}[; {supplier_id} is late].",
    "order.refund_owed": "The customer is owed {amount} more, to be paid back by {pay_by}.",
    "order.breach_withdrawn": "The missed {clock} clock of {object_id} was none after all.",
    "order.delay_ruled": "The late {clock} of {supplier_order_id} was ruled by {by} to be the {party}'s fault"
    "[: {because}]." + _OLDER,
    "order.rerouting_sought": "Another supplier was sought for what {supplier_order_id} had not done by {due}.",
    "order.supplier_order_drafted": "Supplier order {supplier_order_id} was drafted for {supplier_id}[: {units}]."
    "[ It has to get {backordered} first.][ It replaces {instead_of}: {because}.]",
    "order.shipping_chosen": "Supplier order {supplier_order_id} is to go with {shipping.code}.",
    "order.supplier_order_sent": "Supplier order {supplier_order_id} was sent to the supplier"
    "[, to be dispatched by {dispatch_by}].",
    "order.supplier_order_acknowledged": "The supplier answered {supplier_order_id}: {by_line}.",
    "order.supplier_order_packed": "Supplier order {supplier_order_id} was packed[ with {packed_with}].",
    "order.packing_error_found": "Supplier order {supplier_order_id} was packed without {lacking}.",
    "order.packing_corrected": "Supplier order {supplier_order_id} was packed anew as it should be.",
    "order.supplier_order_shipped": "Shipped with {carrier} {number} of {supplier_order_id}[: {by_line}]."
    "[ Beside what was ordered: {over}.][ Not ordered: {unordered}.][ It is in a parcel of {in_parcel_of}.]",
    "order.shipment_voided": "It did not leave with {carrier} {number} after all[: {because}]; to be sent: {by_line}.",
    "order.tracking_corrected": "It left as {left_as}, and not with {carrier} {number}[: {because}].",
    "order.supplier_order_cancel_requested": "The supplier was asked to give up [{by_line} of ]{supplier_order_id}"
    "[: {because}].",
    "order.supplier_order_cancelled": "The supplier gave up [{by_line} of ]{supplier_order_id}.",
    "order.supplier_order_cancel_refused": "The supplier did not give up {supplier_order_id}[: {because}].",
    "order.clocks_stopped": "The clocks of {supplier_order_id} stand still.",
    "order.clocks_resumed": "The clocks of {supplier_order_id} go on.",
    "order.compensation_accrued": "Supplier {supplier_id} owes {amount} for the late dispatch of {supplier_order_id}.",
    "order.compensation_reversed": "Supplier {supplier_id} owes nothing for {supplier_order_id} any more[: {because}].",
    "order.person_erased": "The customer was erased by {by}.",
    "order.note_added": "A note was written by {by}.",
    "order.tags_changed": "The tags were changed by {by}:[ added {added};][ removed {removed};]",
    "order.taken_into_case": "Case {case_id} took on {by_line}.",
    "order.case_closed": "Case {case_id} left the order.",
    "order.return_expected": "To come back in case {case_id}: {by_line}.",
    "order.return_given_up": "Nobody waits any more for {by_line} of case {case_id} to come back.",
    "order.refund_booked": "Refund {refund_id} of case {case_id} was booked.",
    "order.refund_paid_back": "Refund {refund_id} went back to the customer.",
    "order.refund_unbooked": "Refund {refund_id} was taken off the books.",
    "order.units_reshipped": "Sent again as {reship_order_id}: {by_line}.",
    # --- parcels
    "parcel.registered": "The parcel {carrier} {number} was announced[ for {country}].",
    "parcel.linked": "It turned out whose parcel {carrier} {number} is.",
    "parcel.units_added": "In the parcel {carrier} {number} there are also units of {supplier_order_id}[: {by_line}].",
    "parcel.checkpoint_recorded": "The carrier {carrier} scanned {number}: {checkpoint.status}[ in {checkpoint.city}]"
    "[, {checkpoint.country}].",
    "parcel.handed_over": "The parcel {carrier} {number} goes on as {goes_on_as}.",
    "parcel.hand_over_taken_back": "It does not go on as {not_as}[: {because}].",
    "parcel.voided": "Nothing [of {supplier_order_id} ]left with {carrier} {number}[: {because}]"
    "[; it left as {left_as}].",
    "parcel.delivery_proven": "A proof of the delivery of {carrier} {number} came in.",
    "parcel.delivery_disputed": "Somebody denies that {carrier} {number} arrived[: {because}].",
    "parcel.arrival_corrected": "By all that was told of it, the parcel {carrier} {number} arrived {delivered_at}.",
    "parcel.first_scan_missed": "The carrier {carrier} has not scanned {number} by {due}.",
    "parcel.first_scan_breach_withdrawn": "The carrier {carrier} had scanned {number} in time after all.",
    "parcel.loss_suspected": "The parcel {carrier} {number} may be lost: it was last seen {last_seen_at}.",
    "parcel.claim_opened": "A claim for {carrier} {number} was prepared: {recovery_id}.",
    "parcel.loss_confirmed": "The {by} gave {carrier} {number} up[: {because}].",
    "parcel.found_after_loss": "The parcel {carrier} {number} was delivered although it was given up.",
    # --- cases
    "case.opened": "Case {case_id} was opened for {by_line}: {reason}.",
    "case.customer_answered": "The customer of case {case_id} was answered.",
    "case.first_answer_missed": "The customer of case {case_id} was not answered by {due}.",
    "case.first_answer_breach_withdrawn": "The customer of case {case_id} had been answered in time after all.",
    "case.deadline_missed": "The {clock} clock of {object_id} ran out at {due}[; {supplier_id} is late].",
    "case.breach_withdrawn": "The missed {clock} clock of {object_id} was none after all.",
    "case.evidence_requested": "The customer was asked for {wanted} by {due}.",
    "case.evidence_added": "The {given_by} handed in evidence ({content_type}).",
    "case.review_started": "The review of case {case_id} began.",
    "case.liability_ruled": "Case {case_id} was ruled to be the {liable}'s[: {because}].",
    "case.remedy_approved": "The remedy {remedy} was approved for {by_line}.",
    "case.denied": "Case {case_id} was denied: {because}.",
    "case.reship_placed": "Sent again as {reship_order_id}: {by_line}.",
    "case.reship_arrived": "Arrived of {reship_order_id}: {by_line}.",
    "case.reship_failed": "Sending {by_line} again failed: {because}.",
    "case.return_labelled": "A way back was given for {by_line}; the {freight_payer} pays the freight.",
    "case.return_shipped": "The customer sent it back with {carrier} {number}.",
    "case.return_received": "Came back: {by_line}.",
    "case.return_inspected": "What came back was looked at.",
    "case.refund_granted": "Refund {refund_id} was granted: {amounts_minor}.",
    "case.refund_denied": "A refund of {by_line} was denied: {because}.",
    "case.refund_taken_back": "Refund {refund_id} was taken back: {because}.",
    "case.refund_paid": "Refund {refund_id} was paid[ as {reference}].",
    "case.resolved": "Case {case_id} was resolved.",
    "case.cancelled": "The {by} cancelled case {case_id}[: {because}].",
    "case.reopened": "Case {case_id} was opened again.",
    # --- recoveries
    "recovery.opened": "What it cost is to be recovered: {recovery_id}.",
    "recovery.amount_raised": "More is asked for in {recovery_id}: {cost.cost_id}.",
    "recovery.cost_withdrawn": "Less is asked for in {recovery_id}: {cost_id} was withdrawn.",
    "recovery.settlement_received": "A settlement of {recovery_id} came in[ as {reference}].",
    "recovery.claim_paid": "The carrier paid the claim {recovery_id}[ as {reference}].",
    "recovery.payment_returned": "A payment for {recovery_id} went back[ as {reference}].",
    "recovery.accepted": "What is owed was accepted: {recovery_id}.",
    "recovery.disputed": "What is owed was disputed[: {because}].",
    "recovery.written_off": "The rest of {recovery_id} was written off[: {because}].",
    "recovery.answer_missed": "Supplier {supplier_id} had not answered {recovery_id} by {due}.",
    "recovery.answer_breach_withdrawn": "The demand {recovery_id} had been answered in time after all.",
    "recovery.claim_became_eligible": "The claim {recovery_id} can be filed now.",
    "recovery.document_collected": "A document for the claim was collected: {kind}.",
    "recovery.claim_filed": "The claim {recovery_id} was filed.",
    "recovery.claim_acknowledged": "The carrier has the claim as {reference}.",
    "recovery.claim_approved": "The carrier approved the claim {recovery_id}.",
    "recovery.claim_denied": "The carrier denied the claim[: {because}].",
    "recovery.claim_appealed": "The retailer appealed[: {because}].",
    "recovery.claim_time_barred": "It is too late to file the claim {recovery_id}.",
    "recovery.claimed_parcel_found": "The parcel that was claimed for was delivered.",
    # --- inquiries
    "inquiry.asked": "The {asked_by} asked the {asked_of} about {topic}[, to be answered by {answer_by}].",
    "inquiry.answered": "The question {inquiry_id} was answered by {by}.",
    "inquiry.closed": "The question {inquiry_id} was closed by {by}[: {because}].",
    "inquiry.answer_missed": "The question {inquiry_id} was not answered by {due}.",
    "inquiry.answer_breach_withdrawn": "The question {inquiry_id} had been answered in time after all.",
    # --- messages
    "message.asked": "The message {kind} to the {audience} was asked for.",
    "message.sent": "The message {message_id} was sent by {channel}.",
    "message.failed": "The message {message_id} could not be sent ({error}); the next attempt is at {next_at}.",
    "message.given_up": "The message {message_id} was given up: {error}.",
    "message.bounced": "The message {message_id} came back and reached nobody: {error}.",
    "message.retried": "The message {message_id} is to be sent again, said {by}.",
    "message.not_needed": "Nobody needs to be told the message {message_id} any more: {because}.",
    "message.cancelled": "The message {message_id} was not sent: {because}.",
    # --- work
    "task.claimed": "The work was taken on by {by}: {task_id}.",
    "task.released": "The work was given back by {by}: {task_id}.",
    "task.assigned": "The work was assigned by {by}[ to {person}][ of the team {team}].",
    "task.unassigned": "The work was assigned to nobody by {by}.",
    "task.put_off": "The work was put [?until:off until {until}][!until:back into the queue] by {by}.",
    "task.commented": "Of the work {by} said something.",
    "task.finished": "The work was finished by {by}[: {outcome}].",
}

_FIELD = re.compile(r"\{([\w.]+)\}")
_OPTIONAL = re.compile(r"\[(?:([?!])(\w+):)?([^\]]*)\]")


def sentence(fact: Fact) -> str:
    """What a fact says."""
    template = SENTENCES.get(fact.fact_name())
    if template is None:
        return _by_content(fact)

    def value(found: re.Match[str]) -> str:
        return _text(found[1], attrgetter(found[1])(fact), fact)

    def optional(found: re.Match[str]) -> str:
        named = [found[2]] if found[2] else _FIELD.findall(found[3])
        says = all(_text(name, attrgetter(name)(fact), fact) for name in named)
        return found[3] if says is (found[1] != "!") else ""

    return _FIELD.sub(value, _OPTIONAL.sub(optional, template)).removesuffix(";").removesuffix(".") + "."


def with_text(text: str, note: str) -> str:
    """The sentence with what somebody wrote."""
    return f"{text.removesuffix('.')}: {note}"


def sealed_in(fact: Fact) -> tuple[Sealed, str] | None:
    """What somebody wrote, of a fact that carries it, and what for."""
    for path in ("note", "text", "hold.note", "because", "outcome", "checkpoint.message"):
        try:
            found = attrgetter(path)(fact)
        except AttributeError:
            continue
        if isinstance(found, Sealed):
            return found, path.rpartition(".")[2]
    return None


def _by_content(fact: Fact) -> str:
    name = fact.fact_name().partition(".")[2].replace("_", " ")
    content = gist(_stored(fact))
    return f"{name.capitalize()}{': ' if content else ''}{content}."


def _stored(value: Value) -> dict[str, Any]:
    """The value as JSON has it."""
    return cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(value)))


def _text(name: str, value: Any, fact: Fact) -> str:
    match value:
        case None | False | Sealed():
            return ""
        case datetime():
            return to_minute(value)
        case date() | Money():
            return str(value)
        case StrEnum():
            return value.replace("_", " ")
        case dict() if name == "unordered":
            return " and ".join(f"{units} of {sku}" for sku, units in value.items())
        case dict():
            return _by_line(name, value, fact)
        case tuple() if name == "lines":
            return " and ".join(f"{line.quantity} {line.sku or 'of something'}" for line in value)
        case tuple():
            return ", ".join(each.replace("_", " ") if isinstance(each, str) else str(each) for each in value)
        case _:
            return str(value)


def _by_line(name: str, by_line: Mapping[int, Any], fact: Fact) -> str:
    """Units by line, or what else there is of each line."""
    if name.endswith("_minor"):
        currency = str(getattr(fact, "currency", ""))
        return f"{amount(sum(by_line.values()), currency)} {currency}".strip()
    return " and ".join(_of_line(line_no, each) for line_no, each in by_line.items())


def _of_line(line_no: int, each: Any) -> str:
    match each:
        case int():
            return f"{each} {'unit' if each == 1 else 'units'} of line {line_no}"
        case str():
            return f"{each} for line {line_no}"
        case _:
            return f"{gist(_stored(each))} of line {line_no}"
