"""What commands on a large order are measured on: a market, an order of 50 lines, or of more, each of a SKU of its own,
decisions at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from msgspec.structs import replace

from ledger.decisions import (
    intake,
    sourcing,
    stock_alerts,
    stock_watch,
)
from ledger.decisions.timers import timer
from ledger.engine.book import Book
from ledger.facts import Change, LineNo, Sealed, Units, changes_of
from ledger.nouns import (
    NOUNS,
    policies,
    suppliers,
)
from ledger.nouns.offers import Offer
from ledger.nouns.orders import (
    Line,
    OrderPlaced,
    PaymentState,
)
from ledger.nouns.policies import Policy
from ledger.nouns.stock import Feed
from ledger.nouns.suppliers import (
    Agreement,
    SampleReviewed,
    SupplierApproved,
    SupplierRegistered,
    TermsAgreed,
)
from ledger.terms.money import Money
from ledger.terms.places import Destination
from ledger.terms.shipping import Incoterm
from ledger.view import View

Decide = Callable[[View, datetime], Sequence[Change]]
"""A decision, made at a time."""

NUMBERS: list[LineNo] = []
"""Of the lines, and of the supplier orders and parcels where each line has its own."""
ORDER = "shop/1"
FIRST = f"{ORDER}/1"
CASE = "case-1"
ALL: Units = {}
"""Every unit of the order."""
ANN = Sealed("key", b"box")
PHOTO = sha256(b"a photo").hexdigest()
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def resize(lines: int) -> None:
    """Of how many lines the order is."""
    NUMBERS[:] = map(LineNo, range(1, lines + 1))
    ALL.clear()
    ALL.update(dict.fromkeys(NUMBERS, 2))


resize(50)


Owner = Callable[[LineNo], str]
"""The supplier that the shop names for a line."""


class World(NamedTuple):
    """All that has happened, and the present time."""

    log: tuple[Change, ...] = ()
    now: datetime = START

    @property
    def book(self) -> Book:
        """A new one each time: folding stock changes it in place."""
        return Book.of(NOUNS, self.log)

    def after(self, *decisions: Decide) -> World:
        book, log = self.book, list(self.log)
        for decide in decisions:
            changes = decided(decide, self.now)(book)
            book.record(changes)
            log += changes
        return self._replace(log=tuple(log))

    def unserved(self, *decisions: Decide) -> World:
        """After decisions whose units nobody gets yet, as where more orders wait than one command serves."""
        book = self.book
        return self._replace(log=(*self.log, *(change for decide in decisions for change in decide(book, self.now))))

    def later(self, days: float) -> World:
        return self._replace(now=self.now + days * DAY)


def decided(decide: Decide, now: datetime) -> Callable[[View], Sequence[Change]]:
    """A decision as the edge hands it to the ledger."""
    return stock_watch.watching(lambda view: decide(view, now), now)


class Command(NamedTuple):
    """A command that is measured."""

    name: str
    before: World
    decide: Decide
    facts: int
    """How many it records; fewer would be a refusal, or less than the most it can have to do."""


# --- decisions at a time, names -------------------------------------------------------------------


def at_now(decide: Callable[..., Sequence[Change]], *arguments: Any) -> Decide:
    """A decision on what happens now."""
    return lambda view, now: decide(view, *arguments, now, now)


def timer_runs_out(name: str, *names: str) -> Decide:
    """What the clock notices when the timer of that name runs out."""
    return timer(name, names, START).notice


def only_now(decide: Callable[..., Sequence[Change]], *arguments: Any) -> Decide:
    """A decision that needs only the present time."""
    return lambda view, now: decide(view, *arguments, now)


def acme(number: LineNo) -> str:
    return "acme"


def each_its_own(number: LineNo) -> str:
    return f"supplier-{number}"


def nobody(number: LineNo) -> str:
    return ""


def sku_of(number: LineNo) -> str:
    return f"SKU-{number}"


# --- a market and an order ------------------------------------------------------------------------


def market(owner: Owner = acme, units: int = 4, others: int = 4) -> World:
    """For each SKU the supplier that the shop names, with so many units, and two others, with so many each."""
    numbers = {each: [n for n in NUMBERS if owner(n) == each] for each in map(owner, NUMBERS)}
    has = dict.fromkeys(numbers, units) | {"bolt": others, "core": others}
    numbers |= {"bolt": NUMBERS, "core": NUMBERS}
    log = changes_of(policies.stream(), policies.agree(None, Policy(low_stock_units=4), START - DAY, START))
    log += [change for supplier_id in numbers for change in approved(supplier_id)]
    items = [(supplier_id, n) for supplier_id, of in numbers.items() for n in of]
    return World(tuple(log)).after(*(_offers(*item) for item in items), *(feeds(*item, has[item[0]]) for item in items))


def approved(supplier_id: str) -> list[Change]:
    terms = Agreement(
        START - DAY,
        acknowledge_within_hours=24,
        dispatch_within_hours=48,
        first_scan_within_hours=36,
        answer_within_hours=48,
        compensation_basis_points=1000,
        feed_interval_hours=24 * 365,
        cancel_answer_within_hours=24,
        resolve_within_hours=72,
    )
    facts = (
        SupplierRegistered(supplier_id, supplier_id.title(), START, country="CN", contact=ANN),
        SampleReviewed(supplier_id, True, True, True, START),
        TermsAgreed(supplier_id, terms, START),
        SupplierApproved(supplier_id, START),
    )
    return [(suppliers.stream(supplier_id), fact) for fact in facts]


def _offers(supplier_id: str, number: LineNo) -> Decide:
    return only_now(sourcing.offer_sku, supplier_id, Offer(sku_of(number), Money(300, "EUR"), backups=("core", "bolt")))


def feeds(supplier_id: str, number: LineNo, units: int, version: int = 1) -> Decide:
    return only_now(stock_alerts.record_feed, supplier_id, sku_of(number), Feed(units, version, START))


def line_of(number: LineNo, supplier_id: str) -> Line:
    return replace(bare_line(number, supplier_id), title="A mug", hs_code="691110", origin="CN", weight_grams=300)


def bare_line(number: LineNo, supplier_id: str) -> Line:
    """A line of a shop that knows nothing of customs."""
    return Line(number, sku_of(number), 2, 990, supplier_id=supplier_id)


def places(
    owner: Owner = acme, line: Callable[[LineNo, str], Line] = line_of, cart_id: str = "", **more: Any
) -> Decide:
    """The shop sold two of each SKU; an order that is complete and paid unless ``more`` differs."""
    known: dict[str, Any] = {"destination": Destination("DE"), "incoterm": Incoterm.DDP, "payment": PaymentState.PAID}
    placed = OrderPlaced(
        ORDER, "shop", "1", START, "EUR", tuple(line(n, owner(n)) for n in NUMBERS), START, "digest", ANN, "ann",
        has_contact=True, has_address=True, **(known | more),
    )  # fmt: skip
    return only_now(intake.place, placed, False, cart_id)
