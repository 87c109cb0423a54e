"""After-sales: cases, the orders they are about, the stock and the money they move (DOMAIN 5).

The recovery of costs follows what a command decided of the case, and refuses nothing: no remedy ever waits for it.
"""

from ledger.decisions.after_sales.docket import has_ended
from ledger.decisions.after_sales.goods import inspect_return, label_return, receive_return, ship_return
from ledger.decisions.after_sales.opening import open_case
from ledger.decisions.after_sales.refunds import deny_refund, grant_refund, record_refund_paid, take_back_refund
from ledger.decisions.after_sales.reships import approve, follow_reship
from ledger.decisions.after_sales.review import (
    add_evidence,
    answer,
    cancel,
    deny,
    reopen,
    request_evidence,
    rule,
    start_review,
)

__all__ = [
    "add_evidence",
    "answer",
    "approve",
    "cancel",
    "deny",
    "deny_refund",
    "follow_reship",
    "grant_refund",
    "has_ended",
    "inspect_return",
    "label_return",
    "open_case",
    "receive_return",
    "record_refund_paid",
    "reopen",
    "request_evidence",
    "rule",
    "ship_return",
    "start_review",
    "take_back_refund",
]
