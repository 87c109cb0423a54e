"""What inquiries, messages, their templates and tasks are refused for."""

from __future__ import annotations

from tests.support.refusal_scenarios.about import (
    Scenarios,
    as_it_is,
    beyond,
    ninth_of,
    of_inquiry,
    of_message,
    of_order,
    of_task,
)
from tests.support.service import stamp
from tests.support.trading import DAY, NOW, Trade

WORK: Scenarios = {
    "AskInquiry": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": lambda trade: {**ninth_of(trade), "supplier_id": ""},
        "UNKNOWN_SUPPLIER": of_order(Trade.placed, supplier_id="nobody"),
        "INQUIRY_ASKED_DIFFERENTLY": lambda trade: {"inquiry_id": trade.inquiry(), "order_id": trade.placed()},
    },
    "AnswerInquiry": {
        "UNKNOWN_INQUIRY": as_it_is,
        "INQUIRY_IS_CLOSED": of_inquiry(Trade.closed_inquiry),
        "ANSWERED_BEFORE_ASKED": of_inquiry(Trade.inquiry, at=stamp(NOW - DAY)),
    },
    "CloseInquiry": {"UNKNOWN_INQUIRY": as_it_is},
    "GetInquiry": {"UNKNOWN_INQUIRY": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListInquiries": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListMessages": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "GetMessage": {"UNKNOWN_MESSAGE": as_it_is, "PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "RetryMessage": {
        "UNKNOWN_MESSAGE": as_it_is,
        "MESSAGE_IS_SENT": of_message(Trade.sent_message),
        "MESSAGE_IS_CANCELLED": of_message(Trade.cancelled_message),
    },
    "CancelMessage": {
        "UNKNOWN_MESSAGE": as_it_is,
        "MESSAGE_IS_SENT": of_message(Trade.sent_message),
    },
    "RecordBounce": {
        "UNKNOWN_MESSAGE": as_it_is,
        "MESSAGE_NOT_SENT": of_message(Trade.cancelled_message),
    },
    "GetTemplate": {"UNKNOWN_TEMPLATE": lambda trade: {"version": 99}, "BEYOND_THE_LOG": beyond},
    "ListTemplates": {"BEYOND_THE_LOG": beyond},
    "PreviewMessage": {"UNKNOWN_ORDER": as_it_is},
    "ListWork": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "CountWork": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "ClaimWork": {
        "UNKNOWN_WORK": as_it_is,
        "WORK_IS_CLAIMED": of_task(Trade.claimed),
        "WORK_IS_FINISHED": of_task(Trade.finished),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
    "ReleaseWork": {
        "UNKNOWN_WORK": as_it_is,
        "WORK_IS_CLAIMED": of_task(Trade.claimed),
        "WORK_IS_FINISHED": of_task(Trade.finished),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
    "GetWork": {"UNKNOWN_WORK": as_it_is, "PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "AssignWork": {
        "UNKNOWN_WORK": as_it_is,
        "WORK_IS_FINISHED": of_task(Trade.finished),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
    "UnassignWork": {
        "UNKNOWN_WORK": as_it_is,
        "WORK_IS_FINISHED": of_task(Trade.finished),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
    "PutOffWork": {
        "UNKNOWN_WORK": as_it_is,
        "WORK_IS_CLAIMED": of_task(Trade.claimed),
        "WORK_IS_FINISHED": of_task(Trade.finished),
        "PUT_OFF_OUT_OF_BOUNDS": of_task(Trade.task, until=stamp(NOW + 40 * DAY)),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
    "CommentOnWork": {"UNKNOWN_WORK": as_it_is, "PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "FinishWork": {
        "UNKNOWN_WORK": as_it_is,
        "WORK_IS_CLAIMED": of_task(Trade.claimed),
        "WORK_IS_FINISHED": of_task(Trade.finished, outcome="done twice"),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
}
