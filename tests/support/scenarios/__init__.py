"""Every refusal that the protos document, by RPC and reason, and what makes it so.

A scenario gives the fields in which a request differs from a well-formed one about nothing that there is.
"""

from __future__ import annotations

from tests.support.scenarios.about import Scenarios
from tests.support.scenarios.cases import CASES
from tests.support.scenarios.orders import ORDERS
from tests.support.scenarios.parcels import PARCELS
from tests.support.scenarios.recoveries import RECOVERIES
from tests.support.scenarios.reports import REPORTS
from tests.support.scenarios.suppliers import SUPPLIERS
from tests.support.scenarios.work import WORK

SCENARIOS: Scenarios = {**ORDERS, **SUPPLIERS, **PARCELS, **CASES, **RECOVERIES, **WORK, **REPORTS}
