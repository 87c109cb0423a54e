"""How well does each supplier do, and how much was sold and sent in all?

What decides whether a supplier order, an order, a parcel or a review counts in a rate, from when, and
whether as wanted, stands in its row, so that a rate is a sum over one range of one index. Beside the rows
stand sums of them, kept by what changes: by day, and for the usual windows.
"""

from projections.supplier_performance.projection import SUPPLIER_PERFORMANCE
from projections.supplier_performance.totals import EVER, Placed, placed_ever

__all__ = ["EVER", "SUPPLIER_PERFORMANCE", "Placed", "placed_ever"]
