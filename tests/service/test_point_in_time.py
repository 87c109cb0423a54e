"""A database restored to a point in time: the service goes on from there, and nothing is sent a second time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from fulfilment.v1 import admin_pb2, audit_pb2, orders_pb2
from projections import PROJECTIONS
from projections.machine.projection import named
from projections.machine.rebuilding import verify
from tests.support.hosting import server_on
from tests.support.projecting import projector
from tests.support.service import Client, order, reason_of
from tests.support.standby import Machine, sockets
from tests.support.waiting import wait_for

POINT = "before-the-mistake"


@pytest.fixture
def archived(folder: Path) -> Iterator[tuple[Machine, Machine]]:
    """A server that archives its write-ahead log, and one that is not there yet and can be restored from that."""
    with sockets() as reachable:
        archive = reachable / "archive"
        original = Machine(
            folder / "a",
            reachable,
            5432,
            f"archive_mode = on\narchive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'\n",
        )
        restored = Machine(
            folder / "b",
            reachable,
            5433,
            f"restore_command = 'cp {archive}/%f %p'\nrecovery_target_name = '{POINT}'\n"
            "recovery_target_action = 'promote'\n",
        )
        original.make()
        original.make_folder(archive)
        original.start()
        try:
            yield original, restored
        finally:
            restored.stop()
            original.stop()


@contextmanager
def service_on(machine: Machine, data: Path, *arguments: str) -> Iterator[Client]:
    with (
        projector(machine.conninfo, PROJECTIONS),
        server_on(machine.conninfo, data, *arguments) as port,
        Client(f"127.0.0.1:{port}") as client,
    ):
        yield client


def place(client: Client, number: str) -> orders_pb2.PlaceOrderRequest:
    """An order whose customer has its letter, which is recorded."""
    before = letters_of(client)
    customer = orders_pb2.Customer(name="Ann Example", email=f"{number}@example.org")
    request: orders_pb2.PlaceOrderRequest = order(
        number, sku="untracked", request_id=f"place-{number}", customer=customer
    )
    client.orders.PlaceOrder(request)
    wait_for(lambda: letters_of(client) > before)
    return request


def letters_of(client: Client) -> list[str]:
    """The letters that are recorded as sent."""
    return [fact.stream for fact in facts_of(client) if fact.name == "message.sent"]


def facts_of(client: Client) -> list[audit_pb2.StoredFact]:
    return [fact for page in client.audit.StreamFacts(audit_pb2.StreamFactsRequest()) for fact in page.facts]


def erase(client: Client, number: str) -> None:
    request = admin_pb2.ErasePersonRequest(order_id=f"shop/{number}", even_if_open=True)
    client.admin.ErasePerson(request)


def city_of(client: Client, number: str) -> str:
    request = orders_pb2.GetOrderRequest(order_id=f"shop/{number}", with_personal_data=True)
    return client.orders.GetOrder(request).order.ship_to.city


def restore(original: Machine, restored: Machine) -> None:
    """What was archived up to the point is played onto the base backup."""
    switched = original.ask("SELECT pg_walfile_name(pg_switch_wal())")
    wait_for(lambda: original.ask(f"SELECT last_archived_wal >= '{switched}' FROM pg_stat_archiver"))
    restored.configure()
    (restored.data / "recovery.signal").touch()
    restored.start()
    wait_for(lambda: not restored.ask("SELECT pg_is_in_recovery()"))


def test_a_database_restored_to_a_point_goes_on_from_there(folder: Path, archived: tuple[Machine, Machine]):
    original, restored = archived
    data = folder / "data"
    with service_on(original, data) as client:
        client.approve()
        place(client, "early")
        restored.copy_of(original, "-X", "none")
        place(client, "kept")
        place(client, "erased")
        erase(client, "erased")
        recorded = facts_of(client)
        original.ask(f"SELECT pg_create_restore_point('{POINT}')")
        lost = place(client, "lost")
        erase(client, "kept")
        assert city_of(client, "kept") == ""
    restore(original, restored)
    with service_on(restored, data, "--outbox", "off") as client:
        facts = facts_of(client)
        assert [fact.position for fact in facts] == list(range(1, len(facts) + 1))
        assert facts[: len(recorded)] == recorded
        client.read_up_to(len(facts))
        for name in ("tracking", "sla", "outbox"):
            assert verify(restored.conninfo, "tenant_default", named(PROJECTIONS, name)).equal
        # Who was erased by then is, and who was erased later has to be erased again.
        assert (city_of(client, "erased"), city_of(client, "kept"), city_of(client, "early")) == (
            "",
            "Berlin",
            "Berlin",
        )
        erase(client, "kept")
        assert city_of(client, "kept") == ""
        # What was answered later is unknown until its client says it again.
        with pytest.raises(grpc.RpcError) as unknown:
            client.get("shop/lost")
        assert reason_of(unknown.value) == "UNKNOWN_ORDER"
        again = client.orders.PlaceOrder(lost)
        assert again.position > len(facts)
    with service_on(restored, data) as client:
        place(client, "new")
        letters = letters_of(client)
        assert len(letters) == len(set(letters)) > 3  # none of those that had been sent by the point went out again
