"""Rows of levels, of what moved them, and of the orders that wait for stock."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from projections.machine.rows import Text
from projections.machine.tables import table


class LevelRow(NamedTuple):
    """What a supplier has of a SKU, by its stream alone."""

    supplier_id: str
    sku: str
    position: int
    """Of the fact that last touched it."""
    tracked: bool
    quantity: int
    feed_version: int
    as_of: datetime | None
    stale_at: datetime | None
    stale_since: datetime | None
    restocked: int
    held: int
    committed: int
    buffer: int
    stale_buffer: int
    free: int
    awaited: int
    kept: int
    """For orders that wait; free units but for these are available."""
    available: int
    shortfall: int
    low_threshold: int | None
    low: bool
    running_out: bool
    sold_out: bool
    demand: dict[int, int]
    """The units of each day."""


class StockMovement(NamedTuple):
    """One fact of a level, and what it did to the units that are available."""

    position: int
    supplier_id: str
    sku: str
    what: Text
    units: int | None
    delta: int
    available: int
    reservation_id: str
    """Empty where the fact is about no reservation."""
    because: Text
    at: datetime

    @property
    def order_id(self) -> str:
        """The order that the reservation is for; empty for a cart's."""
        return self.reservation_id if "/" in self.reservation_id else ""


class WaitingOrder(NamedTuple):
    """A SKU of a supplier that an order waits for."""

    order_id: str
    supplier_id: str
    sku: str
    units: int
    """How many units have to be available for it to go on."""
    together: bool
    """Whether all items of the order marked so have to be available together, or this one is enough."""
    seeks: bool
    """Whether the supplier has to be approved, and may send no feed."""
    placed_at: datetime


class SupplierApproval(NamedTuple):
    """Whether a supplier may sell."""

    supplier_id: str
    approved: bool
    sold: bool
    """Whether it ever was: what it lacks now may be on sale."""


class OfferEnd(NamedTuple):
    """When a supplier offers a SKU no more: since it withdrew it, or from the end of its offers on."""

    supplier_id: str
    sku: str
    ends_at: datetime


class SkuListing(NamedTuple):
    """A SKU that was delisted, and maybe relisted since."""

    sku: str
    delisted: bool
    since: datetime
    crossings: int
    against: dict[str, str]
    """Why a supplier can promise no unit of a delisted one."""


class SkuBundle(NamedTuple):
    """A SKU that is sold as one and sent as others."""

    sku: str
    parts: dict[str, int]
    """The units of each part; a part may be a bundle too."""


LEVELS = table(
    "stock_levels",
    LevelRow,
    2,
    "(sku, supplier_id)",
    "(stale_at) WHERE stale_since IS NULL",
    "(supplier_id, sku) WHERE low",
    "(supplier_id, sku) WHERE running_out",
    "(supplier_id, sku) WHERE sold_out",
    "(supplier_id, sku) WHERE stale_since IS NOT NULL",
    "(supplier_id, sku) WHERE shortfall > 0",
)
MOVEMENTS = table("stock_movements", StockMovement, 1, "(supplier_id, sku, position)")
WAITING = table("stock_waiting", WaitingOrder, 3)
SELLERS = table("stock_sellers", SupplierApproval, 1)
OFFER_ENDS = table("stock_offer_ends", OfferEnd, 2, "(ends_at)")
LISTINGS = table("stock_listings", SkuListing, 1, "(sku) WHERE delisted")

BUNDLES = table("stock_bundles", SkuBundle, 1, "USING gin ((parts::jsonb))")
