"""Every amount, count and instant at the largest that the service takes: nothing fails, and every read model follows.

``tests.support.edges`` sends what a field's type can hold; here it is what the field itself may hold, which is
looked for by asking. Facts of before amounts were bounded hold more, and are survived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from msgspec.structs import replace

from fulfilment.v1 import (
    admin_pb2,
    calendars_pb2,
    common_pb2,
    orders_pb2,
    parcels_pb2,
    recoveries_pb2,
    shipping_pb2,
    stock_pb2,
    suppliers_pb2,
)
from ledger.facts import Change, Fact, LineNo
from ledger.nouns import cases, orders
from ledger.nouns.cases import RefundGranted, Remedy
from ledger.nouns.orders import ChargebackRecorded, Line
from ledger.nouns.orders.after_sales import RefundBooked
from ledger.nouns.orders.supplier_orders import SupplierOrderDrafted
from ledger.nouns.parcels import ParcelStatus
from ledger.nouns.suppliers import AGREEMENT_TERMS
from ledger.terms.money import MOST_MINOR, Money
from projections import PROJECTIONS
from projections.machine import rebuilding
from tests.support import casework, documented, scenario
from tests.support.hosting import hosting
from tests.support.projecting import write_down
from tests.support.scenario import NOON, ORDER, Scenario
from tests.support.service import (
    Client,
    Service,
    error_info,
    fields_of,
    order,
    patiently,
    reason_of,
    stamp,
)
from tests.support.stalls import EmptyTenant
from tests.support.trading import (
    DAY,
    LOSS,
    NOW,
    REFUND,
    RESHIP,
    RETURN,
    WELL_FORMED,
    Fields,
    Trade,
    answer,
    bought,
    cost,
    eur,
    first_of,
    fresh,
    inspected,
    line,
    parcel_of,
    refund,
)

RPCS = documented.rpcs()
MOST_UNITS = 1_000_000
MOST_FED = 2**31 - 1
LARGEST = 2**63 - 1
LAST_SECOND = 253_402_300_799
"""Of the year 9999, the last that an instant's type holds."""

PRICE = MOST_MINOR // MOST_UNITS

# --- numbers and instants of a request --------------------------------------------------------------

_NUMBERS: Mapping[int, int] = {FieldDescriptor.TYPE_INT32: 2**31 - 1, FieldDescriptor.TYPE_INT64: LARGEST}
_INSTANTS = {Timestamp.DESCRIPTOR.full_name, Duration.DESCRIPTOR.full_name}
_LEFT_OUT = {"context", "at_least", "page"}

Setter = Callable[[Any, int], None]


def numbers(message: Message, path: tuple[str, ...] = (), depth: int = 0) -> Iterator[tuple[str, Setter, int]]:
    """The fields that hold a number or an instant, with how to set them in such a message and what their type holds."""
    for field in message.DESCRIPTOR.fields:
        if field.name in _LEFT_OUT or (field.message_type and field.message_type.GetOptions().map_entry):
            continue
        way = (*path, field.name)
        if field.message_type is None:
            if field.type in _NUMBERS and not field.is_repeated:
                yield ".".join(way), _setting(way), _NUMBERS[field.type]
        elif field.message_type.full_name in _INSTANTS:
            yield ".".join(way), _setting((*way, "seconds")), LAST_SECOND
        elif depth < 3:
            yield from numbers(_inside(message, field), way, depth + 1)


def _inside(message: Message, field: Any) -> Any:
    held = getattr(message, field.name)
    if not field.is_repeated:
        return held
    return held[0] if held else field.message_type._concrete_class()


def _setting(way: tuple[str, ...]) -> Setter:
    def put(message: Any, value: int) -> None:
        for name in way[:-1]:
            held = getattr(message, name)
            message = held if isinstance(held, Message) else (held[0] if held else held.add())
        setattr(message, way[-1], value)

    return put


def is_malformed(error: grpc.RpcError) -> bool:
    return reason_of(error) == "MALFORMED"


class Sender:
    """One RPC with one of its fields at a value."""

    def __init__(self, trade: Trade, rpc: str, put: Setter, guesses: list[int]) -> None:
        self.trade, self.rpc, self.put = trade, rpc, put
        self.guesses = guesses
        """Bounds of other fields and what is beyond them, the newest first: few fields have one of their own."""

    def takes(self, value: int, about: Fields) -> bool:
        """Whether the value is understood; what it would do may still be refused."""
        request = self.trade.request(self.rpc, **about)
        self.put(request, value)
        request.context.request_id = fresh()
        try:
            self.trade.call(self.rpc)(request)
        except grpc.RpcError as error:
            return not is_malformed(error)
        return True

    def largest(self, most: int, about: Fields) -> int | None:
        """The largest value that is taken; None if none is, as of a field that needs others beside it."""
        if self.takes(most, about):
            return most
        taken = next((each for each in (1, 0, int(NOW.timestamp()), 3600) if self.takes(each, about)), None)
        if taken is None:
            return None
        while most - taken > 1:
            middle = next((each for each in self.guesses if taken < each < most), (most + taken) // 2)
            if self.takes(middle, about):
                taken = middle
            else:
                most = middle
        self.guesses[:0] = [taken, most]
        return taken


# --- where each command succeeds --------------------------------------------------------------------


def of_first(word: Callable[[Trade], str]) -> Callable[[Trade], Fields]:
    return lambda trade: first_of(word(trade))


def of_recovery(word: Callable[[Trade], str]) -> Callable[[Trade], Fields]:
    return lambda trade: {"recovery_id": word(trade)}


def at_its_largest(trade: Trade, remedy: Any, supplier_id: str = "acme") -> str:
    """A case about a million units of a delivered order of the largest total."""
    goods = orders_pb2.OrderLine(sku=fresh(), quantity=MOST_UNITS, unit_price_minor=PRICE, supplier_id=supplier_id)
    trade.send("OfferSku", supplier_id=supplier_id, offer=suppliers_pb2.Offer(sku=goods.sku, cost=eur(PRICE)))
    order_id = trade.delivered(lines=[goods])
    case_id = order_id.partition("/")[2]
    units = line(units=MOST_UNITS)
    trade.send("OpenCase", case_id=case_id, order_id=order_id, lines=[units])
    trade.send("StartReview", case_id=case_id)
    trade.send("RuleLiability", case_id=case_id, liable=common_pb2.PARTY_SUPPLIER)
    trade.send("ApproveRemedy", case_id=case_id, remedy=remedy)
    return case_id


def opening(trade: Trade) -> Fields:
    order_id = trade.shipped()
    return {"recovery_id": fresh(), "order_id": order_id, **first_of(order_id)}


def incomplete(trade: Trade) -> Fields:
    return {"order_id": trade.placed(lines=[bought(sku="")])}


TERMS = suppliers_pb2.Agreement(
    effective_from=stamp(NOW - 300 * DAY),
    dispatch_within_hours=48,
    compensation_basis_points=10_000,
    compensation_cap=eur(MOST_MINOR),
    peaks=[suppliers_pb2.PeakPeriod(since=stamp(NOW), until=stamp(NOW + DAY), extra_hours=1)],
)
POLICY = admin_pb2.Policy(
    shipping_services=[
        shipping_pb2.ShippingService(
            code="sea", carriers=["dhl"], international=True, days_to=30, cost=eur(1), most_value=[eur(1)]
        )
    ],
    claim_terms=[recoveries_pb2.ClaimTerms(carrier="dhl", liability=[eur(1)])],
)

ABOUT: Mapping[str, Callable[[Trade], Fields]] = {
    "PlaceOrder": lambda trade: {},
    "CompleteDetails": incomplete,
    "CompleteCustomsData": lambda trade: {"order_id": trade.placed(), "declared_total": eur(990)},
    "AcknowledgeSupplierOrder": of_first(Trade.sent),
    "ShipSupplierOrder": lambda trade: {**first_of(o := trade.sent()), **parcel_of(o)},
    "SendSupplierOrder": of_first(Trade.placed),
    "RecordChargeback": lambda trade: {"order_id": trade.placed()},
    "RecordReturnLabel": lambda trade: {"case_id": at_its_largest(trade, RETURN)},
    "GrantRefund": lambda trade: {"case_id": at_its_largest(trade, REFUND), "lines": [refund()]},
    "OpenRecovery": opening,
    "RaiseRecovery": of_recovery(Trade.asked),
    "AnswerRecovery": of_recovery(Trade.asked),
    "DecideClaim": of_recovery(Trade.filed),
    "OfferSku": lambda trade: {"supplier_id": trade.supplier()},
    "AgreeTerms": lambda trade: {"supplier_id": trade.supplier(), "agreement": TERMS},
    "RegisterSupplier": lambda trade: {"supplier_id": fresh()},
    "Reserve": lambda trade: {"reservation_id": fresh()},
    "RecordFeed": lambda trade: {"item": {"supplier_id": "acme", "sku": fresh()}},
    "SetBuffer": lambda trade: {"item": {"supplier_id": "acme", "sku": fresh()}},
    "SetLowStockThreshold": lambda trade: {"item": {"supplier_id": "acme", "sku": fresh()}},
    "RecordCheckpoints": lambda trade: parcel_of(trade.shipped()),
    "AgreePolicy": lambda trade: {"policy": POLICY},
}
"""What makes a command succeed; all others are about what they would be refused for."""


# --- what must hold ---------------------------------------------------------------------------------


@pytest.fixture
def own(embedded: str, folder: Path) -> Iterator[Service]:
    with hosting(embedded, folder / "data") as service:
        yield service


@pytest.fixture
def dsn(own: Service) -> str:
    return own.dsn


@pytest.fixture
def trade(own: Service) -> Iterator[Trade]:
    with Client(own.address) as client:
        client.approve(at=NOW - 300 * DAY)
        yield Trade(client)


def require_followed(trade: Trade, dsn: str, things: Fields) -> None:
    """All read models are at the head, every query answers, and each read model is what the log says."""
    head = trade.send("GetSku").position
    trade.client.read_up_to(head)
    for status in trade.client.admin.GetStatus(admin_pb2.GetStatusRequest()).projections:
        assert not status.error, f"{status.name}: {status.error}"
    for rpc in RPCS.values():
        if not rpc.is_command and rpc.name not in ("RebuildProjection", "ErasePerson", "CreateTenant", "ExecuteBatch"):
            ask(trade, rpc.name, things, head)
    for projection in PROJECTIONS:
        assert rebuilding.verify(dsn, "tenant_default", projection).equal, projection.name


def ask(trade: Trade, rpc: str, things: Fields, head: int) -> None:
    """That it is no mistake of the service, and refused only as documented, the client sees to."""
    about = {name: value for name, value in things.items() if name in WELL_FORMED.get(rpc, ())}
    request = trade.request(rpc, **about)
    if "at_least" in request.DESCRIPTOR.fields_by_name:
        request.at_least = head
    with suppress(grpc.RpcError):
        answered = patiently(trade.call(rpc), request) if not RPCS[rpc].streams else trade.call(rpc)(request)
        list(answered if RPCS[rpc].streams else ())


def refusal_of(call: Callable[[], object]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: grpc.RpcError = caught.value
    return error


# --- the fuzz ---------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
def test_every_number_is_taken_up_to_its_own_bound_and_every_read_model_follows(trade: Trade, dsn: str):
    order_id = trade.sent()
    things: Fields = {"order_id": order_id, **first_of(order_id), **parcel_of(order_id)}
    things |= {"case_id": trade.granted(), "recovery_id": trade.filed(), "inquiry_id": trade.inquiry()}
    things |= {"supplier_id": trade.supplier()}
    reached: dict[str, int] = {}
    guesses: list[int] = []
    for rpc in sorted(name for name, rpc in RPCS.items() if rpc.is_command):
        known = {name: value for name, value in things.items() if name in WELL_FORMED.get(rpc, ())}
        about = ABOUT.get(rpc, lambda trade, known=known: known)
        asked = {**known, **about(trade)}
        for path, put, most in numbers(trade.request(rpc, **asked)):
            sender = Sender(trade, rpc, put, guesses)
            largest = sender.largest(most, asked)
            if largest is not None:
                reached[f"{rpc}.{path}"] = largest
                sender.takes(largest, about(trade))
            if most == LAST_SECOND:
                sender.takes(0, about(trade))
    assert {name: most for name, most in reached.items() if name.endswith("_minor") and most > MOST_MINOR} == {}
    assert len(reached) > 100
    require_followed(trade, dsn, things)


# --- products and sums ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve(at=NOW - 300 * DAY)
        yield client


def priced(price_minor: int, quantity: int = 1, **more: Any) -> orders_pb2.OrderLine:
    return orders_pb2.OrderLine(sku="cup", quantity=quantity, unit_price_minor=price_minor, supplier_id="acme", **more)


@pytest.mark.parametrize(
    ("lines", "total"),
    [
        ([priced(MOST_MINOR, MOST_UNITS)], MOST_MINOR * MOST_UNITS),
        ([priced(PRICE + 1, MOST_UNITS)], MOST_MINOR + MOST_UNITS),
        ([priced(MOST_MINOR), priced(1)], MOST_MINOR + 1),
        ([priced(1, 2, declared_value_minor=MOST_MINOR)], 2 * MOST_MINOR),
    ],
)
def test_an_order_whose_lines_come_to_too_much_is_malformed_with_the_figures(
    client: Client, lines: list[orders_pb2.OrderLine], total: int
):
    error = refusal_of(lambda: client.orders.PlaceOrder(order(fresh(), lines=lines)))
    assert (reason_of(error), fields_of(error)) == ("MALFORMED", ["lines"])
    assert f"{total} minor units, {MOST_MINOR} at most" in str(error.details())


def test_costs_of_a_recovery_that_come_to_too_much_are_malformed(client: Client):
    costs = [cost(MOST_MINOR, "refund-1"), cost(1, "freight-1")]
    error = refusal_of(lambda: Trade(client).send("OpenRecovery", costs=costs))
    assert (reason_of(error), fields_of(error)) == ("MALFORMED", ["costs"])


def test_what_completes_an_order_counts_with_what_it_has(client: Client):
    trade = Trade(client)
    order_id = trade.placed(lines=[bought(sku="")])
    late = priced(MOST_MINOR, line_no=2)
    error = refusal_of(lambda: trade.send("CompleteDetails", order_id=order_id, lines=[late]))
    assert reason_of(error) == "TOTAL_TOO_LARGE"
    assert dict(error_info(error).metadata) == {
        "of": f"order {order_id}",
        "total_minor": str(MOST_MINOR + 990),
        "most_minor": str(MOST_MINOR),
        "currency": "EUR",
    }
    trade.send("CompleteDetails", order_id=order_id, lines=[priced(0, line_no=1), late])


# --- a trade at its largest -------------------------------------------------------------------------


def test_a_trade_at_its_bounds_is_answered_in_full(trade: Trade, dsn: str):
    supplier_id = trade.supplier()
    trade.send("AgreeTerms", supplier_id=supplier_id, agreement=TERMS)
    order_id, claimed = late_order(trade, supplier_id), large_claim(trade)
    trade.send("RecordChargeback", order_id=order_id, amount=eur(MOST_MINOR))
    refunded = at_its_largest(trade, REFUND, supplier_id)
    trade.send("GrantRefund", case_id=refunded, refund_id=refunded, share_basis_points=10_000)
    trade.send("RecordRefundPaid", case_id=refunded, refund_id=refunded)
    reshipped = at_its_largest(trade, RESHIP, supplier_id)
    labelled = at_its_largest(trade, RETURN, supplier_id)
    trade.send("RecordReturnLabel", case_id=labelled, freight_minor=MOST_MINOR)
    sku = back_on_a_full_shelf(trade, labelled, supplier_id)
    things: Fields = {"order_id": order_id, **first_of(order_id), **parcel_of(order_id), "supplier_id": supplier_id}
    require_followed(trade, dsn, {**things, "case_id": refunded, "recovery_id": claimed})
    owed = trade.client.get(order_id).supplier_orders[0].compensation
    assert (owed.amount.amount_minor, owed.net_amount.amount_minor) == (MOST_MINOR, MOST_MINOR)
    (granted,) = trade.send("GetCase", case_id=refunded).case.refunds
    assert granted.amount_minor == MOST_MINOR
    (asked,) = trade.send("ListRecoveries", case_id=reshipped).recoveries
    assert asked.asked_minor == MOST_MINOR
    statement = trade.send("GetStatement", supplier_id=supplier_id, since=stamp(NOW - 30 * DAY), until=stamp(NOW + DAY))
    (balance,) = statement.balances
    goods, compensation = 4 * MOST_MINOR, MOST_MINOR
    assert balance.closing_minor == goods - compensation
    (level,) = trade.send("GetStock", items=[stock_pb2.Item(supplier_id=supplier_id, sku=sku)]).levels
    assert (level.quantity, level.available) == (MOST_FED, MOST_FED + MOST_UNITS)
    (offered,) = trade.send("GetSku", sku=sku).choice.considered
    assert offered.available == level.available
    chosen = trade.client.get(trade.placed(lines=[bought(sku, supplier_id="")]))
    assert chosen.lines[0].choice.supplier_id == supplier_id


def back_on_a_full_shelf(trade: Trade, case_id: str, supplier_id: str) -> str:
    """Goods come back to a supplier that has as many of them as a feed may say; answers with their SKU."""
    sku = str(trade.client.get(f"shop/{case_id}").lines[0].line.sku)
    trade.send("OfferSku", supplier_id=supplier_id, offer=suppliers_pb2.Offer(sku=sku, cost=eur(1)))
    trade.client.feed(MOST_FED, sku, supplier_id)
    trade.send("RecordReturnReceived", case_id=case_id, lines=[line(units=MOST_UNITS)])
    trade.send("RecordInspection", case_id=case_id, lines=[inspected(restocked=MOST_UNITS)])
    return sku


def late_order(trade: Trade, supplier_id: str) -> str:
    """An order of the largest total that left late, and whose goods cost as much."""
    goods = orders_pb2.OrderLine(sku=fresh(), quantity=MOST_UNITS, unit_price_minor=PRICE, supplier_id=supplier_id)
    trade.send("OfferSku", supplier_id=supplier_id, offer=suppliers_pb2.Offer(sku=goods.sku, cost=eur(PRICE)))
    order_id = trade.sent(9, lines=[goods])
    trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id), at=stamp(NOW - DAY))
    return order_id


def large_claim(trade: Trade) -> str:
    """A claim on a carrier for the largest amount, paid whole."""
    order_id, recovery_id = trade.shipped(20), fresh()
    about: Fields = {"kind": LOSS, "order_id": order_id, **parcel_of(order_id), "costs": [cost(MOST_MINOR)]}
    trade.send("OpenRecovery", recovery_id=recovery_id, **about)
    for kind in recoveries_pb2.ClaimDocumentKind.values()[1:]:
        trade.send("CollectDocument", recovery_id=recovery_id, kind=kind)
    trade.send("FileClaim", recovery_id=recovery_id)
    trade.send("DecideClaim", recovery_id=recovery_id, approved=eur(MOST_MINOR))
    trade.send("RecordClaimPayment", recovery_id=recovery_id, amount=eur(MOST_MINOR))
    return recovery_id


LAST_DAY = stamp(datetime(2999, 12, 31, 23, 59, 59, tzinfo=UTC))
"""The last instant that is taken."""

LONGEST = admin_pb2.Policy(
    reservation_minutes=43_200,
    return_window_days=1000,
    suspected_lost_after_days=1000,
    number_reuse_after_days=10_000,
    stale_buffer_units=MOST_UNITS,
    stale_buffer_basis_points=10_000,
    cover_days=90,
    demand_window_days=90,
    answer_within_hours=10_000,
    review_every_days=1000,
    message_age_hours=8760,
    remind_before_hours=1000,
    delay_notice_hours=1000,
    customs_allowance_days=365,
    first_answer_within_hours=1000,
    evidence_within_days=1000,
    free_return_within_days=1000,
    reroute_after=admin_pb2.RerouteAfter(acknowledge_hours=8760, dispatch_hours=8760),
    claim_terms=[recoveries_pb2.ClaimTerms(carrier="dhl", loss_waiting_days=1000, loss_filing_days=1000)],
)
SLOWEST = suppliers_pb2.Agreement(
    effective_from=stamp(NOW - 300 * DAY),
    effective_until=LAST_DAY,
    acknowledge_within_hours=10_000,
    dispatch_within_hours=10_000,
    first_scan_within_hours=10_000,
    answer_within_hours=10_000,
    feed_interval_hours=10_000,
    peaks=[
        suppliers_pb2.PeakPeriod(since=stamp(NOW - 100 * DAY + n * DAY), until=LAST_DAY, extra_hours=20)
        for n in range(50)
    ],
)
LONGEST_TIME = calendars_pb2.WorkingTime(hours=1000)
RARELY_WORKS = suppliers_pb2.Agreement(
    effective_from=SLOWEST.effective_from,
    peaks=SLOWEST.peaks,
    working=calendars_pb2.WorkingTerms(
        calendar=calendars_pb2.WorkingCalendar(
            time_zone="Pacific/Kiritimati",
            working_days=[calendars_pb2.WEEKDAY_SUNDAY],
            opens="09:00",
            closes="10:00",
            holidays=[f"{(NOW + n * DAY).date()}" for n in range(1000)],
            extra_days=["2998-12-31"],
        ),
        terms=dict.fromkeys(AGREEMENT_TERMS, LONGEST_TIME),
    ),
)


@pytest.mark.parametrize("agreement", [SLOWEST, RARELY_WORKS], ids=["hours", "working time"])
def test_days_and_hours_at_their_bounds_are_reckoned_with(trade: Trade, dsn: str, agreement: suppliers_pb2.Agreement):
    trade.send("AgreePolicy", policy=LONGEST, effective_from=stamp(NOW - 300 * DAY))
    supplier_id, sku = trade.supplier(), fresh()
    trade.send("AgreeTerms", supplier_id=supplier_id, agreement=agreement)
    trade.client.feed(MOST_FED, sku, supplier_id)
    goods = priced(PRICE, MOST_UNITS, dispatch_by=LAST_DAY, weight_grams=10**9)
    goods.sku, goods.supplier_id = sku, supplier_id
    awaited = trade.sent(3, lines=[goods], promised_by=LAST_DAY)
    # What was held moves its deadlines.
    trade.send("PlaceHold", order_id=awaited, at=stamp(NOW - 2 * DAY))
    trade.send("ReleaseHold", order_id=awaited, at=stamp(NOW - DAY))
    backorder = answer(backordered=MOST_UNITS, expected_at=LAST_DAY)
    trade.send("AcknowledgeSupplierOrder", **first_of(awaited), lines=[backorder])
    order_id, recovery_id = trade.shipped(3, lines=[goods], promised_by=LAST_DAY), fresh()
    held = parcels_pb2.Checkpoint(
        at=stamp(NOW - 2 * DAY),
        status=parcels_pb2.PARCEL_STATUS_CUSTOMS_HELD,
        customs_asks=parcels_pb2.CUSTOMS_ASK_DOCUMENTS,
        customs_answer_by=LAST_DAY,
    )
    let_go = parcels_pb2.Checkpoint(at=stamp(NOW - DAY), status=parcels_pb2.PARCEL_STATUS_IN_TRANSIT)
    trade.send("RecordCheckpoints", **parcel_of(order_id), checkpoints=[held, let_go])
    trade.send("OpenRecovery", recovery_id=recovery_id, kind=LOSS, order_id=order_id, **parcel_of(order_id))
    trade.send("AskInquiry", inquiry_id=fresh(), order_id=order_id, supplier_id=supplier_id)
    about: Fields = {"order_id": order_id, **first_of(order_id), **parcel_of(order_id), "supplier_id": supplier_id}
    require_followed(trade, dsn, {**about, "case_id": trade.opened(), "recovery_id": recovery_id})
    assert trade.client.get(order_id).promised_by == LAST_DAY


# --- facts of before --------------------------------------------------------------------------------


def test_facts_of_before_amounts_were_bounded_stop_no_read_model(trade: Trade, dsn: str):
    head = write_down(EmptyTenant(dsn, "tenant_default"), before_amounts_were_bounded().log)
    other = trade.placed()
    trade.send("RecordRefundPaid", case_id=casework.CASE, refund_id="refund-1")
    trade.send("CompleteCustomsData", order_id="shopify/2", lines=[shipping_pb2.CustomsLine(line_no=1, title="Tea")])
    trade.client.read_up_to(head)
    things: Fields = {"order_id": ORDER, **first_of(ORDER), "supplier_id": "bolt", "case_id": casework.CASE}
    require_followed(trade, dsn, things)
    summary = trade.send("GetSummary")
    assert (summary.orders, [each.amount_minor for each in summary.gmv]) == (4, [LARGEST])
    statement = trade.send("GetStatement", supplier_id="bolt", since=stamp(NOON), until=stamp(NOW))
    assert [each.closing_minor for each in statement.balances] == [LARGEST]
    assert trade.client.get(other).order_id == other


class Unbounded(Scenario):
    """Goods cost the most that 64 bits hold, whatever was offered."""

    def record(self, changes: Iterable[Change]) -> list[Fact]:
        return super().record((stream, _dear(fact)) for stream, fact in changes)


def _dear(fact: Fact) -> Fact:
    if isinstance(fact, SupplierOrderDrafted):
        return replace(fact, unit_costs=dict.fromkeys(fact.units, Money(LARGEST, "EUR")))
    return fact


def before_amounts_were_bounded() -> Scenario:
    """Two orders of 6 x 10^18 and one of 10^21, whose goods cost 2^63, come late, are refunded and taken back."""
    unbounded = Unbounded()
    unbounded.approve("bolt", replace(scenario.TERMS, compensation_basis_points=10_000))
    for number, quantity in (("1", MOST_UNITS), ("2", 6000), ("3", 6000)):
        dear = Line(LineNo(1), "tea", quantity, unit_price_minor=MOST_MINOR, supplier_id="bolt")
        unbounded.place(dear, order_id=f"shopify/{number}")
    unbounded.send()
    unbounded.later(days=9)
    unbounded.ship()
    unbounded.later(days=1)
    unbounded.scan(ParcelStatus.DELIVERED)
    desk = casework.Desk(unbounded)
    desk.opens(by_line={1: MOST_UNITS})
    desk.reviews()
    desk.rules()
    desk.approves(Remedy.REFUND)
    granted = {LineNo(1): 2**64 - 1}
    units = {LineNo(1): MOST_UNITS}
    unbounded.record(
        [
            (
                cases.stream(casework.CASE),
                RefundGranted(casework.CASE, "refund-1", units, granted, "EUR", unbounded.now),
            ),
            (orders.stream(ORDER), RefundBooked(ORDER, casework.CASE, "refund-1", units, granted, unbounded.now)),
            (orders.stream(ORDER), ChargebackRecorded(ORDER, "cb-1", Money(LARGEST, "EUR"), unbounded.now)),
        ]
    )
    return unbounded
