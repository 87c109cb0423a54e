"""The edges are woken for a connection when it is recorded, however long that takes."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from adapters.edges.wakeups import EdgeWork
from fulfilment.v1 import batch_pb2, edges_pb2
from ledger.engine.log import LOCK_SEED
from tests.support.service import context
from tests.support.waiting import wait_for
from tests.support.woo_shop import SECRET

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('tenant_default', %s))"
_WAITING = """
    SELECT FROM pg_locks JOIN pg_database ON oid = database
    WHERE NOT granted AND locktype = 'advisory' AND datname = current_database()
"""


@pytest.fixture
def connection(service):
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM fulfilment.wakeups")
        yield connection


def added(name):
    """A connection that is to be added."""
    return edges_pb2.AddConnectionRequest(
        context=context(),
        name=name,
        system="woocommerce",
        settings={"shop": "https://shop.example.org"},
        secrets={"webhook": SECRET},
    )


def woken(connection):
    """What is due by now."""
    due = "SELECT what FROM fulfilment.wakeups WHERE tenant = 'default' AND due_at <= now()"
    return {what for (what,) in connection.execute(due).fetchall()}


def in_a_batch(client, request):
    batch = batch_pb2.ExecuteBatchRequest(commands=[batch_pb2.BatchCommand(add_connection=request)])
    (outcome,) = client.batch.ExecuteBatch(batch).outcomes
    assert outcome.HasField("receipt"), outcome


@pytest.mark.parametrize(
    ("name", "add"), [("alone", lambda client, each: client.edges.AddConnection(each)), ("many", in_a_batch)]
)
def test_nobody_looks_before_a_connection_is_there_and_all_look_once_it_is(service, client, connection, name, add):
    with psycopg.connect(service.dsn) as holding, ThreadPoolExecutor(1) as another:
        holding.execute(_LOCK, (LOCK_SEED,))
        adding = another.submit(add, client, added(name))
        wait_for(lambda: connection.execute(_WAITING).fetchone() is not None)
        assert woken(connection) == set()
        holding.rollback()
        adding.result()
        assert woken(connection) == set(EdgeWork)


def test_what_changes_nothing_wakes_nobody(client, connection):
    client.edges.AddConnection(added("shop"))
    connection.execute("DELETE FROM fulfilment.wakeups")
    client.edges.ResumeConnection(edges_pb2.ResumeConnectionRequest(context=context(), name="shop"))
    assert woken(connection) == set()
    client.edges.PauseConnection(edges_pb2.PauseConnectionRequest(context=context(), name="shop"))
    assert woken(connection) == set()
    client.edges.ResumeConnection(edges_pb2.ResumeConnectionRequest(context=context(), name="shop"))
    assert woken(connection) == set(EdgeWork)
    connection.execute("DELETE FROM fulfilment.wakeups")
    client.edges.RemoveConnection(edges_pb2.RemoveConnectionRequest(context=context(), name="shop"))
    assert woken(connection) == set(EdgeWork)
