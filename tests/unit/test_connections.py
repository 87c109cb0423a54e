"""Connections and receptions: what is added, changed, removed, and what failed."""

from datetime import UTC, datetime

import pytest

from ledger.facts import Sealed
from ledger.nouns import connections, receptions
from ledger.nouns.connections import (
    ConnectionAdded,
    ConnectionExists,
    ConnectionPaused,
    ConnectionRemoved,
    ConnectionResumed,
    SecretRotated,
    TooManyConnections,
    UnknownConnection,
)
from ledger.nouns.receptions import Ending, ReceptionFailed, ReceptionSettled, UnknownReception

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def sealed(name):
    return Sealed(name, b"")


def added(name="main", digest="1.a", system="woocommerce"):
    return ConnectionAdded(name, system, {}, sealed("s1"), sealed("box"), digest, "mia", NOON)


def rotated(secret, digest):
    return SecretRotated("main", sealed(secret), digest, "mia", NOON)


def folded(*facts):
    state = None
    for fact in facts:
        state = connections.evolve(state, fact)
    return state


def test_a_connection_is_added_once():
    assert connections.add(None, added()) == [added()]
    assert connections.add(folded(added()), added()) == []
    with pytest.raises(ConnectionExists, match="main exists"):
        connections.add(folded(added()), added(digest="1.b"))


def test_there_is_a_most_of_connections():
    full = folded(*(added(f"c{number}") for number in range(connections.MOST_CONNECTIONS)))
    with pytest.raises(TooManyConnections, match="200"):
        connections.add(full, added("another"))
    assert connections.add(full, added("c7")) == []


def test_of_rotated_secrets_the_newest_two_are_valid():
    known = folded(added(), rotated("s2", "1.b"), rotated("s3", "1.c"))
    assert [each.key_id for each in known.by_name["main"].secrets] == ["s3", "s2"]
    assert connections.rotate(known, "woocommerce", rotated("s4", "1.c")) == []
    assert connections.rotate(known, "woocommerce", rotated("s4", "1.d")) == [rotated("s4", "1.d")]
    with pytest.raises(UnknownConnection):
        connections.rotate(known, "shopify", rotated("s4", "1.d"))
    with pytest.raises(UnknownConnection):
        connections.rotate(None, "woocommerce", rotated("s4", "1.d"))


def test_a_connection_is_paused_and_goes_on():
    paused, resumed = ConnectionPaused("main", "mia", NOON), ConnectionResumed("main", "tom", NOON)
    known = folded(added())
    assert connections.resume(known, resumed) == []
    assert connections.pause(known, paused) == [paused]
    known = folded(added(), paused)
    assert known.by_name["main"].paused
    assert connections.pause(known, paused) == []
    assert connections.resume(known, resumed) == [resumed]
    known = folded(added(), paused, resumed)
    assert (known.by_name["main"].paused, known.by_name["main"].changed_by) == (False, "tom")
    with pytest.raises(UnknownConnection):
        connections.pause(None, paused)
    with pytest.raises(UnknownConnection):
        connections.resume(None, resumed)


def test_a_removed_connection_is_no_more_and_its_name_is_free():
    removed = ConnectionRemoved("main", "mia", NOON)
    assert connections.remove(folded(added()), removed) == [removed]
    known = folded(added(), removed)
    assert connections.remove(known, removed) == []
    assert connections.remove(None, removed) == []
    assert connections.add(known, added(digest="1.b")) == [added(digest="1.b")]


def test_what_failed_is_work_until_somebody_deals_with_it():
    failed = ReceptionFailed("0a", "main", "order.updated", "1001", "currency: no code", NOON)
    settled = ReceptionSettled("0a", Ending.REPLAYED, "mia", NOON)
    assert receptions.fail(None, failed) == [failed]
    once = receptions.evolve(None, failed)
    assert receptions.fail(once, failed) == []
    assert receptions.settle(once, settled) == [settled]
    done = receptions.evolve(once, settled)
    assert receptions.settle(done, settled) == []
    assert receptions.fail(done, failed) == [failed]
    assert receptions.evolve(done, failed).failures == 2
    with pytest.raises(UnknownReception):
        receptions.settle(None, settled)
