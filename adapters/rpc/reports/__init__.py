"""ReportService, a file a question: every answer comes from one snapshot of one read model."""

from __future__ import annotations

from adapters.rpc.reports.clearing import ClearingQueries
from adapters.rpc.reports.money_totals import MoneyTotalQueries
from adapters.rpc.reports.obligations import ObligationQueries
from adapters.rpc.reports.scorecards import ScorecardQueries
from adapters.rpc.reports.statements import StatementQueries
from adapters.rpc.reports.stock_levels import StockLevelQueries
from adapters.rpc.reports.supplier_reviews import SupplierReviewQueries
from adapters.rpc.reports.totals import TotalQueries
from adapters.rpc.reports.tracking import TrackingQueries
from adapters.rpc.reports.trade import TradeQueries


class ReportQueries(
    TrackingQueries,
    ObligationQueries,
    ScorecardQueries,
    SupplierReviewQueries,
    StatementQueries,
    TradeQueries,
    TotalQueries,
    MoneyTotalQueries,
    ClearingQueries,
    StockLevelQueries,
):
    """ReportService."""
