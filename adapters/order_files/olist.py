"""Olist's marketplace orders, row by row, as commands of the ledger.

A pure translation: rows in, ``BatchCommand`` messages out (``olist_commands``), nothing read or sent. The rows are
taken as they are, in their order; contradictions, repetitions and gaps are counted as oddities, and a row that cannot
be understood is reported and left out, with the order it belongs to.

- A row of order_items is a line of one unit with the deadline ``shipping_limit_date``; a seller is a supplier.
- The freight of an order's items is one charge of it. Its payments have Olist's numbers and types; in how many
  instalments a customer pays is between it and its bank. They came in when the payment was approved, else at the
  latest with the carrier; what neither happened to is reserved, and a payment of nothing is an attempt that failed.
- An order is placed when it was purchased and paid when it was approved, which confirms it and sends each
  supplier its part, also where its payments come to less than it costs. The carrier's date is both the supplier's
  dispatch and the carrier's first scan, because Olist knows the dispatch only from the carrier. No supplier
  acknowledges: Olist does not record it, and a dispatch implies it.
- ``canceled`` counts as cancelled by the customer, because the data names nobody else; ``unavailable`` by the
  supplier, who does not have the goods. Neither has a time: the newest one of the row is taken.
- Customers are pseudonymous, but a ledger's order needs a contact: an address under ``olist.example``, a
  name that can never be a real one, stands for ``customer_unique_id``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from adapters.order_files.olist_commands import (
    CURRENCY,
    OlistCustomer,
    OlistItem,
    OlistPayment,
    OlistTimes,
    OrderCommands,
    cost_centavos,
    covers,
    paid_centavos,
    supplier,
)
from fulfilment.v1 import common_pb2, totals_pb2
from fulfilment.v1.batch_pb2 import BatchCommand

COLUMNS: dict[str, tuple[str, ...]] = {
    "sellers": ("seller_id",),
    "products": ("product_id", "product_weight_g"),
    "customers": (
        "customer_id",
        "customer_unique_id",
        "customer_zip_code_prefix",
        "customer_city",
        "customer_state",
    ),
    "orders": (
        "order_id",
        "customer_id",
        "order_status",
        "order_purchase_timestamp",
        "order_approved_at",
        "order_delivered_carrier_date",
        "order_delivered_customer_date",
        "order_estimated_delivery_date",
    ),
    "order_items": ("order_id", "order_item_id", "product_id", "seller_id", "shipping_limit_date", "price"),
    "order_payments": ("order_id", "payment_sequential", "payment_type", "payment_value"),
    "order_reviews": ("review_id", "order_id", "review_score", "review_creation_date"),
}
"""The tables that are read, and the columns that are needed of each."""
OPTIONAL = ("order_payments",)
"""Tables that a folder may lack: then an order was paid when it was approved, and nobody knows how much."""

ODDITIES = {
    "order_without_items": "no item: held as incomplete",
    "delivered_without_date": "status delivered, no delivery date: counts as not delivered",
    "shipped_without_date": "status shipped or delivered, no carrier date: counts as not dispatched",
    "cancelled_but_dispatched": "canceled or unavailable, yet a carrier had it: the dispatch stands",
    "cancelled_but_delivered": "canceled or unavailable, yet it arrived: the delivery stands",
    "cancelled_without_time": "canceled or unavailable, no time of it: the newest time of the row is taken",
    "in_work_without_time": "processing or invoiced, no time of it: no acknowledgement is recorded",
    "carrier_before_purchase": "with the carrier before it was ordered",
    "carrier_before_approval": "with the carrier before the payment was approved",
    "delivered_before_carrier": "delivered before the carrier had it",
    "carrier_without_approval": "with the carrier, payment never approved: counts as paid at the carrier's date",
    "delivered_without_carrier": "delivered, no carrier date: counts as dispatched when it arrived",
    "deadline_before_approval": "dispatch deadline of an item before the payment was approved",
    "payment_differs": "payments come to more or less than items and freight: recorded as they are",
    "payment_not_approved": "payment never approved, and nothing left: counts as reserved, not as taken",
    "payment_of_nothing": "payment of 0: counts as an attempt that failed",
    "without_payment": "approved or with the carrier, no payment: counts as paid, of an amount that is not known",
    "review_before_purchase": "review older than the order",
    "review_id_repeated": "review id of several orders: recorded for each",
    "several_reviews": "several reviews of one order: all are recorded",
    "unknown_product": "product that products.csv does not have: no weight",
    "unknown_status": "status that Olist is not known to use: only the dates count",
    "ambiguous_time": "local time that occurred twice when summer time ended: the first is taken",
    "nonexistent_time": "local time that summer time skipped: taken as if the clocks had not changed",
}
"""Every kind of oddity, and what was made of it."""

_LOCAL = "America/Sao_Paulo"
_CANCELLED_BY = {"canceled": common_pb2.PARTY_CUSTOMER, "unavailable": common_pb2.PARTY_SUPPLIER}
_STATUSES = {"created", "approved", "processing", "invoiced", "shipped", "delivered", *_CANCELLED_BY}
T = TypeVar("T")


class Row(NamedTuple):
    """A row and where it stands."""

    file: str
    line: int
    cells: Mapping[str | None, Any]
    """As csv.DictReader gives them: None for cells that lack, and under None for cells too many."""

    def cell(self, column: str) -> str:
        value = self.cells.get(column)
        if value is None or None in self.cells:
            raise Misread(self, "has not as many cells as the header has columns")
        return str(value).strip()

    def required(self, column: str) -> str:
        if not (value := self.cell(column)):
            raise Misread(self, f"{column} is empty")
        return value


class Misread(Exception):
    """A row that cannot be understood."""

    def __init__(self, row: Row, why: str) -> None:
        super().__init__(f"{row.file}, line {row.line}: {why}")


class Olist:
    """The tables of one folder as commands, in groups that belong into one batch message each.

    Oddities and problems are complete once all groups were read.
    """

    def __init__(self, tables: Mapping[str, Sequence[Row]]) -> None:
        self.oddities: defaultdict[str, list[str]] = defaultdict(list)
        """For each kind, the orders where it was found, or the rows."""
        self.problems: list[str] = []
        """Rows that were left out, and why."""
        self._zone = ZoneInfo(_LOCAL)
        self._sellers = self._by_id(tables["sellers"], "seller_id")
        self._products = self._by_id(tables["products"], "product_id")
        self._customers = self._by_id(tables["customers"], "customer_id")
        self._orders = self._by_id(tables["orders"], "order_id")
        self._spoilt: set[str] = set()
        """Orders with a line that is not understood; they are left out completely."""
        self._items = self._by_order(tables["order_items"], self._item, self._spoilt.add)
        self._payments = self._by_order(tables.get("order_payments", ()), self._payment, self._spoilt.add)
        self._has_payments = "order_payments" in tables
        self._reviews = self._by_order(tables["order_reviews"], self._review, lambda _: None)

    # --- the groups ---------------------------------------------------------------------------------

    def suppliers(self) -> Iterator[list[BatchCommand]]:
        """Every seller, approved a day before the first order of all. They go before any order."""
        since = self._first_purchase() - timedelta(days=1)
        for seller_id in self._sellers:
            yield supplier(seller_id, since)

    def orders(self) -> Iterator[list[BatchCommand]]:
        """Every order with all that happened to it."""
        self._note_repeated_reviews()
        for order_id, row in self._orders.items():
            try:
                commands = self._order(order_id, row)
            except Misread as problem:
                self._leave_out(problem, f"order {order_id}")
                continue
            yield commands

    def _order(self, order_id: str, row: Row) -> list[BatchCommand]:
        if order_id in self._spoilt:
            raise Misread(row, "an item or a payment of it is not understood")
        items = sorted(self._items[order_id], key=lambda item: item.line_no)
        if len({item.line_no for item in items}) != len(items):
            raise Misread(row, "two items of it have the same order_item_id")
        payments = self._payments[order_id]
        if len({each.number for each in payments}) != len(payments):
            raise Misread(row, "two payments of it have the same payment_sequential")
        times, status = self._times(row), row.required("order_status")
        self._note(order_id, status, times, items)
        self._note_payments(order_id, times, items, payments)
        order = OrderCommands(order_id, list(dict.fromkeys(item.seller_id for item in items)))
        lines = ((item, self._weight_grams(item, order_id)) for item in items)
        commands = [order.placed(self._customer(row), times, lines)]
        if times.paid is not None and not covers(payments, items):
            commands.append(order.paid(times.paid))
        if payments:
            commands.append(order.payments(payments, times))
        if times.paid is not None:
            commands += order.sent(times.paid)
        if times.left is not None:
            commands += order.shipped(times.left, times.carried, times.delivered)
        elif status in _CANCELLED_BY:
            commands += order.cancelled(_CANCELLED_BY[status], status, times.newest, asked=times.paid is not None)
        return [*commands, *(order.reviewed(*review) for review in self._reviews[order_id])]

    def _customer(self, row: Row) -> OlistCustomer:
        customer_id = row.required("customer_id")
        found = self._customers.get(customer_id)
        if found is None:
            raise Misread(row, f"customers.csv has no customer {customer_id}")
        return OlistCustomer(
            found.required("customer_unique_id"),
            found.cell("customer_city"),
            found.cell("customer_state"),
            found.cell("customer_zip_code_prefix"),
        )

    def _weight_grams(self, item: OlistItem, order_id: str) -> int:
        product = self._products.get(item.product_id)
        if product is None:
            self.oddities["unknown_product"].append(order_id)
        return _grams(product) if product else 0

    # --- rows into values ---------------------------------------------------------------------------

    def _by_id(self, rows: Iterable[Row], column: str) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for row in rows:
            try:
                if found.setdefault(row.required(column), row) is not row:
                    raise Misread(row, f"{column} {row.cell(column)} stands in an earlier row")
            except Misread as problem:
                self._leave_out(problem)
        return found

    def _by_order(
        self, rows: Iterable[Row], read: Callable[[Row], T], spoil: Callable[[str], None]
    ) -> defaultdict[str, list[T]]:
        found: defaultdict[str, list[T]] = defaultdict(list)
        for row in rows:
            order_id = str(row.cells.get("order_id"))
            try:
                if order_id not in self._orders:
                    raise Misread(row, f"orders.csv has no order {order_id}")
                found[order_id].append(read(row))
            except Misread as problem:
                self._leave_out(problem)
                spoil(order_id)
        return found

    def _item(self, row: Row) -> OlistItem:
        seller_id = row.required("seller_id")
        if seller_id not in self._sellers:
            raise Misread(row, f"sellers.csv has no seller {seller_id}")
        line_no = row.required("order_item_id")
        if not (line_no.isascii() and line_no.isdigit() and int(line_no)):
            raise Misread(row, f"order_item_id {line_no!r} is not a number from 1")
        ship_by = self._instant(row, "shipping_limit_date")
        freight = _centavos(row, "freight_value") if "freight_value" in row.cells else 0
        return OlistItem(int(line_no), seller_id, row.required("product_id"), ship_by, _centavos(row, "price"), freight)

    def _payment(self, row: Row) -> OlistPayment:
        number = row.required("payment_sequential")
        if not (number.isascii() and number.isdigit()):
            raise Misread(row, f"payment_sequential {number!r} is not a number")
        return OlistPayment(number, row.required("payment_type"), _centavos(row, "payment_value"))

    def _review(self, row: Row) -> tuple[str, int, datetime]:
        score = row.required("review_score")
        if score not in ("1", "2", "3", "4", "5"):
            raise Misread(row, f"review_score {score!r} is not 1 to 5")
        return row.required("review_id"), int(score), self._required_instant(row, "review_creation_date")

    def _times(self, row: Row) -> OlistTimes:
        return OlistTimes(
            self._required_instant(row, "order_purchase_timestamp"),
            self._instant(row, "order_approved_at"),
            self._instant(row, "order_delivered_carrier_date"),
            self._instant(row, "order_delivered_customer_date"),
            self._instant(row, "order_estimated_delivery_date"),
        )

    def _required_instant(self, row: Row, column: str) -> datetime:
        row.required(column)
        instant = self._instant(row, column)
        assert instant is not None, "a cell that is not empty is an instant"
        return instant

    def _instant(self, row: Row, column: str) -> datetime | None:
        """A local time of Sao Paulo in UTC; the first of two, and moved forward where it does not exist."""
        if not (cell := row.cell(column)):
            return None
        try:
            naive = datetime.fromisoformat(cell)
        except ValueError:
            naive = None
        if naive is None or naive.tzinfo is not None:
            raise Misread(row, f"{column} {cell!r} is not a local time such as 2017-10-02 10:56:33")
        local = naive.replace(tzinfo=self._zone)
        before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
        if before != after:
            assert before is not None, "a zone knows its offsets"
            assert after is not None, "a zone knows its offsets"
            kind = "ambiguous_time" if before > after else "nonexistent_time"
            self.oddities[kind].append(f"{row.file}, line {row.line}: {column}")
        return local.astimezone(UTC)

    def _first_purchase(self) -> datetime:
        purchases = []
        for row in self._orders.values():
            try:
                purchases.append(self._required_instant(row, "order_purchase_timestamp"))
            except Misread:
                continue  # it is reported as an order
        return min(purchases, default=datetime(2016, 9, 4, tzinfo=UTC))

    # --- what is odd ----------------------------------------------------------------------------------

    def _leave_out(self, problem: Misread, what: str = "the row") -> None:
        self.problems.append(f"{problem}; {what} is left out")

    def _note(self, order_id: str, status: str, times: OlistTimes, items: Sequence[OlistItem]) -> None:
        purchased, approved, carried, delivered, _ = times
        cancelled = status in _CANCELLED_BY
        odd = {
            "order_without_items": not items,
            "delivered_without_date": status == "delivered" and not delivered,
            "shipped_without_date": status in ("shipped", "delivered") and not times.left,
            "cancelled_but_dispatched": cancelled and bool(times.left),
            "cancelled_but_delivered": cancelled and bool(delivered),
            "cancelled_without_time": cancelled and not times.left,
            "in_work_without_time": status in ("processing", "invoiced"),
            "carrier_before_purchase": carried is not None and carried < purchased,
            "carrier_before_approval": bool(carried and approved and carried < approved),
            "delivered_before_carrier": bool(delivered and carried and delivered < carried),
            "carrier_without_approval": bool(times.left) and not approved,
            "delivered_without_carrier": bool(delivered) and not carried,
            "deadline_before_approval": any(approved and each.ship_by and each.ship_by < approved for each in items),
            "review_before_purchase": any(at < purchased for _, _, at in self._reviews[order_id]),
            "several_reviews": len(self._reviews[order_id]) > 1,
            "unknown_status": status not in _STATUSES,
        }
        self._count(order_id, odd)

    def _note_payments(
        self, order_id: str, times: OlistTimes, items: Sequence[OlistItem], payments: Sequence[OlistPayment]
    ) -> None:
        paid = paid_centavos(payments)
        odd = {
            "payment_differs": bool(items and paid and times.paid) and paid != cost_centavos(items),
            "payment_not_approved": bool(paid) and not times.paid,
            "payment_of_nothing": not all(each.centavos for each in payments),
            "without_payment": self._has_payments and not payments and times.paid is not None,
        }
        self._count(order_id, odd)

    def _count(self, order_id: str, odd: Mapping[str, bool]) -> None:
        for kind, found in odd.items():
            if found:
                self.oddities[kind].append(order_id)

    def _note_repeated_reviews(self) -> None:
        orders: defaultdict[str, set[str]] = defaultdict(set)
        for order_id, reviews in self._reviews.items():
            for review_id, _, _ in reviews:
                orders[review_id].add(order_id)
        self.oddities["review_id_repeated"] += [review_id for review_id, found in orders.items() if len(found) > 1]


def _centavos(row: Row, column: str) -> int:
    cell = row.required(column)
    try:
        centavos = Decimal(cell) * 100
    except InvalidOperation:
        centavos = Decimal("NaN")
    if not centavos.is_finite() or centavos < 0 or centavos != centavos.to_integral_value():
        raise Misread(row, f"{column} {cell!r} is not an amount in reais and centavos")
    return int(centavos)


def _grams(product: Row) -> int:
    """The weight; 0 where the row has none."""
    cell = str(product.cells.get("product_weight_g") or "")
    return int(cell) if cell.isascii() and cell.isdigit() else 0


def summary(found: totals_pb2.GetSummaryResponse) -> dict[str, int]:
    """A summary of the ledger under the names that figures of these files go by, to be compared with them."""
    return {
        "orders": found.orders,
        "supplier_orders": found.supplier_orders,
        "multi_supplier_orders": found.multi_supplier_orders,
        "suppliers": found.suppliers,
        "units": found.units,
        "gmv_centavos": sum(each.amount_minor for each in found.gmv if each.currency == CURRENCY),
        "supplier_orders_with_carrier_date": found.supplier_orders_dispatched,
        "supplier_orders_dispatched_on_time": found.supplier_orders_dispatched_on_time,
        "delivered_orders": found.delivered_orders,
        "delivered_late": found.delivered_late,
    }
