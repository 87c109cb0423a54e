"""What has to happen by when, what happened too late, and what is the clock task to look at now?

An obligation is one clock of one object (DOMAIN 6): a supplier order's acknowledgement and dispatch,
an order's delivery, a parcel's first scan, an inquiry's answer, a case's first answer, a claim's filing, a
supplier's answer to a recovery. Each has an owner: the supplier, the carrier or the retailer. Beside them
stand timers that oblige nobody but make facts when they run out: stock that is held, parcels that nobody
sees, return windows, waiting times of claims, reships that a case waits for, overdue units that another
supplier is to be sought for.
"""

from projections.obligations.clock import due
from projections.obligations.lists import Counts, count_obligations, list_breaches, list_obligations
from projections.obligations.projection import OBLIGATIONS_OF, SLA
from projections.obligations.rows import Obligation

__all__ = [
    "OBLIGATIONS_OF",
    "SLA",
    "Counts",
    "Obligation",
    "count_obligations",
    "due",
    "list_breaches",
    "list_obligations",
]
