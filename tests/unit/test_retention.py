"""What was kept for as long as the policy says is erased, kind by kind, and never what somebody still needs."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ledger.decisions import erasing, retention
from ledger.decisions.retention import Copies, Expiry
from ledger.facts import Change, Fact, Sealed
from ledger.nouns import orders, suppliers
from ledger.nouns.cases import Remedy
from ledger.nouns.orders import (
    InvoiceCustomerCopied,
    InvoiceWish,
    NoteAdded,
    PersonalDataAdded,
    PersonalDataHeld,
    PersonErased,
)
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.policies import Seller
from ledger.nouns.suppliers import ContactErased
from ledger.terms.retention import PURPOSES, PersonalKind, Retention
from ledger.view import View
from tests.support.casework import CASE, RESHIP, Desk, approved
from tests.support.scenario import DAY, NOON, ORDER, Scenario, confirmed, delivered, line

CUSTOMER, EVIDENCE, TEXTS, LETTERS, INVOICE, DELIVERY = PersonalKind
EVERY = Retention(customer_days=30, evidence_days=30, texts_days=30, letters_days=30, invoice_days=30, delivery_days=30)


def over(*periods: Retention) -> Scenario:
    """An order that arrived and is completed, by a policy with these periods."""
    scenario = delivered()
    scenario.agree(retention=periods)
    scenario.later(days=14)
    return complete(scenario)


def complete(scenario: Scenario, order_id: str = ORDER) -> Scenario:
    facts = orders.complete(orders.find(scenario.book, order_id), scenario.now)
    scenario.record((orders.stream(order_id), fact) for fact in facts)
    return scenario


def due(scenario: Scenario, order_id: str = ORDER) -> set[PersonalKind]:
    return set(retention.due_kinds(scenario.book, order_id, scenario.now))


def expire(scenario: Scenario, order_id: str = ORDER) -> list[Fact]:
    return scenario.record(retention.expire(scenario.book, order_id, scenario.now))


def hold(scenario: Scenario, until: datetime) -> None:
    held = PersonalDataHeld(ORDER, "file 7", "mia", scenario.now, until)
    scenario.record(erasing.hold(scenario.book, held))


def write(scenario: Scenario, purpose: str = "note") -> list[Fact]:
    """Somebody writes something about the order, which is sealed for a purpose."""

    def decide(view: View) -> list[Change]:
        note = NoteAdded(ORDER, Sealed("key-9", b"box"), "1.digest", "mia", scenario.now)
        return [(orders.stream(ORDER), note)]

    noted = retention.noting(decide, [purpose], lambda view: orders.anchor(ORDER), scenario.now)
    return scenario.record(noted(scenario.book))[1:]


# --- when -----------------------------------------------------------------------------------------


def test_each_kind_goes_after_its_own_time_and_says_so():
    scenario = over(Retention(customer_days=30, texts_days=365, letters_days=30))
    scenario.later(days=29, hours=23)
    assert (due(scenario), expire(scenario)) == (set(), [])
    scenario.later(hours=1)
    assert expire(scenario) == [PersonErased(ORDER, "clock", scenario.now, kinds=(CUSTOMER, LETTERS))]
    assert expire(scenario) == []
    order = scenario.order()
    assert (order.erased_at, set(order.expired)) == (scenario.now, {CUSTOMER, LETTERS})
    scenario.later(days=335)
    assert due(scenario) == {TEXTS}


def test_without_periods_nothing_goes():
    scenario = over()
    scenario.later(days=40_000)
    assert due(scenario) == set()


def test_a_channel_has_its_own_periods_and_others_have_those_without_a_name():
    own = over(Retention("shopify", customer_days=10), Retention(customer_days=90))
    own.later(days=10)
    assert due(own) == {CUSTOMER}
    other = over(Retention("amazon", customer_days=10), Retention(texts_days=10))
    other.later(days=10)
    assert due(other) == {TEXTS}


def test_periods_from_the_shipment_end_earlier_and_never_before_the_order_is_over():
    scenario = delivered()
    scenario.agree(retention=(Retention(customer_days=30, from_shipment=True),))
    shipped_at = max(each.shipped_at for each in scenario.order().shipments)
    scenario.now = shipped_at + 31 * DAY
    assert due(scenario) == set(), "it can still come back"
    complete(scenario)
    assert due(scenario) == {CUSTOMER}


def test_a_changed_policy_is_for_old_orders_too():
    scenario = over(Retention(customer_days=365))
    scenario.later(days=40)
    assert due(scenario) == set()
    scenario.agree(retention=(Retention(customer_days=30),))
    assert due(scenario) == {CUSTOMER}


# --- what stays -----------------------------------------------------------------------------------


def test_a_legal_hold_keeps_all_until_it_ends():
    scenario = over(EVERY)
    hold(scenario, scenario.now + 100 * DAY)
    scenario.later(days=99)
    assert due(scenario) == set()
    scenario.later(days=1)
    assert CUSTOMER in due(scenario)


def test_an_open_case_keeps_all_and_the_time_begins_again_when_it_is_closed():
    scenario = over(EVERY)
    desk = Desk(scenario)
    scenario.later(days=29)
    desk.opens()
    scenario.later(days=100)
    assert due(scenario) == set()
    desk.cancels()
    complete(scenario)
    scenario.later(days=29)
    assert due(scenario) == set()
    scenario.later(days=1)
    assert {CUSTOMER, TEXTS, EVIDENCE} <= due(scenario)


def test_what_is_owed_is_paid_first_and_the_time_begins_when_it_was():
    scenario = confirmed(line(1, "tea", 2))
    scenario.agree(retention=(EVERY,))
    scenario.cancel()
    assert orders.owed_minor(scenario.order()) > 0
    scenario.later(days=400)
    assert (due(scenario), expire(scenario)) == (set(), [])
    scenario.pays_owed(amount_minor=1)
    scenario.later(days=400)
    assert due(scenario) == set(), "the rest is still owed"
    scenario.pays_owed("back-2")
    scenario.later(days=29)
    assert due(scenario) == set()
    scenario.later(days=1)
    assert CUSTOMER in due(scenario)
    assert expire(scenario) != []


def test_an_order_stays_as_long_as_the_one_that_sends_its_goods_once_more():
    scenario = approved(Remedy.RESHIP).scenario
    scenario.agree(retention=(EVERY,))
    scenario.later(days=400)
    assert (due(scenario), due(scenario, RESHIP)) == (set(), set())
    scenario.send(f"{RESHIP}/1")
    scenario.ship(supplier_order_id=f"{RESHIP}/1", number="P9")
    scenario.scan(ParcelStatus.DELIVERED, number="P9")
    Desk(scenario).looks_at_the_reship()
    scenario.later(days=14)
    complete(scenario)
    assert CUSTOMER not in due(scenario), "the other one can still come back"
    complete(scenario, RESHIP)
    scenario.later(days=29)
    scenario.record([(orders.stream(RESHIP), PersonalDataAdded(RESHIP, scenario.now))])
    scenario.later(days=29)
    assert (due(scenario), due(scenario, RESHIP)) == (set(), set())
    scenario.later(days=1)
    assert CUSTOMER in due(scenario) & due(scenario, RESHIP)


def test_what_is_written_later_postpones_all_and_is_erased_in_its_turn():
    scenario = over(Retention(customer_days=30, texts_days=30))
    scenario.later(days=20)
    assert write(scenario) == [PersonalDataAdded(ORDER, scenario.now)]
    scenario.later(days=29)
    assert due(scenario) == set()
    scenario.later(days=1)
    expire(scenario)
    scenario.later(days=5)
    assert write(scenario) == [PersonalDataAdded(ORDER, scenario.now)]
    scenario.later(days=30)
    assert TEXTS in due(scenario)


def test_what_is_written_of_an_open_order_needs_no_word():
    assert write(delivered()) == []


def test_late_scans_keep_nothing_but_are_erased_in_their_turn():
    scenario = over(EVERY)
    scenario.later(days=20)
    assert write(scenario, "message") == []
    scenario.later(days=10)
    expire(scenario)
    scenario.later(days=1)
    assert write(scenario, "message") == [PersonalDataAdded(ORDER, scenario.now)]
    assert write(scenario, "message") == []
    scenario.later(days=30)
    assert DELIVERY in due(scenario)


def test_what_was_erased_on_request_is_not_erased_again():
    scenario = over(EVERY)
    asked = erasing.Asked("E-1", "mia", even_if_open=True, counts={"keys": 3})
    scenario.later(days=1)
    scenario.record(erasing.erase(scenario.book, erasing.Belongings((ORDER,)), asked, scenario.now))
    assert set(scenario.order().expired) == set(PersonalKind)
    scenario.later(days=40)
    assert due(scenario) == set()


# --- which keys -----------------------------------------------------------------------------------


def test_the_keys_of_a_kind_end_alone_and_all_that_are_left_with_the_last_kind():
    scenario = over(Retention(customer_days=30, texts_days=60, letters_days=60, delivery_days=60))
    scenario.later(days=30)
    ending = retention.ending(scenario.book, ORDER, scenario.now)
    assert ending == Expiry((orders.anchor(ORDER),), (orders.stream(ORDER),), PURPOSES[CUSTOMER])
    expire(scenario)
    assert retention.ending(scenario.book, ORDER, scenario.now) == Expiry()
    scenario.later(days=30)
    assert retention.ending(scenario.book, ORDER, scenario.now).purposes == ()
    assert retention.ending(scenario.book, ORDER, scenario.now).subjects == (orders.anchor(ORDER),)


def test_letters_are_files_and_end_no_keys():
    scenario = over(Retention(letters_days=30))
    scenario.later(days=30)
    assert (due(scenario), retention.ending(scenario.book, ORDER, scenario.now)) == ({LETTERS}, Expiry())


# --- invoices -------------------------------------------------------------------------------------

COPY = Sealed("key-copy", b"name and address")


def invoiced() -> Scenario:
    """An order with an invoice that shows its customer."""
    scenario = Scenario()
    scenario.approve()
    scenario.feed(9)
    periods = Retention(customer_days=30, invoice_days=3650)
    scenario.agree(seller=Seller("Brook", (), "DE", "DE811128135"), retention=(periods,))
    scenario.place(line(1, "tea", 2), invoice=InvoiceWish(), customer=Sealed("key-1", b"box"))
    scenario.confirm()
    scenario.send()
    scenario.ship()
    scenario.scan(ParcelStatus.DELIVERED)
    scenario.later(days=14)
    return complete(scenario)


def test_the_customer_goes_once_name_and_address_were_sealed_for_its_invoices_and_those_stay():
    scenario = invoiced()
    scenario.later(days=30)
    assert due(scenario) == {CUSTOMER}
    assert expire(scenario) == [], "nobody has sealed them yet"
    assert retention.ending(scenario.book, ORDER, scenario.now) == Expiry()
    copied = InvoiceCustomerCopied(ORDER, "key-1", COPY, scenario.now)
    copies = Copies((copied,), frozenset({"key-1"}))
    assert retention.ending(scenario.book, ORDER, scenario.now, copies).purposes == PURPOSES[CUSTOMER]
    facts = scenario.record(retention.expire(scenario.book, ORDER, scenario.now, copies))
    assert facts == [copied, PersonErased(ORDER, "clock", scenario.now, kinds=(CUSTOMER,))]
    (invoice,) = scenario.order().invoicing.invoices.values()
    assert (invoice.issued.ship_to.customer, invoice.issued.ship_to.sealed_for) == (COPY, ORDER)
    assert scenario.order().invoicing.uncopied == {}
    scenario.later(days=3650)
    assert due(scenario) == {INVOICE}


def test_a_customer_that_nobody_can_read_any_more_is_not_waited_for():
    scenario = invoiced()
    scenario.later(days=30)
    copies = Copies((), frozenset({"key-1"}))
    facts = scenario.record(retention.expire(scenario.book, ORDER, scenario.now, copies))
    assert facts == [PersonErased(ORDER, "clock", scenario.now, kinds=(CUSTOMER,))]


def test_what_goes_with_its_invoices_is_not_copied():
    scenario = invoiced()
    scenario.later(days=3650)
    assert expire(scenario) == [PersonErased(ORDER, "clock", scenario.now, kinds=(CUSTOMER, INVOICE))]


# --- suppliers ------------------------------------------------------------------------------------


def test_the_contact_of_a_retired_supplier_goes_after_its_time():
    scenario = Scenario()
    scenario.approve()
    scenario.agree(supplier_days=90)
    stream = suppliers.stream("acme")
    scenario.later(days=400)
    assert retention.expire_contact(scenario.book, "acme", scenario.now) == []
    scenario.record([(stream, suppliers.SupplierRetired("acme", "", scenario.now))])
    scenario.later(days=89)
    assert retention.ending_contact(scenario.book, "acme", scenario.now) == Expiry()
    scenario.later(days=1)
    assert retention.ending_contact(scenario.book, "acme", scenario.now) == Expiry((stream,), (stream,))
    expired = scenario.record(retention.expire_contact(scenario.book, "acme", scenario.now))
    assert expired == [ContactErased("acme", "clock", scenario.now)]
    assert retention.expire_contact(scenario.book, "acme", scenario.now) == []


# --- at any time ----------------------------------------------------------------------------------

_WORDS = ["wait", "write", "wait", "open", "close", "wait", "write", "hold", "policy"]
_STEPS = st.lists(st.tuples(st.sampled_from(_WORDS), st.integers(1, 12)), min_size=12, max_size=24)


@given(steps=_STEPS, days=st.integers(10, 30), from_shipment=st.booleans())
def test_nothing_goes_before_its_time_or_while_it_is_held_or_open(
    steps: list[tuple[str, int]], days: int, from_shipment: bool
):
    scenario = over(Retention(customer_days=days, from_shipment=from_shipment))
    desk, cases, held_until = Desk(scenario), 0, NOON
    shipped_at = max(each.shipped_at for each in scenario.order().shipments)
    news = shipped_at if from_shipment else scenario.now
    for step, size in steps:
        is_open = bool(scenario.order().after_sales.open_cases)
        if step == "wait":
            scenario.later(days=size)
        elif step == "open" and not is_open:
            cases += 1
            desk.opens(case_id=f"{CASE}{cases}")
        elif step == "close" and is_open:
            desk.cancels(case_id=f"{CASE}{cases}")
            complete(scenario)
            news = news if from_shipment else scenario.now
        elif step == "hold":
            held_until = scenario.now + size * DAY
            hold(scenario, held_until)
        elif step == "write" and write(scenario):
            news = scenario.now
        elif step == "policy":
            days = size
            scenario.agree(retention=(Retention(customer_days=days, from_shipment=from_shipment),))
        if expire(scenario):
            assert not scenario.order().after_sales.open_cases
            assert scenario.now >= held_until
            assert scenario.now >= news + timedelta(days=days)
            assert due(scenario) == set()
