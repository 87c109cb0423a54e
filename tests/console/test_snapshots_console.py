"""``fulfilment snapshots``: what is stored of long streams is compared with their facts."""

from __future__ import annotations

import psycopg
import pytest

from ledger.engine import book, registry, snapshots
from tests.support.service import Service
from tests.support.terminal import Shell
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("acme")

TABLE = "tenant_default.ledger_snapshots"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten facts make a long stream here, and two reservations a large state."""
    for module in (book, snapshots):
        monkeypatch.setattr(module, "LONG_FACTS", 10)
    monkeypatch.setattr(registry, "PART_ITEMS", 2)


def grow(ff: Shell, service: Service, sku: str) -> None:
    """A stock stream of which there is a snapshot with several reservations."""
    ff("stock", "feed", "acme", sku, "100", "--version", "1")
    for number in range(5):
        assert ff("stock", "reserve", f"{sku}-{number}", "acme", f"{sku}:1").code == 0
    for number in range(6):
        ff("stock", "buffer", "acme", sku, str(number))
    wait_for(lambda: state_of(service, sku))


def state_of(service: Service, sku: str) -> list[tuple[int]]:
    return run(service, f"SELECT part FROM {TABLE} WHERE originator_id = 'stock-acme/{sku}'")


def run(service: Service, query: str) -> list[tuple[int]]:
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def test_snapshots_are_compared_with_the_facts_and_wrong_ones_dropped(ff: Shell, service: Service):
    for sku in ("PEAR", "PLUM", "FIG", "NUT"):
        grow(ff, service, sku)
    assert len(state_of(service, "PEAR")) > 1, "in parts"
    run(service, f"INSERT INTO {TABLE} SELECT 'stock-acme/OLD', 'other', 9, 9, '{{}}', now(), 0, 1")
    found = ff("snapshots")
    assert (found.code, found.out.splitlines()) == (
        0,
        [
            "4 of 4 snapshots of 4 streams are equal to their facts.",
            "1 are of another version of the service, which nobody here looks at.",
        ],
    )
    two = "replace(convert_from(state, 'UTF8'), '\"units\":1', '\"units\":2')::bytea"
    run(service, f"UPDATE {TABLE} SET state = {two} WHERE originator_id = 'stock-acme/PLUM' AND part = 1")
    run(service, f"UPDATE {TABLE} SET state = '{{' WHERE originator_id = 'stock-acme/FIG' AND part = 0")
    run(service, f"DELETE FROM {TABLE} WHERE originator_id = 'stock-acme/NUT' AND part = 2")
    found = ff("snapshots")
    assert found.code == 1
    assert [line.partition(" at version")[0] for line in found.out.splitlines()[:3]] == [
        "stock-acme/FIG",
        "stock-acme/NUT",
        "stock-acme/PLUM",
    ]
    assert "1 of 4 snapshots of 4 streams are equal" in found.out
    assert [bool(state_of(service, sku)) for sku in ("PEAR", "PLUM", "FIG", "NUT")] == [True, False, False, False]
    again = ff("snapshots", "--json")
    assert (again.code, again.json) == (0, {"compared": 1, "different": [], "of_other_code": 1})
