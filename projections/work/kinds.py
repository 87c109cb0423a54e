"""The kinds of work, each declared once: what it is, when it is due, what one does about it, and what ends it.

The queue, its counts, the console's commands and the page about work follow from this table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from ledger.facts import Units
from ledger.nouns.inquiries import Topic
from ledger.terms.parties import Party


class WorkKind(StrEnum):
    """What raises work; KINDS says more of each."""

    HOLD = "hold"
    BREACH = "breach"
    PARCEL = "parcel"
    STOCK = "stock"
    INQUIRY = "inquiry"
    RECOVERY = "recovery"
    SUSPENSION = "suspension"
    MESSAGE = "message"
    ODDITY = "oddity"
    CASE = "case"
    REFUND = "refund"
    STOCK_UP = "stock_up"
    DRAFT = "draft"
    INVOICE = "invoice"
    LISTING = "listing"
    RECEPTION = "reception"
    EFFECT = "effect"


class Step(StrEnum):
    """What one does about a piece of work: a command, by its name in a batch."""

    ACCEPT_SUSPENSION = "accept_suspension"
    ACKNOWLEDGE = "acknowledge_supplier_order"
    AGREE_POLICY = "agree_policy"
    ANSWER_CANCEL = "answer_cancel_request"
    ANSWER_CUSTOMER = "answer_customer"
    ANSWER_INQUIRY = "answer_inquiry"
    ANSWER_RECOVERY = "answer_recovery"
    ANSWER_STOCK_UP = "answer_stock_up"
    APPEAL_CLAIM = "appeal_claim"
    APPROVE_REMEDY = "approve_remedy"
    ASK_INQUIRY = "ask_inquiry"
    ASK_STOCK_UP = "ask_stock_up"
    CANCEL_ORDER = "cancel_order"
    CHANGE_ADDRESS = "change_address"
    COLLECT_DOCUMENT = "collect_document"
    COMPLETE_CUSTOMS_DATA = "complete_customs_data"
    COMPLETE_DETAILS = "complete_details"
    CONFIRM_LOSS = "confirm_loss"
    CONFIRM_ORDER = "confirm_order"
    DENY_CASE = "deny_case"
    DENY_REFUND = "deny_refund"
    DISPUTE_INVOICE = "dispute_supplier_invoice"
    FILE_CLAIM = "file_claim"
    FINISH_WORK = "finish_work"
    """There is no command that ends it by itself: somebody looks at it, and says what came of it."""
    GRANT_REFUND = "grant_refund"
    LABEL_RETURN = "record_return_label"
    OPEN_CASE = "open_case"
    RECORD_CREDIT_NOTE = "record_supplier_credit_note"
    RECORD_FEED = "record_feed"
    RECORD_INSPECTION = "record_inspection"
    RECORD_PAYMENT = "record_payment"
    RECORD_REFUND_PAID = "record_refund_paid"
    RECORD_SCAN = "record_checkpoints"
    RELEASE_HOLD = "release_hold"
    REPLAY_EFFECT = "replay_effect"
    REPLAY_RECEPTION = "replay_reception"
    REROUTE = "reroute_units"
    RETRY_MESSAGE = "retry_message"
    RETURN_PAYMENT = "return_supplier_payment"
    RULE_LIABILITY = "rule_liability"
    SEND = "send_supplier_order"
    SHIP = "ship_supplier_order"
    START_REVIEW = "start_review"
    UPDATE_SUPPLIER = "update_supplier"


class Next(NamedTuple):
    """The step that is next for one piece of work, with what is known of the command's fields.

    They have their names in the contract, and words of the ledger as values: ``{"by": "supplier"}``. What is not
    here is for a person to say.
    """

    step: Step
    fields: Mapping[str, Any] = {}


FINISH = Next(Step.FINISH_WORK)


def units_of(by_line: Units) -> list[Mapping[str, int]]:
    """Units by line, as the contract has them."""
    return [{"line_no": line_no, "units": units} for line_no, units in by_line.items()]


def ask_where(clock: str, supplier_order_id: str) -> Next:
    """Ask a supplier where something is: the same question however often it is copied."""
    return _ask_supplier(clock, supplier_order_id, Topic.TRACKING)


def ask_about_customs(supplier_order_id: str) -> Next:
    """Ask a supplier for what customs wants from it."""
    return _ask_supplier("customs", supplier_order_id, Topic.CUSTOMS)


def _ask_supplier(mark: str, supplier_order_id: str, topic: Topic) -> Next:
    inquiry_id = f"{mark}-{re.sub(r'[^0-9A-Za-z._:#+-]', '-', supplier_order_id)}"[:100]
    about = {"inquiry_id": inquiry_id, "supplier_order_id": supplier_order_id, "topic": topic}
    return Next(Step.ASK_INQUIRY, {**about, "asked_by": Party.RETAILER, "asked_of": Party.SUPPLIER})


class Kind(NamedTuple):
    """One kind of work."""

    what: str
    due: str
    """By when it is to be done."""
    ends: str
    """How its reason goes away, so that it ends by itself."""
    steps: tuple[Step, ...]
    """What can be next."""


_AT_ONCE = "when it came up"

KINDS: Mapping[WorkKind, Kind] = {
    WorkKind.HOLD: Kind(
        "an order waits",
        _AT_ONCE,
        "the hold is released, or the order is over",
        (
            *(Step.RELEASE_HOLD, Step.COMPLETE_DETAILS, Step.COMPLETE_CUSTOMS_DATA),
            *(Step.RECORD_PAYMENT, Step.CHANGE_ADDRESS, Step.CONFIRM_ORDER, Step.CANCEL_ORDER),
        ),
    ),
    WorkKind.BREACH: Kind(
        "a clock ran out, and what it waits for has still not happened",
        "when the clock ran out",
        "it happened, nobody waits for it any more, or it turns out to have been in time",
        (Step.ACKNOWLEDGE, Step.REROUTE, Step.ANSWER_CANCEL, Step.ASK_INQUIRY, Step.SEND),
    ),
    WorkKind.PARCEL: Kind(
        "a parcel is held, damaged, lost, on its way back or back",
        "by when customs wants its answer; else when it came up",
        "it moves on; or a case is about all that was in it, and what came back was looked at; or all its money went "
        "back",
        (Step.RECORD_SCAN, Step.CONFIRM_LOSS, Step.OPEN_CASE, Step.RECORD_INSPECTION, Step.ASK_INQUIRY),
    ),
    WorkKind.STOCK: Kind(
        "a stock level needs somebody: oversold, low, running out, sold out, stale",
        _AT_ONCE,
        "the level is right again, or a feed came",
        (Step.RECORD_FEED, Step.ASK_STOCK_UP),
    ),
    WorkKind.INQUIRY: Kind(
        "a question waits for the retailer's answer, or for that of a supplier that is late",
        "when the answer is",
        "it is answered or closed",
        (Step.ANSWER_INQUIRY,),
    ),
    WorkKind.RECOVERY: Kind(
        "a cost is to be recovered, and the next step is the retailer's; or what was lost and refunded has arrived",
        "when the answer, or the claim, is",
        "the recovery takes that step, or is over; of what a customer has twice, one agrees on it or writes it off",
        (Step.ANSWER_RECOVERY, Step.COLLECT_DOCUMENT, Step.FILE_CLAIM, Step.APPEAL_CLAIM),
    ),
    WorkKind.SUSPENSION: Kind(
        "it is proposed to suspend a supplier",
        _AT_ONCE,
        "the proposal is accepted or dismissed, the rate has recovered, or the supplier is suspended",
        (Step.ACCEPT_SUSPENSION,),
    ),
    WorkKind.MESSAGE: Kind(
        "a message reached nobody",
        _AT_ONCE,
        "it is tried again, which happens by itself once another address is known; it is sent or cancelled; or what it "
        "says is no longer true",
        (Step.RETRY_MESSAGE, Step.CHANGE_ADDRESS, Step.UPDATE_SUPPLIER, Step.AGREE_POLICY),
    ),
    WorkKind.RECEPTION: Kind(
        "what a shop or a tracking service told could not be made into commands, or asks for a person",
        "when it is to be dealt with, where that is said; else at once",
        "it is replayed, which raises it anew where it fails again, or dropped",
        (Step.REPLAY_RECEPTION,),
    ),
    WorkKind.EFFECT: Kind(
        "what a shop or a tracking service is to be told could not be told",
        _AT_ONCE,
        "it is replayed, which raises it anew where it fails again, or dropped; or its connection is removed",
        (Step.REPLAY_EFFECT,),
    ),
    WorkKind.ODDITY: Kind(
        "something happened that should not have",
        _AT_ONCE,
        "what left under a hold: with the hold; the scan of a void parcel: once that is shipped again; a draft "
        "that left: once its instruction is recorded for before; too many units: once they are lost or back; "
        "all else stays until somebody has seen it",
        (Step.RELEASE_HOLD, Step.SHIP, Step.SEND, Step.FINISH_WORK),
    ),
    WorkKind.CASE: Kind(
        "the next step of a return case is the retailer's",
        "when the first answer is, as long as the customer has none; when evidence was due, and not shown before, "
        "where none came; else when the case was opened",
        "the case takes that step, or is closed",
        (
            *(
                Step.ANSWER_CUSTOMER,
                Step.START_REVIEW,
                Step.DENY_CASE,
                Step.RULE_LIABILITY,
                Step.APPROVE_REMEDY,
                Step.LABEL_RETURN,
            ),
            *(Step.RECORD_INSPECTION, Step.GRANT_REFUND, Step.RECORD_REFUND_PAID, Step.DENY_REFUND),
        ),
    ),
    WorkKind.REFUND: Kind(
        "money is owed to a customer beside the refunds of cases",
        "when it is to be paid back",
        "all of it is paid back",
        (Step.RECORD_REFUND_PAID,),
    ),
    WorkKind.STOCK_UP: Kind(
        "a supplier has not answered what it was asked to have ready, or does not have it",
        "when the answer is; or until when the units are wanted",
        "it answers, has all of it, or the request is withdrawn",
        (Step.ANSWER_STOCK_UP, Step.ASK_STOCK_UP, Step.RECORD_FEED),
    ),
    WorkKind.DRAFT: Kind(
        "a supplier order is to be sent",
        "when the retailer's clock of it runs out",
        "it is sent, held or given up",
        (Step.SEND,),
    ),
    WorkKind.INVOICE: Kind(
        "a supplier's invoice asks too much, or more than was approved because goods turn out not to have left; or a "
        "dispute about it is to be settled",
        "when the dispute's answer is; else when it came up",
        "it is approved or disputed, credited, what was paid too much came back, or its goods leave",
        (Step.DISPUTE_INVOICE, Step.RECORD_CREDIT_NOTE, Step.RETURN_PAYMENT),
    ),
    WorkKind.LISTING: Kind(
        "a SKU is to be taken off sale in every shop: nobody has a unit of it",
        _AT_ONCE,
        "a qualified supplier can promise a unit again",
        (Step.FINISH_WORK,),
    ),
}
