"""Keys that are replaced while servers run: who was erased is gone then from dumps and write-ahead log, too."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.database.control import Control
from adapters.database.embedded import EmbeddedServer
from adapters.database.postgres import open_pool
from adapters.keys import commands, rotation
from adapters.keys.holders import Holders
from adapters.keys.holding import HeldKeys
from adapters.keys.rotation import KeysDoNotOpen, Rotation, RotationRuns, _Table
from fulfilment.v1 import admin_pb2, common_pb2, orders_pb2, people_pb2
from ledger.engine.executor import Ledger
from ledger.engine.keyring import EpochMissing, load_or_create, store
from ledger.engine.log import Log
from ledger.engine.sealing import Sealer, StoredKey, Unreadable, placed
from ledger.facts import Sealed
from ledger.refusals import StorageUnavailable
from tests.support.hosting import a_database, server_on
from tests.support.new_data import give_new_data
from tests.support.projecting import projector
from tests.support.retention import expire
from tests.support.service import Client, Service, context, refused
from tests.support.stalls import NOUNS, take
from tests.support.waiting import wait_for

ANN = orders_pb2.Customer(name="Ann Gone", email="ann@example.org", phone="+49 30 5550")
BOB = orders_pb2.Customer(name="Bob Here", email="bob@example.org")


class House(NamedTuple):
    """A PostgreSQL with its files, a key file, and two servers on them."""

    postgres: Path
    dsn: str
    key_file: Path
    servers: tuple[Service, Service]

    def rotate(self, *words: str) -> None:
        """As somebody types it."""
        commands.main(["rotate", "--dsn", self.dsn, "--key-file", str(self.key_file), *words])

    def rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            found = connection.execute(query)
            return found.fetchall() if found.description else []


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A PostgreSQL whose files nobody else writes, and how to reach it."""
    folder = tmp_path_factory.mktemp("rotation")
    give_new_data(folder)
    server = EmbeddedServer(folder)
    yield folder / "postgres", server.start()
    server.stop()


@pytest.fixture
def house(tmp_path: Path, postgres: tuple[Path, str]) -> Iterator[House]:
    files, conninfo = postgres
    with ExitStack() as stack:
        dsn, key_file = stack.enter_context(a_database(conninfo)), tmp_path / "keys" / "master.key"
        servers = []
        for name in ("one", "two"):
            port = stack.enter_context(server_on(dsn, tmp_path / name, "--key-file", str(key_file)))
            servers.append(Service(f"127.0.0.1:{port}", tmp_path / name, dsn))
        yield House(files, dsn, key_file, (servers[0], servers[1]))


class Dump(NamedTuple):
    """What of an order's customer an earlier dump holds."""

    box: Sealed
    key: StoredKey
    email: str


def dump_of(house: House, order_id: str) -> Dump:
    key = f"""
        SELECT key_id, subject, wrapped, epoch, email FROM tenant_default.ledger_keys
        WHERE subject = 'order {order_id}' AND email IS NOT NULL
    """
    fact = f"""
        SELECT convert_from(state, 'UTF8')::jsonb -> 'customer' ->> 'box' FROM tenant_default.ledger_events
        WHERE originator_id = 'order-{order_id}' AND originator_version = 1
    """
    ((key_id, subject, wrapped, epoch, email),) = house.rows(key)
    ((encoded,),) = house.rows(f"SELECT decode(({fact}), 'base64')")
    return Dump(Sealed(key_id, encoded), StoredKey(subject, wrapped, epoch), email)


def customer(client: Client, order_id: str) -> str:
    request = orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)
    return client.orders.GetOrder(request).order.customer.name


@contextmanager
def writing(services: tuple[Service, ...]) -> Iterator[list[str]]:
    """Orders are placed at each server meanwhile; whatever fails comes out at the end."""
    placed_ones: list[str] = []
    stop, failed = threading.Event(), list[BaseException]()

    def place(service: Service, name: str) -> None:
        try:
            with Client(service.address) as client:
                for number in range(10_000):
                    if stop.is_set():
                        return
                    client.place(f"{name}-{number}", customer=BOB)
                    placed_ones.append(f"shop/{name}-{number}")
        except BaseException as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    threads = [threading.Thread(target=place, args=(each, f"at-{n}")) for n, each in enumerate(services)]
    for thread in threads:
        thread.start()
    try:
        yield placed_ones
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []


def test_who_was_erased_opens_nowhere_once_the_keys_were_rotated_and_the_living_stay(house: House):
    with Client(house.servers[0].address) as one, Client(house.servers[1].address) as two:
        one.approve()
        one.place("ann", customer=ANN)
        one.place("bob", customer=BOB)
        ann, bob = dump_of(house, "shop/ann"), dump_of(house, "shop/bob")
        old_ring = load_or_create(house.key_file, ledger_has_data=True)
        assert Sealer(old_ring).of("tenant_default").unseal(ann.box, ann.key, placed("shop/ann", "customer"))
        two.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="ann@example.org", even_if_open=True))
        with writing(house.servers) as written:
            wait_for(lambda: len(written) > 4)
            house.rotate()
            rotated = len(written)
            wait_for(lambda: len(written) > rotated + 8)
        house.rows("CHECKPOINT")
        ring = load_or_create(house.key_file, ledger_has_data=True)
        assert (sorted(old_ring.epochs), sorted(ring.epochs)) == ([1], [2])
        remains = b"".join(path.read_bytes() for path in house.postgres.rglob("*") if path.is_file())
        assert ann.key.wrapped in remains, "the old key is still on the disk, and of no use any more"
        own = Sealer(ring).of("tenant_default")
        for dump, order_id in ((ann, "shop/ann"), (bob, "shop/bob")):
            for epoch in (1, *ring.epochs):
                with pytest.raises(Unreadable):
                    own.unseal(dump.box, dump.key._replace(epoch=epoch), placed(order_id, "customer"))
        assert ann.email not in {each.email for each in own.contacts(ANN.email, ANN.phone)}
        assert old_ring.epochs[1].secret not in house.key_file.read_bytes()
        now = dump_of(house, "shop/bob")
        assert own.unseal(now.box, now.key, placed("shop/bob", "customer"))["name"] == "Bob Here"
        for client in (one, two):
            names = [customer(client, order_id) for order_id in ("shop/ann", "shop/bob", written[0], written[-1])]
            assert names == ["", "Bob Here", "Bob Here", "Bob Here"]
        known = own.contacts(BOB.email, "")
        found = house.rows(f"SELECT count(*) FROM tenant_default.ledger_keys WHERE email = '{known[0].email}'")
        assert found == [(len(written) + 1,)], "all of them are found, and none under the old epoch"


def test_what_was_kept_for_long_enough_opens_in_no_dump_and_no_log_either_once_the_keys_were_rotated(house: House):
    now = datetime.now(UTC)
    with projector(house.dsn), Client(house.servers[0].address) as client:
        client.approve()
        for name, who in (("ann", ANN), ("bob", BOB)):
            client.place(name, customer=who, payment=orders_pb2.PAYMENT_STATE_PENDING)
        cancelled = orders_pb2.CancelOrderRequest(
            context=context(), order_id="shop/ann", reason="changed my mind", by=common_pb2.PARTY_CUSTOMER
        )
        client.orders.CancelOrder(cancelled)
        policy = admin_pb2.Policy(retention=[people_pb2.Retention(customer_days=30)])
        receipt = client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))
        client.read_up_to(receipt.position)
        ann, bob = dump_of(house, "shop/ann"), dump_of(house, "shop/bob")
        old_ring = load_or_create(house.key_file, ledger_has_data=True)
        assert expire(house.dsn, house.key_file, "default", now + timedelta(days=31)) == 1
        assert house.rows(f"SELECT wrapped FROM tenant_default.ledger_keys WHERE key_id = '{ann.box.key_id}'") == [
            (None,)
        ]
        sealer = Sealer(old_ring).of("tenant_default")
        earlier = sealer.unseal(ann.box, ann.key, placed("shop/ann", "customer"))
        assert earlier["name"] == "Ann Gone", "a dump of before opens as long as there is the key file of before"
        house.rotate()
        house.rows("CHECKPOINT")
        ring = load_or_create(house.key_file, ledger_has_data=True)
        files = [path.read_bytes() for path in house.postgres.rglob("*") if path.is_file()]
        assert ann.key.wrapped in b"".join(files), "the old key is still in the files, and of no use any more"
        secrets = [each.secret for each in old_ring.epochs.values()]
        assert not [secret for secret in secrets if secret in house.key_file.read_bytes() or secret in b"".join(files)]
        for epoch in (*old_ring.epochs, *ring.epochs):
            with pytest.raises(Unreadable):
                Sealer(ring).of("tenant_default").unseal(
                    ann.box, ann.key._replace(epoch=epoch), placed("shop/ann", "customer")
                )
        assert [customer(client, each) for each in ("shop/ann", "shop/bob")] == ["", "Bob Here"]
        assert bob.key.wrapped != dump_of(house, "shop/bob").key.wrapped


def test_a_repetition_after_an_erasure_tells_no_right_guess_from_a_wrong_one(house: House):
    with Client(house.servers[0].address) as client:
        client.approve()

        def place(name: str, email: str, **more: Any) -> orders_pb2.PlaceOrderRequest:
            line = orders_pb2.OrderLine(sku="TEA", quantity=1, unit_price_minor=990, supplier_id="acme")
            return orders_pb2.PlaceOrderRequest(
                context=context(**more),
                channel="shop",
                channel_order_id="guess",
                currency="EUR",
                lines=[line],
                customer=orders_pb2.Customer(name=name, email=email),
                ship_to=orders_pb2.Address(lines=["1 Elm Street"], city="Berlin", country="DE"),
            )

        client.orders.PlaceOrder(place("Ann", "ann@example.org", request_id="first"))
        wrong = place("Eve", "eve@example.org")
        assert refused(client.orders.PlaceOrder, wrong).code() is grpc.StatusCode.ALREADY_EXISTS
        client.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="ann@example.org", even_if_open=True))
        guesses = [place("Ann", "ann@example.org"), place("Eve", "eve@example.org")]
        again = [place(*each, request_id="first") for each in (("Ann", "ann@example.org"), ("Eve", "eve@example.org"))]
        told = [client.orders.PlaceOrder(each) for each in (*guesses, *again)]
        assert told[0].version == told[1].version
        assert told[2] == told[3]


# --- moved rows -----------------------------------------------------------------------------------


def test_a_key_that_is_moved_to_another_person_or_tenant_opens_nothing(house: House):
    with Client(house.servers[0].address) as client, Client(house.servers[0].address, "other") as other:
        client.approve()
        client.place("ann", customer=ANN)
        client.place("bob", customer=BOB)
        client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="other"))
        for table in ("ledger_events", "ledger_keys"):
            house.rows(f"INSERT INTO tenant_other.{table} SELECT * FROM tenant_default.{table} ")
        asked = orders_pb2.GetOrderRequest(order_id="shop/ann", with_personal_data=True)
        with pytest.raises(AssertionError, match="ended with a mistake of the service"):
            other.orders.GetOrder(asked)
        swap = """
            UPDATE tenant_default.ledger_keys SET subject = CASE subject WHEN 'order shop/ann' THEN 'order shop/bob'
                ELSE 'order shop/ann' END WHERE subject IN ('order shop/ann', 'order shop/bob')
        """
        house.rows(swap)
        with pytest.raises(AssertionError, match="ended with a mistake of the service"):
            client.orders.GetOrder(asked)
        with pytest.raises(KeysDoNotOpen, match=r"2 data keys in tenant_default\.ledger_keys do not open"):
            house.rotate()
        house.rows(swap)
        house.rows("UPDATE tenant_other.ledger_keys SET wrapped = NULL ")
        house.rotate("--finish")
        assert customer(client, "shop/ann") == "Ann Gone"


# --- interruptions --------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def dsn(postgres: tuple[Path, str]) -> Iterator[str]:
    with a_database(postgres[1]) as dsn:
        yield dsn


async def a_ledger_with_keys(pool: AsyncConnectionPool[Any], key_file: Path, keys: int = 5) -> None:
    """A ledger that no server serves."""
    control = Control(pool)
    await control.prepare()
    opened = await HeldKeys.open(control, Holders(pool), key_file)
    await Holders(pool).let_go(opened._name)
    ledger = Ledger(Log("tenant_default", pool), NOUNS)
    await ledger.start()
    own = opened.sealer.of("tenant_default")
    for number in range(keys):
        key = own.seal({"name": "Ann"}, f"order {number}", "x")[1].found_by("ann@example.org", "", "x")
        await ledger.execute(take(f"r{number}", "pears", keys=(key,)))
    await ledger.stop()


async def epochs_of(pool: AsyncConnectionPool[Any]) -> list[Any]:
    async with pool.connection() as connection:
        query = "SELECT epoch, count(*) FROM tenant_default.ledger_keys GROUP BY epoch ORDER BY epoch"
        return [*await (await connection.execute(query)).fetchall()]


async def test_a_rotation_that_was_killed_at_any_point_is_finished_by_the_next(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Killed before each of its steps in turn, until it comes through."""
    monkeypatch.setattr(rotation, "KEYS_AT_ONCE", 2)
    steps = {"left": 0}

    def counted(owner: Any, name: str) -> None:
        work = getattr(owner, name)

        def step(*given: Any, **more: Any) -> Any:
            if not steps["left"]:
                raise Killed
            steps["left"] -= 1
            return work(*given, **more)

        monkeypatch.setattr(owner, name, step)

    key_file = tmp_path / "master.key"
    async with open_pool(dsn) as pool:
        await a_ledger_with_keys(pool, key_file)
        for owner, name in ((rotation, "store"), (Holders, "seal_under"), (_Table, "execute")):
            counted(owner, name)
        for cut in range(100):
            before = max(load_or_create(key_file, ledger_has_data=True).epochs)
            steps["left"] = cut
            try:
                await Rotation(pool, key_file, print).run()
                break
            except Killed:
                steps["left"] = 1000
                await Rotation(pool, key_file, print).run(begin=False)
            ring = load_or_create(key_file, ledger_has_data=True)
            # Killed before it had begun, there was nothing to finish.
            assert list(ring.epochs) == [before + (cut > 0)]
            assert await epochs_of(pool) == [(ring.newest, 5)]
        assert cut > 10
        (known, *_) = (
            Sealer(load_or_create(key_file, ledger_has_data=True)).of("tenant_default").contacts("ann@example.org", "")
        )
        async with pool.connection() as connection:
            found = await connection.execute(
                "SELECT count(*) FROM tenant_default.ledger_keys WHERE email = %s", (known.email,)
            )
            assert await found.fetchall() == [(5,)]


async def test_a_server_that_missed_a_rotation_can_write_nothing_under_the_old_epoch(dsn: str, tmp_path: Path):
    key_file = tmp_path / "master.key"
    async with open_pool(dsn) as pool:
        await a_ledger_with_keys(pool, key_file)
        stale = Sealer(load_or_create(key_file, ledger_has_data=True))
        await Rotation(pool, key_file, print).run()
        ring = load_or_create(key_file, ledger_has_data=True)
        ledger = Ledger(Log("tenant_default", pool), NOUNS, patience_seconds=0.1)
        await ledger.start()
        late = take("late", "pears", keys=(stale.of("tenant_default").seal({}, "order 9", "x")[1],))
        with pytest.raises(StorageUnavailable):
            await ledger.execute(late)
        stale.use(ring, ring.newest)
        assert not (await ledger.execute(late)).replayed, "nothing of it was recorded before"
        await ledger.stop()
        assert await epochs_of(pool) == [(2, 6)]


async def test_a_rotation_waits_for_every_server_that_runs(dsn: str, tmp_path: Path):
    key_file, said = tmp_path / "master.key", asyncio.Queue[str]()
    async with open_pool(dsn) as pool:
        await a_ledger_with_keys(pool, key_file)
        keys = await HeldKeys.open(Control(pool), Holders(pool), key_file)
        rotating = asyncio.create_task(Rotation(pool, key_file, said.put_nowait).run())
        for expected, held in (
            ("to read epoch 2 from its key file", [1, 2]),
            ("to seal under epoch 2", [1, 2]),
            ("to drop the old epoch", [2]),
        ):
            while expected not in (line := await said.get()):
                pass
            await keys.look()
            ((name, epochs, writes),) = await Holders(pool).running()
            assert (name in line, epochs, writes) == (True, held, keys.sealer.writes)
        await rotating
        assert keys.sealer.writes == 2
        assert (await said.get()).startswith("done: only epoch 2 is left")


async def test_one_rotation_at_a_time_and_none_with_the_wrong_keys(dsn: str, tmp_path: Path):
    key_file = tmp_path / "master.key"
    async with open_pool(dsn) as pool:
        await a_ledger_with_keys(pool, key_file)
        with rotation._alone(key_file), pytest.raises(RotationRuns):
            await Rotation(pool, key_file, print).run()
        before = load_or_create(key_file, ledger_has_data=True)
        store(key_file, before.with_another().with_newest_only())
        with pytest.raises(EpochMissing, match="lacks epoch 1, which this ledger seals under"):
            await Rotation(pool, key_file, print).run()
        with pytest.raises(EpochMissing):
            await HeldKeys.open(Control(pool), Holders(pool), key_file)


async def test_a_server_keeps_its_keys_while_the_file_is_none(
    dsn: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    key_file = tmp_path / "master.key"
    async with open_pool(dsn) as pool:
        await a_ledger_with_keys(pool, key_file)
        keys = await HeldKeys.open(Control(pool), Holders(pool), key_file)
        good = key_file.read_bytes()
        key_file.write_bytes(b"half a file")
        for _ in range(2):
            await keys._try_to_look()
        assert [each.getMessage() for each in caplog.records if "stay as they were" in each.getMessage()] == [
            f"the keys stay as they were: the key file {key_file} (11 bytes) holds no keys; restore it from your backup"
        ], "said once"
        assert keys.sealer.writes == 1
        key_file.write_bytes(good)
        await keys.look()
    await keys._try_to_look()
    levels = [each.levelname for each in caplog.records if "stay as they were" in each.getMessage()]
    assert levels == ["ERROR", "WARNING"], "the file needs somebody; that the database does not answer passes"


def test_the_epochs_are_listed_with_what_each_still_wraps(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    key_file = tmp_path / "master.key"

    async def prepare() -> None:
        async with open_pool(dsn) as pool:
            await a_ledger_with_keys(pool, key_file)

    asyncio.run(prepare())
    options = ["--dsn", dsn, "--key-file", str(key_file)]
    commands.main(["rotate", *options, "--finish"])
    assert capsys.readouterr().out == "there is no rotation to finish\n"
    ring = load_or_create(key_file, ledger_has_data=True).with_another()
    store(key_file, ring)
    commands.main(["list", *options])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["epoch", "made", "data", "keys"]
    assert [(line[0], line[3:]) for line in lines[1:]] == [("1", ["5", "seals"]), ("2", ["0"])]
