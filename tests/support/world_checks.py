"""What has to hold after a played world has come to its end: each thing is known once, and to everybody."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any, NamedTuple

import grpc

from fulfilment.v1 import common_pb2, edges_pb2, messages_pb2, parcels_pb2
from tests.support.waiting import wait_for
from tests.support.world import JOURNEY, STOCK, SUPPLIERS, TRACKER, World, word
from tests.support.world_shops import SiteWorldShop


class Check(NamedTuple):
    """A sentence that has to hold in the end."""

    sentence: str
    found: object
    wanted: object

    @property
    def holds(self) -> bool:
        return self.found == self.wanted


def settled(world: World, seconds: float = 90.0) -> list[Check]:
    """The checks, once all of them hold; or as they are when that takes too long."""
    looking = _Looking(world)
    with suppress(AssertionError):
        wait_for(lambda: all(each.holds for each in looking.checks()), seconds, pause=0.3)
    return looking.checks()


class _Looking:
    """Compares what the service and the systems know with what happened."""

    def __init__(self, world: World) -> None:
        self._world = world

    def checks(self) -> list[Check]:
        told = [each for each in self._world.bought if each.channel != self._world.market.name]
        numbers = {each.order_id: [each.tracking_number] for each in told}
        left = dict.fromkeys(SUPPLIERS, STOCK)
        for each in self._world.bought:
            left[each.sku] -= each.units
        sold = {
            shop.name: {each.sku for each in self._world.bought if each.channel == shop.name}
            for shop in self._world.shops
        }
        unheard = {each.order_id for each in self._world.unheard}
        silent = {f"dhl/{each.tracking_number}" for each in self._world.silent}
        return [
            Check(
                "The ledger holds each order once, and all of them were delivered",
                self._world.statuses(),
                {each.order_id: "delivered" for each in self._world.bought},
            ),
            Check("It holds the units that were bought, and no more", self._units(), self._bought_units()),
            Check("Each shop knows the number of each of its parcels, once", self._numbers_in_shops(), numbers),
            Check(
                "Each shop knows how many units are left of what it sells",
                {shop.name: {sku: shop.stock().get(sku) for sku in sold[shop.name]} for shop in self._world.shops},
                {name: {sku: left[sku] for sku in skus} for name, skus in sold.items()},
            ),
            Check(
                "The own site was told that its orders were delivered",
                self._standings(),
                {each.order_id: "delivered" for each in self._world.bought if each.channel == SiteWorldShop.name},
            ),
            Check(
                "Each scan of each parcel was recorded once",
                self._scans(),
                {each.order_id: len(JOURNEY) for each in self._world.bought},
            ),
            Check(
                "Of the market's file each order was taken once, and what came back is there once it was mended",
                self._world.market.counts,
                self._world.market.wanted,
            ),
            Check("Orders that no shop told of were found by asking", self._found() & unheard, unheard),
            Check(
                "Arrivals that AfterShip told in vain were found by asking",
                self._asked_arrivals() & silent,
                silent,
            ),
            Check("Nothing is left in the inbox", self._left_in_the_inbox(), 0),
            Check("Nothing is left to be told to anybody", self._left_to_tell(), 0),
            Check(
                "All mails were sent, and each of them once", self._mail_counts(), dict.fromkeys(self._mails_sent(), 1)
            ),
            Check(
                "Each customer was told once that all has arrived",
                self._arrivals_told(),
                {each.order_id: 1 for each in self._world.bought},
            ),
        ]

    def _units(self) -> dict[str, int]:
        return {each.order_id: sum(line.units.delivered for line in each.lines) for each in self._world.orders()}

    def _bought_units(self) -> dict[str, int]:
        return {each.order_id: each.units for each in self._world.bought}

    def _numbers_in_shops(self) -> dict[str, list[str]]:
        return {
            f"{shop.name}/{known_as}": numbers
            for shop in self._world.shops
            for known_as, numbers in shop.numbers().items()
        }

    def _standings(self) -> dict[str, str]:
        shops = (shop for shop in self._world.shops if isinstance(shop, SiteWorldShop))
        return {order_id: standing for shop in shops for order_id, standing in shop.standings().items()}

    def _scans(self) -> dict[str, int]:
        found = {}
        for each in self._world.bought:
            asked = parcels_pb2.GetParcelRequest(carrier="dhl", tracking_number=each.tracking_number)
            try:
                found[each.order_id] = len(self._world.client.parcels.GetParcel(asked).parcel.checkpoints)
            except grpc.RpcError:
                found[each.order_id] = 0
        return found

    def _found(self) -> set[str]:
        """The orders that only asking found."""
        return {f"{each.connection}/{each.object_id}" for each in self._asked()}

    def _asked_arrivals(self) -> set[str]:
        """The parcels of which something was found by asking alone."""
        return {each.object_id for each in self._asked() if each.connection == TRACKER}

    def _asked(self) -> list[Any]:
        return [each for each in self._received() if each.found_by_asking]

    def _left_in_the_inbox(self) -> int:
        left = ("waiting", "early", "failed")
        return sum(word(edges_pb2.ReceptionState, each.state) in left for each in self._received())

    def _received(self) -> list[Any]:
        page = common_pb2.PageRequest(page_size=1000)
        return list(self._world.client.edges.ListReceptions(edges_pb2.ListReceptionsRequest(page=page)).receptions)

    def _left_to_tell(self) -> int:
        states = [edges_pb2.EFFECT_STATE_WAITING, edges_pb2.EFFECT_STATE_FAILED]
        return len(self._world.client.edges.ListEffects(edges_pb2.ListEffectsRequest(states=states)).effects)

    def _messages(self) -> list[Any]:
        page = common_pb2.PageRequest(page_size=1000)
        return list(self._world.client.messages.ListMessages(messages_pb2.ListMessagesRequest(page=page)).messages)

    def _mail_counts(self) -> dict[str, int]:
        """How often each mail came, by the part of its Message-ID before the @."""
        return Counter(
            str(each.content["Message-ID"]).strip("<>").partition("@")[0] for each in self._world.mailbox.mails
        )

    def _mails_sent(self) -> set[str]:
        """The mails of all messages that were not cancelled, as news is that is older than what was told since."""
        told = [each for each in self._messages() if each.state != messages_pb2.MESSAGE_STATE_CANCELLED]
        sent = messages_pb2.MESSAGE_STATE_SENT
        return {each.mail_id if each.state == sent else f"{each.message_id} was not sent" for each in told}

    def _arrivals_told(self) -> dict[str, int]:
        """How often each customer was told that all is there."""
        sent, kind = messages_pb2.MESSAGE_STATE_SENT, messages_pb2.MESSAGE_KIND_DELIVERED
        return Counter(each.order_id for each in self._messages() if (each.state, each.kind) == (sent, kind))
