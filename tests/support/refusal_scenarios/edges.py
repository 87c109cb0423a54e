"""What connections, and what was received by them, are refused for."""

from __future__ import annotations

from fulfilment.v1 import common_pb2
from tests.support.refusal_scenarios.about import FAR, Elsewhere, Scenarios, as_it_is
from tests.support.trading import Fields, Trade

MANY = Elsewhere("tests/unit/test_connections.py", "test_there_is_a_most_of_connections")


def added(trade: Trade) -> Fields:
    """A connection of that name, with another secret."""
    trade.send("AddConnection", name="taken")
    return {"name": "taken", "secrets": {"webhook": "another"}}


def as_of_beyond(trade: Trade) -> Fields:
    """As of a position that the log has not reached."""
    return {"as_of": common_pb2.AsOf(position=FAR)}


EDGES: Scenarios = {
    "AddConnection": {"CONNECTION_EXISTS": added, "TOO_MANY_CONNECTIONS": MANY},
    "RotateConnectionSecret": {"UNKNOWN_CONNECTION": as_it_is},
    "PauseConnection": {"UNKNOWN_CONNECTION": as_it_is},
    "ResumeConnection": {"UNKNOWN_CONNECTION": as_it_is},
    "TestConnection": {"UNKNOWN_CONNECTION": as_it_is},
    "GetReception": {"UNKNOWN_RECEPTION": as_it_is},
    "ReplayReception": {"UNKNOWN_RECEPTION": as_it_is},
    "DropReception": {"UNKNOWN_RECEPTION": as_it_is},
    "TellStock": {"UNKNOWN_CONNECTION": as_it_is},
    "TellOrders": {"UNKNOWN_CONNECTION": as_it_is},
    "ListEffects": {"BEYOND_THE_LOG": as_of_beyond},
    "GetEffect": {"UNKNOWN_EFFECT": as_it_is, "BEYOND_THE_LOG": as_of_beyond},
    "ReplayEffect": {"UNKNOWN_EFFECT": as_it_is},
    "DropEffect": {"UNKNOWN_EFFECT": as_it_is},
    "GetTextChoice": {"BEYOND_THE_LOG": as_of_beyond},
}
