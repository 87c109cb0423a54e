"""What has each supplier of each SKU, how long will it last, what moved it, and what is to be taken off sale?

A level's row shows its stream alone; what depends on the day or on the retailer's terms, such as days of
cover, is worked out when it is asked for. Beside the levels stand the orders that wait for stock.
"""

from projections.stock_levels.clock import due
from projections.stock_levels.lists import (
    Level,
    ListingAnswer,
    ProposedUnits,
    list_levels,
    list_listings,
    list_movements,
    propose,
)
from projections.stock_levels.projection import STOCK_LEVELS
from projections.stock_levels.rows import StockMovement
from projections.stock_levels.selling import all_skus, figures, skus_of, with_bundles

__all__ = [
    "STOCK_LEVELS",
    "Level",
    "ListingAnswer",
    "ProposedUnits",
    "StockMovement",
    "all_skus",
    "due",
    "figures",
    "list_levels",
    "list_listings",
    "list_movements",
    "propose",
    "skus_of",
    "with_bundles",
]
