"""A world around a running service: a shop of each kind, suppliers, an aggregator, customers, over real HTTP and SMTP.

A seed decides who buys what, and what goes wrong with what the shops and the aggregator tell: it comes late, twice, in
the wrong order, or never. At the end the service has to know each thing once, and everybody has to know it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from fulfilment.v1 import admin_pb2, common_pb2, edges_pb2, orders_pb2, suppliers_pb2, tracking_pb2
from tests.support.aggregator import Aggregator, aggregator
from tests.support.amazon import playing_amazon
from tests.support.mail_server import Mailbox
from tests.support.service import Client, context, offer, stamp
from tests.support.shopify_shop import shopify_shop
from tests.support.told_site import told_site
from tests.support.tracked import client_policy
from tests.support.tracker_formats import SECRETS, PlayedScan
from tests.support.trading import Trade, answer
from tests.support.waiting import wait_for
from tests.support.woo_shop import woo_shop
from tests.support.world_market import Market
from tests.support.world_shops import (
    MINUTE,
    AmazonWorldShop,
    Bought,
    ShopifyWorldShop,
    SiteWorldShop,
    Told,
    WooWorldShop,
    WorldShop,
    answered,
)

TRACKER = "tracker"
SUPPLIERS = {"cup": "acme", "pot": "jade"}
STOCK = 100
PEOPLE = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gao", "Hana", "Ivo", "June")
JOURNEY = (("in_transit", "Leipzig"), ("out_for_delivery", "Berlin"), ("delivered", "Berlin"))


class World:
    """What happens, in its order."""

    def __init__(
        self,
        client: Client,
        edge: str,
        systems: tuple[Sequence[WorldShop], Market, Aggregator, Mailbox],
        seed: int,
        say: Callable[[str], object],
        pause: Callable[[float], object],
    ) -> None:
        """``pause`` is called with seconds where an onlooker should have time to read."""
        self.client, self.trade = client, Trade(client)
        self.shops, self.market, self.tracker, self.mailbox = systems
        self.edge = edge
        self.begun = datetime.now(UTC).replace(microsecond=0) - 30 * MINUTE
        self.bought: list[Bought] = []
        self.unheard: list[Bought] = []
        """Of whose orders no shop said anything."""
        self.silent: list[Bought] = []
        """That whose parcels arrived was lost on the way."""
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
        policy.brands.extend(admin_pb2.Brand(channel=shop.name, name=shop.brand) for shop in self.shops)
        policy.brands.add(channel=self.market.name, name=self.market.brand)
        self.client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))
        for sku, supplier in SUPPLIERS.items():
            contact = f"{supplier.title()} <orders@{supplier}.example>"
            self.client.approve(supplier, contact=contact, acknowledge_within_hours=24, dispatch_within_hours=48)
            sits = suppliers_pb2.UpdateSupplierRequest(context=context(), name=f"{supplier.title()} Ltd", country="DE")
            sits.supplier_id = supplier
            self.client.suppliers.UpdateSupplier(sits)
            offer(self.client, supplier, sku, 300)
            self.client.feed(STOCK, sku, supplier)
        self._say(f"Acme has {STOCK} cups and Jade {STOCK} pots.")
        # Who is busy at first is asked later for what was lost meanwhile.
        for shop in self.shops:
            shop.connect(self._connect, tuple(SUPPLIERS))
        self.tracker.is_busy = True
        self._connect(TRACKER, "aftership", self.tracker.settings("aftership"), SECRETS["aftership"])
        self._say(f"{_listed([shop.what for shop in self.shops])} are connected, and AfterShip.")
        self._say(
            "Those that can be asked are busy and answer 429: at first there is only what they tell by themselves."
        )

    def _connect(self, name: str, system: str, settings: Any, secrets: Any) -> None:
        self.client.edges.AddConnection(
            edges_pb2.AddConnectionRequest(
                context=context(), name=name, system=system, settings=settings, secrets=secrets
            )
        )

    # --- orders ---

    def orders_come(self, each_shop: int) -> None:
        queues = []
        for shop in self.shops:
            for place in range(each_shop):
                bought = self._buys(shop, place)
                queues.append(self._with_mishaps(place, shop, *shop.tells(bought)))
                if all(told.lost for told in queues[-1]):
                    self.unheard.append(bought)
        self._happen(queues, 0.4)
        lost = sum(told.lost for queue in queues for told in queue)
        self._say(f"{_count(lost, 'message')} of shops got lost. Now those that can be asked have time, and are asked.")
        for shop in self.shops:
            shop.has_time()
        for place in range(max(each_shop, self.market.least)):
            self.market.sells(self._buys(self.market, place))
        self.market.is_imported(self._say)
        confirmed = {each.order_id: "confirmed" for each in self.bought}
        wait_for(lambda: self.statuses() == confirmed)
        self._say(f"All {len(self.bought)} orders are there and confirmed, as if nothing had been lost.")

    def _buys(self, shop: WorldShop | Market, place: int) -> Bought:
        sku, person = self._random.choice(tuple(SUPPLIERS)), self._random.choice(PEOPLE)
        number, units = shop.first + place, self._random.randint(1, 3)
        at = self._at(place % 20)
        bought = Bought(shop.name, number, shop.known_as(number), sku, units, person, at)
        self.bought.append(bought)
        self._say(f"{person} buys {_count(bought.units, sku)}: order {bought.order_id}.")
        return bought

    def _with_mishaps(self, place: int, shop: WorldShop, placed: Told, paid: Told) -> list[Told]:
        """What really arrives of an order's news; the first orders of a shop have one mishap each."""
        lost = [_lost(placed), _lost(paid)]
        fates: Sequence[list[Told]] = (
            [*lost, *((placed, paid) if shop.repeats else ())],
            [placed, paid, _again(placed), _again(paid)],
            [paid, _late(placed)],
            [placed, lost[1], *((paid,) if shop.repeats else ())],
            [placed, paid],
        )
        return fates[place] if place < len(fates) else self._random.choice(fates)

    def _happen(self, queues: Sequence[Sequence[Told]], seconds: float) -> None:
        """All of them in any order, except that each queue keeps its own."""
        left = [list(queue) for queue in queues]
        while left := [queue for queue in left if queue]:
            told = self._random.choice(left).pop(0)
            self._say(f"✗ {told.what}: lost" if told.lost else f"→ {told.what}: {told.send()}")
            self._pause(seconds)

    # --- suppliers and parcels ---

    def suppliers_ship(self) -> None:
        hasty = self.bought[0]
        self.tracker.follow("aftership", hasty.tracking_number, "dhl", "dhl")
        self._say("AfterShip tells of a parcel before its supplier does: that waits.")
        self._scanned(hasty, 0)
        self._happen([[self._told(hasty, 0)]], 0.4)
        self._say(
            "WooCommerce and the own site are down (503), Shopify and Amazon have limits (429): that waits as well."
        )
        for shop in self.shops:
            shop.is_down()
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
        queues = [self._pushed(place, each) for place, each in enumerate(self.bought)]
        self.silent = [each for each, queue in zip(self.bought, queues, strict=True) if queue[-1].lost]
        self._happen(queues, 0.2)
        lost = sum(told.lost for queue in queues for told in queue)
        self._say(f"{_count(lost, 'message')} of AfterShip got lost. Now it has time as well, and is asked.")
        self.tracker.is_busy = False

    def _pushed(self, place: int, bought: Bought) -> list[Told]:
        """What really arrives of a parcel's news. Of one of the first it is the last that is lost, of another all."""
        told = []
        for step in range(len(JOURNEY)):
            self._scanned(bought, step)
            told.append(self._told(bought, step))
        first, second, last = told
        fates: Sequence[list[Told]] = (
            [first, second, _lost(last)],
            [_lost(each) for each in told],
            [first, last, _late(second)],
            [first, _lost(second), last, _again(last)],
            told,
        )
        return fates[place] if place < len(fates) else self._random.choice(fates)

    def _told(self, bought: Bought, step: int) -> Told:
        """That it was scanned, with all that is known of it by then."""
        word, town = JOURNEY[step]
        body = self.tracker.written("aftership", bought.tracking_number)
        push = partial(self.tracker.push, "aftership", body, f"{self.edge}/in/default/{TRACKER}")
        what = f"{bought.tracking_number} is {word.replace('_', ' ')} in {town}"
        return Told(what, lambda: answered(push()))

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


def _lost(told: Told) -> Told:
    return told._replace(lost=True)


def _late(told: Told) -> Told:
    return told._replace(what=f"{told.what}, late")


def _count(units: int, sku: str) -> str:
    return f"{units} {sku}{'s' if units > 1 else ''}"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    found = f"{', '.join(first)} and {last}"
    return found[0].upper() + found[1:]


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
    with (
        tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as folder,
        woo_shop(edge, WooWorldShop.name) as woo,
        shopify_shop(edge, ShopifyWorldShop.name) as shopify,
        playing_amazon() as amazon,
        told_site() as site,
        aggregator() as tracker,
    ):
        shops = (WooWorldShop(woo), ShopifyWorldShop(shopify), AmazonWorldShop(amazon), SiteWorldShop(edge, site))
        market = Market(client.address, Path(folder))
        yield World(client, edge, (shops, market, tracker, mailbox), seed, say, pause)
