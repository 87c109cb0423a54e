"""The door: a delivery is read, proven, kept and answered, in this order.

Deliveries to one tenant that come while others are written are kept together, in one transaction. Nobody is answered
2xx before its commit.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from psycopg_pool import PoolTimeout
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from adapters.edges.accounts import Accounts, Connected
from adapters.edges.delivery import USUAL_ANSWERS, AtTheDoor, Delivery, DoorAnswer, Refused
from adapters.edges.grouping import Grouped
from adapters.edges.inbox import Inbox
from adapters.edges.inbox_rows import Arrival
from adapters.edges.traffic import Traffic
from adapters.tenants import Tenant, Tenants
from adapters.web.bodies import BadPacking, TooLarge, TooSlow, body_of
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import Malformed, UnknownTenant

log = logging.getLogger("fulfilment.web")

ANSWER_SECONDS = 4.0
"""How long the database may take for a delivery that has come: Shopify waits for five seconds in all. It may be kept
nevertheless, and is recognised when it is repeated."""
_MOST_WAITING = 2000
"""So many deliveries of a tenant may wait for the database; then systems are told to come again."""
_MOST_AT_ONCE = 200
_PAUSE_SECONDS = 0.003
"""In which more gather after a commit: half as many commits take a good part less of both processes' time."""


class DoorCounts:
    """What came through the door since this process started; nothing of it is about anybody."""

    def __init__(self) -> None:
        self.by_outcome: Counter[tuple[str, str]] = Counter()
        """By system and what became of it."""
        self.repeated = 0
        self.kept_at_once = 0
        """How many transactions kept them."""

    def count(self, system: str, outcome: str) -> None:
        self.by_outcome[system, outcome] += 1


def keeping(tenant: Tenant, counts: DoorCounts, filled: Callable[[str], None]) -> Grouped[Arrival, bool]:
    """Keeps what came for one tenant, and says of each whether it is new; it is kept for good then."""
    inbox = Inbox.of(tenant)

    async def keep(arrivals: Sequence[Arrival]) -> Sequence[bool]:
        news = await inbox.keep(arrivals)
        counts.kept_at_once += 1
        if any(news):
            filled(tenant.name)
        return news

    return Grouped(keep, _MOST_AT_ONCE, _MOST_WAITING, _PAUSE_SECONDS)


class Door:
    """Takes deliveries in for all tenants."""

    def __init__(
        self,
        tenants: Tenants,
        accounts: Accounts,
        counts: DoorCounts,
        traffic: Traffic,
        filled: Callable[[str], None],
    ) -> None:
        """``filled`` is called with the tenant in whose inbox there is something new."""
        self._tenants = tenants
        self._accounts = accounts
        self._counts = counts
        self._traffic = traffic
        self._filled = filled
        self._keepers: dict[str, Grouped[Arrival, bool]] = {}

    async def deliver(self, request: Request) -> Response:
        """Answers one delivery, to ``/in/TENANT/CONNECTION``."""
        self._traffic.note()
        connected: Connected | None = None
        own: DoorAnswer | None = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                tenant = await self._tenants.find(request.path_params["tenant"])
                name = request.path_params["connection"]
                connected = (await self._accounts.of(tenant)).get(name)
                if connected is None:  # it may have been added a moment ago, and "gone" would be for good
                    connected = (await self._accounts.anew(tenant)).get(name)
            outcome = AtTheDoor.GONE if connected is None else await self._taken(request, tenant, connected)
        except (UnknownTenant, Malformed):
            outcome = AtTheDoor.GONE
        except Refused as refused:
            outcome, own = refused.outcome, refused.answer
        except TooLarge:
            outcome = AtTheDoor.TOO_LARGE
        except BadPacking:
            outcome = AtTheDoor.MALFORMED
        except (TooSlow, ClientDisconnect):
            outcome = AtTheDoor.UNAVAILABLE
        except Exception as error:  # noqa: BLE001 - whatever it is, the system is to repeat it
            outcome = AtTheDoor.UNAVAILABLE
            if not (is_trouble(error) or isinstance(error, TimeoutError | PoolTimeout)):
                log.error("a delivery failed with %s", in_short(error))
        self._counts.count(connected.system.name if connected is not None else "", outcome)
        usual = connected.system.answer(outcome) if connected is not None else USUAL_ANSWERS[outcome]
        return _response(own or usual)

    async def _taken(self, request: Request, tenant: Tenant, connected: Connected) -> AtTheDoor:
        headers = dict(reversed(request.headers.items()))  # of a header that comes twice the first
        delivery = Delivery(headers, await body_of(request), str(request.url))
        received = connected.system.verify(delivery, connected.account, datetime.now(UTC))
        if received is None:
            return AtTheDoor.NOTHING
        keeper = self._keepers.get(tenant.name)
        if keeper is None:
            keeper = self._keepers[tenant.name] = keeping(tenant, self._counts, self._filled)
        async with asyncio.timeout(ANSWER_SECONDS):
            is_new = await keeper(Arrival(connected, received, delivery.raw))
        if not is_new:
            self._counts.repeated += 1
        return AtTheDoor.KEPT


def _response(answer: DoorAnswer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), answer.content_type)
