"""The page of a shop where an order is found by its number and postal code, in the same time whatever there is."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic

from starlette.responses import RedirectResponse, Response

from adapters.tenants import Tenant, Tenants
from adapters.tracking_page import reading, rendering
from adapters.tracking_page.limits import FINDING_FROM, FINDING_WHAT, Rates
from adapters.tracking_page.links import TrackingLinks
from adapters.tracking_page.rendering import NOT_KEPT
from adapters.tracking_page.reporting import FormError
from adapters.tracking_page.visits import RETRY_SECONDS, AnsweredVisit, Visit, form_in, message
from ledger.engine.sealing import Sealer
from ledger.facts import is_plain_id
from ledger.terms.brands import Brand
from ledger.terms.order_numbers import is_order_number, order_number

FINDING_SECONDS = 0.5
"""What an answer to a search takes, whatever is found: how long it took to look would tell what there is."""


class SearchPage:
    """Finds orders for customers who have no link."""

    def __init__(self, tenants: Tenants, sealer: Sealer, links: TrackingLinks, rates: Rates) -> None:
        self._tenants = tenants
        self._sealer = sealer
        self._links = links
        self._rates = rates

    async def search(self, visit: Visit) -> Response:
        tenant, brand = await self._shop(visit)
        return self._search_page(visit, tenant, brand, [], 200)

    async def _shop(self, visit: Visit) -> tuple[Tenant, Brand]:
        tenant = await self._tenants.find(visit.request.path_params["tenant"])
        channel = visit.request.path_params["channel"]
        if not is_plain_id(channel):
            raise AnsweredVisit(message(visit, "not_found", 404))
        return tenant, await reading.brand_of_channel(tenant, channel, datetime.now(UTC))

    def _search_page(
        self, visit: Visit, tenant: Tenant, brand: Brand, errors: Sequence[FormError], status: int
    ) -> Response:
        here = f"/track/{tenant.name}/{visit.request.path_params['channel']}"
        values = {"here": here, "lang": visit.query, "errors": errors}
        return rendering.page("find", visit.words(), brand, values, status=status)

    async def find(self, visit: Visit) -> Response:
        """To the page of the order; right and wrong guesses are answered after the same time, wrong ones alike."""
        started = monotonic()
        tenant, brand = await self._shop(visit)
        form = await form_in(visit.request)
        number, code = form.text("order")[:200], _plain(form.text("code")[:40])
        what = f"{tenant.name} {visit.request.path_params['channel']} {order_number(number)}"
        error, status, path = "not_found", 422, ""
        if not number or not code:
            error = "missing"
        elif not (
            self._rates.allows(FINDING_FROM, visit.visitor, started) and self._rates.allows(FINDING_WHAT, what, started)
        ):
            error, status = "too_many", 429
        else:
            path = await self._matching(tenant, visit.request.path_params["channel"], number, code)
        await _until(started + FINDING_SECONDS)
        if path:
            return RedirectResponse(
                path + visit.query, 303, {"cache-control": NOT_KEPT, "referrer-policy": "no-referrer"}
            )
        answer = self._search_page(visit, tenant, brand, [FormError("order", visit.words()(f"find.{error}"))], status)
        if status == 429:
            answer.headers["retry-after"] = RETRY_SECONDS
        return answer

    async def _matching(self, tenant: Tenant, channel: str, number: str, code: str) -> str:
        """Where the order is that has this number and goes to this postal code; empty if there is none."""
        encoded = order_number(number)
        if not is_order_number(encoded):
            return ""
        found = await reading.find(tenant, f"{channel}/{encoded}", datetime.now(UTC))
        order = found.order if found is not None else None
        kept = _plain(await reading.postal_code_of(tenant, self._sealer, order))
        if order is None or not kept or not hmac.compare_digest(kept.encode(), code.encode()):
            return ""
        return self._links.path_of(tenant.name, order.order_id, order.tracking_link.number)


async def _until(time: float) -> None:
    await asyncio.sleep(max(0.0, time - monotonic()))


def _plain(code: str) -> str:
    """A postal code as it is compared: however it is spaced and cased."""
    return "".join(c for c in code.upper() if c.isalnum())
