"""FindingService: everything about a customer, everything about an order."""

from __future__ import annotations

from adapters.rpc.finding.customers import CustomerQueries
from adapters.rpc.finding.timeline import TimelineQueries


class FindingQueries(CustomerQueries, TimelineQueries):
    """FindingService."""
