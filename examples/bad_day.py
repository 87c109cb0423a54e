"""One day of a shop on which everything goes wrong once, told by the ledger.

``python examples/bad_day.py --server 127.0.0.1:50051`` plays the day of yesterday against a running service, in a
tenant of its own, so that it harms nothing and can be played again. Each line with a tick was read back from the
service; where it answers otherwise, the story stops there and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from changed_orders import ChangedOrders
from fulfilment.client import CallFailed
from fulfilment.v1 import (
    cases_pb2,
    common_pb2,
    obligations_pb2,
    orders_pb2,
    parcels_pb2,
    rates_pb2,
    recoveries_pb2,
    returns_pb2,
    shipping_pb2,
    statements_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
    work_pb2,
)
from story import BERLIN, DAY, HOUR, Contradicted, Ledger, euro, word

CUSTOMER, RETAILER = common_pb2.PARTY_CUSTOMER, common_pb2.PARTY_RETAILER
SUPPLIER, CARRIER = common_pb2.PARTY_SUPPLIER, common_pb2.PARTY_CARRIER
ZURICH: dict[str, Any] = {"lines": ["Limmatquai 1"], "city": "Zürich", "postal_code": "8001", "country": "CH"}
HAMBURG: dict[str, Any] = {"lines": ["2 Oak Street"], "city": "Hamburg", "postal_code": "20095", "country": "DE"}
SAMPLE = ("material_matches", "packaging_matches", "manual_matches")
CLAIM, ASKED = "case-lost/carrier/dhl/L1/EUR", "case-broken/supplier/brook/EUR"
"""The recoveries that the rulings of the two cases open."""
PHOTO = b"\x89PNG\r\n\x1a\n" + b"a teapot in eleven pieces"


class BadDay(ChangedOrders):
    """The story: a method for each chapter, in order."""

    def play(self) -> None:
        """The whole day."""
        self.weeks_before()
        self.oversold_feed()
        self.late_supplier()
        self.customs()
        self.lost_parcel()
        self.damaged_goods()
        self.suspension()
        self.wrong_number()
        self.box_of_two()
        self.came_home()
        self.amended_order()
        self.money_that_bounces()
        self.evening()

    def weeks_before(self) -> None:
        self.chapter("The weeks before")
        ledger, since = self.ledger, self.at("08:00", 60)
        self.supplier("brook", "Brook & Sons", "DE", {"mug": 420, "teapot": 900, "bowl": 600}, since)
        self.supplier(
            "slow",
            "Slow Boat GmbH",
            "DE",
            {"mug": 380},
            since,
            acknowledge_within_hours=24,
            dispatch_within_hours=48,
            compensation_basis_points=1000,
            compensation_cap=common_pb2.Money(amount_minor=2000, currency="EUR"),
        )
        self.supplier("jade", "Hangzhou Jade Ware", "CN", {"lamp": 1400}, since)
        feeds = (("brook", "mug", 40), ("brook", "teapot", 4), ("slow", "mug", 500), ("jade", "lamp", 20))
        for supplier_id, sku, quantity in feeds:
            self.feed(supplier_id, sku, quantity, 1, self.at("08:00", 31))
        past: list[tuple[str, Any]] = []
        for count in range(20):
            placed, number = self.at("09:00", 29 - count), f"m{count:02}"
            hours = 60 if count % 4 == 0 else 20
            past.append(("PlaceOrder", self.placing(number, "mug", 1, "slow", placed)))
            past += self.dispatching(f"shop/{number}/1", 1, f"M{count:02}", placed + HOUR, placed + hours * HOUR)
            past.append(self.scanning(f"M{count:02}", parcels_pb2.PARCEL_STATUS_IN_TRANSIT, placed + hours * HOUR))
            arrived = placed + (hours + 30) * HOUR
            past.append(self.scanning(f"M{count:02}", parcels_pb2.PARCEL_STATUS_DELIVERED, arrived))
        for number, sku, tracking, days_ago in (("lost", "mug", "L1", 20), ("broken", "teapot", "B1", 6)):
            placed = self.at("09:00", days_ago)
            past.append(("PlaceOrder", self.placing(number, sku, 2, "brook", placed)))
            past += self.dispatching(f"shop/{number}/1", 2, tracking, placed + HOUR, placed + 6 * HOUR)
            past.append(
                self.scanning(tracking, parcels_pb2.PARCEL_STATUS_IN_TRANSIT, placed + 8 * HOUR, city="Hannover")
            )
        past.append(self.scanning("B1", parcels_pb2.PARCEL_STATUS_DELIVERED, self.at("15:00", 3), city="Berlin"))
        placed = self.at("09:00", 7)
        past.append(("PlaceOrder", self.lamp("lamp", placed, hs_code="9405.21", origin="CN", weight_grams=1200)))
        past += self.dispatching("shop/lamp/1", 1, "C1", placed + HOUR, placed + 9 * HOUR)
        past.append(self.scanning("C1", parcels_pb2.PARCEL_STATUS_IN_TRANSIT, placed + 12 * HOUR, city="Hangzhou"))
        ledger.send_all(past)
        self.say(
            "", "The shop sells mugs of two suppliers, a teapot and a bowl of Brook & Sons alone, a lamp from Hangzhou."
        )
        self.check("All three suppliers are approved.", self.standings("brook", "slow", "jade"), ["approved"] * 3)
        sold = [self.order(f"m{count:02}") for count in range(20)]
        delivered = [each for each in sold if each.status == orders_pb2.ORDER_STATUS_DELIVERED]
        self.check("Slow Boat has sent 20 orders of mugs, and all of them arrived.", len(delivered), 20)

    def supplier(
        self, supplier_id: str, name: str, country: str, costs: dict[str, int], since: datetime, **agreed: Any
    ) -> None:
        """A supplier that passed its sample, agreed to terms, and offers these SKUs at these costs."""
        known: dict[str, Any] = {"supplier_id": supplier_id, "at": since}
        usual = {"effective_from": since, "acknowledge_within_hours": 72, "dispatch_within_hours": 96}
        clocks: dict[str, Any] = {**usual, **agreed}
        agreement = suppliers_pb2.Agreement(**clocks)
        offers = [
            suppliers_pb2.Offer(sku=sku, cost=common_pb2.Money(amount_minor=cost, currency="EUR"), minimum_quantity=1)
            for sku, cost in costs.items()
        ]
        self.ledger.send_all(
            [
                ("RegisterSupplier", {**known, "name": name, "country": country, "return_address": "Dock Road 1"}),
                ("ReviewSample", {**known, **dict.fromkeys(SAMPLE, True)}),
                ("AgreeTerms", {**known, "agreement": agreement}),
                ("ApproveSupplier", known),
                *(("OfferSku", {**known, "offer": offer}) for offer in offers),
            ]
        )

    def standings(self, *supplier_ids: str) -> list[str]:
        found = [self.ledger.ask("GetSupplier", supplier_id=each).supplier.standing for each in supplier_ids]
        return [word(suppliers_pb2.SupplierStanding, each) for each in found]

    def oversold_feed(self) -> None:
        self.chapter("I. The feed that was wrong")
        self.place("1001", "mug", 5, "brook", self.at("08:05"))
        self.place("1002", "mug", 4, "brook", self.at("08:10"))
        self.say("08:10", "Two customers buy 5 and 4 mugs; Brook & Sons had told us of 40.")
        self.feed("brook", "mug", 6, 2, self.at("08:30"))
        self.say("08:30", "Its next feed says 6.")
        level = self.stock("brook", "mug")
        self.check(
            f"Oversold: {level.committed} are promised, {level.quantity} are there, {level.shortfall} are short.",
            (level.committed, level.quantity, level.shortfall),
            (9, 6, 3),
        )
        oversold = self.facts("stock.oversold")
        self.check(
            "The ledger names the orders that are affected, the latest first: shop/1002.",
            [each["reservations"] for each in oversold],
            [["shop/1002"]],
        )
        checkout = self.placing("1003", "mug", 2, "brook", self.at("08:40"))
        reason, sentence = self.ledger.refused(
            "PlaceOrder", **checkout, stock_policy=orders_pb2.STOCK_POLICY_ALL_OR_NOTHING
        )
        self.check(f"A checkout that wants 2 more is refused: {sentence}.", reason, "OUT_OF_STOCK")
        taken = self.place("1004", "mug", 2, "brook", self.at("08:45"))
        self.check(
            "A marketplace that has sold them already is not: its order shop/1004 waits, on hold for stock.",
            [(each.reason, [(n.line_no, n.units) for n in each.lacking]) for each in taken.holds],
            [(orders_pb2.HOLD_REASON_OUT_OF_STOCK, [(1, 2)])],
        )
        self.feed("brook", "mug", 20, 3, self.at("09:10"))
        self.say("09:10", "Brook & Sons finds the other pallet: 20.")
        self.check("Nothing is short any more.", self.stock("brook", "mug").shortfall, 0)
        served = self.until("the stock for shop/1004", lambda: self.order("1004"), lambda order: not order.holds)
        self.check(
            "shop/1004 got its mugs without anybody asking, and is confirmed.",
            word(orders_pb2.OrderStatus, served.status),
            "confirmed",
        )

    def late_supplier(self) -> None:
        self.chapter("II. The supplier that was late")
        sent, so = self.at("09:00", 2), "shop/late/1"
        accepted = supplier_orders_pb2.LineAnswer(line_no=1, accepted=3)
        self.ledger.send_all(
            [
                ("PlaceOrder", self.placing("late", "mug", 3, "slow", sent - HOUR)),
                ("SendSupplierOrder", {"supplier_order_id": so, "at": sent}),
                ("AcknowledgeSupplierOrder", {"supplier_order_id": so, "lines": [accepted], "at": sent + HOUR}),
            ]
        )
        self.say("09:15", "Three mugs were to leave Slow Boat by nine. It took them on, and nothing was heard since.")
        late = self.until(
            "the missed deadline",
            lambda: self.order("late").supplier_orders[0],
            lambda supplier_order: "dispatch" in supplier_order.missed_clocks,
        )
        owed = late.compensation
        missed = "dispatch" in late.missed_clocks
        self.check("The clock noticed by itself: shop/late/1 missed its dispatch.", missed, True)
        self.check(
            f"By its agreement Slow Boat owes {euro(owed.amount.amount_minor)}: "
            f"{owed.basis_points / 100:g} % of {euro(owed.net_amount.amount_minor)}.",
            (owed.amount.amount_minor, owed.net_amount.amount_minor, owed.basis_points),
            (297, 2970, 1000),
        )
        asked = self.until(
            "the request to give the mugs up",
            lambda: self.order("late"),
            lambda order: order.supplier_orders[0].reroute_asked,
        )
        requests = self.facts("order.supplier_order_cancel_requested")
        self.check(
            "Nobody had to ask: Brook & Sons could send them, so the ledger wants the mugs back.",
            [(each["supplier_order_id"], each["because"]) for each in requests],
            [(so, "overdue: dispatch")],
        )
        self.say("09:16", "It asks Slow Boat first: a parcel may have left unseen.")
        self.check("Until it answers, nobody else has an order for them.", len(asked.supplier_orders), 1)
        self.ledger.send("AnswerCancelRequest", supplier_order_id=so, agreed=True, at=self.at("10:00"))
        rerouted = self.order("late")
        again = rerouted.supplier_orders[-1]
        self.say("10:00", "It agrees.")
        self.check(
            "Rerouted: Brook & Sons has the three mugs now, instead of shop/late/1.",
            (again.supplier_id, again.instead_of, rerouted.lines[0].units.assigned),
            ("brook", so, 3),
        )
        cancelled = supplier_orders_pb2.SUPPLIER_ORDER_STATUS_CANCELLED
        active = [each for each in rerouted.supplier_orders if each.status != cancelled]
        self.check("One supplier order lives, and no unit is in two.", len(active), 1)
        self.ledger.send_all(self.dispatching("shop/late/2", 3, "R1", self.at("10:05"), self.at("15:00")))
        self.say("15:00", "A parcel leaves Brook & Sons.")
        self.check(
            "The customer's mugs are on their way after all.",
            word(orders_pb2.OrderStatus, self.order("late").status),
            "dispatched",
        )

    def lamp(self, number: str, at: datetime, **known: Any) -> dict[str, Any]:
        """A lamp that goes from Hangzhou to Zürich."""
        return self.placing(number, "lamp", 1, "jade", at, to=ZURICH, line=known, incoterm=shipping_pb2.INCOTERM_DAP)

    def customs(self) -> None:
        self.chapter("III. The border")
        self.ledger.send("PlaceOrder", **self.lamp("1005", self.at("10:15")))
        held = self.order("1005")
        self.say("10:15", "A lamp is sold to Zürich. The shop does not know what customs calls it.")
        missing = sorted(each.rpartition(".")[2].replace("_", " ") for each in held.holds[0].missing)
        self.check(
            f"Held before dispatch for customs data; missing are {', '.join(missing)}.",
            (held.holds[0].reason, len(missing)),
            (orders_pb2.HOLD_REASON_CUSTOMS_DATA, 3),
        )
        line = shipping_pb2.CustomsLine(line_no=1, hs_code="9405.21", origin="CN", weight_grams=1200)
        self.ledger.send("CompleteCustomsData", order_id="shop/1005", lines=[line], at=self.at("10:40"))
        self.check(
            "With code, origin and weight the hold goes, and the order is confirmed.",
            word(orders_pb2.OrderStatus, self.order("1005").status),
            "confirmed",
        )
        rpc, scan = self.scanning(
            "C1",
            parcels_pb2.PARCEL_STATUS_CUSTOMS_HELD,
            self.at("11:00"),
            country="CH",
            customs_asks=parcels_pb2.CUSTOMS_ASK_DOCUMENTS,
            customs_answer_by=self.at("11:00") + 5 * DAY,
        )
        self.ledger.send(rpc, **scan)
        hold = self.parcel("dhl", "C1").customs_hold
        self.say("11:00", "Last week's lamp is stopped at the Swiss border.")
        self.check(
            f"Customs wants {word(parcels_pb2.CustomsAsk, hold.asks)} by {hold.answer_by.ToDatetime():%A %H:%M}.",
            (hold.asks, hold.answer_by.ToDatetime(tzinfo=UTC)),
            (parcels_pb2.CUSTOMS_ASK_DOCUMENTS, self.at("11:00") + 5 * DAY),
        )
        drawn = self.ledger.ask("GetCommercialInvoice", supplier_order_id="shop/lamp/1", with_pdf=True)
        lines = sum(line.value_minor for line in drawn.invoice.lines)
        total = drawn.invoice.total.amount_minor
        self.check(
            f"The ledger draws up the invoice, as PDF too: {euro(total)}, the sum of its lines.",
            (total, lines, drawn.pdf[:5]),
            (3900, 3900, b"%PDF-"),
        )
        rpc, scan = self.scanning("C1", parcels_pb2.PARCEL_STATUS_IN_TRANSIT, self.at("16:30"), country="CH")
        self.ledger.send(rpc, **scan)
        self.say("16:30", "Customs lets it go.")
        self.check(
            "The lamp is on its way again.",
            word(parcels_pb2.ParcelStatus, self.parcel("dhl", "C1").status),
            "in transit",
        )

    def lost_parcel(self) -> None:
        self.chapter("IV. The parcel that never came")
        self.say("12:00", "Two mugs left Hannover twenty days ago, and no scan has come since.")
        suspected = self.until(
            "the suspicion of a loss",
            lambda: self.parcel("dhl", "L1"),
            lambda parcel: bool(parcel.status == parcels_pb2.PARCEL_STATUS_SUSPECTED_LOST),
        )
        self.check(
            "The ledger suspected it by itself.", word(parcels_pb2.ParcelStatus, suspected.status), "suspected lost"
        )
        self.ledger.send(
            "ConfirmLoss", carrier="dhl", tracking_number="L1", by=CARRIER, reason="search ended", at=self.at("12:10")
        )
        self.check("DHL confirms: both units are lost.", self.order("lost").lines[0].units.lost, 2)
        self.open_case("case-lost", "lost", cases_pb2.CASE_REASON_LOST, self.at("12:15"))
        self.decide("case-lost", CARRIER, ["no scan for twenty days"], self.at("12:25"), cases_pb2.REMEDY_REFUND)
        self.refund("case-lost", self.at("12:40"))
        refunded = self.case("case-lost")
        self.check(
            f"The customer has {euro(refunded.refunds[0].amount_minor)} back, before anybody asked the carrier for it.",
            (word(cases_pb2.CaseStatus, refunded.status), refunded.refunds[0].amount_minor),
            ("resolved", 1980),
        )
        prepared = self.recovery(CLAIM)
        self.check(
            f"The ruling prepared a claim on DHL by itself; it asks for the refund, {euro(prepared.asked_minor)}.",
            (word(recoveries_pb2.RecoveryStatus, prepared.status), prepared.asked_minor),
            ("eligible", 1980),
        )
        reason, sentence = self.ledger.refused("FileClaim", recovery_id=CLAIM, at=self.at("13:05"))
        self.say("13:05", f"The claim cannot be filed yet: {sentence}.")
        self.check("The ledger knows which documents a carrier wants to see.", reason, "DOCUMENTS_MISSING")
        for kind in self.recovery(CLAIM).missing_documents:
            self.ledger.send("CollectDocument", recovery_id=CLAIM, kind=kind, sha256="ab" * 32, at=self.at("13:20"))
        self.ledger.send("FileClaim", recovery_id=CLAIM, at=self.at("13:30"))
        self.ledger.send("AcknowledgeClaim", recovery_id=CLAIM, reference="DHL-4711", at=self.at("14:00"))
        money = common_pb2.Money(amount_minor=1980, currency="EUR")
        self.ledger.send("DecideClaim", recovery_id=CLAIM, approved=money, at=self.at("17:00"))
        self.ledger.send("RecordClaimPayment", recovery_id=CLAIM, reference="SEPA-1", amount=money, at=self.at("17:10"))
        claimed = self.recovery(CLAIM)
        self.say("17:10", "DHL looks at it once and pays.")
        self.check(
            f"Claim {claimed.carrier_reference} is paid: {euro(claimed.received_minor)}"
            f" of {euro(claimed.claimed_minor)}.",
            (word(recoveries_pb2.RecoveryStatus, claimed.status), claimed.received_minor),
            ("paid", 1980),
        )

    def open_case(self, case_id: str, number: str, reason: int, at: datetime) -> None:
        units = [common_pb2.LineUnits(line_no=1, units=2)]
        self.ledger.send("OpenCase", case_id=case_id, order_id=f"shop/{number}", reason=reason, lines=units, at=at)
        self.ledger.send("AnswerCustomer", case_id=case_id, at=at + timedelta(minutes=5))

    def decide(
        self, case_id: str, liable: int, because: list[str], at: datetime, remedy: int, evidence: Sequence[str] = ()
    ) -> None:
        self.ledger.send("StartReview", case_id=case_id, at=at)
        self.ledger.send(
            "RuleLiability", case_id=case_id, liable=liable, reasons=because, evidence_sha256=evidence, at=at
        )
        self.ledger.send("ApproveRemedy", case_id=case_id, remedy=remedy, at=at)

    def refund(self, case_id: str, at: datetime) -> None:
        refund: dict[str, Any] = {"case_id": case_id, "refund_id": f"{case_id}-refund", "at": at}
        self.ledger.send("GrantRefund", **refund)
        self.ledger.send("RecordRefundPaid", **refund, reference="PSP-1")

    def damaged_goods(self) -> None:
        self.chapter("V. The teapots in eleven pieces")
        self.open_case("case-broken", "broken", cases_pb2.CASE_REASON_DAMAGED, self.at("12:30"))
        self.say("12:30", "Two teapots arrived broken three days ago; a customer writes.")
        self.ledger.send("RequestEvidence", case_id="case-broken", wanted=["photo"], at=self.at("12:40"))
        self.ledger.send(
            "AddEvidence",
            case_id="case-broken",
            type=cases_pb2.EVIDENCE_TYPE_PNG,
            data=PHOTO,
            given_by=CUSTOMER,
            at=self.at("12:55"),
        )
        photo = self.case("case-broken").evidence[0]
        self.check(
            f"The photo is kept sealed, by its hash {photo.sha256[:12]}.", photo.sha256, sha256(PHOTO).hexdigest()
        )
        self.decide("case-broken", SUPPLIER, ["no padding"], self.at("13:15"), cases_pb2.REMEDY_RESHIP, [photo.sha256])
        reship = self.case("case-broken").reships[0]
        self.say("13:15", "The supplier is liable: no padding. The customer gets new ones.")
        number = reship.order_id.removeprefix("shop/")
        self.check(
            f"Order {reship.order_id} is placed at no price, with its stock reserved.",
            (self.order(number).lines[0].line.unit_price_minor, self.stock("brook", "teapot").available),
            (0, 0),
        )
        so = f"{reship.order_id}/1"
        out_of_stock = supplier_orders_pb2.REJECT_REASON_OUT_OF_STOCK
        rejected = supplier_orders_pb2.LineAnswer(line_no=1, rejected=2, reason=out_of_stock)
        self.ledger.send_all(
            [
                ("SendSupplierOrder", {"supplier_order_id": so, "at": self.at("13:20")}),
                (
                    "AcknowledgeSupplierOrder",
                    {"supplier_order_id": so, "lines": [rejected], "at": self.at("14:10")},
                ),
            ]
        )
        held = self.order(number)
        self.say("14:10", "Brook & Sons answers that it has none.")
        self.check(
            "Nobody else sells this teapot, so the reship waits for a person, and Brook's stock is corrected.",
            ([each.reason for each in held.holds], self.stock("brook", "teapot").available),
            ([orders_pb2.HOLD_REASON_OUT_OF_STOCK], 0),
        )
        self.ledger.send(
            "CancelOrder", order_id=reship.order_id, by=RETAILER, reason="no teapot anywhere", at=self.at("14:30")
        )
        failed = self.until(
            "the end of the reship", lambda: self.case("case-broken"), lambda case: bool(case.reship_failure)
        )
        self.say("14:30", "The person gives up on teapots.")
        self.check(
            "The reship failed, and the case knows: both units are due a refund.",
            (word(cases_pb2.ReshipFailure, failed.reship_failure), failed.lines[0].undecided),
            ("cancelled", 2),
        )
        self.refund("case-broken", self.at("14:45"))
        resolved = self.case("case-broken")
        self.check(
            f"Refunded: {euro(resolved.refunds[0].amount_minor)}; the case is resolved.",
            (word(cases_pb2.CaseStatus, resolved.status), resolved.refunds[0].amount_minor),
            ("resolved", 4980),
        )
        money = common_pb2.Money(amount_minor=4980, currency="EUR")
        self.ledger.send("AnswerRecovery", recovery_id=ASKED, accepted=money, at=self.at("16:00"))
        self.say("16:00", "Brook & Sons accepts to bear it; the next payment will be less.")
        accepted = self.recovery(ASKED)
        self.check(
            f"{euro(accepted.agreed_minor)} are owed to us by brook.",
            (word(recoveries_pb2.RecoveryStatus, accepted.status), accepted.agreed_minor),
            ("accepted", 4980),
        )

    def suspension(self) -> None:
        self.chapter("VI. The supplier that has to go")
        newest = self.log()[-1].position
        self.ledger.send("ReviewSupplier", supplier_id="slow", at_least=newest)
        reviewed = self.ledger.ask("GetSupplier", supplier_id="slow").supplier
        self.say("17:30", "After a day like this, somebody reviews Slow Boat.")
        rate = next(each for each in reviewed.last_review.rates if each.name == rates_pb2.RATE_NAME_ON_TIME_DISPATCH)
        self.check(
            f"On-time dispatch: {rate.numerator} of {rate.denominator}, wanted are at least "
            f"{rate.target_basis_points / 100:g} %.",
            (rate.numerator, rate.denominator, rate.status),
            (15, 21, rates_pb2.RATE_STATUS_BREACH),
        )
        self.check(
            "The review proposes to suspend it.",
            reviewed.last_review.verdict,
            suppliers_pb2.VERDICT_PROPOSE_SUSPENSION,
        )
        self.ledger.send("AcceptSuspension", supplier_id="slow", rate=rates_pb2.RATE_NAME_ON_TIME_DISPATCH)
        self.check("A person agrees: Slow Boat is suspended.", self.standings("slow"), ["suspended"])
        bought = self.place("1006", "mug", 1, "", self.at("17:50"))
        choice = bought.lines[0].choice
        against = {
            each.supplier_id: word(suppliers_pb2.Against, each.against) for each in choice.considered if each.against
        }
        self.check(
            "The next mug comes from brook although slow is cheaper, and the ledger kept why: not approved.",
            (choice.supplier_id, against),
            ("brook", {"slow": "not approved"}),
        )

    def wrong_number(self) -> None:
        self.chapter("VII. The number that was the neighbour's")
        placed, left = self.at("09:00", 1), self.at("16:00", 1)
        wanted: list[tuple[str, Any]] = []
        for number, to, tracking in (("neighbour", BERLIN, "N2"), ("typo", HAMBURG, "N2"), ("label", BERLIN, "N3")):
            wanted.append(("PlaceOrder", self.placing(number, "mug", 1, "brook", placed, to=to)))
            wanted += self.dispatching(f"shop/{number}/1", 1, tracking, placed + HOUR, left + len(wanted) * HOUR / 4)
        wanted.append(("RegisterParcel", {"carrier": "dhl", "tracking_number": "N1", "at": left}))
        wanted.append(self.scanning("N1", parcels_pb2.PARCEL_STATUS_IN_TRANSIT, self.at("06:00"), city="Hamburg"))
        wanted.append(self.scanning("N2", parcels_pb2.PARCEL_STATUS_DELIVERED, self.at("17:55"), city="Berlin"))
        self.ledger.send_all(wanted)
        self.say("17:55", "Brook & Sons wrote one number on two lists, N2. DHL delivers it in Berlin.")
        status = word(orders_pb2.OrderStatus, self.order("typo").status)
        self.check("The ledger takes the mug for Hamburg as delivered.", status, "delivered")
        self.ledger.send(
            "CorrectTracking",
            carrier="dhl",
            tracking_number="N2",
            supplier_order_id="shop/typo/1",
            right_tracking_number="N1",
            reason="mistyped",
            at=self.at("18:10"),
        )
        self.say("18:10", "The customer in Hamburg has none, and Brook & Sons looks again: it was N1.")
        right = self.parcel("dhl", "N1")
        self.check(
            "What DHL had said of N1 counts at once: the mug is under way, since six in the morning.",
            (word(parcels_pb2.ParcelStatus, right.status), right.first_scan_at.ToDatetime(tzinfo=UTC), right.order_id),
            ("in transit", self.at("06:00"), "shop/typo"),
        )
        self.check(
            "N2 is the neighbour's again, who has his mug.",
            (self.parcel("dhl", "N2").order_id, word(orders_pb2.OrderStatus, self.order("neighbour").status)),
            ("shop/neighbour", "delivered"),
        )
        self.ledger.send(
            "VoidParcel", carrier="dhl", tracking_number="N3", reason="label_not_used", at=self.at("18:30")
        )
        self.say("18:30", "The third label was never used: the mug still stands on the shelf.")
        taken_back = self.order("label")
        self.check(
            "Its unit is to be sent again, by the deadline of before, and its stock is the order's own again.",
            (word(orders_pb2.OrderStatus, taken_back.status), taken_back.lines[0].units.assigned),
            ("confirmed", 1),
        )

    def box_of_two(self) -> None:
        self.chapter("VIII. The box of two orders")
        placed, left = self.at("10:00", 1), self.at("15:00", 1)
        wanted: list[tuple[str, Any]] = []
        for number, units in (("gift", 1), ("party", 2)):
            wanted.append(("PlaceOrder", self.placing(number, "mug", 1, "brook", placed)))
            sending, taking, leaving = self.dispatching(f"shop/{number}/1", 1, "X1", placed + HOUR, left)
            lines = [common_pb2.LineUnits(line_no=1, units=units)]
            wanted += [sending, taking, (leaving[0], {**leaving[1], "lines": lines})]
        self.ledger.send_all(wanted)
        self.say("18:40", "Ann's two orders left Brook & Sons in one box, told one by one; in it are three mugs.")
        parcel = self.parcel("dhl", "X1")
        self.check(
            "X1 is one parcel of both orders, and DHL's number was not used twice.",
            ([each.order_id for each in parcel.contents], parcel.epoch),
            (["shop/gift", "shop/party"], 1),
        )
        extra = self.order("party").shipments[0]
        self.check(
            "The third mug is recorded beside the order: one left too many.",
            ([each.units for each in extra.over], [word(supplier_orders_pb2.Oddity, each) for each in extra.oddities]),
            ([1], ["over"]),
        )
        arrives = self.scanning("X1", parcels_pb2.PARCEL_STATUS_DELIVERED, self.at("18:50"), city="Berlin")
        position = self.ledger.send_all([arrives]).position
        self.say("18:50", "DHL scans the box once, at Ann's door.")
        statuses = [word(orders_pb2.OrderStatus, self.order(each).status) for each in ("gift", "party")]
        self.check("Both orders are delivered by that scan.", statuses, ["delivered"] * 2)
        work = self.ledger.ask("ListWork", order_id="shop/party", at_least=position).work
        self.check(
            "Who keeps the third mug is somebody's work, and nobody owes for it.",
            [("with more units than its supplier was given" in each.reason) for each in work],
            [True],
        )

    def came_home(self) -> None:
        self.chapter("IX. The mugs that came home")
        placed, left = self.at("09:00", 6), self.at("15:00", 6)
        self.feed("brook", "mug", 40, 4, self.at("18:55"))
        handed: dict[str, Any] = {"last_mile_carrier": "dpd", "last_mile_tracking_number": "H2"}
        self.ledger.send_all(
            [
                ("PlaceOrder", self.placing("home", "mug", 2, "brook", placed, to=HAMBURG)),
                *self.dispatching("shop/home/1", 2, "H1", placed + HOUR, left),
                self.scanning("H1", parcels_pb2.PARCEL_STATUS_IN_TRANSIT, left + 5 * HOUR, city="Hannover"),
                ("HandOverParcel", {"carrier": "dhl", "tracking_number": "H1", **handed, "at": self.at("06:00", 4)}),
            ]
        )
        self.say("19:00", "Two mugs for Hamburg left with DHL as H1, which gave them to DPD: there they are H2.")
        for status, at, city in (
            (parcels_pb2.PARCEL_STATUS_REFUSED, self.at("11:00", 3), "Hamburg"),
            (parcels_pb2.PARCEL_STATUS_RETURNING, self.at("12:00", 3), "Hamburg"),
            (parcels_pb2.PARCEL_STATUS_DELIVERED, self.at("19:05"), "Berlin"),
        ):
            rpc, scan = self.scanning("H2", status, at, city=city)
            last = self.ledger.send(rpc, **{**scan, "carrier": "dpd"})
        found = self.ledger.ask("FindParcels", tracking_number="H2", at_least=last.position).parcels
        self.check(
            "H2 is the same parcel: whoever asks for it finds H1, and shop/home.",
            [(each.tracking_number, each.order_id) for each in found],
            [("H1", "shop/home")],
        )
        home = self.order("home")
        self.say("19:05", "Nobody took them in; DPD reports them as delivered, at Brook & Sons.")
        self.check(
            "That is a return's arrival, and no delivery: both are back at their supplier.",
            (home.lines[0].units.returned, home.lines[0].units.delivered, home.HasField("delivered_at")),
            (2, 0, False),
        )
        work = self.ledger.ask("ListWork", order_id="shop/home", at_least=last.position).work
        self.check("Somebody is to see to it.", [each.reason for each in work], ["returned"])
        before = self.stock("brook", "mug").available
        self.open_case("case-home", "home", cases_pb2.CASE_REASON_REFUSED, self.at("19:10"))
        self.decide("case-home", CUSTOMER, ["refused"], self.at("19:15"), cases_pb2.REMEDY_REFUND)
        fit = returns_pb2.InspectedLine(line_no=1, restocked=2)
        self.ledger.send("RecordInspection", case_id="case-home", lines=[fit], at=self.at("19:20"))
        self.refund("case-home", self.at("19:25"))
        self.say("19:25", "Brook & Sons finds them whole, and the customer has the money back.")
        closed = self.order("home")
        self.check(
            "The order is closed, nothing is left to do, and two mugs can be sold again.",
            (word(orders_pb2.OrderStatus, closed.status), self.stock("brook", "mug").available - before),
            ("closed", 2),
        )

    def evening(self) -> None:
        self.chapter("The evening")
        log = self.log()
        self.check(
            f"{len(log)} facts were recorded, one after another, and none is missing.",
            [each.position for each in log],
            list(range(1, len(log) + 1)),
        )
        newest = log[-1].position
        orders = self.ledger.ask("ListOrders", at_least=newest).orders
        numbers = [each.order_id.removeprefix("shop/") for each in orders]
        lines = [line for number in numbers for line in self.order(number).lines]
        units = sum(line.line.quantity for line in lines)
        self.check(
            f"Each of the {units} units of {len(orders)} orders is in exactly one place.",
            [_count(line.units) for line in lines],
            [line.line.quantity for line in lines],
        )
        breaches = self.ledger.ask("ListBreaches", supplier_id="slow", at_least=newest).breaches
        dispatch = [each for each in breaches if each.clock == obligations_pb2.OBLIGATION_CLOCK_DISPATCH]
        self.check("Slow Boat missed the dispatch of 6 supplier orders.", len(dispatch), 6)
        work = self.ledger.ask("ListWork", at_least=newest).work
        kinds = [word(work_pb2.WorkKind, each.kind) for each in work if each.order_id]
        self.check(
            "Left for tomorrow: six orders to send, and to ask who keeps the third mug.",
            sorted(each for each in kinds if each != "message"),  # mails are tried at a time of their own
            ["draft"] * 6 + ["oddity"],
        )
        self.statement("slow", newest, 6808, "we owe it")
        self.statement("brook", newest, 2880, "we owe it")

    def statement(self, supplier_id: str, newest: int, closing_minor: int, whose: str) -> None:
        period: dict[str, Any] = {"since": self.at("00:00", 60), "until": self.day + 2 * DAY, "at_least": newest}
        balance = self.ledger.ask("GetStatement", supplier_id=supplier_id, **period).balances[0]
        parts = ", ".join(
            f"{word(statements_pb2.StatementKind, each.kind)} {euro(each.amount_minor)} ({each.entries})"
            for each in balance.totals
        )
        self.check(
            f"Statement of {supplier_id}: {parts}; {whose} {euro(abs(balance.closing_minor))}.",
            balance.closing_minor,
            closing_minor,
        )


def _count(units: Any) -> int:
    on_the_way = (units.open, units.backordered, units.assigned, units.shipped)
    return sum((*on_the_way, units.delivered, units.returned, units.cancelled, units.lost))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Plays a bad day of a shop against a running service.")
    parser.add_argument("--server", default="127.0.0.1:50051", help="host:port (%(default)s)")
    parser.add_argument("--tenant", default="", help="a new tenant to play it in; made up if not said")
    parser.add_argument(
        "--token-file", type=Path, help="the token of an owner of every tenant, if the service asks for one"
    )
    chosen = parser.parse_args(arguments)
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    tenant = chosen.tenant or f"bad_day_{uuid.uuid4().hex[:8]}"
    token = chosen.token_file.read_text().strip() if chosen.token_file else os.environ.get("FULFILMENT_TOKEN", "")
    ledger = Ledger(chosen.server, tenant, token)
    try:
        ledger.ask("CreateTenant", tenant=tenant)
        print(f"A bad day, {day:%A %d %B %Y}, in the tenant {tenant}.")
        BadDay(ledger, day).play()
    except Contradicted as contradiction:
        print(f"\nThe story does not hold: {contradiction}", file=sys.stderr)
        return 1
    except CallFailed as error:
        print(f"\nThe service at {chosen.server} answers: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
