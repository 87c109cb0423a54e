"""Every refusal that the protos document, by RPC and reason, and what makes it so.

A scenario gives the fields in which a request differs from a well-formed one about nothing that there is.
"""

from __future__ import annotations

from tests.support.refusal_scenarios.about import Scenarios
from tests.support.refusal_scenarios.cases import CASES
from tests.support.refusal_scenarios.customer_invoices import CUSTOMER_INVOICES
from tests.support.refusal_scenarios.edges import EDGES
from tests.support.refusal_scenarios.orders import ORDERS
from tests.support.refusal_scenarios.parcels import PARCELS
from tests.support.refusal_scenarios.recoveries import RECOVERIES
from tests.support.refusal_scenarios.reports import REPORTS
from tests.support.refusal_scenarios.stock_ups import STOCK_UPS
from tests.support.refusal_scenarios.supplier_invoices import SUPPLIER_INVOICES
from tests.support.refusal_scenarios.suppliers import SUPPLIERS
from tests.support.refusal_scenarios.work import WORK

SCENARIOS: Scenarios = {
    **ORDERS,
    **SUPPLIERS,
    **PARCELS,
    **CASES,
    **RECOVERIES,
    **SUPPLIER_INVOICES,
    **CUSTOMER_INVOICES,
    **STOCK_UPS,
    **WORK,
    **EDGES,
    **REPORTS,
}
