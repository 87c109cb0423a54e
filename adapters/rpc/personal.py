"""Which messages of the contract hold personal data, as the contract says of each field."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from fulfilment.v1 import privacy_pb2

_PERSONAL = (privacy_pb2.KEPT_SEALED, privacy_pb2.KEPT_CONTACT)


def holds_personal(message: type[Message]) -> bool:
    """Whether a field of it, at any depth, is sealed."""
    return _any_personal(message.DESCRIPTOR)


def _any_personal(message: Any) -> bool:
    for field in message.fields:
        if field.message_type is not None and _any_personal(field.message_type):
            return True
        if field.GetOptions().Extensions[privacy_pb2.kept_as] in _PERSONAL:
            return True
    return False
