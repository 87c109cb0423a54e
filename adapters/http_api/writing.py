"""Answers of the contract as JSON, by protobuf's JSON mapping, with the names of the protos."""

from __future__ import annotations

import msgspec
from google.protobuf import json_format
from google.protobuf.message import Message


def to_json(message: Message) -> bytes:
    """What is empty, false or 0 is left out; whole numbers of 64 bits are strings, as JavaScript needs it."""
    return msgspec.json.encode(json_format.MessageToDict(message, preserving_proto_field_name=True))
