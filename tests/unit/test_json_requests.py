"""Requests in JSON: read as protobuf's own reader reads them, and whatever else comes is malformed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from adapters.http_api.reading import from_json
from fulfilment.v1 import orders_pb2
from ledger.refusals import Malformed
from tests.support.contract import request_classes

_VALUES: dict[int, Any] = {
    FieldDescriptor.TYPE_STRING: "ü\N{PILE OF POO}",
    FieldDescriptor.TYPE_BOOL: True,
    FieldDescriptor.TYPE_INT32: -7,
    FieldDescriptor.TYPE_INT64: 2**63 - 1,
    FieldDescriptor.TYPE_BYTES: b"\x00\xff\xfe",
}


def filled(message: Any, turn: int) -> Any:
    """The message with all fields, of each choice another one each turn."""
    for choice in message.DESCRIPTOR.oneofs:
        _fill(message, choice.fields[turn % len(choice.fields)], turn)
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof is None:
            _fill(message, field, turn)
    return message


def _fill(message: Any, field: FieldDescriptor, turn: int) -> None:
    of_kind = field.message_type
    if of_kind is not None and of_kind.GetOptions().map_entry:
        rows, value = getattr(message, field.name), of_kind.fields_by_name["value"]
        if value.message_type is None:
            rows["key"] = _VALUES[value.type]
        else:
            filled(rows["key"], turn)
    elif of_kind is not None:
        below = getattr(message, field.name)
        below = below.add() if field.is_repeated else below
        below.SetInParent()
        if of_kind.full_name == "google.protobuf.Timestamp":
            below.FromJsonString("2026-01-05T09:00:00.000000001Z")
        elif of_kind.full_name == "google.protobuf.Duration":
            below.FromJsonString("-1.5s")
        else:
            filled(below, turn)
    else:
        plain = field.enum_type.values[-1].number if field.enum_type is not None else _VALUES[field.type]
        getattr(message, field.name).append(plain) if field.is_repeated else setattr(message, field.name, plain)


@pytest.mark.parametrize("rpc", request_classes())
def test_every_request_is_read_as_protobuf_writes_it(rpc: str):
    kind = request_classes()[rpc]
    for turn in range(max((len(choice.fields) for choice in kind.DESCRIPTOR.oneofs), default=1)):
        request: Message = filled(kind(), turn)
        for with_names_of_protos in (False, True):
            written = json_format.MessageToJson(request, preserving_proto_field_name=with_names_of_protos)
            assert from_json(kind, written.encode()) == request


def test_whole_numbers_are_read_however_they_are_written():
    for written in ("3", '"3"', "3.0", "3e0", "0.3E1", "300e-2"):
        body = f'{{"at_least": {written}}}'
        assert from_json(orders_pb2.GetOrderRequest, body.encode()).at_least == 3
    for written in ("3.5", "1e-999999999", "1e999999999", "9223372036854775808", '"0x3"', '" 3"', '"٣"', '""', "true"):
        with pytest.raises(Malformed, match=r"^at_least: "):
            from_json(orders_pb2.GetOrderRequest, f'{{"at_least": {written}}}'.encode())


def test_null_is_nothing_and_an_empty_object_is_something():
    assert not from_json(orders_pb2.PlaceOrderRequest, b'{"customer": null}').HasField("customer")
    assert from_json(orders_pb2.PlaceOrderRequest, b'{"customer": {}}').HasField("customer")
    assert from_json(orders_pb2.PlaceOrderRequest, b"") == orders_pb2.PlaceOrderRequest()


def outcome(body: bytes) -> Message | bytes:
    """The request, or the sentence that refuses it, as it is sent."""
    try:
        return from_json(orders_pb2.PlaceOrderRequest, body)
    except Malformed as refusal:
        return refusal.message.encode()


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9)
_NAMES = st.sampled_from([field.json_name for field in orders_pb2.PlaceOrderRequest.DESCRIPTOR.fields]) | st.text()
_TREES = st.recursive(
    _LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(_NAMES, below, max_size=5), max_leaves=20
)


@given(st.dictionaries(_NAMES, _TREES, max_size=9))
def test_whatever_comes_is_read_as_protobuf_reads_it_or_malformed(tree: Any):
    body = json.dumps(tree).encode()
    read = outcome(body)
    assert isinstance(read, bytes) or read == json_format.Parse(body, orders_pb2.PlaceOrderRequest())


@given(st.binary())
def test_whatever_bytes_come_are_read_or_malformed(body: bytes):
    assert outcome(body) is not None
