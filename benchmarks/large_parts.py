"""Further commands on a large order, where it has many of something else: parcels in one box, cases, payments, holds.

The commands of ``large_order`` meet lines, suppliers and parcels; of each of these an order has as many as lines, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from msgspec.structs import replace

from benchmarks.large_order import (
    answers,
    corrects,
    hands_over,
    moves,
    scans,
    sends,
    ships,
    unships,
    voids,
    with_all_delivered,
    with_all_sent,
    with_all_shipped,
)
from benchmarks.large_world import (
    ALL,
    CASE,
    DAY,
    FIRST,
    NUMBERS,
    ORDER,
    START,
    Command,
    Decide,
    World,
    approved,
    at_now,
    each_its_own,
    feeds,
    line_of,
    market,
    nobody,
    only_now,
    places,
    sku_of,
)
from ledger.decisions import (
    after_sales,
    amending,
    cancelling,
    catalogue,
    confirmation,
    delivery,
    dispatch,
    order_payments,
    sourcing,
)
from ledger.facts import LineNo, Units
from ledger.nouns import orders
from ledger.nouns.cases import CaseOpened, LiabilityRuled, Reason, Remedy
from ledger.nouns.offers import Offer, PriceBreak
from ledger.nouns.orders import HoldReason, Line, Payment, PaymentKind, PaymentState
from ledger.nouns.orders.supplier_orders import LineAnswer, RejectReason
from ledger.nouns.parcels import Checkpoint, ParcelStatus
from ledger.nouns.skus import BundlePart, SkuDescribed
from ledger.terms.money import Money
from ledger.terms.parties import Party


def commands() -> Iterator[Command]:
    yield from _addresses()
    yield from _money()
    yield from _boxes()
    yield from _cases()
    yield from _articles()


# --- addresses and holds ----------------------------------------------------------------------------


def _packs(number: LineNo) -> Decide:
    return at_now(dispatch.pack, f"{ORDER}/{number}", ("box",))


def _addresses() -> Iterator[Command]:
    sent = with_all_sent()
    packed = sent.after(*map(_packs, NUMBERS[1:]))
    yield Command("ChangeAddress, all sent", sent, moves("FR"), 1)
    yield Command("ChangeAddress, all but one packed", packed, moves("FR"), 1)
    yield Command("ChangeAddress, all late", sent.later(90), moves("FR"), 1)
    again = packed.after(moves("FR")).later(1)
    yield Command(
        "ShipSupplierOrder, to the address before",
        again,
        at_now(dispatch.ship, f"{ORDER}/{NUMBERS[-1]}", "dhl", "P9", orders.Told()),
        1,
    )
    added = tuple(replace(line_of(n, each_its_own(n)), quantity=3) for n in NUMBERS)
    fewer = tuple(replace(line_of(n, each_its_own(n)), quantity=1) for n in NUMBERS)
    for kind, lines in (("more", added), ("fewer", fewer)):
        amend = only_now(amending.amend, ORDER, orders.Wanted(lines, (), START), "customer", "customer_edit")
        yield Command(f"AmendOrder, {kind}, each line of its own supplier", sent, amend, 1)


# --- money ------------------------------------------------------------------------------------------


def _captured(minor: int, name: str = "p0") -> Payment:
    return Payment(name, PaymentKind.CAPTURED, Money(minor, "EUR"), START)


def _pays(kind: PaymentKind, minor: int) -> Decide:
    parts = [Payment(f"p{n}", kind, Money(minor, "EUR"), START) for n in NUMBERS]
    return lambda view, now: order_payments.record_payment(view, ORDER, None, now, now, parts)


def _money() -> Iterator[Command]:
    whole = 990 * 2 * len(NUMBERS)
    placed = market(each_its_own).after(places(each_its_own, payments=(_captured(whole),)))
    at_door = market(each_its_own).after(places(each_its_own, payment=PaymentState.PENDING, cash_on_delivery=True))
    cancel = at_now(cancelling.cancel, ORDER, {}, "customer", "changed_mind")
    receive = at_now(delivery.confirm_receipt, ORDER, "customer")
    yield Command("CancelOrder, drafts, paid by amounts", placed, cancel, 1)
    for kind, world in (("paid by amounts", placed), ("cash on delivery", at_door)):
        shipped = world.after(*map(sends, NUMBERS), *map(ships, NUMBERS)).later(1)
        yield Command(f"ConfirmReceipt, {kind}", shipped, receive, 1)
    unpaid = market(each_its_own).after(places(each_its_own, payment=PaymentState.PENDING))
    yield Command("RecordPayment, many", unpaid, _pays(PaymentKind.CAPTURED, 1980), 1)
    cancelled = placed.after(cancel)
    yield Command("RecordPayment, many refunds of what is owed", cancelled, _pays(PaymentKind.REFUNDED, 1980), 1)
    drafts = [Payment(f"p{n}", PaymentKind.CAPTURED, Money(1980, "EUR"), START) for n in NUMBERS]
    yield Command("PlaceOrder, many payments", market(each_its_own), places(each_its_own, payments=tuple(drafts)), 1)


# --- boxes and scans --------------------------------------------------------------------------------


def _beside(number: LineNo) -> Decide:
    """A line of the supplier order leaves in the parcel of the others."""
    told = orders.Told({number: 2})
    return at_now(dispatch.ship, FIRST, "dhl", "P1", told)


def _leaves(number: LineNo) -> Decide:
    """A line of the supplier order leaves in a parcel of its own."""
    return at_now(dispatch.ship, FIRST, "dhl", f"P{number}", orders.Told({number: 2}))


def _boxes() -> Iterator[Command]:
    sent = market().after(places(), sends())
    box = sent.after(*map(_beside, NUMBERS[1:])).later(1)
    parts = sent.after(*map(_leaves, NUMBERS)).later(1)
    lose = at_now(delivery.confirm_loss, "dhl", "P1", Party.CARRIER, "tracing_failed")
    receive = at_now(delivery.confirm_receipt, ORDER, "customer")
    yield Command("ShipSupplierOrder, the last of a box", box, _beside(NUMBERS[0]), 1)
    yield Command("RecordCheckpoints, delivered, a box", box, scans(ParcelStatus.DELIVERED), 1)
    yield Command("ConfirmLoss, a box", box, lose, 1)
    yield Command("ConfirmReceipt, a box", box, receive, 1)
    yield Command("ConfirmReceipt, many parcels of a supplier order", parts, receive, 1)
    there = box.after(scans(ParcelStatus.DELIVERED))
    yield Command("DisputeDelivery, a box", there, at_now(delivery.dispute_delivery, "dhl", "P1", "not_received"), 1)

    for kind, world in (("a box", box), ("one of many parcels", parts)):
        yield Command(f"CorrectTracking, {kind}", world, corrects, 1)
        yield Command(f"VoidParcel, {kind}", world, voids, 1)
        yield Command(f"VoidParcel, {kind}, all of the supplier order", world, unships, 1)
        yield Command(f"HandOverParcel, {kind}", world, hands_over, 1)
    yield Command("RecordCheckpoints, many", parts, scans(*[ParcelStatus.IN_TRANSIT] * len(NUMBERS)), 1)
    back = [Checkpoint(START + 2 * DAY + timedelta(minutes=n), ParcelStatus.IN_TRANSIT) for n in reversed(NUMBERS)]
    yield Command(
        "RecordCheckpoints, many, the newest first",
        parts,
        lambda view, now: delivery.record_checkpoints(view, "dhl", "P1", back, now, now),
        1,
    )
    returned = parts.after(*(scans(ParcelStatus.RETURNED, number=n) for n in NUMBERS[1:]))
    yield Command("ConfirmReceipt, all but one returned", returned, receive, 1)


# --- cases ------------------------------------------------------------------------------------------


def _case_of(number: LineNo) -> str:
    return f"case-of-{number}"


def _opens(number: LineNo) -> Decide:
    opened = CaseOpened(_case_of(number), ORDER, Reason.DAMAGED, {number: 1}, START + DAY, START + DAY)
    return lambda view, now: after_sales.open_case(view, opened, now)


def _refunds(case_id: str, refund_id: str) -> dict[str, Decide]:
    """What a case takes until its refund is paid."""
    return {
        "StartReview": at_now(after_sales.start_review, case_id),
        "RuleLiability": lambda view, now: after_sales.rule(
            view, LiabilityRuled(case_id, Party.SUPPLIER, ("broken",), (), now), now
        ),
        "ApproveRemedy": at_now(after_sales.approve, case_id, Remedy.REFUND, {}, ""),
        "GrantRefund": at_now(after_sales.grant_refund, case_id, refund_id, {}, 0, {}),
        "RecordRefundPaid": at_now(after_sales.record_refund_paid, case_id, refund_id, f"pay-{refund_id}"),
    }


def _refunds_a_unit(number: LineNo) -> list[Decide]:
    """All of a case of one unit."""
    return [_opens(number), *_refunds(_case_of(number), f"refund-of-{number}").values()]


def _cases() -> Iterator[Command]:
    there = with_all_delivered()
    others: Units = dict.fromkeys(NUMBERS, 1)
    opened = CaseOpened(CASE, ORDER, Reason.DAMAGED, others, START + DAY, START + DAY)
    opens_all: Decide = lambda view, now: after_sales.open_case(view, opened, now)  # noqa: E731
    cancelled = there.after(
        *map(_opens, NUMBERS), *(at_now(after_sales.cancel, _case_of(n), Party.CUSTOMER, "") for n in NUMBERS)
    )
    yield Command("OpenCase, after many that were cancelled", cancelled, opens_all, 1)
    refunded = there.after(*(step for n in NUMBERS for step in _refunds_a_unit(n)))
    yield Command("OpenCase, after many refunds", refunded, opens_all, 1)
    steps = _refunds(CASE, "refund")
    world = refunded.after(opens_all)
    for name, decide in steps.items():
        yield Command(f"{name}, after many refunds", world, decide, 1)
        world = world.after(decide)
    lost = (
        with_all_shipped()
        .later(20)
        .after(*(at_now(delivery.confirm_loss, "dhl", f"P{n}", Party.CARRIER, "x") for n in NUMBERS))
    )
    missing = CaseOpened(CASE, ORDER, Reason.LOST, dict(ALL), START + 30 * DAY, START + 30 * DAY)
    opens_lost: Decide = lambda view, now: after_sales.open_case(view, missing, now)  # noqa: E731
    yield Command("OpenCase, all lost", lost, opens_lost, 1)
    settled = lost.after(opens_lost, *steps.values())
    yield Command(
        "ConfirmReceipt, all lost and refunded", settled, at_now(delivery.confirm_receipt, ORDER, "customer"), 1
    )


# --- articles ---------------------------------------------------------------------------------------


def _to_reroute() -> tuple[World, Decide]:
    """Nobody has the units that a supplier rejected, until for each SKU another one has some."""
    poor = market(units=2, others=0).after(places(), sends(), answers(LineAnswer(rejected=2)))
    known = poor.after(*map(_registers, NUMBERS), *map(_also_offers, NUMBERS))
    found = known.unserved(*(feeds(_also(n), n, 4, 2) for n in NUMBERS))
    return found, at_now(confirmation.release_hold, ORDER, HoldReason.OUT_OF_STOCK, "", "")


def _also(number: LineNo) -> str:
    return f"also-{number}"


def _registers(number: LineNo) -> Decide:
    return lambda view, now: approved(_also(number))


def _also_offers(number: LineNo) -> Decide:
    return only_now(sourcing.offer_sku, _also(number), Offer(sku_of(number), Money(300, "EUR")))


def _bundle(number: LineNo) -> str:
    return f"SET-{number}"


def _describes(number: LineNo) -> Decide:
    parts = (BundlePart(sku_of(number), 1), BundlePart(sku_of(NUMBERS[0]), 1))
    described = SkuDescribed(_bundle(number), START, title="A set", parts=parts)
    return lambda view, now: catalogue.describe_sku(view, described)


def _articles() -> Iterator[Command]:
    sent = market().after(places(), sends())
    for because in (RejectReason.DISCONTINUED, RejectReason.CANNOT_SHIP_TO, RejectReason.OUT_OF_STOCK):
        answer = LineAnswer(rejected=2, because=because)
        yield Command(f"AcknowledgeSupplierOrder, rejected: {because}", sent, answers(answer), 1)
    by_sku = at_now(dispatch.ship, FIRST, "dhl", "P1", orders.Told(by_sku={sku_of(n): 2 for n in NUMBERS}))
    yield Command("ShipSupplierOrder, told by SKU", sent, by_sku, 1)

    def offers(number: LineNo) -> Decide:
        breaks = (PriceBreak(10, 200),)
        return only_now(sourcing.offer_sku, "acme", Offer(sku_of(number), Money(300, "EUR"), breaks=breaks))

    yield Command("PlaceOrder, cheaper by the dozen", market().after(*map(offers, NUMBERS)), places(), 1)
    spread = market(each_its_own, others=0)
    yield Command("PlaceOrder, suppliers to choose, each another", spread, places(nobody), 1)
    yield Command("ReleaseHold, to reroute, each to another", *_to_reroute(), 1)
    sets = market(units=9 * len(NUMBERS)).after(*map(_describes, NUMBERS))

    def line(number: LineNo, supplier_id: str) -> Line:
        return Line(number, _bundle(number), 2, 990, supplier_id=supplier_id)

    yield Command("PlaceOrder, bundles", sets, places(line=line), 1)
    unpaid = sets.after(places(line=line, payment=PaymentState.PENDING))
    wanted = orders.Wanted(tuple(replace(line(n, "acme"), quantity=3) for n in NUMBERS), (), START)
    yield Command("AmendOrder, bundles", unpaid, only_now(amending.amend, ORDER, wanted, "customer", "edit"), 1)
