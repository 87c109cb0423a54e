"""What do reporting jobs read by SQL and in exports, as a contract that only ever grows?"""

from ledger.nouns import cases, orders, parcels, recoveries, supplier_invoices, suppliers
from projections.machine.projection import Stamped, projection
from projections.reporting import case_rows, due_rows, order_rows, parcel_rows, shown_rows, supplier_rows
from projections.reporting.declaring import GONE, DescribedColumn, ReportTable

__all__ = ["GONE", "REPORTING", "REPORT_TABLES", "DescribedColumn", "ReportTable"]

_MADE = (
    (orders.NOUN, order_rows.ORDERS, order_rows.order),
    (orders.NOUN, order_rows.LINES, order_rows.lines),
    (orders.NOUN, order_rows.SUPPLIER_ORDERS, order_rows.supplier_orders),
    (orders.NOUN, order_rows.HOLDS, order_rows.holds),
    (orders.NOUN, order_rows.PAYMENTS, order_rows.payments),
    (orders.NOUN, order_rows.COMPENSATION, order_rows.compensation),
    (orders.NOUN, case_rows.CUSTOMER_INVOICES, case_rows.customer_invoices),
    (parcels.NOUN, parcel_rows.PARCELS, parcel_rows.parcel),
    (parcels.NOUN, parcel_rows.CHECKPOINTS, parcel_rows.checkpoints),
    (suppliers.NOUN, supplier_rows.SUPPLIERS, supplier_rows.supplier),
    (suppliers.NOUN, supplier_rows.AGREEMENTS, supplier_rows.agreements),
    (supplier_invoices.NOUN, supplier_rows.SUPPLIER_INVOICES, supplier_rows.supplier_invoice),
    (cases.NOUN, case_rows.CASES, case_rows.case),
    (cases.NOUN, case_rows.REFUNDS, case_rows.refunds),
    (recoveries.NOUN, case_rows.RECOVERIES, case_rows.recovery),
)

REPORTING = projection(
    "reporting",
    2,
    *(Stamped(noun, made.rows_table, rows, GONE) for noun, made, rows in _MADE),
    *due_rows.SOURCES,
)

REPORT_TABLES: tuple[ReportTable, ...] = (
    order_rows.ORDERS,
    order_rows.LINES,
    order_rows.SUPPLIER_ORDERS,
    parcel_rows.PARCELS,
    parcel_rows.CHECKPOINTS,
    order_rows.HOLDS,
    due_rows.OBLIGATIONS,
    due_rows.BREACHES,
    order_rows.COMPENSATION,
    shown_rows.RATE_DAYS,
    shown_rows.RATE_WINDOWS,
    supplier_rows.SUPPLIERS,
    supplier_rows.AGREEMENTS,
    shown_rows.LEVELS,
    shown_rows.MOVEMENTS,
    case_rows.CASES,
    case_rows.REFUNDS,
    case_rows.RECOVERIES,
    shown_rows.STATEMENTS,
    supplier_rows.SUPPLIER_INVOICES,
    case_rows.CUSTOMER_INVOICES,
    shown_rows.MESSAGES,
    due_rows.WORK,
    order_rows.PAYMENTS,
    shown_rows.GONE_ROWS,
    shown_rows.PROGRESS,
)
"""Every table of the contract; a new one is added at the end."""
