"""A world around a running service: two shops, their suppliers, an aggregator and customers, over real HTTP and SMTP.

A seed decides who buys what, and what goes wrong with what the shops and the aggregator tell: it comes late, twice, in
the wrong order, or never. At the end the service has to know each thing once, and everybody has to know it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, NamedTuple

from fulfilment.v1 import admin_pb2, common_pb2, edges_pb2, orders_pb2, tracking_pb2
from tests.support import shopify_orders
from tests.support.aggregator import Aggregator, aggregator
from tests.support.mail_server import Mailbox
from tests.support.service import Client, context, offer, stamp
from tests.support.shopify_shop import APP_SECRET, CLIENT_ID, LOCATION, ShopifyShop, shopify_shop
from tests.support.tracked import client_policy
from tests.support.tracker_formats import SECRETS, PlayedScan
from tests.support.trading import Trade, answer
from tests.support.waiting import wait_for
from tests.support.woo_shop import SECRET, Fault, WooShop, woo_order, woo_shop

WOO, SHOPIFY, TRACKER = "brook", "tea", "tracker"
"""The names of the connections; orders have those of the shops as their channel."""
CHANNELS = (WOO, SHOPIFY)
SUPPLIERS = {"cup": "acme", "pot": "jade"}
STOCK = 100
PEOPLE = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gao", "Hana", "Ivo", "June")
JOURNEY = (("in_transit", "Leipzig"), ("out_for_delivery", "Berlin"), ("delivered", "Berlin"))
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Bought:
    """What somebody bought in a shop."""

    channel: str
    number: int
    sku: str
    units: int
    customer: str

    @property
    def order_id(self) -> str:
        return f"{self.channel}/{self.number}"

    @property
    def tracking_number(self) -> str:
        return f"JD0146{self.number:014}"


class Told(NamedTuple):
    """A delivery of a shop or of the aggregator."""

    what: str
    send: Callable[[], Any] | None
    """None if it is lost."""


class World:
    """What happens, in its order."""

    def __init__(
        self,
        client: Client,
        systems: tuple[WooShop, ShopifyShop, Aggregator, Mailbox],
        seed: int,
        say: Callable[[str], object],
        pause: Callable[[float], object],
    ) -> None:
        """``pause`` is called with seconds where an onlooker should have time to read."""
        self.client, self.trade = client, Trade(client)
        self.woo, self.shopify, self.tracker, self.mailbox = systems
        self.edge = self.woo.edge
        self.begun = datetime.now(UTC).replace(microsecond=0) - 30 * MINUTE
        self.bought: list[Bought] = []
        self.unheard: list[Bought] = []
        """Of whose orders no webhook said anything."""
        self._random, self._say, self._pause = Random(seed), say, pause

    def play(self, each_shop: int) -> None:
        """From the connections to the last mail."""
        self.connects()
        self.orders_come(each_shop)
        self.suppliers_ship()
        self.parcels_travel()

    # --- before ---

    def connects(self) -> None:
        policy = client_policy(self.client)
        policy.message_window_minutes = 0
        for channel, name in ((WOO, "Brook & Sons"), (SHOPIFY, "Tea & Co")):
            policy.brands.append(admin_pb2.Brand(channel=channel, name=name))
        self.client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))
        for sku, supplier in SUPPLIERS.items():
            self.client.approve(supplier, contact=f"{supplier.title()} <orders@{supplier}.example>")
            offer(self.client, supplier, sku, 300)
            self.client.feed(STOCK, sku, supplier)
        self._say(f"Acme has {STOCK} cups and Jade {STOCK} pots.")
        self.woo.products = {
            number: {"id": number, "sku": sku, "stock_quantity": None, "parent_id": 0}
            for number, sku in enumerate(SUPPLIERS, 1)
        }
        self.shopify.stock = dict.fromkeys(SUPPLIERS, 0)
        # Both are busy at first, so that what is lost meanwhile is found later, by asking.
        self.woo.faults.append(Fault(429, "GET", "/wc/v3/orders", 1000, {"retry-after": "1"}))
        self.shopify.answers += [429] * 1000
        self._connect(WOO, "woocommerce", {"shop": self.woo.url}, {"webhook": SECRET, "key": "ck_1", "secret": "cs_1"})
        settings = {
            "shop": self.shopify.url,
            "location": str(LOCATION),
            "deliver_to": f"{self.edge}/in/default/{SHOPIFY}",
        }
        self._connect(SHOPIFY, "shopify", settings, {"secret": APP_SECRET, "client_id": CLIENT_ID})
        self._connect(TRACKER, "aftership", self.tracker.settings("aftership"), SECRETS["aftership"])
        self._say("A shop of WooCommerce, one of Shopify, and AfterShip are connected.")
        self._say("Both shops are busy and answer 429: at first there is only what they tell by themselves.")

    def _connect(self, name: str, system: str, settings: Any, secrets: Any) -> None:
        self.client.edges.AddConnection(
            edges_pb2.AddConnectionRequest(
                context=context(), name=name, system=system, settings=settings, secrets=secrets
            )
        )

    # --- orders ---

    def orders_come(self, each_shop: int) -> None:
        queues = []
        for channel, first in ((WOO, 1001), (SHOPIFY, 5001)):
            for place in range(each_shop):
                sku = self._random.choice(tuple(SUPPLIERS))
                person = self._random.choice(PEOPLE)
                bought = Bought(channel, first + place, sku, self._random.randint(1, 3), person)
                self.bought.append(bought)
                self._say(f"{person} buys {_count(bought.units, sku)}: order {bought.order_id}.")
                states = (self._woo_tells if channel == WOO else self._shopify_tells)(bought)
                queues.append(self._with_mishaps(place, *states))
                if not any(told.send for told in queues[-1]):
                    self.unheard.append(bought)
        self._happen(queues, 0.4)
        lost = sum(told.send is None for queue in queues for told in queue)
        self._say(f"{lost} webhooks were lost. Now the shops have time, and are asked.")
        self.woo.faults.clear()
        self.shopify.answers.clear()
        self.shopify.tells = True
        confirmed = {each.order_id: "confirmed" for each in self.bought}
        wait_for(lambda: self.statuses() == confirmed)
        self._say(f"All {len(self.bought)} orders are there and confirmed, as if nothing had been lost.")

    def _woo_tells(self, bought: Bought) -> tuple[Told, Told]:
        """That it was placed, and that it was paid."""
        at, goods = self._placed_at(bought), 9.9 * bought.units
        number, written = bought.number, woo_order(bought.number)
        named = {"first_name": bought.customer}
        self.woo.orders[number] = {
            **written,
            "status": "pending",
            "date_paid_gmt": None,
            "total": f"{goods + 4.9:.2f}",
            "line_items": [
                {"id": number * 10, "name": bought.sku.title(), "quantity": bought.units, "sku": bought.sku}
                | {"total": f"{goods:.2f}"}
            ],
            "billing": {**written["billing"], **named, "email": _address(bought)},
            "shipping": {**written["shipping"], **named},
            "date_created_gmt": _gmt(at),
            "date_modified_gmt": _gmt(at),
        }
        placed = self.woo.change(number)
        paid = self.woo.change(number, _gmt(at + MINUTE), status="processing", date_paid_gmt=_gmt(at + MINUTE))
        return (
            Told(f"{bought.order_id} was placed", lambda: self.woo.send(placed, "order.created")),
            Told(f"{bought.order_id} was paid", lambda: self.woo.send(paid)),
        )

    def _shopify_tells(self, bought: Bought) -> tuple[Told, Told]:
        at, number = self._placed_at(bought).isoformat(), bought.number
        who = {"first_name": bought.customer, "last_name": "Example"}
        address = shopify_orders.place(first_name=bought.customer, name=f"{bought.customer} Example")
        placed = self.shopify.sell(
            number,
            line_items=[shopify_orders.line(number * 10 + 1, bought.sku, bought.units, "9.90")],
            **dict.fromkeys(("created_at", "processed_at", "updated_at"), at),
            financial_status="pending",
            total_outstanding=f"{9.9 * bought.units + 4.9:.2f}",
            email=_address(bought),
            customer={**who, "email": _address(bought), "phone": None},
            customer_locale="en",
            billing_address=address,
            shipping_address=address,
        )
        paid_at = (self._placed_at(bought) + MINUTE).isoformat()
        paid = self.shopify.change(number, paid_at, financial_status="paid", total_outstanding="0.00")
        return (
            Told(f"{bought.order_id} was placed", lambda: self.shopify.send("orders/create", placed)),
            Told(f"{bought.order_id} was paid", lambda: self.shopify.send("orders/updated", paid)),
        )

    def _placed_at(self, bought: Bought) -> datetime:
        return self._at(bought.number % 1000 % 20)

    def _with_mishaps(self, place: int, placed: Told, paid: Told) -> list[Told]:
        """What really arrives of an order's news; the first orders of a shop have one mishap each."""
        lost = [told._replace(send=None) for told in (placed, paid)]
        fates: Sequence[list[Told]] = (
            lost,
            [placed, paid, _again(placed), _again(paid)],
            [paid, _late(placed)],
            [placed, lost[1]],
            [placed, paid],
        )
        return fates[place] if place < len(fates) else self._random.choice(fates)

    def _happen(self, queues: Sequence[Sequence[Told]], seconds: float) -> None:
        """All of them in any order, except that each queue keeps its own."""
        left = [list(queue) for queue in queues]
        while left := [queue for queue in left if queue]:
            what, send = self._random.choice(left).pop(0)
            self._say(f"→ {what}: {send().status_code}" if send else f"✗ {what}: lost on the way")
            self._pause(seconds)

    # --- suppliers and parcels ---

    def suppliers_ship(self) -> None:
        hasty = self.bought[0]
        self.tracker.follow("aftership", hasty.tracking_number, "dhl", "dhl")
        self._say("AfterShip tells of a parcel before its supplier does: that waits.")
        self._scanned(hasty, 0)
        self._happen([[self._told(hasty, 0)]], 0.4)
        self._say("The shop of WooCommerce is down and answers 503: what it is to be told waits.")
        self.woo.faults.append(Fault(503, times=3))
        for each in self.bought:
            parcel = {"carrier": "dhl", "tracking_number": each.tracking_number}
            answered = {"lines": [answer(accepted=each.units)]}
            self._supplier(each, "SendSupplierOrder", 22)
            self._supplier(each, "AcknowledgeSupplierOrder", 23, **answered)
            self._supplier(each, "ShipSupplierOrder", 24, **parcel)
            self._say(f"{SUPPLIERS[each.sku].title()} sends {each.order_id} by DHL: {each.tracking_number}.")
            self._pause(0.4)
        numbers = {("aftership", each.tracking_number) for each in self.bought}
        wait_for(lambda: numbers <= set(self.tracker.registered))
        self._say("AfterShip was given all the numbers to follow.")

    def _supplier(self, bought: Bought, rpc: str, minutes: int, **more: Any) -> None:
        self.trade.send(rpc, supplier_order_id=f"{bought.order_id}/1", at=stamp(self._at(minutes)), **more)

    def parcels_travel(self) -> None:
        queues = []
        for each in self.bought:
            told = []
            for step in range(len(JOURNEY)):
                self._scanned(each, step)
                told.append(self._told(each, step))
            if self._random.random() < 0.5:
                told.append(_late(told[1]))
            if self._random.random() < 0.5:
                told.append(_again(told[2]))
            queues.append(told)
        self._happen(queues, 0.2)

    def _told(self, bought: Bought, step: int) -> Told:
        """That it was scanned, with all that is known of it by then."""
        word, town = JOURNEY[step]
        body = self.tracker.written("aftership", bought.tracking_number)
        push = partial(self.tracker.push, "aftership", body, f"{self.edge}/in/default/{TRACKER}")
        return Told(f"{bought.tracking_number} is {word.replace('_', ' ')} in {town}", push)

    def _scanned(self, bought: Bought, step: int) -> None:
        word, town = JOURNEY[step]
        scan = PlayedScan(self._at(25 + step), word, f"Scan {step}", town, "DE")
        if scan not in self.tracker.followed["aftership", bought.tracking_number].scans:
            self.tracker.scan("aftership", bought.tracking_number, scan)

    def _at(self, minutes: int) -> datetime:
        return self.begun + minutes * MINUTE

    def orders(self) -> list[Any]:
        """As the ledger shows them."""
        page = common_pb2.PageRequest(page_size=1000)
        return list(self.client.reports.ListOrders(tracking_pb2.ListOrdersRequest(page=page)).orders)

    def statuses(self) -> dict[str, str]:
        return {each.order_id: word(orders_pb2.OrderStatus, each.status) for each in self.orders()}


def _again(told: Told) -> Told:
    return told._replace(what=f"{told.what}, told again")


def _late(told: Told) -> Told:
    return told._replace(what=f"{told.what}, late")


def _count(units: int, sku: str) -> str:
    return f"{units} {sku}{'s' if units > 1 else ''}"


def _address(bought: Bought) -> str:
    return f"{bought.customer.lower()}.{bought.number}@example.org"


def _gmt(at: datetime) -> str:
    """As WooCommerce writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def word(enum: Any, number: int) -> str:
    prefix = enum.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(enum.Name(number)).removeprefix(prefix).lower()


@contextmanager
def a_world(
    client: Client,
    edge: str,
    mailbox: Mailbox,
    seed: int = 1,
    say: Callable[[str], object] = str,
    pause: Callable[[float], object] = float,
) -> Iterator[World]:
    """Beside a service, at the address of whose edges its systems tell; it hands its mails to the mailbox."""
    with woo_shop(edge, WOO) as woo, shopify_shop(edge, SHOPIFY) as shopify, aggregator() as tracker:
        yield World(client, (woo, shopify, tracker, mailbox), seed, say, pause)
