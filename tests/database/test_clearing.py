"""How services clear goods through customs: what is counted of their parcels, and from how many on there is a share."""

from __future__ import annotations

import pytest

from ledger.decisions import delivery
from ledger.nouns.parcels import Checkpoint, ParcelStatus
from ledger.terms.places import Destination
from ledger.terms.shipping import Incoterm, Priority
from projections import clearing
from projections.clearing import ServiceClearing
from tests.support.projecting import asking, catch_up, verify
from tests.support.scenario import Scenario, line
from tests.support.stalls import EmptyTenant


@pytest.fixture
def scenario() -> Scenario:
    """Acme sends tea from China; express orders go abroad with DHL or FedEx."""
    scenario = Scenario()
    scenario.approve("acme", country="CN")
    scenario.feed(1_000)
    return scenario


def left(scenario: Scenario, number: int, country: str = "DE", *statuses: ParcelStatus, carrier: str = "dhl") -> str:
    """An order that left in a parcel of its own, with these scans."""
    order_id, parcel = f"shopify/{number}", f"P{number}"
    tea = line(1, "tea", 1, title="Tea", hs_code="090210", origin="CN", weight_grams=100)
    place = Destination(country)
    scenario.place(tea, order_id=order_id, priority=Priority.EXPRESS, incoterm=Incoterm.DDP, destination=place)
    scenario.send(f"{order_id}/1")
    scenario.ship(supplier_order_id=f"{order_id}/1", number=parcel, carrier=carrier)
    for status in statuses:
        scenario.later(minutes=1)
        scans = [Checkpoint(scenario.now, status)]
        scenario.record(delivery.record_checkpoints(scenario.book, carrier, parcel, scans, scenario.now, scenario.now))
    return parcel


async def found(tenant: EmptyTenant, scenario: Scenario) -> list[ServiceClearing]:
    catch_up(tenant, scenario.log)
    assert verify(tenant, "clearing").equal
    async with asking(tenant) as where:
        return list((await clearing.by_service(where)).rows)


HELD, MOVES, DONE = ParcelStatus.CUSTOMS_HELD, ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED


async def test_parcels_count_that_crossed_a_border_and_of_which_it_is_known(tenant: EmptyTenant, scenario: Scenario):
    left(scenario, 1, "DE", HELD)
    left(scenario, 2, "DE", HELD, MOVES, DONE)
    left(scenario, 3, "DE", MOVES, DONE)
    left(scenario, 4, "DE", MOVES)
    left(scenario, 5, "CN", MOVES, DONE)
    left(scenario, 6, "DE", HELD, DONE, carrier="ups")
    scenario.void(left(scenario, 7, "DE", HELD))
    assert await found(tenant, scenario) == [ServiceClearing("international_express", 3, 2)]


async def test_a_share_needs_twenty_parcels(tenant: EmptyTenant, scenario: Scenario):
    for number in range(19):
        left(scenario, number, "DE", *((HELD,) if number < 3 else ()), DONE)
    (only,) = await found(tenant, scenario)
    assert (only.parcels, only.held_basis_points) == (19, None)
    left(scenario, 19, "DE", DONE)
    (only,) = await found(tenant, scenario)
    assert (only.parcels, only.held, only.held_basis_points) == (20, 3, 1500)
