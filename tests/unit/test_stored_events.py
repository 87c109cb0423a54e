"""What was stored stays readable: one line of every fact, as it stood in a log one day, and of every refusal.

A line is ``{"stream": ..., "fact": its name, "state": its JSON}``. Lines are never changed or removed,
because such facts are in the logs of retailers. A new fact, or a new optional field, gets a line more::

    python -m tests.unit.test_stored_events order-shopify/1 '{"fact": "order.reviewed", "order_id": ...}'

which checks the fact, folds it onto its stream and appends it.

Refusals are stored as well, as the outcomes of their commands. ``stored_refusals.txt`` holds a line of each, its reason
and its kind, which are never changed or removed either. A new refusal gets a line.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ledger.engine.book import Book
from ledger.engine.registry import UnknownFact
from ledger.facts import LineNo, Value
from ledger.nouns import NOUNS, cases, orders, parcels, recoveries, skus, stock, suppliers
from ledger.nouns.orders import Header
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.suppliers import Standing
from ledger.refusals import AlreadyExists, Forbidden, NotFound, Refusal, kind_of
from tests.support.contract import refusal_classes
from tests.support.stored_events import FILE, REGISTRY, Stored, stored

REFUSALS = Path(__file__).with_name("stored_refusals.txt")


def folded() -> Book:
    return Book.of(NOUNS, ((each.stream, each.decoded()) for each in stored()))


def test_every_fact_that_the_ledger_knows_is_in_the_file():
    missing = REGISTRY.classes.keys() - {each.fact for each in stored()}
    assert missing == set(), f"append a line for each, as {FILE.name}'s test says at its top"


def test_every_fact_in_the_file_is_still_known():
    gone = {each.fact for each in stored()} - REGISTRY.classes.keys()
    assert gone == set(), "a stored fact is never renamed or removed: keep its class"


@pytest.mark.parametrize("line", stored(), ids=[f"line {n}: {each.fact}" for n, each in enumerate(stored(), 1)])
def test_a_stored_fact_reads_as_its_class_and_is_written_as_it_was(line: Stored):
    fact = line.decoded()
    assert type(fact) is REGISTRY.classes[line.fact]
    assert json.loads(REGISTRY.encode(fact)) == line.state


def test_every_field_is_filled_in_some_line():
    seen: Counter[tuple[str, str]] = Counter()
    classes: dict[str, type[Value]] = {cls.__name__: cls for cls in REGISTRY.classes.values()}
    for each in stored():
        for value in values_in(each.decoded()):
            classes[type(value).__name__] = type(value)
            for field in msgspec.structs.fields(type(value)):
                if getattr(value, field.name) not in (field.default, {}, (), "", None):
                    seen[type(value).__name__, field.name] += 1
    every = {(name, field) for name, cls in classes.items() for field in cls.__struct_fields__}
    assert every - seen.keys() == set(), "append a line in which these fields are filled"


def values_in(value: object) -> Iterator[Value]:
    """The value and all values inside it."""
    if isinstance(value, Value):
        yield value
        for name in value.__struct_fields__:
            yield from values_in(getattr(value, name))
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from values_in(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from values_in(each)


def test_a_name_that_was_never_known_is_an_error_that_says_so():
    with pytest.raises(UnknownFact, match=r"order\.teleported"):
        REGISTRY.decode("order.teleported", b"{}")


# --- refusals -------------------------------------------------------------------------------------


def recorded() -> dict[str, str]:
    """The kind of every refusal that a decision can give, by its reason."""
    return {each.reason: kind_of(each) for each in refusal_classes() if kind_of(each)}


def stored_refusals() -> dict[str, str]:
    return dict(line.split() for line in REFUSALS.read_text().splitlines())


def test_every_refusal_that_is_recorded_is_in_the_file_with_its_kind():
    new = {reason: kind for reason, kind in recorded().items() if stored_refusals().get(reason) != kind}
    assert new == {}, f"append to {REFUSALS.name} the line of a new one; one that is there keeps its kind"


def test_every_refusal_in_the_file_is_still_known():
    gone = stored_refusals().keys() - recorded().keys()
    assert gone == set(), 'a renamed class keeps its stored name: class New(Forbidden, reason="OLD")'


def test_a_refusal_is_stored_under_one_line():
    lines = REFUSALS.read_text().splitlines()
    assert len({line.split()[0] for line in lines}) == len(lines)


def test_a_renamed_refusal_keeps_the_name_that_it_is_stored_under():
    class Renamed(Forbidden, reason="FORMERLY"):
        says = "no"

    try:
        assert Renamed().reason == "FORMERLY"
        assert isinstance(Refusal.restored("FORMERLY", "no", {}), Renamed)
    finally:
        del Refusal.by_reason["FORMERLY"]


@pytest.mark.parametrize(
    ("kind", "expected"), [("not_found", NotFound), ("already_exists", AlreadyExists), ("", Forbidden)]
)
def test_a_refusal_that_is_not_known_is_answered_as_it_was_stored(kind: str, expected: type[Refusal]):
    again = Refusal.restored("OF_ANOTHER_VERSION", "a sentence", {"figure": "1"}, kind)
    assert (type(again), again.reason, again.message, again.details) == (
        expected,
        "OF_ANOTHER_VERSION",
        "a sentence",
        {"figure": "1"},
    )


# --- what the file's streams amount to ------------------------------------------------------------


def test_the_stored_orders_fold_to_what_they_were():
    book = folded()
    whole, refused = orders.find(book, "shopify/1"), orders.find(book, "shopify/2")
    assert whole is not None
    assert refused is not None
    filled = {n: {k: v for k, v in msgspec.structs.asdict(b).items() if v} for n, b in whole.buckets.items()}
    assert filled == {
        1: {"delivered": 1, "shipped": 2, "cancelled": 1},
        2: {"lost": 1, "backordered": 1, "open": 1, "cancelled": 1},
    }
    assert whole.header is Header.PARTLY_DELIVERED
    assert [(hold.reason, hold.owner) for hold in whole.holds] == [("customer_request", "mia")]
    assert whole.missed == {("shopify/1/1", "dispatch")}
    assert [str(each.stage) for each in whole.supplier_orders.values()] == ["partly_shipped"]
    assert refused.header is Header.COMPLETED


def test_the_stored_rerouting_folds_to_what_it_was():
    order, sku = orders.find(folded(), "shopify/40"), skus.find(folded(), "tea")
    assert order is not None
    assert sku is not None
    assert sku.suppliers == ("bolt",)
    buckets = {
        name: count
        for name in order.buckets[LineNo(1)].__struct_fields__
        if (count := getattr(order.buckets[LineNo(1)], name))
    }
    assert buckets == {"backordered": 1, "assigned": 3}
    assert [(each.supplier_id, each.because) for each in order.supplier_orders.values()] == [
        ("acme", ""),
        ("bolt", "rejected: out_of_stock"),
        ("cord", "overdue"),
    ]
    assert [each.supplier_id for each in order.chosen.values()] == ["acme", "acme"]
    assert order.supplier_orders["shopify/40/1"].packing_lacks == ()


def test_the_stored_stock_folds_to_what_it_was():
    state = stock.find(folded(), "acme", "tea")
    assert state is not None
    assert state.feed is not None
    assert (state.feed.quantity, state.feed.version, state.buffer) == (4, 7, 1)
    assert {name: (each.units, str(each.status)) for name, each in state.reservations.items()} == {
        "shopify/1": (2, "committed")
    }
    assert (state.held, state.committed, state.available) == (0, 3, 0)


def test_the_stored_parcels_and_suppliers_fold_to_what_they_were():
    book = folded()
    parcel, supplier = parcels.find(book, "dhl", "JD014600003RF"), suppliers.find(book, "acme")
    assert parcel is not None
    assert supplier is not None
    assert (parcel.epoch, parcel.status, len(parcel.checkpoints)) == (1, ParcelStatus.SUSPECTED_LOST, 2)
    assert (bool(parcel.proofs), parcel.first_scan_missed, parcel.order_id) == (True, True, "shopify/1")
    assert supplier.standing is Standing.RETIRED
    assert (len(supplier.agreements), list(supplier.offers)) == (1, ["tea"])
    assert book.state("policy-retailer").versions[-1][1].return_window_days == 30


def test_the_stored_recoveries_fold_to_what_they_were():
    book = folded()
    claim, barred, asked = (recoveries.find(book, each) for each in ("dhl-loss-1", "dhl-loss-2", "case-1/supplier/EUR"))
    assert claim is not None
    assert barred is not None
    assert asked is not None
    assert (claim.status, claim.agreed_minor, claim.kept_minor) == ("approved", 800, 300)
    assert barred.status == "time_barred"
    assert (asked.status, asked.asked_minor, asked.received_minor) == ("written_off", 700, 400)


def test_the_stored_cases_fold_to_what_they_were():
    book = folded()
    resolved, cancelled, order = cases.find(book, "case-9"), cases.find(book, "case-10"), orders.find(book, "shopify/1")
    assert resolved is not None
    assert cancelled is not None
    assert order is not None
    assert (resolved.status, resolved.remedy, resolved.reship_failure) == ("resolved", "refund", "lost")
    assert resolved.refunds["refund-1"].reference == "psp-77"
    assert (cancelled.status, cancelled.denial, cancelled.by_line) == ("cancelled", "goods_used", {1: 1})
    assert order.after_sales.open_cases == ["case-10"]
    assert order.after_sales.refunded_minor(LineNo(1)) == 500


# --- a line more ----------------------------------------------------------------------------------


def append(stream: str, state: str) -> None:
    """Appends a fact that decodes, belongs on the stream and folds."""
    name = json.loads(state)["fact"]
    fact = REGISTRY.decode(name, state.encode())
    folded().record([(stream, fact)])
    line = {"stream": stream, "fact": name, "state": json.loads(REGISTRY.encode(fact))}
    with FILE.open("a") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    append(*sys.argv[1:])
