"""Two chapters of the bad day: a shop that changes an order it has sold, and money that does not stay where it went."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fulfilment.v1 import common_pb2, order_money_pb2, orders_pb2, supplier_orders_pb2, work_pb2
from story import PRICES, TITLES, Story, euro, word

CUSTOMER = common_pb2.PARTY_CUSTOMER
SHIPPING = order_money_pb2.Charge(
    charge_id="shipping", kind=order_money_pb2.CHARGE_KIND_SHIPPING, amount_minor=490, title="Shipping"
)
WRAP = order_money_pb2.Charge(
    charge_id="wrap", kind=order_money_pb2.CHARGE_KIND_GIFT_WRAP, amount_minor=200, title="Gift wrap"
)


class ChangedOrders(Story):
    """The chapters X and XI."""

    def amended_order(self) -> None:
        self.chapter("X. The shop that changed its mind")
        self.feed("brook", "bowl", 5, 1, self.at("19:28"))
        self.place_paid("1007", 4, 4450, self.at("19:30"))
        self.say("19:30", "Four mugs are sold and paid, with shipping 44.50 EUR.")
        self.amend_before_sending()
        self.amend_after_sending()
        self.amend_what_is_packed()

    def amend_before_sending(self) -> None:
        promised = self.stock("brook", "mug").committed
        self.amend(2, self.at("19:35"), mugs=3, bowls=1)
        self.say("19:35", "Before Brook & Sons was told, the customer takes a bowl instead of one, and gift wrap.")
        amended = self.order("1007")
        self.check(
            "Three mugs and a bowl that stands for the fourth, shipping and wrap: 49.50 EUR.",
            ([each.wanted for each in amended.lines], amended.lines[1].line.substitute_for, amended.money.total_minor),
            ([3, 1], 1, 4950),
        )
        self.check(
            "Nobody had to be asked: the fourth mug can be sold again at once.",
            promised - self.stock("brook", "mug").committed,
            1,
        )
        self.check(
            "44.50 EUR came in, so the bowl waits for 5.00 EUR; the mugs do not.",
            [(word(orders_pb2.HoldReason, each.reason), each.supplier_order_id) for each in amended.holds],
            [("awaiting payment", "shop/1007/2")],
        )
        self.moved("1007", "rest", order_money_pb2.PAYMENT_KIND_CAPTURED, 500, self.at("19:40"))
        self.say("19:40", "The customer pays the rest.")
        self.check("Nothing waits any more.", len(self.order("1007").holds), 0)

    def amend_after_sending(self) -> None:
        self.sell("shop/1007/1", 1, 3, self.at("19:45"))
        self.sell("shop/1007/2", 2, 1, self.at("19:45"))
        self.amend(4, self.at("19:50"), mugs=2, bowls=1)
        self.say("19:50", "Brook & Sons has taken all of it on. Now two mugs are enough.")
        asked = self.order("1007")
        self.check(
            "It is asked, and has the third mug until it answers.",
            (word(supplier_orders_pb2.SupplierOrderStatus, asked.supplier_orders[0].status), _assigned(asked)),
            ("cancel requested", [3, 1]),
        )
        self.check(
            "What the mug cost, 9.90 EUR, is owed to the customer at once.", self.money("1007"), (4950, 0, 3960, 990)
        )
        late = self.amend(3, self.at("19:48"), mugs=9, bowls=1)
        self.say("19:52", "The shop's state of two minutes before comes late: nine mugs.")
        self.check(
            f"It is ignored: {late.warnings[0]}.",
            ([each.wanted for each in self.order("1007").lines], self.order("1007").source_version),
            ([2, 1], 4),
        )
        self.ledger.send("AnswerCancelRequest", supplier_order_id="shop/1007/1", agreed=True, at=self.at("19:55"))
        self.say("19:55", "Brook & Sons agrees.")
        self.check("It has two mugs and a bowl to send.", _assigned(self.order("1007")), [2, 1])

    def amend_what_is_packed(self) -> None:
        self.amend(5, self.at("19:58"), mugs=2, bowls=0)
        refusal: dict[str, Any] = {"agreed": False, "reason": "already_packed"}
        self.ledger.send("AnswerCancelRequest", supplier_order_id="shop/1007/2", **refusal, at=self.at("20:00"))
        self.say("20:00", "No bowl after all? That one is packed, answers Brook & Sons, and sends everything.")
        for part in ("shop/1007/1", "shop/1007/2"):
            parcel: dict[str, Any] = {"carrier": "dhl", "tracking_number": "A1", "at": self.at("20:05")}
            self.ledger.send("ShipSupplierOrder", supplier_order_id=part, **parcel)
        self.check(
            "The bowl is on its way, and costs the customer nothing.",
            [(each.units.shipped, each.wanted_minor) for each in self.order("1007").lines],
            [(2, 1980), (1, 0)],
        )
        self.pay_back("1007", "back", self.at("20:10"))
        came_in, went_back, due, _ = self.money("1007")
        self.check(
            f"A mug and the bowl are paid back, {euro(went_back)}: of {euro(came_in)} the shop keeps {euro(due)}.",
            self.money("1007"),
            (4950, 2280, 2670, 0),
        )

    def money_that_bounces(self) -> None:
        self.chapter("XI. The money that came back")
        self.returned_refund()
        self.chargeback()

    def returned_refund(self) -> None:
        self.place_paid("1008", 3, 3460, self.at("20:15"))
        one = [common_pb2.LineUnits(line_no=1, units=1)]
        self.ledger.send("CancelOrder", order_id="shop/1008", lines=one, by=CUSTOMER, at=self.at("20:20"))
        self.say("20:20", "Three mugs are paid with their shipping, 34.60 EUR; then the customer needs only two.")
        owed = self.owed("1008")
        self.check(
            f"It is somebody's work, and no case: {owed[0].reason}.",
            (self.money("1008"), [each.next.rpc for each in owed]),
            ((3460, 0, 2470, 990), ["CaseService.RecordRefundPaid"]),
        )
        self.pay_back("1008", "re-1", self.at("20:25"))
        self.say("20:25", "Somebody pays it.")
        self.check("The work is done.", (self.money("1008"), self.owed("1008")), ((3460, 990, 2470, 0), []))
        self.moved("1008", "bounce", order_money_pb2.PAYMENT_KIND_REFUND_RETURNED, 990, self.at("20:40"), of="re-1")
        self.say("20:40", "The account is closed: the bank sends the money back.")
        again = self.owed("1008")
        self.check(
            "It is owed again, and work again, a piece of its own.",
            (self.money("1008"), [each.task_id != owed[0].task_id for each in again]),
            ((3460, 0, 2470, 990), [True]),
        )
        paid: dict[str, Any] = {"order_id": "shop/1008", "refund_id": "re-2", "at": self.at("20:45")}
        reason, sentence = self.ledger.refused("RecordRefundPaid", **paid, amount=_eur(1990))
        self.say("20:45", f"Somebody types 19.90 EUR: {sentence}.")
        self.check("No more is paid back than is owed.", reason, "MORE_THAN_OWED")
        self.pay_back("1008", "re-2", self.at("20:50"))
        came_in, went_back, due, _ = self.money("1008")
        self.check(
            f"To another account, then: {euro(came_in)} came in, {euro(went_back)} went back once, "
            f"{euro(due)} are the shop's, and nothing is left to do.",
            (self.money("1008"), self.owed("1008")),
            ((3460, 990, 2470, 0), []),
        )

    def chargeback(self) -> None:
        terms = self.ledger.ask("GetPolicy").in_force.policy
        terms.on_payment_reversed = "cancel"
        self.ledger.send("AgreePolicy", policy=terms, effective_from=self.at("20:00"))
        self.place_paid("1009", 2, 2470, self.at("20:55"))
        self.sell("shop/1009/1", 1, 2, self.at("21:00"))
        taken: dict[str, Any] = {"chargeback_id": "cb-1", "amount": _eur(2470), "reason": "4853"}
        self.ledger.send("RecordChargeback", order_id="shop/1009", **taken, at=self.at("21:15"))
        self.say("21:15", "A bank takes back all that was paid for two mugs. Brook & Sons has them in hand.")
        stopped = self.order("1009")
        self.check(
            "The order is on hold: its payment was reversed.",
            [word(orders_pb2.HoldReason, each.reason) for each in stopped.holds],
            ["payment reversed"],
        )
        self.check(
            "The shop's policy is to stop then, so Brook & Sons is asked to without anybody's word.",
            word(supplier_orders_pb2.SupplierOrderStatus, stopped.supplier_orders[0].status),
            "cancel requested",
        )
        self.ledger.send("AnswerCancelRequest", supplier_order_id="shop/1009/1", agreed=True, at=self.at("21:25"))
        self.say("21:25", "It agrees.")
        over = self.order("1009")
        self.check(
            "The order is cancelled, and nobody owes anybody: what the bank took is not paid twice.",
            (word(orders_pb2.OrderStatus, over.status), len(over.holds), self.money("1009"), self.owed("1009")),
            ("cancelled", 0, (2470, 2470, 0, 0), []),
        )

    # --- what the chapters are told with ---

    def place_paid(self, number: str, mugs: int, amount_minor: int, at: datetime) -> None:
        """An order of mugs with shipping, paid by card."""
        paid = _payment("card-1", order_money_pb2.PAYMENT_KIND_CAPTURED, amount_minor, at)
        unsaid = orders_pb2.PAYMENT_STATE_UNSPECIFIED
        self.place(number, "mug", mugs, "brook", at, charges=[SHIPPING], payment=unsaid, payments=[paid])

    def amend(self, version: int, at: datetime, *, mugs: int, bowls: int) -> Any:
        """The order 1007 as its shop has it now: all lines, all charges."""
        lines = [_line(1, "mug", mugs)]
        if bowls:
            lines.append(_line(2, "bowl", bowls, substitute_for=1))
        wanted: dict[str, Any] = {"lines": lines, "charges": [SHIPPING, WRAP], "version": version}
        return self.ledger.send("AmendOrder", order_id="shop/1007", **wanted, reason="customer_edit", at=at)

    def sell(self, supplier_order_id: str, line_no: int, units: int, at: datetime) -> None:
        """A supplier is told, and takes it on."""
        accepted = supplier_orders_pb2.LineAnswer(line_no=line_no, accepted=units)
        self.ledger.send("SendSupplierOrder", supplier_order_id=supplier_order_id, at=at)
        self.ledger.send("AcknowledgeSupplierOrder", supplier_order_id=supplier_order_id, lines=[accepted], at=at)

    def moved(self, number: str, payment_id: str, kind: Any, amount_minor: int, at: datetime, of: str = "") -> None:
        payment = _payment(payment_id, kind, amount_minor, at, of)
        self.ledger.send("RecordPayment", order_id=f"shop/{number}", payments=[payment])

    def pay_back(self, number: str, refund_id: str, at: datetime) -> None:
        """All that is owed."""
        self.ledger.send("RecordRefundPaid", order_id=f"shop/{number}", refund_id=refund_id, at=at)

    def money(self, number: str) -> tuple[int, ...]:
        """What came in, what went back, what is due, and what is owed."""
        adds_up = self.order(number).money
        return (adds_up.came_in_minor, adds_up.went_back_minor, adds_up.due_minor, adds_up.owed_minor)

    def owed(self, number: str) -> list[Any]:
        """The work of paying an order's money back."""
        asked: dict[str, Any] = {"order_id": f"shop/{number}", "kinds": [work_pb2.WORK_KIND_REFUND]}
        return list(self.ledger.ask("ListWork", **asked, at_least=self.log()[-1].position).work)


def _eur(amount_minor: int) -> common_pb2.Money:
    return common_pb2.Money(amount_minor=amount_minor, currency="EUR")


def _line(line_no: int, sku: str, units: int, **known: Any) -> orders_pb2.OrderLine:
    line: dict[str, Any] = {"sku": sku, "title": TITLES[sku], "unit_price_minor": PRICES[sku], "supplier_id": "brook"}
    return orders_pb2.OrderLine(line_no=line_no, quantity=units, **line, **known)


def _payment(payment_id: str, kind: Any, amount_minor: int, at: datetime, of: str = "") -> order_money_pb2.Payment:
    what: dict[str, Any] = {"payment_id": payment_id, "kind": kind, "amount": _eur(amount_minor), "at": at}
    return order_money_pb2.Payment(**what, method="card", of=of)


def _assigned(order: Any) -> list[int]:
    return [each.units.assigned for each in order.lines]
