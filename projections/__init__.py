"""Read models: one file or folder for each question, with its tables, how rows are computed, and its queries."""

from projections.cases import CASES
from projections.clearing import CLEARING
from projections.customer_invoices import CUSTOMER_INVOICES
from projections.effects import EFFECTS
from projections.inquiries import WAITING_INQUIRIES
from projections.machine.projection import Projection
from projections.obligations import SLA
from projections.order_money import ORDER_MONEY
from projections.outbox import OUTBOX
from projections.recoveries import RECOVERIES
from projections.reporting import REPORTING
from projections.retention import RETENTION
from projections.statements import STATEMENTS
from projections.stock_levels import STOCK_LEVELS
from projections.stock_ups import STOCK_UPS
from projections.supplier_invoices import SUPPLIER_INVOICES
from projections.supplier_performance import SUPPLIER_PERFORMANCE
from projections.tracking import TRACKING
from projections.trade import TRADE
from projections.work import WORK

PROJECTIONS: tuple[Projection, ...] = (
    TRACKING,
    SLA,
    SUPPLIER_PERFORMANCE,
    WAITING_INQUIRIES,
    OUTBOX,
    RECOVERIES,
    STOCK_LEVELS,
    STATEMENTS,
    SUPPLIER_INVOICES,
    CUSTOMER_INVOICES,
    STOCK_UPS,
    CASES,
    WORK,
    TRADE,
    ORDER_MONEY,
    CLEARING,
    RETENTION,
    EFFECTS,
    REPORTING,
)
"""Every question there is; a new one is added here and nowhere else."""
