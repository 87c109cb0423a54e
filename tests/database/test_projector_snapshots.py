"""The projector begins with the snapshots of long streams, and comes to the same rows without them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.database.postgres import open_pool
from ledger.engine import registry, snapshots
from ledger.engine.log import Log
from ledger.engine.registry import Registry
from ledger.engine.snapshots import Snapshots
from ledger.facts import Change, Fact
from ledger.nouns import NOUNS, stock
from projections import stock_levels
from projections.machine import rebuilding
from tests.support.projecting import catch_up, connect, contents, write_down
from tests.support.stalls import EmptyTenant

TEA = stock.stream("acme", "tea")
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
STOCK = [stock_levels.STOCK_LEVELS]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty facts make a long stream here, and two reservations a large state."""
    monkeypatch.setattr(snapshots, "LONG_FACTS", 20)
    monkeypatch.setattr(registry, "PART_ITEMS", 2)
    monkeypatch.setattr(snapshots, "_BYTES_A_FACT", 10**6)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the facts that were read."""
    names: list[str] = []
    decode = Registry.decode

    def counted(self: Registry, topic: str, state: bytes) -> Fact:
        names.append(topic)
        return decode(self, topic, state)

    monkeypatch.setattr(Registry, "decode", counted)
    return names


def reserved(first: int, number: int) -> list[Change]:
    return [
        (TEA, stock.StockReserved("acme", "tea", f"shop/{each}", 1, expires_at=AT, at=AT))
        for each in range(first, first + number)
    ]


async def keep(tenant: EmptyTenant) -> None:
    """As a server does that writes to the stream."""
    async with open_pool(tenant.conninfo) as pool:
        of_all = Snapshots(Log(tenant.schema, pool), Registry(NOUNS))
        head, entries = await of_all.fold_all([TEA])
        await of_all.keep(TEA, entries[TEA], head)
        await of_all.settled()


async def test_a_projector_that_starts_reads_only_what_is_newer_than_a_snapshot(
    tenant: EmptyTenant, decoded: list[str]
):
    catch_up(tenant, reserved(0, 50), STOCK)
    await keep(tenant)
    catch_up(tenant, reserved(50, 5), STOCK)
    del decoded[:]
    catch_up(tenant, reserved(55, 3), STOCK)
    assert len(decoded) == 3 + 6, "the page, and what is newer; the last fact before tells whose it is"
    found = contents(tenant, STOCK)
    assert "58" in found["stock_levels"][0]
    assert rebuilding.verify(tenant.conninfo, tenant.schema, STOCK[0]).equal


async def test_a_snapshot_after_the_checkpoint_is_not_used_and_the_one_before_it_stays(
    tenant: EmptyTenant, decoded: list[str]
):
    catch_up(tenant, reserved(0, 50), STOCK)
    await keep(tenant)
    for first in (50, 80, 110):
        write_down(tenant, reserved(first, 30))
        await keep(tenant)
    with connect(tenant) as connection:
        query = f"SELECT version FROM {tenant.schema}.ledger_snapshots WHERE part = 0 ORDER BY 1"
        assert connection.execute(query.encode()).fetchall() == [(50,), (140,)]
    del decoded[:]
    catch_up(tenant, (), STOCK)
    assert len(decoded) == 90 + 1
    assert rebuilding.verify(tenant.conninfo, tenant.schema, STOCK[0]).equal


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE {}.ledger_snapshots SET state = '{{'",
        "DELETE FROM {}.ledger_snapshots WHERE part = 1",
        "DELETE FROM {}.ledger_snapshots",
        "UPDATE {}.ledger_snapshots SET shape = 'of before'",
    ],
)
async def test_a_projector_goes_on_without_a_snapshot_that_is_damaged_lost_or_of_other_code(
    tenant: EmptyTenant, decoded: list[str], damage: str
):
    catch_up(tenant, reserved(0, 50), STOCK)
    await keep(tenant)
    with connect(tenant) as connection:
        connection.execute(damage.format(tenant.schema).encode())
    del decoded[:]
    catch_up(tenant, reserved(50, 3), STOCK)
    assert len(decoded) == 53
    assert rebuilding.verify(tenant.conninfo, tenant.schema, STOCK[0]).equal


async def test_a_verification_folds_every_fact_itself(tenant: EmptyTenant, decoded: list[str]):
    catch_up(tenant, reserved(0, 50), STOCK)
    await keep(tenant)
    with connect(tenant) as connection:
        connection.execute(f"UPDATE {tenant.schema}.ledger_snapshots SET state = '{{}}'".encode())
    catch_up(tenant, reserved(50, 3), STOCK)
    del decoded[:]
    assert not rebuilding.verify(tenant.conninfo, tenant.schema, STOCK[0]).equal, (
        "what a wrong snapshot has done is seen"
    )
    assert len(decoded) == 53
